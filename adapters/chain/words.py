"""What the contract's views answer, read from their words. Pure."""

import msgspec

from adapters.rpc.wire import WORD_BYTES, Malformed, Reverted

UINT128_END = 1 << 128
ADDRESS_END = 1 << 160
MAGIC = bytes.fromhex("1626ba7e").ljust(WORD_BYTES, b"\0")
STABLE = 0


class TokenTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one asset's parameters; caps in atoms of the issued dollar a block."""

    stable: bool
    active: bool
    max_mint: int
    max_redeem: int


class GlobalTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the caps over all assets, atoms of the issued dollar a block."""

    max_mint: int
    max_redeem: int


def _words(answer: bytes, count: int) -> list[int]:
    if len(answer) != count * WORD_BYTES:
        raise Malformed(f"an answer of {len(answer)} bytes, not of {count} words")
    return [int.from_bytes(answer[at : at + WORD_BYTES]) for at in range(0, len(answer), WORD_BYTES)]


def _cap(value: int) -> int:
    if value >= UINT128_END:
        raise Malformed("a cap beyond its type")
    return value


def number_word(answer: bytes) -> int:
    """Return a number."""
    return _words(answer, 1)[0]


def address_word(answer: bytes) -> str:
    """Return an address, lower case."""
    value = number_word(answer)
    if value >= ADDRESS_END:
        raise Malformed("an address beyond its type")
    return f"0x{value:040x}"


def token_terms(answer: bytes) -> TokenTerms:
    """Return what `tokenConfig` answers."""
    kind, active, mint, redeem = _words(answer, 4)
    if kind > 1 or active > 1:
        raise Malformed("a token's type or flag beyond its type")
    return TokenTerms(stable=kind == STABLE, active=active == 1, max_mint=_cap(mint), max_redeem=_cap(redeem))


def global_terms(answer: bytes) -> GlobalTerms:
    """Return what `globalConfig` answers."""
    mint, redeem = _words(answer, 2)
    return GlobalTerms(max_mint=_cap(mint), max_redeem=_cap(redeem))


def is_magic(answer: bytes | Reverted) -> bool:
    """Say whether a contract wallet said yes, in a form that the minting contract can read."""
    return isinstance(answer, bytes) and answer[:WORD_BYTES] == MAGIC
