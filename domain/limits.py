"""The catalogue of controls: what each bounds, in which unit and scope, when it is tested, and which law asks for it.

A valued control needs a limit in its first scope, or what it guards is refused; limits of narrower scopes bind beside
it, and the strictest wins. A rule has no value: it always holds. There is no way around any of them.

Laws are named by their articles: `15c3-5` is the market access rule of the SEC (17 CFR 240.15c3-5), `RTS 6` Commission
Delegated Regulation (EU) 2017/589, `UMIR` the Canadian universal market integrity rules with NI 23-103.
"""

from domain.control_spec import Bound, ControlSpec, Kind, Stage
from domain.limit import Control
from domain.quantity import Num
from domain.refusal import Reason

__all__ = ["CONTROLS", "Bound", "ControlSpec", "Kind", "Stage", "default_limits"]

_ASKED = frozenset({Stage.QUOTE, Stage.REQUEST})
_TRADED = frozenset({Stage.REQUEST, Stage.ORDER, Stage.STATE})
_SENT = frozenset({Stage.ORDER})
_MOVED = frozenset({Stage.TRANSFER})
_WATCHED = frozenset({Stage.REQUEST, Stage.STATE})
_HELD = frozenset({Stage.REQUEST, Stage.TRANSFER, Stage.STATE})

_CAPITAL = "15c3-5(c)(1)(i)"
_ERRONEOUS = "15c3-5(c)(1)(ii)"
_RESTRICTED = "15c3-5(c)(2)(ii)"
_COLLARS, _VALUE, _VOLUME = "RTS 6 Art. 15(1)(a)", "RTS 6 Art. 15(1)(b)", "RTS 6 Art. 15(1)(c)"
_MESSAGES, _THROTTLE, _POSITIONS = "RTS 6 Art. 15(1)(d)", "RTS 6 Art. 15(3)", "RTS 6 Art. 15(4), 17(4)"
_EXPOSURE = "RTS 6 Art. 17(2)"
_OPEN_VALUE, _NO_REFERENCE = "UMIR 7.1, NI 23-103 s. 3 (value of open orders)", "NI 23-103 s. 3 (missing reference)"
_STRESS = "RTS 6 Art. 10"
_OWN = "own: preservation of collateral"

G, A, V, P, C, S, D = (
    Kind.GLOBAL,
    Kind.ASSET,
    Kind.VENUE,
    Kind.PAIR,
    Kind.CUSTODIAN,
    Kind.STABLE,
    Kind.DESTINATION,
)


def _spec(  # noqa: PLR0913 # a row of a table
    control: Control,
    unit: str,
    scopes: tuple[Kind, ...],
    stages: frozenset[Stage],
    told: tuple[Reason, str],
    law: tuple[str, ...],
    default: str | None = None,
    *,
    bound: Bound = Bound.MAXIMUM,
    spares: bool = False,
) -> ControlSpec:
    return ControlSpec(
        control=control,
        unit=unit,
        bound=bound,
        scopes=scopes,
        stages=stages,
        reason=told[0],
        text=told[1],
        law=law,
        default=None if default is None else Num(default),
        spares_reducing=spares,
    )


def _rule(control: Control, stages: frozenset[Stage], told: tuple[Reason, str], law: tuple[str, ...]) -> ControlSpec:
    return _spec(control, "rule", (G,), stages, told, law, bound=Bound.RULE)


_R = Reason
_ALL = (
    _spec(
        Control.ORDER_NOTIONAL,
        "USD",
        (G, A, V, P),
        _ASKED | _SENT,
        (_R.ORDER_NOTIONAL, "value of one request or one venue order"),
        (_CAPITAL, _ERRONEOUS, _VALUE),
        "250000",
    ),
    _spec(
        Control.MINT_PER_BLOCK,
        "issued",
        (G, P),
        _ASKED,
        (_R.MINT_CAPACITY, "issued dollars of open mints that may yet share a block"),
        (_CAPITAL, _VOLUME),
        "2000000",
    ),
    _spec(
        Control.MINT_PER_DAY,
        "issued",
        (G, P),
        _ASKED,
        (_R.MINT_CAPACITY, "issued dollars of the mints accepted on one UTC day"),
        (_CAPITAL, _VOLUME),
        "100000000",
    ),
    _spec(
        Control.REDEEM_PER_BLOCK,
        "issued",
        (G, P),
        _ASKED,
        (_R.REDEEM_CAPACITY, "issued dollars of open redeems that may yet share a block"),
        (_CAPITAL, _VOLUME),
        "2000000",
    ),
    _spec(
        Control.REDEEM_PER_DAY,
        "issued",
        (G, P),
        _ASKED,
        (_R.REDEEM_CAPACITY, "issued dollars of the redeems accepted on one UTC day"),
        (_CAPITAL, _VOLUME),
        "100000000",
    ),
    _spec(
        Control.BACKING_RATIO,
        "ratio",
        (G,),
        frozenset({Stage.STATE}),
        (_R.BACKING_RATIO, "assets at conservative marks by issued supply"),
        (_CAPITAL, _OWN),
        "0.99",
        bound=Bound.MINIMUM,
    ),
    _spec(
        Control.STRESS_LOSS,
        "bps",
        (G,),
        frozenset({Stage.STATE}),
        (_R.STRESS_LOSS, "part of the reserve that the worst stress would take"),
        (_CAPITAL, _STRESS),
        "10000",
    ),
    _spec(
        Control.NET_DELTA,
        "base",
        (A,),
        _TRADED,
        (_R.NET_DELTA, "worst-case |delta| of an underlying, units of it"),
        (_CAPITAL, _POSITIONS, _EXPOSURE),
        spares=True,
    ),
    _spec(
        Control.GROSS_NOTIONAL,
        "USD",
        (G, V, A),
        _TRADED,
        (_R.GROSS_NOTIONAL, "value of all positions, whatever of their orders fills"),
        (_CAPITAL, _POSITIONS),
        "100000000",
        spares=True,
    ),
    _spec(
        Control.POSITION_NOTIONAL,
        "USD",
        (G, V, A),
        _TRADED,
        (_R.POSITION_NOTIONAL, "value of the position in one instrument, whatever of its orders fills"),
        (_CAPITAL, _POSITIONS),
        "50000000",
        spares=True,
    ),
    _spec(
        Control.OPEN_INTEREST_SHARE,
        "bps",
        (G, V, A),
        _TRADED,
        (_R.OPEN_INTEREST_SHARE, "part of a venue's open interest in an instrument that is ours"),
        (_POSITIONS, _OWN),
        "2500",
        spares=True,
    ),
    _spec(
        Control.MARGIN_RATIO,
        "ratio",
        (G, V),
        _TRADED,
        (_R.MARGIN_RATIO, "maintenance margin by equity of a venue account"),
        (_CAPITAL, _OWN),
        "0.5",
        spares=True,
    ),
    _spec(
        Control.LIQUIDATION_DISTANCE,
        "bps",
        (G, V),
        frozenset({Stage.STATE}),
        (_R.LIQUIDATION_DISTANCE, "move of the mark at which the nearest position of an account is liquidated"),
        (_CAPITAL, _OWN),
        "1000",
        bound=Bound.MINIMUM,
    ),
    _spec(
        Control.LEVERAGE,
        "ratio",
        (G, V),
        _TRADED,
        (_R.LEVERAGE, "gross notional by equity of a venue account"),
        (_CAPITAL, _OWN),
        "5",
        spares=True,
    ),
    _spec(
        Control.VENUE_CONCENTRATION,
        "bps",
        (G, V),
        _HELD,
        (_R.VENUE_CONCENTRATION, "part of all assets that a venue owes us, unsettled profit with it"),
        (_CAPITAL, _OWN),
        "6000",
    ),
    _spec(
        Control.CUSTODIAN_CONCENTRATION,
        "bps",
        (G, C),
        _HELD,
        (_R.CUSTODIAN_CONCENTRATION, "part of all assets that a custodian keeps"),
        (_CAPITAL, _OWN),
        "8000",
    ),
    _spec(
        Control.STABLE_CONCENTRATION,
        "bps",
        (G, S),
        _HELD,
        (_R.STABLE_CONCENTRATION, "part of all assets that is one issuer's stable"),
        (_CAPITAL, _OWN),
        "10000",
    ),
    _spec(
        Control.UNSETTLED_PROFIT,
        "USD",
        (G, V),
        _WATCHED,
        (_R.UNSETTLED_PROFIT, "profit that stands at a venue and was not paid out"),
        (_CAPITAL, _OWN),
        "5000000",
        spares=True,
    ),
    _spec(
        Control.SLIPPAGE_PER_DAY,
        "USD",
        (G, A),
        _WATCHED,
        (_R.SLIPPAGE_BUDGET, "what hedges of one UTC day cost beyond what was planned"),
        (_CAPITAL, _OWN),
        "100000",
    ),
    _spec(
        Control.PRICE_COLLAR,
        "bps",
        (G, A, V),
        _SENT,
        (_R.PRICE_COLLAR, "distance of an order's limit price from the reference"),
        (_ERRONEOUS, _COLLARS),
        "100",
    ),
    _spec(
        Control.PRICE_COLLAR_PERIOD,
        "bps",
        (G, A),
        _ASKED | _SENT,
        (_R.PRICE_COLLAR_PERIOD, "distance of a mint's or an order's price from every mark of the last while"),
        (_ERRONEOUS, _COLLARS),
        "500",
        spares=True,
    ),
    _spec(
        Control.OPEN_ORDER_NOTIONAL,
        "USD",
        (G, V, A),
        _SENT,
        (_R.OPEN_ORDER_NOTIONAL, "value of all open orders"),
        (_OPEN_VALUE, _VALUE),
        "10000000",
    ),
    _spec(
        Control.OPEN_ORDERS,
        "count",
        (G, V),
        _SENT,
        (_R.OPEN_ORDERS, "open orders"),
        (_MESSAGES,),
        "2000",
    ),
    _spec(
        Control.DUPLICATE_ORDERS,
        "count",
        (G, V, A),
        _SENT,
        (_R.DUPLICATE_ORDERS, "orders alike in instrument, side, quantity and price within a moment"),
        ("15c3-5(c)(1)(ii) (duplicate orders)",),
        "64",
    ),
    _spec(
        Control.REPEATED_EXECUTION,
        "count",
        (G, A),
        _SENT,
        (_R.REPEATED_EXECUTION, "orders of one hedge's kind in an underlying within a while; it latches"),
        (_THROTTLE,),
        "3000",
    ),
    _spec(
        Control.ORDER_RATE,
        "count",
        (G, V),
        _SENT,
        (_R.ORDER_RATE, "orders sent within a while"),
        (_MESSAGES, _ERRONEOUS),
        "6000",
    ),
    _spec(
        Control.MESSAGE_RATE,
        "count",
        (G, V),
        _SENT | {Stage.CANCEL},
        (_R.MESSAGE_RATE, "orders and cancels sent within a moment; cancels count and are never refused"),
        (_MESSAGES,),
        "500",
    ),
    _spec(
        Control.ORDER_TO_TRADE,
        "ratio",
        (G, V),
        _SENT,
        (_R.ORDER_TO_TRADE, "orders sent for each that traded, within a while"),
        (_MESSAGES, "RTS 9"),
        "20",
    ),
    _spec(
        Control.QUOTE_AGE,
        "ms",
        (G,),
        _ASKED | _SENT,
        (_R.REFERENCE_STALE, "age of the market data that is decided on"),
        (_ERRONEOUS, _NO_REFERENCE),
        "1000",
    ),
    _rule(
        Control.REFERENCE_MISSING,
        _ASKED | _SENT,
        (_R.REFERENCE_MISSING, "a price that nobody vouches for, or that is no number above zero, refuses"),
        (_NO_REFERENCE,),
    ),
    _rule(
        Control.DEPEG,
        _ASKED | _SENT,
        (_R.ASSET_DEPEGGED, "a stable further from a dollar than the policy's `depeg_bps` is not taken"),
        (_OWN,),
    ),
    _rule(
        Control.OWN_TOKEN,
        _ASKED | _SENT | _MOVED,
        (_R.OWN_TOKEN, "our own tokens are no collateral and no margin"),
        (_RESTRICTED, _OWN),
    ),
    _spec(
        Control.TRANSFER_NOTIONAL,
        "USD",
        (G, V, C, D),
        _MOVED,
        (_R.TRANSFER_NOTIONAL, "value of one transfer"),
        (_CAPITAL, _OWN),
        "5000000",
    ),
    _spec(
        Control.TRANSFER_PER_DAY,
        "USD",
        (G, V, C, D),
        _MOVED,
        (_R.TRANSFER_CAPACITY, "value of the transfers planned on one UTC day"),
        (_CAPITAL, _OWN),
        "20000000",
    ),
    _rule(
        Control.TRANSFER_DESTINATION,
        _MOVED,
        (_R.DESTINATION_UNKNOWN, "collateral goes only where two persons let it go"),
        ("15c3-5(c)(2)(iii)", _OWN),
    ),
)

CONTROLS: dict[Control, ControlSpec] = {spec.control: spec for spec in _ALL}
"""Every control, by its id."""


def default_limits() -> tuple[tuple[Control, str, Num], ...]:
    """Return what a new book is given where its settings say nothing: control, scope and value."""
    return tuple((spec.control, Kind.GLOBAL.value, spec.default) for spec in _ALL if spec.default is not None)
