"""Every view, by name. A view's name is its table, and the last word of its path under /v1.

Of a view named `limit_history` the path is `/v1/limits/history`: what it is the history of comes first.
"""

from projections.alerts import ALERTS
from projections.approvals import APPROVALS
from projections.backing import BACKING
from projections.balances import BALANCES
from projections.contract import CONTRACT
from projections.costs import COSTS
from projections.dependencies import DEPENDENCIES
from projections.exposure import EXPOSURE
from projections.fills import FILLS
from projections.funding import FUNDING
from projections.hedges import HEDGES
from projections.instruments import INSTRUMENTS
from projections.internalised import INTERNALISED
from projections.limit_history import LIMIT_HISTORY
from projections.limits import LIMITS
from projections.margin import MARGIN
from projections.modes import MODES
from projections.orders import ORDERS
from projections.parties import PARTIES
from projections.portfolio import PORTFOLIO
from projections.positions import POSITIONS
from projections.quotes import QUOTES
from projections.rebalancing import REBALANCING
from projections.requests import REQUESTS
from projections.stress import STRESS
from projections.suspensions import SUSPENSIONS
from projections.transactions import TRANSACTIONS
from projections.treasury import TREASURY
from projections.view import View

VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        PORTFOLIO,
        EXPOSURE,
        POSITIONS,
        ORDERS,
        FILLS,
        QUOTES,
        REQUESTS,
        LIMITS,
        LIMIT_HISTORY,
        MODES,
        APPROVALS,
        ALERTS,
        DEPENDENCIES,
        SUSPENSIONS,
        INSTRUMENTS,
        BALANCES,
        MARGIN,
        BACKING,
        STRESS,
        FUNDING,
        TRANSACTIONS,
        CONTRACT,
        PARTIES,
        TREASURY,
        HEDGES,
        COSTS,
        INTERNALISED,
        REBALANCING,
    )
}
