"""What was asked: command structs, pure deciders, process managers, the synchronous handler and its ports."""
