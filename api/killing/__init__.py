"""The kill: a process of its own that brings every venue to silence."""
