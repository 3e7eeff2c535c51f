"""The laws are searched the same way on every run; `--hypothesis-profile=search` looks elsewhere, and longer."""

from hypothesis import HealthCheck, settings

settings.register_profile("suite", derandomize=True, deadline=None, max_examples=100, database=None)
settings.register_profile(
    "search", deadline=None, max_examples=3_000, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("suite")
