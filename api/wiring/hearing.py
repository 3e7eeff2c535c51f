"""How a process hears the markets from the bus: what decisions rest on, and nothing else."""

from adapters.nats.signals import MarketMessage, Signals
from api.market.markets import BOOK, PRICE, Markets
from api.market.marks import MARK


async def hear_markets(signals: Signals, markets: Markets) -> None:
    """Keep a view up to date with every book, mark and oracle's price that is published."""

    def hear(message: MarketMessage) -> None:
        markets.receive(message.venue, message.symbol, message.kind, message.data)

    for kind in (BOOK, PRICE, MARK):
        await signals.on_market(hear, kind=kind)
