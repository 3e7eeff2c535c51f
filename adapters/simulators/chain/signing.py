"""eth_account and eth_abi, without what importing them does to the process: see `evm`."""

import sys

_LIMIT = sys.getrecursionlimit()

from eth_abi.abi import encode  # noqa: E402 - what the import does is undone below
from eth_account import Account  # noqa: E402 - as above

sys.setrecursionlimit(_LIMIT)

__all__ = ["Account", "encode"]
