"""Bybit v5 on the shared engine: a unified account with linear and inverse perpetuals."""
