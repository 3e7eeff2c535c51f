"""What nodes say of a transaction that is sent to them, in one vocabulary: their texts differ, their meaning does not.

Pure. A text is compared, never told on.
"""

from adapters.rpc.wire import Refused

TAKEN = "TAKEN"
BUSY = "BUSY"  # not now: nothing is said about the transaction
NONCE_TOO_LOW = "NONCE_TOO_LOW"
REPLACEMENT_UNDERPRICED = "REPLACEMENT_UNDERPRICED"
INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
FEE_TOO_LOW = "FEE_TOO_LOW"
INTRINSIC_GAS = "INTRINSIC_GAS"
GAS_LIMIT = "GAS_LIMIT"
NOT_TAKEN = "NOT_TAKEN"

_LIMITED = -32_005

# In the order in which they are looked for: the first words that a text holds decide.
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (TAKEN, ("already known", "alreadyknown", "known transaction", "already imported", "already in mempool")),
    (
        REPLACEMENT_UNDERPRICED,
        ("replacement transaction underpriced", "replacement underpriced", "replacementnotallowed"),
    ),
    (NONCE_TOO_LOW, ("nonce too low", "nonce is too low", "oldnonce", "nonce has already been used")),
    (INSUFFICIENT_FUNDS, ("insufficient funds", "insufficientfunds", "insufficient balance", "enough funds")),
    (INTRINSIC_GAS, ("intrinsic gas too low", "intrinsic gas", "gaslimittoolow")),
    (GAS_LIMIT, ("exceeds block gas limit", "gas limit is too high", "greater than the block's gas limit")),
    (
        FEE_TOO_LOW,
        (
            "underpriced",
            "less than block base fee",
            "lower than the block base fee",
            "fee too low",
            "feetoolow",
            "gas price below",
            "tip needed",
        ),
    ),
    (
        BUSY,
        (
            "rate limit",
            "too many requests",
            "pool is full",
            "txpool is full",
            "syncing",
            "nonce too high",
            "limit exceeded",
            "timeout",
            "timed out",
            "try again",
        ),
    ),
)


def meaning(refused: Refused) -> str:
    """Return what a node's refusal means."""
    if refused.code == _LIMITED:
        return BUSY
    text = refused.message.lower()
    return next((code for code, words in _WORDS if any(each in text for each in words)), NOT_TAKEN)
