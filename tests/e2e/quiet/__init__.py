"""A house where nobody trades but the test; a package, so that it ends with its tests and not with the session."""
