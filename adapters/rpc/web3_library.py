"""web3 and eth_account, without what importing them does to the process.

py_ecc, which comes with them, raises the recursion limit a hundredfold. A deeply nested answer of a stranger would then
overflow the stack and kill the process, where every parser counts on a RecursionError that it refuses.
"""

import sys

_LIMIT = sys.getrecursionlimit()

from eth_account import Account  # noqa: E402 - what the import does is undone below
from web3 import AsyncWeb3  # noqa: E402 - as above
from web3.exceptions import Web3RPCError  # noqa: E402 - as above
from web3.providers.async_base import AsyncJSONBaseProvider  # noqa: E402 - as above
from web3.types import RPCEndpoint, RPCResponse  # noqa: E402 - as above

sys.setrecursionlimit(_LIMIT)

__all__ = ["Account", "AsyncJSONBaseProvider", "AsyncWeb3", "RPCEndpoint", "RPCResponse", "Web3RPCError"]
