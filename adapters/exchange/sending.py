"""Sending once, where an order is a GET or a cancel is a DELETE.

HTTP clients hold these to be harmless to repeat: aiohttp sends them again when the connection drops before the answer.
A venue that takes a label twice would have two orders; and of a cancel that was done, a second says that there is
nothing to cancel.
"""

from typing import Any

import aiohttp


class SendingOnce:
    """Stand in for a session and send each request once: an answer that is lost on the way is an error."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    def get(self, url: Any, **how: Any) -> Any:
        """Ask once."""
        return self._session.get(url, middlewares=(once,), **how)

    def delete(self, url: Any, **how: Any) -> Any:
        """Delete once."""
        return self._session.delete(url, middlewares=(once,), **how)

    def __getattr__(self, name: str) -> Any:
        """Be the session in everything else."""
        return getattr(self._session, name)


async def once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Turn the errors after which aiohttp would ask again into their base class, after which it does not.

    What never connected stays what it is: that was not sent, and may be tried again.
    """
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(f"the answer was lost: {type(error).__name__}") from error
