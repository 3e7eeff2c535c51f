"""The five kinds of error, and the reasons for which a command is refused.

malformed   the edge could not read it: HTTP 400, counted, never appended
refusal     a `Refusal`, a value: decided, kept, answered with the code its reason maps to
conflict    another command came first: bounded retry at the edge
outside     `Rejected` (surely not done), `Unavailable` (surely not sent), `Unknown` (may be done: ask, never resend)
broken      `Broken`, an assertion: stop, replay
"""

from enum import IntEnum, unique

import msgspec


@unique
class Reason(IntEnum):
    """Order the reasons by precedence: the least one that applies is the one that is told.

    What rests on another answer is judged after it: nothing without a policy, no age without its limit, no control of
    a size that has no price.
    """

    # What was asked for.
    ORDER_TYPE_INVALID = 100
    ADDRESS_INVALID = 101
    PAIR_UNSUPPORTED = 102
    SIDE_UNSUPPORTED = 103
    ASSET_UNSUPPORTED = 104
    ASSET_INACTIVE = 105
    SIZE_NOT_POSITIVE = 106
    SIZE_TOO_PRECISE = 107
    # Who asked.
    BENEFACTOR_NOT_WHITELISTED = 200
    BENEFICIARY_NOT_APPROVED = 201
    SIGNATURE_INVALID = 202
    WALLET_BALANCE = 210
    WALLET_ALLOWANCE = 211
    ISSUED_BALANCE = 212
    ISSUED_ALLOWANCE = 213
    # Whole-system state.
    POLICY_MISSING = 300
    HALTED = 301
    REDUCE_ONLY = 302
    DEPENDENCY_LOST = 303
    VENUE_SUSPENDED = 304
    INSTRUMENT_SUSPENDED = 305
    ASSET_SUSPENDED = 306
    ASSET_DEPEGGED = 307
    CHAIN_UNKNOWN = 308
    # The quote and the order.
    QUOTE_UNKNOWN = 400
    QUOTE_USED = 401
    QUOTE_EXPIRED = 402
    QUOTE_MISMATCH = 403
    ORDER_EXPIRED = 404
    NONCE_INVALID = 405
    NONCE_USED = 406
    # Data to decide on.
    REFERENCE_MISSING = 500
    REFERENCE_STALE = 501
    QUORUM_MISSING = 502
    HEDGE_UNVOUCHED = 503
    DEPTH_INSUFFICIENT = 504
    ROOM_INSUFFICIENT = 505
    # Limits, the gravest first.
    CONTROL_LATCHED = 590
    OWN_TOKEN = 591
    DESTINATION_UNKNOWN = 592
    VALUE_UNKNOWN = 593
    LIMIT_MISSING = 600
    ORDER_NOTIONAL = 601
    NET_DELTA = 602
    PRICE_COLLAR = 603
    BACKING_INSUFFICIENT = 604
    BLOCK_CAPACITY_SET = 605
    BLOCK_CAPACITY_LEFT = 606
    HOT_BALANCE = 607
    BACKING_RATIO = 610
    STRESS_LOSS = 611
    MARGIN_RATIO = 612
    LIQUIDATION_DISTANCE = 613
    LEVERAGE = 614
    GROSS_NOTIONAL = 615
    POSITION_NOTIONAL = 616
    OPEN_ORDER_NOTIONAL = 617
    OPEN_ORDERS = 618
    OPEN_INTEREST_SHARE = 619
    VENUE_CONCENTRATION = 620
    CUSTODIAN_CONCENTRATION = 621
    STABLE_CONCENTRATION = 622
    UNSETTLED_PROFIT = 623
    SLIPPAGE_BUDGET = 624
    PRICE_COLLAR_PERIOD = 625
    REPEATED_EXECUTION = 626
    DUPLICATE_ORDERS = 627
    ORDER_RATE = 628
    MESSAGE_RATE = 629
    ORDER_TO_TRADE = 630
    MINT_CAPACITY = 631
    REDEEM_CAPACITY = 632
    TRANSFER_NOTIONAL = 633
    TRANSFER_CAPACITY = 634
    # Price.
    SIZE_BELOW_GAS = 700
    MARKET_MOVED = 701
    STABLE_PRICE = 702
    DELEGATE_SLIPPAGE = 703
    # Facts and controls of people.
    UNKNOWN_ORDER = 800
    UNKNOWN_SUBJECT = 801
    TRANSACTION_INVALID = 802
    SETTLEMENT_WAITS = 803
    LOOSENING_NEEDS_APPROVAL = 810
    SCOPE_INVALID = 811
    VALUE_INVALID = 812
    APPROVAL_OWN = 813
    APPROVAL_OVER = 814
    # The same id with another body.
    COMMAND_ID_REUSED = 900


# Refused now, perhaps not in a moment (the API's codes 1 and 20): kept for the record, not remembered under the
# command's id, so that the same order may be tried again.
TRANSIENT = frozenset(
    {
        Reason.POLICY_MISSING,
        Reason.HALTED,
        Reason.REDUCE_ONLY,
        Reason.DEPENDENCY_LOST,
        Reason.CHAIN_UNKNOWN,
        Reason.CONTROL_LATCHED,
        Reason.LIMIT_MISSING,
        Reason.PRICE_COLLAR,
        Reason.BACKING_RATIO,
        Reason.STRESS_LOSS,
        Reason.SLIPPAGE_BUDGET,
        Reason.PRICE_COLLAR_PERIOD,
        Reason.REPEATED_EXECUTION,
        Reason.DUPLICATE_ORDERS,
        Reason.ORDER_RATE,
        Reason.MESSAGE_RATE,
        Reason.ORDER_TO_TRADE,
        Reason.MARKET_MOVED,
        Reason.STABLE_PRICE,
        Reason.SETTLEMENT_WAITS,
    }
)

# A control that protects collateral said no: an event and an alert, besides the kept outcome. A day or a block that is
# full is none of these: whoever asks next may bring that about, and its use is warned of in bands.
SEVERE = frozenset(
    {
        Reason.CONTROL_LATCHED,
        Reason.OWN_TOKEN,
        Reason.DESTINATION_UNKNOWN,
        Reason.VALUE_UNKNOWN,
        Reason.LIMIT_MISSING,
        Reason.ORDER_NOTIONAL,
        Reason.NET_DELTA,
        Reason.PRICE_COLLAR,
        Reason.BACKING_RATIO,
        Reason.STRESS_LOSS,
        Reason.MARGIN_RATIO,
        Reason.LIQUIDATION_DISTANCE,
        Reason.LEVERAGE,
        Reason.GROSS_NOTIONAL,
        Reason.POSITION_NOTIONAL,
        Reason.OPEN_ORDER_NOTIONAL,
        Reason.OPEN_ORDERS,
        Reason.OPEN_INTEREST_SHARE,
        Reason.VENUE_CONCENTRATION,
        Reason.CUSTODIAN_CONCENTRATION,
        Reason.STABLE_CONCENTRATION,
        Reason.UNSETTLED_PROFIT,
        Reason.SLIPPAGE_BUDGET,
        Reason.PRICE_COLLAR_PERIOD,
        Reason.REPEATED_EXECUTION,
        Reason.DUPLICATE_ORDERS,
        Reason.ORDER_RATE,
        Reason.MESSAGE_RATE,
        Reason.ORDER_TO_TRADE,
        Reason.TRANSFER_NOTIONAL,
        Reason.TRANSFER_CAPACITY,
    }
)

# Market data cannot be believed now: a hedge that is owed waits for it, and a person is told.
UNBELIEVED = frozenset(
    {
        Reason.VENUE_SUSPENDED,
        Reason.INSTRUMENT_SUSPENDED,
        Reason.ASSET_SUSPENDED,
        Reason.REFERENCE_MISSING,
        Reason.REFERENCE_STALE,
        Reason.QUORUM_MISSING,
        Reason.HEDGE_UNVOUCHED,
    }
)

# There is no way to trade now, though market data is sound: delta that is owed stays open, and a person is told.
UNTRADABLE = frozenset({Reason.HALTED, Reason.DEPTH_INSUFFICIENT, Reason.ROOM_INSUFFICIENT})


class Refusal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Say no, and why: the reason, and for a control its name, scope, limit and the value that broke it.

    `policy_version` counts the policies adopted up to the one that it was decided under; 0 where no control said no.
    """

    reason: Reason
    text: str
    control: str = ""
    scope: str = ""
    limit: str = ""
    value: str = ""
    policy_version: int = 0


def least(*found: Refusal | None) -> Refusal | None:
    """Return the refusal that takes precedence among those found, if any was."""
    return min((each for each in found if each is not None), key=lambda each: each.reason, default=None)


class Broken(Exception):
    """Say that an invariant does not hold: nothing after it may be trusted; stop and replay the log."""


class Rejected(Exception):
    """Say that the outside surely did not do it, and would not if asked the same again."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class Unavailable(Exception):
    """Say that nothing was sent: surely not done."""


class Unknown(Exception):
    """Say that it may have been done: ask by its id, never send it again blindly."""
