"""Several Ethereum endpoints asked the same: the shared floor under the oracles on chain and the minting contract."""
