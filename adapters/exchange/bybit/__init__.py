"""Bybit v5: linear and inverse perpetuals of a unified account."""
