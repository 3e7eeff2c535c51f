"""What can be seen: pure folds from events to read models, and their ports."""
