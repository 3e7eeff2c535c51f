"""Simulated counterparties that speak the real wire protocols over TLS on loopback.

Binance USD-M is here. What it does not do: hedge mode, isolated margin, portfolio margin, stop and trailing orders,
batch and amend calls, trading over WebSocket; liquidations happen only when a test asks for one. Marks and indices are
the middle of its own book, funding is a constant rate, all depth streams go out every 100 ms, and nobody else's account
is simulated: the rest of the market is anonymous quantity.
"""
