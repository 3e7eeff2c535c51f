"""Simulated counterparties that speak the real wire protocols over TLS on loopback: one engine, several dialects.

The engine (`exchange`, `ledger`, `matching`, `admission`, `journal`) knows no venue's words; a dialect is a folder that
inherits `venue.SimulatedVenue`. `world` moves the prices that all venues and oracles share, `listener` mounts them on
one port. What is not here: hedge mode, isolated margin, portfolio margin, stop and trailing orders, batch and amend
calls, trading over WebSocket; liquidations happen only when a test asks for one. Marks are the middle of a venue's own
book, funding is a constant rate, depth goes out every 100 ms, and nobody else's account is simulated: the rest of the
market is anonymous quantity.
"""
