"""The first commands of a core: adopt the settings' policy, and give the book the limits that it never had."""

import asyncio
import hashlib
from collections.abc import Sequence

from api.core import Asked, Core
from api.settings import LimitSettings, Settings
from commands.envelope import Reply
from commands.handler import ACCEPTED
from commands.limit import SYSTEM, SetLimit
from commands.watch import AdoptPolicy
from domain.codec import encode
from domain.ids import natural_id
from domain.limit import limit_key
from domain.limits import default_limits


class BootRefused(Exception):
    """Say why the book cannot start under these settings."""


class _Boot:
    """Be the door of the process itself: each target is a future."""

    def answer(self, answers: Sequence[tuple[object, Reply]]) -> None:
        """Give each asker its reply."""
        for target, reply in answers:
            if isinstance(target, asyncio.Future) and not target.done():
                target.set_result(reply)


def first_limits(told: Sequence[LimitSettings]) -> tuple[tuple[LimitSettings, str], ...]:
    """Return every limit that a book begins with, and why: the settings', then the defaults of what they leave out."""
    named = {limit_key(item.control, item.scope) for item in told}
    defaults = (
        LimitSettings(control=control, scope=scope, value=value)
        for control, scope, value in default_limits()
        if limit_key(control, scope) not in named
    )
    return (*((item, "initial settings") for item in told), *((item, "default of the catalogue") for item in defaults))


async def begin(core: Core, settings: Settings) -> None:
    """Adopt the policy if it is not in force; set each limit that was never set. Raise `BootRefused`.

    What the settings do not name is given the catalogue's default. A limit that people changed or removed has a history
    and is left as it is. Each is judged by itself: a core that was killed half-way here goes on where it was.
    """
    book, policy = core.handler.book, settings.book_policy()
    wanted: list[tuple[str, object]] = []
    if book.policy != policy:
        wanted.append(("policy.adopt", AdoptPolicy(policy=policy)))
    wanted += [
        ("limit.set", SetLimit(control=item.control, scope=item.scope, value=item.value, reason=why))
        for item, why in first_limits(settings.limits)
        if natural_id("limit", item.control, item.scope) not in book.versions
    ]
    door, position = _Boot(), core.handler.position
    for number, (kind, command) in enumerate(wanted):
        body = encode(command)
        digest = hashlib.sha256(body).hexdigest()
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        command_id = natural_id("boot", str(position), str(number), digest)
        core.offer(Asked(command_id, kind, SYSTEM, body, "settings", "", door, answer))
        reply = await answer
        if reply.status != ACCEPTED:
            raise BootRefused(f"{kind} from the settings was {reply.status}: {reply.reason} {reply.text}")
