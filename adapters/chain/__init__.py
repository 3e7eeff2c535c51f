"""The chain: orders hashed and recovered without a node, endpoints that must agree, calls of the minting contract."""
