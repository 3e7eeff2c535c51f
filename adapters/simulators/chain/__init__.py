"""An Ethereum chain for development: a real EVM (py-evm) behind JSON-RPC over HTTP and WebSocket, all on loopback.

`node.SimulatedNode` is the process's door; `deployment.deploy` puts the minting contract on it or on any other node.
"""
