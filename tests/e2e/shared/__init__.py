"""One demonstration that all of these tests share; a package, so that it ends with them and not with the session."""
