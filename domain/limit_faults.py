"""What is wrong with a limit that is asked for: an unknown control, a scope without meaning, an absurd value."""

from domain.limit import Control
from domain.limits import CONTROLS, ControlSpec, Kind
from domain.policy import Policy
from domain.quantity import ZERO, Num, plain
from domain.refusal import Reason, Refusal
from domain.vault import Vault

SCOPE_LENGTH_MAX = 192
PLACES_MAX = 18

# Beyond these a value is a slip of the keyboard: it would bound nothing, or be no bound that could be kept.
CEILINGS: dict[str, Num] = {
    "USD": Num(10**15),
    "issued": Num(10**15),
    "base": Num(10**12),
    "bps": Num(100_000),
    "ratio": Num(1_000),
    "count": Num(10**9),
    "ms": Num(86_400_000),
}


def limit_fault(policy: Policy | None, vault: Vault, control: str, scope: str, value: Num | None) -> Refusal | None:
    """Return what is wrong with a limit of this control, scope and value (None: removed), the gravest first."""
    if control not in tuple(Control):
        return Refusal(reason=Reason.UNKNOWN_SUBJECT, text=f"{control!r} is no control: {', '.join(Control)}")
    spec = CONTROLS[Control(control)]
    found = _scope_fault(spec, scope, policy, vault) or _value_fault(spec, value)
    if not found:
        return None
    reason, text = found
    shown = "" if value is None else str(value)
    return Refusal(reason=reason, text=text, control=control, scope=scope[:SCOPE_LENGTH_MAX], value=shown)


def first_kind(spec: ControlSpec, scope: str) -> bool:
    """Say whether a scope is of the kind that must have a limit, or what the control guards is refused."""
    return scope.partition(":")[0] == spec.scopes[0]


def _scope_fault(spec: ControlSpec, scope: str, policy: Policy | None, vault: Vault) -> tuple[Reason, str] | None:
    kind, colon, name = scope.partition(":")
    if kind not in spec.scopes or bool(colon) is (kind == Kind.GLOBAL) or len(scope) > SCOPE_LENGTH_MAX:
        wanted = ", ".join(each if each is Kind.GLOBAL else f"{each}:<id>" for each in spec.scopes)
        return Reason.SCOPE_INVALID, f"{spec.control} has the scopes {wanted}, not {scope[:SCOPE_LENGTH_MAX]!r}"
    if colon and name not in _known(Kind(kind), policy, vault):
        return Reason.SCOPE_INVALID, f"the book knows no {kind} {name!r}: a limit on it would bind nothing"
    return None


def _known(kind: Kind, policy: Policy | None, vault: Vault) -> frozenset[str]:
    """Return the names that a kind of scope may have."""
    if kind is Kind.DESTINATION:
        return frozenset(key.rpartition("|")[0] for key in vault.destinations)
    if policy is None:
        return frozenset()
    match kind:
        case Kind.ASSET:
            return frozenset(each.underlying for each in policy.assets) | {each.base for each in policy.instruments}
        case Kind.VENUE:
            return frozenset(each.venue for each in policy.instruments)
        case Kind.PAIR:
            return frozenset(each.name for each in policy.pairs)
        case Kind.STABLE:
            return frozenset(each.symbol for each in policy.assets) | {each.quote for each in policy.instruments}
        case _:
            return frozenset(each.address for each in policy.custodians) | frozenset(vault.custody)


def _value_fault(spec: ControlSpec, value: Num | None) -> tuple[Reason, str] | None:
    if not spec.valued:
        return Reason.VALUE_INVALID, f"{spec.control} is a rule that always holds: it has no limit to set"
    if value is None:
        return None
    if value <= ZERO:
        text = "to allow nothing, halt the scope or let it only reduce; to bound nothing, remove the limit"
        return Reason.VALUE_INVALID, f"a limit is above zero, not {value}: {text}"
    if value > CEILINGS[spec.unit]:
        return Reason.VALUE_INVALID, f"a limit in {spec.unit} is above 0 and at most {CEILINGS[spec.unit]}, not {value}"
    places = 0 if spec.unit in {"count", "ms"} else PLACES_MAX
    if len(plain(value).partition(".")[2]) > places:
        return Reason.VALUE_INVALID, f"a limit in {spec.unit} has at most {places} decimal places, not {value}"
    return None
