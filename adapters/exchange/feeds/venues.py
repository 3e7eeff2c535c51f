"""Which sockets a venue's public data comes by."""

from collections.abc import Callable, Sequence

from adapters.exchange.feeds.binance import BinanceCoinm, BinanceSpot, BinanceUsdm
from adapters.exchange.feeds.bybit import Bybit
from adapters.exchange.feeds.deribit import Deribit
from adapters.exchange.feeds.dialect import Dialect, Memories
from adapters.exchange.feeds.okx import Okx
from adapters.exchange.feeds.settings import FeedSettings
from domain.venue import InstrumentReport

_Make = Callable[[Sequence[InstrumentReport], Memories, FeedSettings], list[Dialect]]


def dialects(settings: FeedSettings, instruments: Sequence[InstrumentReport]) -> list[Dialect]:
    """Return one dialect for each socket; raise `ValueError` for what no feed can follow."""
    make = _VENUES.get(settings.venue)
    if make is None:
        raise ValueError(f"no feed for venue {settings.venue!r}: there are {', '.join(sorted(_VENUES))}")
    for listed in instruments:
        if listed.venue != settings.venue or not listed.market_id:
            raise ValueError(
                f"{listed.symbol} of {listed.venue!r} with id {listed.market_id!r} is not {settings.venue}'s"
            )
    if len({listed.symbol for listed in instruments}) != len(instruments) or not instruments:
        raise ValueError(f"{settings.venue}: no instruments, or one of them twice")
    return make(instruments, Memories(), settings)


def _streams(settings: FeedSettings, *, marks: bool = True) -> tuple[str, ...]:
    wanted = ["books"]
    if settings.trades:
        wanted.append("trades")
    if settings.marks and marks:
        wanted.append("marks")
    return tuple(wanted)


def _usdm(instruments: Sequence[InstrumentReport], memories: Memories, settings: FeedSettings) -> list[Dialect]:
    made: list[Dialect] = [
        BinanceUsdm(instruments, memories, levels=settings.levels, streams=_streams(settings, marks=False))
    ]
    if settings.marks:
        made.append(BinanceUsdm(instruments, memories, levels=settings.levels, streams=("marks",)))
    return made


def _coinm(instruments: Sequence[InstrumentReport], memories: Memories, settings: FeedSettings) -> list[Dialect]:
    return [BinanceCoinm(instruments, memories, levels=settings.levels, streams=_streams(settings))]


def _spot(instruments: Sequence[InstrumentReport], memories: Memories, settings: FeedSettings) -> list[Dialect]:
    return [BinanceSpot(instruments, memories, levels=settings.levels, streams=_streams(settings, marks=False))]


def _bybit(instruments: Sequence[InstrumentReport], memories: Memories, settings: FeedSettings) -> list[Dialect]:
    return [
        Bybit(chosen, memories, levels=settings.levels, streams=_streams(settings), category=kind)
        for kind in ("linear", "inverse", "spot")
        if (chosen := [listed for listed in instruments if listed.kind == kind])
    ]


def _okx(instruments: Sequence[InstrumentReport], memories: Memories, settings: FeedSettings) -> list[Dialect]:
    return [Okx(instruments, memories, levels=settings.levels, streams=_streams(settings))]


def _deribit(instruments: Sequence[InstrumentReport], memories: Memories, settings: FeedSettings) -> list[Dialect]:
    return [Deribit(instruments, memories, levels=settings.levels, streams=_streams(settings))]


_VENUES: dict[str, _Make] = {
    "binanceusdm": _usdm,
    "binancecoinm": _coinm,
    "binance": _spot,
    "bybit": _bybit,
    "okx": _okx,
    "deribit": _deribit,
}
