"""Binance's dialects on the shared engine: USD-M futures."""
