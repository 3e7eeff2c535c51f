"""The outside: each sub-package speaks to one kind of system, and is a stranger to the others."""
