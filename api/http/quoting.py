"""Reading a request for a quote: every check that needs no state, in the order in which codes take precedence."""

import re
from decimal import Decimal

import msgspec

from api.http.codes import INVALID_ADDRESS, UNAVAILABLE
from api.http.errors import public_error
from domain.policy import Pair, Policy
from domain.quantity import Amount, num, plain
from domain.quote import Side

SIZE_TEXT_MAX = 80
SIZE_DIGITS_MAX = 18
SIZE_EXPONENT_MAX = 30
KINDS = frozenset({"ALGO", "UI"})
ISSUED_DECIMALS = 18
RFQ_PREFIX = "RFQ-"

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
ZERO_ADDRESS = "0x" + "0" * 40


class IssueQuote(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the body of the command `quote.issue`; `size` is in plain notation, units of what is given."""

    pair: str
    side: str
    kind: str
    size: str
    benefactor: str


class RfqAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer a request for a quote. Amounts are integers of atoms in text; size and gas are exact JSON numbers."""

    rfq_id: str
    pair: str
    side: str
    size: float
    gas: float
    collateral_asset: str
    collateral_amount: str
    usde_amount: str


def checked_address(text: str) -> str:
    """Return an address in lower case; raise code 30 for what is none, and for the zero address."""
    if not _ADDRESS.fullmatch(text) or text.lower() == ZERO_ADDRESS:
        raise public_error(INVALID_ADDRESS)
    return text.lower()


def is_address(text: str) -> bool:
    """Say whether a text is an address, zero or not."""
    return _ADDRESS.fullmatch(text) is not None


def find_pair(policy: Policy, name: str) -> Pair | None:
    """Return the pair of that name, whatever the case of its letters."""
    wanted = name.casefold()
    return next((pair for pair in policy.pairs if pair.name.casefold() == wanted), None)


def checked_size(text: str, digits_max: int = SIZE_DIGITS_MAX) -> str:
    """Return a size in plain notation; raise code 6 (not a number), 7 (not positive) or 5 (too many figures).

    Figures are those of the value: neither leading nor trailing zeros count, 1.50 has two.
    """
    if len(text) > SIZE_TEXT_MAX:
        # Too long to be read is still a number or not, and its figures are too many.
        raise public_error(5 if _NUMBER.fullmatch(text) else 6)
    if not _NUMBER.fullmatch(text):
        raise public_error(6)
    size = Decimal(text)
    if size <= 0:
        raise public_error(7)
    digits = "".join(map(str, size.as_tuple().digits)).strip("0")
    if len(digits) > digits_max or size.adjusted() < -SIZE_EXPONENT_MAX:
        raise public_error(5)
    if size.adjusted() > SIZE_EXPONENT_MAX:
        raise public_error(9)
    return plain(size)


def read_rfq(
    policy: Policy | None,
    pair: str | None,
    kind: str | None,
    side: str | None,
    size: str | None,
    benefactor: str | None,
) -> IssueQuote:
    """Return the command's body; raise the first code that applies: 0, 3, 4, 16, 6, 7, 5, 30."""
    if not (pair and kind and side and size and benefactor):
        raise public_error(0, "pair, type_, side, size and benefactor are required")
    if policy is None:
        raise public_error(UNAVAILABLE)
    listed = find_pair(policy, pair)
    if listed is None:
        raise public_error(3)
    if side not in Side.__members__:
        raise public_error(4)
    if kind not in KINDS:
        raise public_error(16)
    checked = checked_size(size, min(SIZE_DIGITS_MAX, policy.size_digits_max))
    return IssueQuote(pair=listed.name, side=side, kind=kind, size=checked, benefactor=checked_address(benefactor))


class _Gas(msgspec.Struct, frozen=True, gc=False):
    gas: Amount


class Quoted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold what an answer tells of `quote.issued`: the rest, its sources above all, is not read for it."""

    quote_id: str
    pair: str
    side: str
    size: str
    collateral: Amount
    issued: Amount
    decomposition: _Gas


read_quoted = msgspec.json.Decoder(Quoted).decode


def rfq_answer(policy: Policy, quote: Quoted) -> bytes:
    """Write the answer; numbers stand as exact as in the log, never as floats."""
    asset = next(asset for asset in policy.assets if asset.symbol == quote.collateral.asset)
    gas = num(quote.decomposition.gas.atoms).scaleb(-ISSUED_DECIMALS)
    return msgspec.json.encode(
        {
            "rfq_id": f"{RFQ_PREFIX}{quote.quote_id}",
            "pair": quote.pair,
            "side": quote.side,
            "size": msgspec.Raw(quote.size.encode()),
            "gas": msgspec.Raw(plain(gas).encode()),
            "collateral_asset": asset.address,
            "collateral_amount": str(quote.collateral.atoms),
            "usde_amount": str(quote.issued.atoms),
        }
    )
