"""Rebalancing: where hedges should stand, and the moves that lead there."""
