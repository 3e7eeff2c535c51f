"""Asking a venue through ccxt, with one meaning for each way in which it can fail."""

from collections.abc import Awaitable
from typing import Any, TypeVar

from adapters.exchange.failures import classify
from adapters.exchange.fields import Unreadable
from domain.venue import Unknown, VenueFailure

T = TypeVar("T")


async def asked(work: Awaitable[T]) -> T:
    """Await a call and raise what its failure means."""
    try:
        return await work
    except VenueFailure:
        raise
    except Unreadable as error:
        raise Unknown(f"an unreadable answer: {error}") from error
    except Exception as error:
        raise classify(error) from error


def read(parser: Any, *arguments: Any) -> Any:
    """Parse an answer; one that cannot be read leaves the outcome unknown."""
    try:
        return parser(*arguments)
    except (Unreadable, KeyError, TypeError, AttributeError) as error:
        raise Unknown(f"an unreadable answer: {error}") from error


def rows(answer: Any) -> list[Any]:
    """Return an answer that is rows."""
    if not isinstance(answer, list):
        raise Unknown(f"an unreadable answer: {type(answer).__name__} instead of rows")
    return answer
