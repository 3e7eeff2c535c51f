"""Every entrance: HTTP, CLI, settings, the loops that feed the core and the workers, and the composition root."""
