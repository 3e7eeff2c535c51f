"""What a failed venue call means. One policy, conservative: what is not surely refused or surely unsent is unknown.

- Nothing was sent: the connection never came to be (`ClientConnectorError` as ccxt's cause) -> Unavailable.
- Refused with a code that the venue gives before doing anything, listed by its dialect -> Rejected, whatever class ccxt
  gives it: on some venues ordinary refusals look like plain `ExchangeError`.
- Everything else is Unknown: every `OperationFailed` (timeouts, resets, 5xx, rate limits, clocks), an `ExchangeError`
  without a listed code (a truncated body looks like one), a TypeError, an answer without an id.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import aiohttp
from ccxt.base.errors import ExchangeError, OperationFailed

from adapters.exchange.secrecy import redacted
from domain.venue import Rejected, RejectReason, Unavailable, Unknown, VenueFailure

UNPROVEN = "unproven for hedging until it passes the venue contract tests"

T = TypeVar("T")
Reason = Callable[[str, str], RejectReason | None]
"""Say what a code means, given the text around it; None when that is not surely a refusal. The code is empty where
ccxt leaves only the venue's words."""


class VenueUnsuitable(Exception):
    """Say why this account must not be traded as it is set up."""


class Failures:
    """Tell what one venue's failures mean, without telling its account's secrets."""

    def __init__(self, code: re.Pattern[str], reason: Reason, secrets: Sequence[str]) -> None:
        self._code = code
        self._reason = reason
        self._secrets = tuple(secret for secret in secrets if secret)

    def code(self, error: BaseException) -> str | None:
        """Return the venue's code that an error of ccxt carries in its text, if any."""
        found = self._code.search(str(error))
        return found.group(1) if found else None

    def text(self, error: BaseException) -> str:
        """Return an error in words that may be logged: no secrets, no signed queries, no listen keys."""
        return self.redacted(f"{type(error).__name__}: {error}")

    def redacted(self, text: str) -> str:
        """Return a text without what nobody may read."""
        return redacted(text, self._secrets)

    def classify(self, error: Exception) -> VenueFailure:
        """Say what an error out of a ccxt call means."""
        text = self.text(error)
        if isinstance(error.__cause__, aiohttp.ClientConnectorError):
            return Unavailable(text)
        if isinstance(error, OperationFailed) or not isinstance(error, ExchangeError):
            return Unknown(text)
        reason = self._reason(self.code(error) or "", str(error))
        return Unknown(text) if reason is None else Rejected(reason, text)

    async def asked(self, work: Awaitable[T]) -> T:
        """Await a call and raise what its failure means; the original error may hold secrets and is not chained."""
        try:
            return await work
        except (VenueFailure, VenueUnsuitable):
            raise
        except Exception as error:  # noqa: BLE001 - whatever ccxt or a parser throws leaves the outcome unknown
            raise self.classify(error) from None
