"""The composition root: the only place that names adapters. Each role is built here and run until told to stop."""
