"""Triggers: what stops a scope without people, and when it lets go again.

integrity       nobody can be believed about an asset, or about a venue's market data: that scope only reduces
dependency      a venue's account or its dead-man's switch is not there: that venue only reduces; the chain: all does
margin          a venue account is nearer to its liquidation than may be: that venue only reduces
backing         less stands behind the issued dollars than must: all only reduces, until people release it
limit:<id>      a control that is watched all the time is beyond its limit: the scope it was measured in only reduces
reconciliation  a venue told what the log does not explain (`domain.difference`, fills of no order of ours)
latch           a control tripped that only people enable again: its scope is halted

The first five are read off the Book at every look; the last two trip in the append of the event that tells of them.
What lets go by itself does so once it was sound for a while: not merely within its limit, but within a share of it.
"""

from collections.abc import Iterable, Iterator

import msgspec

from domain.account import account_key
from domain.book import Book
from domain.controls import Usage
from domain.limit import Control
from domain.limits import CONTROLS, Stage
from domain.mode import GLOBAL, RETURNS, SEVERITY, Mode, Trigger
from domain.onchain import CHAIN
from domain.policy import Policy
from domain.quantity import BPS, add, multiply
from domain.risk_terms import Risk

SWITCH = ".switch"
"""What the name of a venue's dead-man's switch ends in, as a dependency."""

_OWN = {
    Control.MARGIN_RATIO: Trigger.MARGIN,
    Control.LIQUIDATION_DISTANCE: Trigger.MARGIN,
    Control.BACKING_RATIO: Trigger.BACKING,
}
_LIMIT = "limit:"
_STAYS = f"{_LIMIT}{Control.STRESS_LOSS}"


class Tripped(msgspec.Struct, frozen=True, gc=False):
    """Say that a trigger's condition holds: which scope it brings to which mode, and why."""

    trigger: str
    scope: str
    mode: Mode
    text: str


def trigger_of(control: Control) -> str:
    """Return the trigger that a control beyond its limit is."""
    own = _OWN.get(control)
    return f"{_LIMIT}{control}" if own is None else own.value


def returns(trigger: str) -> bool:
    """Say whether a trigger lets go by itself."""
    return trigger in RETURNS or (trigger.startswith(_LIMIT) and trigger != _STAYS)


def mode_scopes(policy: Policy | None) -> frozenset[str]:
    """Return every scope that has a mode."""
    found = {GLOBAL}
    if policy is not None:
        found |= {f"venue:{item.venue}" for item in policy.instruments}
        found |= {f"asset:{asset.underlying}" for asset in policy.assets}
        found |= {f"pair:{pair.name}" for pair in policy.pairs}
    return frozenset(found)


def scope_of(usage: Usage, scopes: frozenset[str]) -> str:
    """Return the scope with a mode that a usage was measured in: its subject's, else its limit's, else the whole."""
    for name in (usage.subject, usage.scope):
        kind, _, rest = name.partition(":")
        wanted = f"asset:{rest}" if kind == "stable" else name
        if wanted in scopes and wanted != GLOBAL:
            return wanted
        venue = f"venue:{name.partition('|')[0]}"
        if "|" in name and venue in scopes:
            return venue
    return GLOBAL


def tripped(book: Book, usages: Iterable[Usage]) -> tuple[Tripped, ...]:
    """Return every trigger whose condition holds now, once for each scope."""
    scopes = mode_scopes(book.policy)
    found: dict[tuple[str, str], Tripped] = {}
    for each in (*_of_integrity(book, scopes), *_of_dependencies(book, scopes), *_of_limits(usages, scopes)):
        found.setdefault((each.trigger, each.scope), each)
    return tuple(found.values())


def _of_integrity(book: Book, scopes: frozenset[str]) -> Iterator[Tripped]:
    for scope, held in book.outside.suspended.items():
        if scope in scopes:
            text = f"{scope} is suspended ({held.law}): {held.text}"
            yield Tripped(Trigger.INTEGRITY, scope, Mode.REDUCE_ONLY, text)


def _of_dependencies(book: Book, scopes: frozenset[str]) -> Iterator[Tripped]:
    for name, why in book.dependencies.items():
        scope = GLOBAL if name == CHAIN else f"venue:{name.removesuffix(SWITCH)}"
        if scope in scopes:
            yield Tripped(Trigger.DEPENDENCY, scope, Mode.REDUCE_ONLY, f"{name} is degraded: {why}")


def _of_limits(usages: Iterable[Usage], scopes: frozenset[str]) -> Iterator[Tripped]:
    for usage in usages:
        if watched(usage) and beyond(usage):
            yield Tripped(trigger_of(usage.control), scope_of(usage, scopes), Mode.REDUCE_ONLY, beyond_text(usage))


_CONCENTRATION = frozenset({Control.VENUE_CONCENTRATION, Control.CUSTODIAN_CONCENTRATION, Control.STABLE_CONCENTRATION})


def judged(book: Book, usages: Iterable[Usage]) -> tuple[Usage, ...]:
    """Return the usages that may stop or warn: what is kept where is told only once every account was seen.

    Until then whoever was seen first has it all, and nobody knows what the whole is.
    """
    instruments = book.policy.instruments if book.policy is not None else ()
    if all(account_key(each.venue, each.account) in book.outside.accounts for each in instruments):
        return tuple(usages)
    return tuple(each for each in usages if each.control not in _CONCENTRATION)


def watched(usage: Usage) -> bool:
    """Say whether a usage is of a state that is tested all the time."""
    return usage.standing and Stage.STATE in CONTROLS[usage.control].stages


def beyond(usage: Usage) -> bool:
    """Say whether what is used lies beyond the limit; what is unknown is not known to."""
    return usage.used is not None and CONTROLS[usage.control].breached(usage.used, usage.limit)


def beyond_text(usage: Usage) -> str:
    """Tell of a limit that is passed."""
    where = usage.subject if usage.subject not in {"", usage.scope} else usage.scope
    return f"{usage.control} of {where} is {usage.told} {usage.unit}, beyond the limit of {usage.limit} ({usage.scope})"


def key_of(trigger: str, scope: str) -> str:
    """Return the key under which it is remembered since when a cause is sound."""
    return f"{trigger}|{scope}"


def sound(book: Book, usages: tuple[Usage, ...], holding: Iterable[Tripped], risk: Risk) -> frozenset[str]:
    """Return the keys of the causes that hold a scope, let go by themselves, and have nothing to hold it for now."""
    scopes, held = mode_scopes(book.policy), {(each.trigger, each.scope) for each in holding}
    return frozenset(
        key_of(trigger, scope)
        for scope, causes in book.mode_causes.items()
        for trigger in causes
        if returns(trigger) and (trigger, scope) not in held and _receded(trigger, scope, usages, scopes, risk)
    )


def _receded(trigger: str, scope: str, usages: tuple[Usage, ...], scopes: frozenset[str], risk: Risk) -> bool:
    """Say whether the controls behind a trigger are well within their limits; others have none behind them.

    Where only the worst subject of a limit is told, all are as bad as that one.
    """
    enough = multiply(risk.triggers.resume_share, BPS)
    for usage in usages:
        if trigger_of(usage.control) != trigger or not watched(usage):
            continue
        elsewhere = trigger == Trigger.MARGIN and scope_of(usage, scopes) != scope
        if not elsewhere and (usage.share_bps is None or usage.share_bps > enough):
            return False
    return True


def still_holds(book: Book, usages: Iterable[Usage], scope: str) -> dict[str, str]:
    """Return the triggers that would stop a scope again at once if people released it, and why, in words."""
    risk = book.policy.risk if book.policy is not None else Risk()
    found = {each.trigger: each.text for each in tripped(book, usages) if each.scope == scope}
    for latch in book.latches.values():
        if latch.scope == scope:
            found[Trigger.LATCH] = f"{latch.control} is latched: release that control"
    for usage in usages:
        if usage.control is Control.BACKING_RATIO and scope == GLOBAL and usage.used is not None:
            wanted = add(usage.limit, risk.backing_resume)
            if usage.used < wanted:
                found[Trigger.BACKING] = f"the backing ratio is {usage.told}, and must be {wanted} to be released"
    return found


def stricter(book: Book, each: Tripped) -> bool:
    """Say whether a trigger would hold a scope stricter than it holds it already."""
    now = book.mode_causes.get(each.scope, {}).get(each.trigger, Mode.ACTIVE)
    return SEVERITY[each.mode] > SEVERITY[now]
