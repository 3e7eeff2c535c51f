"""The chain: today the typed data of the minting contract, hashed and recovered without a node."""
