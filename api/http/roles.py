"""Who may do what: the one table of routes and roles. A route that is not in it cannot be served.

`HALT_ONLY` of `/v1/mode`: an operator may halt any scope, which is always tightening; anything else may release
something (REDUCE_ONLY releases a halt) and takes the risk role.
"""

from enum import StrEnum, unique

import msgspec


@unique
class Role(StrEnum):
    """Name the roles a key may carry."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    RISK = "risk"
    AUDITOR = "auditor"


EVERY_ROLE = frozenset(Role)

READ_MODELS = (
    "portfolio",
    "exposure",
    "positions",
    "orders",
    "fills",
    "quotes",
    "requests",
    "limits",
    "mode",
    "approvals",
    "alerts",
    "dependencies",
    "suspensions",
    "instruments",
    "balances",
    "margin",
    "backing",
    "stress",
    "funding",
    "transactions",
    "contract",
    "parties",
    "treasury",
    "hedges",
    "costs",
    "internalised",
    "rebalancing",
    "events",
)


class Access(msgspec.Struct, frozen=True):
    """Say who may use a route: the roles, or nobody in particular (`public`, where a key, if sent, must be valid).

    `open` routes look at no key at all: health, metrics, the schema and the page.
    """

    roles: frozenset[Role] = frozenset()
    public: bool = False
    open: bool = False


PUBLIC = Access(public=True)
OPEN = Access(open=True)

_READS = {("GET", f"/v1/{view}"): Access(roles=EVERY_ROLE) for view in READ_MODELS}

ROUTES: dict[tuple[str, str], Access] = {
    ("GET", "/rfq"): PUBLIC,
    ("POST", "/order"): PUBLIC,
    ("GET", "/asset-availability"): PUBLIC,
    ("GET", "/fees"): PUBLIC,
    ("GET", "/order-confirmation"): PUBLIC,
    **_READS,
    ("GET", "/v1/events"): Access(roles=frozenset({Role.AUDITOR})),
    ("GET", "/v1/hedges/{hedge_id}"): Access(roles=EVERY_ROLE),
    ("GET", "/v1/limits/history"): Access(roles=EVERY_ROLE),
    ("GET", "/v1/indicative/{pair}"): Access(roles=EVERY_ROLE),
    ("GET", "/v1/market"): Access(roles=EVERY_ROLE),
    ("GET", "/v1/series/{table}"): Access(roles=EVERY_ROLE),
    ("GET", "/v1/stream"): Access(roles=EVERY_ROLE),
    ("POST", "/v1/limits"): Access(roles=frozenset({Role.RISK})),
    ("POST", "/v1/limits/apply"): Access(roles=frozenset({Role.RISK})),
    ("POST", "/v1/approvals/{approval_id}"): Access(roles=frozenset({Role.RISK})),
    ("POST", "/v1/latches/release"): Access(roles=frozenset({Role.RISK})),
    ("POST", "/v1/destinations"): Access(roles=frozenset({Role.RISK})),
    ("POST", "/v1/mode"): Access(roles=frozenset({Role.RISK, Role.OPERATOR})),
    ("POST", "/v1/alerts/{alert_id}/acknowledge"): Access(roles=frozenset({Role.RISK, Role.OPERATOR})),
    ("GET", "/health/live"): OPEN,
    ("GET", "/health/ready"): OPEN,
    ("GET", "/metrics"): OPEN,
    ("GET", "/schema"): OPEN,
    ("GET", "/"): OPEN,
}

RELEASES = frozenset({Role.RISK})
"""Who may change a mode to anything but HALTED."""


def role_table() -> str:
    """Return the table of routes and roles as Markdown, for the docs."""
    roles = tuple(Role)
    lines = [f"| route | no key | {' | '.join(roles)} |", f"|---|---|{'---|' * len(roles)}"]
    for (method, path), access in ROUTES.items():
        anyone = access.public or access.open
        marks = ["yes" if anyone or role in access.roles else "" for role in roles]
        lines.append(f"| {method} `{path}` | {'yes' if anyone else ''} | {' | '.join(marks)} |")
    return "\n".join([*lines, ""])
