"""The HTTP entrance: the public mint and redeem API, the keyed API, health, metrics and the operators' page."""
