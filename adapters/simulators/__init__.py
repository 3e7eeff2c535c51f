"""Simulated counterparties that speak the real wire protocols over TLS on loopback."""
