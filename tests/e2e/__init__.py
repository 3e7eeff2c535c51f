"""The whole house from outside; a package, so that its demonstration ends with it."""
