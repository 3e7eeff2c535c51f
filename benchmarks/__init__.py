"""Programs that print a table, each beside a peer measured in the same run."""
