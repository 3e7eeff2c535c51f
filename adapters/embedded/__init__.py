"""Run Postgres, NATS and Ballast's own processes as children of one parent, in one data directory."""
