"""Deribit's JSON-RPC on the shared engine: inverse perpetuals in dollars, a linear one in USDC."""
