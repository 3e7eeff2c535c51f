"""The bus: commands, facts, events, alerts and signals over NATS. Postgres is the record; all here is rebuildable."""
