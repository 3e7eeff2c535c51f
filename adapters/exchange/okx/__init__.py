"""OKX v5: swaps, counted in contracts."""
