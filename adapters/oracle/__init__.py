"""What the price oracles say: signed updates verified, gateways asked, contracts read."""
