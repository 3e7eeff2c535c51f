"""The chain's worker: settlements, the contract's terms and parties, the treasury."""
