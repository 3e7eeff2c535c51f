"""The gatekeeper: a process of its own that judges what the contract did."""
