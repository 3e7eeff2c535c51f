"""Binance: USD-M, COIN-M and spot, in the words of its REST and streams."""
