"""What a refusal by a control says, and facts that controls look at, told to a desk."""

from typing import Any

from commands.handler import Decision
from domain.book import evolve
from domain.interest import InterestObserved
from domain.mark import Mark, RiskMarked
from domain.quantity import Num
from tests.support.desk import Desk


def said(decision: Decision) -> tuple[str, str, str, str, str]:
    """Return what a refused command was told: the reason, the control, its scope and limit, and the value."""
    told = decision.outcome
    return told.reason, str(told.control), told.scope, told.limit, told.value


def interest(desk: Desk, quantity: str, venue: str = "binanceusdm", symbol: str = "ETH/USDT:USDT") -> None:
    """Let a venue have told its open interest."""
    told = InterestObserved(venue=venue, symbol=symbol, quantity=Num(quantity), observed_at_us=desk.now_us)
    evolve(desk.book, told, desk.now_us)


def mark(desk: Desk, **prices: str) -> None:
    """Let assets have been marked at these prices."""
    marks = tuple(Mark(asset=asset, low=Num(price), mid=Num(price), high=Num(price)) for asset, price in prices.items())
    evolve(desk.book, RiskMarked(assets=marks, marked_at_us=desk.now_us), desk.now_us)


def account(
    desk: Desk,
    margin: str,
    *,
    maintenance: str = "0",
    quantity: str = "0",
    unrealised: str = "0",
    venue: str = "binanceusdm",
) -> Decision:
    """Let a venue tell an account: USDT with so much margin, and one position of ETH entered at 2000."""
    balance = {
        "asset": "USDT",
        "wallet": margin,
        "margin": margin,
        "available": margin,
        "initial_margin": "0",
        "maintenance_margin": maintenance,
    }
    held: dict[str, Any] = {
        "symbol": "ETH/USDT:USDT",
        "quantity": quantity,
        "entry_price": "2000",
        "mark_price": "2000",
        "unrealised": unrealised,
        "liquidation_price": "0",
        "initial_margin": "0",
        "maintenance_margin": maintenance,
    }
    body = {
        "venue": venue,
        "account": "main",
        "balances": [balance],
        "positions": [held] if Num(quantity) else [],
        "observed_at_us": desk.now_us,
    }
    return desk.do("account.observe", body)
