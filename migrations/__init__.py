"""Forward-only SQL, numbered; applied in order, each once, in its own transaction."""
