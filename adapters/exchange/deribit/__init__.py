"""Deribit: perpetuals, inverse and linear, over JSON-RPC."""
