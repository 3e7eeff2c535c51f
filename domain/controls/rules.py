"""The rules: what has no value and always holds; and numbers that are none."""

from domain.controls.meter import Meter
from domain.controls.probe import Probe
from domain.hedge import Purpose
from domain.limit import Control
from domain.limits import CONTROLS, Stage
from domain.market import Law
from domain.mode import GLOBAL
from domain.order import Order
from domain.refusal import Reason, Refusal
from domain.vault import destination_key


def invalid(probe: Probe) -> Refusal | None:
    """Refuse numbers that are not finite, and sizes and prices that are not above zero."""
    order = probe.order
    finite = probe.change.is_finite() and probe.quantity.is_finite() and probe.notional.is_finite()
    for each in (order, *probe.ahead) if order is not None else probe.ahead:
        finite = finite and each.quantity.is_finite() and each.limit_price.is_finite()
    if not finite:
        return Refusal(reason=Reason.VALUE_INVALID, text="a size and a price are finite numbers")
    if order is not None and (order.quantity <= 0 or order.limit_price <= 0):
        return Refusal(reason=Reason.VALUE_INVALID, text="an order trades more than nothing, at a price above zero")
    if probe.stage is Stage.TRANSFER and probe.quantity <= 0:
        return Refusal(reason=Reason.VALUE_INVALID, text="a transfer moves more than nothing")
    if probe.stage in {Stage.QUOTE, Stage.REQUEST} and (probe.notional <= 0 or probe.issued <= 0):
        return Refusal(reason=Reason.VALUE_INVALID, text="a request is worth more than nothing")
    return None


def hold_references(meter: Meter) -> None:
    """Refuse a price that nobody vouches for or that is no number above zero, and evidence that is too old."""
    probe = meter.probe
    worth = probe.reference_usd if probe.reference_usd is not None else meter.prices.of(probe.underlying)
    for price in (worth, probe.reference) if probe.stage is Stage.ORDER else (worth,):
        if price is None or not price.is_finite() or price <= 0:
            text = f"nobody vouches for a price of {probe.underlying or probe.asset}"
            meter.refuse(_rule(Control.REFERENCE_MISSING, text, scope=GLOBAL))
    if probe.age_ms is not None:
        meter.hold(Control.QUOTE_AGE, (GLOBAL,), probe.age_ms)


def _rule(control: Control, text: str, scope: str) -> Refusal:
    return Refusal(reason=CONTROLS[control].reason, text=text, control=control, scope=scope)


def hold_peg(meter: Meter, *stables: str) -> None:
    """Refuse what would be begun in a stable that lost its peg."""
    suspended = meter.book.outside.suspended
    if not suspended:
        return
    for stable in stables:
        held = suspended.get(f"asset:{stable}")
        if held is not None and held.law is Law.DEPEG:
            meter.refuse(_rule(Control.DEPEG, f"{stable} lost its peg: {held.text}", f"asset:{stable}"))


def begins(probe: Probe) -> bool:
    """Say whether a probe begins something: a mint is, and what moves hedges; what is owed goes on."""
    return probe.mint if probe.stage is not Stage.ORDER else probe.purpose is Purpose.REBALANCE


def hold_own_token(meter: Meter, *assets: str) -> None:
    """Refuse our own tokens as collateral and as margin."""
    policy = meter.book.policy
    if policy is None:
        return
    for asset in assets:
        if asset and (asset == policy.issued or asset in policy.risk.own_tokens):
            meter.refuse(_rule(Control.OWN_TOKEN, f"{asset} is a token of our own", f"asset:{asset}"))


def hold_destination(meter: Meter) -> None:
    """Refuse a destination that two persons did not let the asset go to."""
    probe = meter.probe
    if destination_key(probe.destination, probe.asset) not in meter.book.vault.destinations:
        text = f"{probe.asset} may not go to {probe.destination}: two persons must let it"
        meter.refuse(_rule(Control.TRANSFER_DESTINATION, text, f"destination:{probe.destination}"))


def hold_latches(meter: Meter, *scopes: str) -> None:
    """Refuse what a control stopped until a person enables it again."""
    for latch in meter.book.latches.values():
        if latch.scope in scopes:
            meter.refuse(
                Refusal(
                    reason=Reason.CONTROL_LATCHED,
                    text=f"{latch.control} stopped {latch.scope} until a person enables it again: {latch.text}",
                    control=latch.control,
                    scope=latch.scope,
                )
            )


def untraded(order: Order | None) -> Refusal:
    """Return the refusal of an order in what the policy does not trade."""
    text = (
        f"{order.symbol} on {order.venue} is no instrument of the policy" if order is not None else "there is no order"
    )
    return Refusal(reason=Reason.ASSET_UNSUPPORTED, text=text)
