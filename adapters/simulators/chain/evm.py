"""py-evm, without what importing it does to the process: what it brings along raises the recursion limit a hundredfold.

A deeply nested request of a stranger would then overflow the stack, where the server counts on a RecursionError.
"""

import sys
from typing import Any

_LIMIT = sys.getrecursionlimit()

import rlp  # noqa: E402 - what the import does is undone below
from eth.consensus.context import ConsensusContext  # noqa: E402 - as above
from eth.constants import BLANK_ROOT_HASH, EMPTY_SHA3  # noqa: E402 - as above
from eth.db.atomic import AtomicDB  # noqa: E402 - as above
from eth.db.backends.memory import MemoryDB  # noqa: E402 - as above
from eth.db.trie import make_trie_root_and_nodes  # noqa: E402 - as above
from eth.exceptions import Revert, VMError  # noqa: E402 - as above
from eth.rlp.accounts import Account  # noqa: E402 - as above
from eth.vm.chain_context import ChainContext  # noqa: E402 - as above
from eth.vm.forks.prague import PragueVM as _PragueVM  # noqa: E402 - as above
from eth.vm.forks.prague.blocks import PragueBlockHeader  # noqa: E402 - as above
from eth.vm.forks.prague.transactions import PragueTransactionBuilder  # noqa: E402 - as above
from eth.vm.message import Message as _Message  # noqa: E402 - as above
from eth_utils.exceptions import ValidationError  # noqa: E402 - as above
from rlp.exceptions import RLPException  # noqa: E402 - as above

sys.setrecursionlimit(_LIMIT)

# py-evm calls bytes by names of its own (Address, Hash32) and builds its classes at run time: to us they are untyped.
State = Any
PragueVM: Any = _PragueVM
Message: Any = _Message

__all__ = [
    "BLANK_ROOT_HASH",
    "EMPTY_SHA3",
    "Account",
    "AtomicDB",
    "ChainContext",
    "ConsensusContext",
    "MemoryDB",
    "Message",
    "PragueBlockHeader",
    "PragueTransactionBuilder",
    "PragueVM",
    "RLPException",
    "Revert",
    "State",
    "VMError",
    "ValidationError",
    "make_trie_root_and_nodes",
    "rlp",
]
