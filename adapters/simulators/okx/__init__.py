"""The simulated OKX: v5's words for what the shared engine does."""
