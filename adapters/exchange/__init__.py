"""Exchanges, through unmodified ccxt: orders out, fills, states and books in."""
