"""Public market data over our own WebSocket clients: every gap seen, nothing believed unchecked."""
