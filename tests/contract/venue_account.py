"""What every venue account does, whoever speaks the venue's dialect: run against each venue's simulator over TLS.

Subclass `VenueAccountContract` as `Test…` and give it the fixture `bench`: see `tests.contract.venue_rig.Bench`.
"""

from tests.contract.venue_orders import OrdersContract
from tests.contract.venue_reports import ReportsContract
from tests.contract.venue_stream import StreamContract


class VenueAccountContract(OrdersContract, StreamContract, ReportsContract):
    """Try everything."""
