"""Binance's dialects on the shared engine: USD-M and COIN-M futures, and spot."""
