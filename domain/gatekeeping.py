"""Gatekeeping: is what the minting contract gave worth what it took, at prices of the gatekeeper's own? Else shut it.

It judges what the chain shows, not what anybody meant: one flow far off the market, several that are somewhat off it,
more value lost or more dollars moved in a window than the bounds allow, or much of it with no price to believe. An
issued dollar counts as a dollar, what the protocol owes for it; collateral counts at market, never at par. The bounds
hold whoever signed: a stolen key mints no more than they let through.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from domain.instant import MILLISECOND_US, SECOND_US
from domain.market import USD, Integrity, Witness, judge, told
from domain.policy import Asset
from domain.quantity import BPS, ZERO, Num, add, divide, multiply, subtract, to_units
from domain.quote import Side
from domain.reference import heard, median, near, sources

# Flows that wait for a price. More than these at once are themselves more than can be let through unpriced.
PENDING_MAX = 1_000
# A window is no longer than this: blocks differ by a second at least, so their tallies are bounded.
WINDOW_MS_MAX = 3_600_000

SOURCES = Integrity(
    quorum_oracles=2,
    age_ms_max=120_000,
    drift_ms_max=60_000,
    oracle_disagreement_bps=Num(200),
    confidence_bps_max=Num(100),
)
"""Two sources, two minutes: an on-chain reading is as old as its block, and the bands are wide."""


class Unpriced(StrEnum):
    """Say what becomes of flows that no price could be believed for."""

    DISABLE = "disable"  # preservation of collateral first
    ALERT = "alert"


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set what is let through. Bands in bps of what was given, amounts in dollars, times in milliseconds.

    Of `sources` the oracles' rules count: how many, how old, how sure, how near each other. A flow that is judged only
    after its prices are gone has `late_band_bps`, since the market moved meanwhile.
    """

    band_bps: Num = Num(500)
    alert_bps: Num = Num(150)
    late_band_bps: Num = Num(1_500)
    loss_min: Num = Num(1)  # losses below are roundings
    suspicions_max: int = 5
    window_ms: int = 600_000
    loss_max: Num = Num(250_000)
    minted_max: Num = Num(50_000_000)
    redeemed_max: Num = Num(50_000_000)
    unpriced: Unpriced = Unpriced.DISABLE
    unpriced_max: Num = Num(250_000)
    unpriced_after_ms: int = 30_000
    sources: Integrity = SOURCES

    def __post_init__(self) -> None:
        """Refuse rules under which nothing could be judged."""
        if not 0 < self.alert_bps <= self.band_bps <= self.late_band_bps:
            raise ValueError("bands must be above zero and widen: alert_bps, band_bps, late_band_bps")
        if not 0 < self.window_ms <= WINDOW_MS_MAX:
            raise ValueError(f"window_ms lies between 1 and {WINDOW_MS_MAX}")
        bounds = (self.loss_min, self.loss_max, self.minted_max, self.redeemed_max, self.unpriced_max)
        if min(bounds) < 0 or self.unpriced_after_ms < 0 or self.suspicions_max < 1 or self.sources.quorum_oracles < 1:
            raise ValueError("bounds are not below zero, suspicions_max and quorum_oracles at least one")


class Flow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold one mint or redeem as the contract logged it: amounts in atoms, addresses and hashes lower case."""

    side: Side
    asset: str
    collateral: int
    issued: int
    block_number: int
    block_hash: str
    at_s: int
    tx_hash: str
    log_index: int
    caller: str


class Caps(msgspec.Struct, frozen=True, gc=False):
    """Hold the contract's global caps of a block, in atoms of the issued dollar; both zero: it is shut."""

    mint: int
    redeem: int

    @property
    def shut(self) -> bool:
        """Say whether nothing can be minted or redeemed."""
        return self.mint == 0 and self.redeem == 0


class Verdict(StrEnum):
    """Say what was found; the values stand in logs."""

    FINE = "fine"
    SUSPICIOUS = "suspicious"  # one flow beyond alert_bps: somebody should look
    OFF_MARKET = "off_market"  # one flow beyond the band
    REPEATED = "repeated"  # too many suspicious ones in the window
    LOSS = "loss"  # more value lost in the window than allowed
    VOLUME = "volume"  # more dollars moved in the window than allowed
    UNPRICED = "unpriced"  # no price to believe, for long enough


class Finding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Say one thing that was found; `disables` when the contract must be shut for it."""

    verdict: Verdict
    disables: bool
    text: str
    tx_hash: str = ""


class Tally(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Sum up one block's flows: dollars moved, value lost (as far as it is priced), how many were suspicious."""

    number: int
    at_s: int
    minted: Num = ZERO
    redeemed: Num = ZERO
    lost: Num = ZERO
    suspicions: int = 0


class Pending(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold a flow that waits for its price since it was seen."""

    flow: Flow
    since_us: int
    told: bool = False


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what a judgement needs of what came before: tallies of the window by block, flows without a price.

    `marks` are the last prices that were believed, by underlying: they value nothing, they bound what nobody values.
    """

    tallies: tuple[Tally, ...] = ()
    pending: tuple[Pending, ...] = ()
    marks: Mapping[str, Num] = {}


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what flows are judged by: the rules, the known collateral by address, the dollar's decimals."""

    rules: Rules
    assets: Mapping[str, Asset]
    issued_decimals: int = 18


Look = Callable[[str, int], Sequence[Witness]]
"""Return what each source says of an asset as of an instant (microseconds), with its age then."""


def believed(witnesses: Iterable[Witness], rules: Integrity) -> Num | None:
    """Return the price in dollars that enough sources vouch for, None when there is none to believe."""
    sound = [heard(each) for each in witnesses if judge(each, rules) is None]
    agreed = near(sound, rules.oracle_disagreement_bps)
    return median(agreed) if agreed and sources(agreed) >= rules.quorum_oracles else None


def value_lost(flow: Flow, terms: Terms, asset: Asset, price: Num) -> tuple[Num, Num]:
    """Return the dollars that the protocol lost by a flow at this price (below zero: gained), and those it gave."""
    issued = to_units(flow.issued, terms.issued_decimals)
    collateral = multiply(to_units(flow.collateral, asset.decimals), price)
    given, taken = (issued, collateral) if flow.side is Side.MINT else (collateral, issued)
    return subtract(given, taken), given


def take(memory: Memory, flows: Sequence[Flow], terms: Terms, now_us: int) -> Memory:
    """Remember flows that were just seen: their volume counts at once, their price is looked for next."""
    tallies = {tally.number: tally for tally in memory.tallies}
    for flow in flows:
        tally = tallies.get(flow.block_number) or Tally(number=flow.block_number, at_s=flow.at_s)
        issued = to_units(flow.issued, terms.issued_decimals)
        field = "minted" if flow.side is Side.MINT else "redeemed"
        tallies[flow.block_number] = msgspec.structs.replace(tally, **{field: add(getattr(tally, field), issued)})
    newest = max((tally.at_s for tally in tallies.values()), default=0)
    oldest = newest - terms.rules.window_ms // 1_000
    kept = (tally for _, tally in sorted(tallies.items()) if tally.at_s >= oldest)
    # What waited in vain and was told of leaves with the window: it would add up for ever.
    before = tuple(each for each in memory.pending if not each.told or each.flow.at_s >= oldest)
    pending = before + tuple(Pending(flow=flow, since_us=now_us) for flow in flows)
    return msgspec.structs.replace(memory, tallies=tuple(kept), pending=pending)


def forget_after(memory: Memory, number: int) -> Memory:
    """Forget what stood in blocks above this one: they are no longer on the chain, what they held may come again."""
    return msgspec.structs.replace(
        memory,
        tallies=tuple(tally for tally in memory.tallies if tally.number <= number),
        pending=tuple(each for each in memory.pending if each.flow.block_number <= number),
    )


def assess(memory: Memory, terms: Terms, look: Look, now_us: int) -> tuple[Memory, tuple[Finding, ...]]:
    """Judge every flow that a price can be believed for now, then the window as a whole."""
    tallies = {tally.number: tally for tally in memory.tallies}
    marks = dict(memory.marks)
    findings: list[Finding] = []
    waiting: list[Pending] = []
    for each in memory.pending:
        flow, asset = each.flow, terms.assets.get(each.flow.asset)
        found = None if asset is None else _price(flow, asset.underlying, terms.rules, look, now_us)
        if asset is None or found is None:
            waiting.append(each)
            continue
        price, late = found
        marks[asset.underlying] = price
        finding, lost = _judged(flow, asset, terms, price, late=late)
        suspicious = finding.verdict is not Verdict.FINE
        tally = tallies.get(flow.block_number)
        if tally is not None:
            tallies[tally.number] = msgspec.structs.replace(
                tally, lost=add(tally.lost, max(lost, ZERO)), suspicions=tally.suspicions + suspicious
            )
        if suspicious:
            findings.append(finding)
    waited, overdue = _overdue(waiting, terms, marks, now_us)
    memory = Memory(tallies=tuple(tallies.values()), pending=waited, marks=marks)
    return memory, (*findings, *overdue, *_window(memory.tallies, terms.rules))


def _price(flow: Flow, underlying: str, rules: Rules, look: Look, now_us: int) -> tuple[Num, bool] | None:
    """Return the price of the block's time, else that of now and that it is late; None when neither is believed."""
    if underlying == USD:
        return Num(1), False
    then = believed(look(underlying, flow.at_s * SECOND_US), rules.sources)
    if then is not None:
        return then, False
    now = believed(look(underlying, now_us), rules.sources)
    return None if now is None else (now, True)


def _judged(flow: Flow, asset: Asset, terms: Terms, price: Num, *, late: bool) -> tuple[Finding, Num]:
    """Judge one flow at a price; return what was found, and the dollars lost."""
    rules = terms.rules
    lost, given = value_lost(flow, terms, asset, price)
    verdict, lost_bps = Verdict.FINE, ZERO
    if lost > rules.loss_min:
        lost_bps = divide(multiply(lost, BPS), given)
        if lost_bps > (rules.late_band_bps if late else rules.band_bps):
            verdict = Verdict.OFF_MARKET
        elif lost_bps > (rules.band_bps if late else rules.alert_bps):
            verdict = Verdict.SUSPICIOUS
    text = (
        f"{flow.side.value} of {to_units(flow.collateral, asset.decimals)} {asset.symbol} against "
        f"{to_units(flow.issued, terms.issued_decimals)} dollars in block {flow.block_number} by {flow.caller}: "
        f"{told(lost_bps)} bps of what was given are lost at {told(price)} dollars {'now' if late else 'then'}"
    )
    disables = verdict is Verdict.OFF_MARKET
    return Finding(verdict=verdict, disables=disables, text=text, tx_hash=flow.tx_hash), lost


def _overdue(
    waiting: Sequence[Pending], terms: Terms, marks: Mapping[str, Num], now_us: int
) -> tuple[tuple[Pending, ...], tuple[Finding, ...]]:
    """Judge what waits for a price: alerted about once each, and beyond the bound a reason to shut the contract."""
    rules, marked = terms.rules, list[Pending]()
    findings: list[Finding] = []
    exposed, unbounded = ZERO, len(waiting) > PENDING_MAX
    for each in waiting:
        if now_us - each.since_us < rules.unpriced_after_ms * MILLISECOND_US:
            marked.append(each)
            continue
        if not each.told:
            text = f"no price can be believed for {each.flow.asset} of block {each.flow.block_number}"
            finding = Finding(verdict=Verdict.UNPRICED, disables=False, text=text, tx_hash=each.flow.tx_hash)
            findings.append(finding)
        marked.append(msgspec.structs.replace(each, told=True))
        most = _most(each.flow, terms, marks)
        unbounded |= most is None
        exposed = add(exposed, most or ZERO)
    if unbounded or exposed > rules.unpriced_max:
        amount = "an amount that nobody can tell" if unbounded else f"{told(exposed)} dollars"
        text = f"{amount} moved without a price to believe, {rules.unpriced_max} are let through"
        shut = rules.unpriced is Unpriced.DISABLE
        findings.append(Finding(verdict=Verdict.UNPRICED, disables=shut, text=text))
    return tuple(marked[-PENDING_MAX:]), tuple(findings)


def _most(flow: Flow, terms: Terms, marks: Mapping[str, Num]) -> Num | None:
    """Return about the most that the protocol gave by a flow that has no price; None when nothing bounds it.

    A mint gave issued dollars. A redemption gave collateral: at the last price that was believed, however old.
    """
    issued = to_units(flow.issued, terms.issued_decimals)
    if flow.side is Side.MINT:
        return issued
    asset = terms.assets.get(flow.asset)
    mark = None if asset is None else marks.get(asset.underlying)
    if asset is None or mark is None:
        return None
    return max(issued, multiply(to_units(flow.collateral, asset.decimals), mark))


def _window(tallies: Sequence[Tally], rules: Rules) -> tuple[Finding, ...]:
    minted = redeemed = lost = ZERO
    suspicions = 0
    for tally in tallies:
        minted, redeemed, lost = add(minted, tally.minted), add(redeemed, tally.redeemed), add(lost, tally.lost)
        suspicions += tally.suspicions
    span = f"within {rules.window_ms // 1_000} s"
    broken = (
        (Verdict.REPEATED, suspicions >= rules.suspicions_max, f"{suspicions} suspicious mints and redeems {span}"),
        (Verdict.LOSS, lost > rules.loss_max, f"{told(lost)} dollars of value lost {span}, {rules.loss_max} allowed"),
        (Verdict.VOLUME, minted > rules.minted_max, f"{minted} dollars minted {span}, {rules.minted_max} allowed"),
        (
            Verdict.VOLUME,
            redeemed > rules.redeemed_max,
            f"{redeemed} dollars redeemed {span}, {rules.redeemed_max} allowed",
        ),
    )
    return tuple(Finding(verdict=verdict, disables=True, text=text) for verdict, bad, text in broken if bad)
