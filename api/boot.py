"""The first commands of a core: adopt the settings' policy, and give an empty book its limits."""

import asyncio
import hashlib
from collections.abc import Sequence

from api.core import Asked, Core
from api.settings import Settings
from commands.envelope import Reply
from commands.handler import ACCEPTED
from commands.limit import SYSTEM, SetLimit
from commands.watch import AdoptPolicy
from domain.codec import encode
from domain.ids import natural_id


class BootRefused(Exception):
    """Say why the book cannot start under these settings."""


class _Boot:
    """Be the door of the process itself: each target is a future."""

    def answer(self, answers: Sequence[tuple[object, Reply]]) -> None:
        """Give each asker its reply."""
        for target, reply in answers:
            if isinstance(target, asyncio.Future) and not target.done():
                target.set_result(reply)


async def begin(core: Core, settings: Settings) -> None:
    """Adopt the policy if it is not in force; set the limits of a book that has no history. Raise `BootRefused`."""
    first, policy = core.handler.position == 0, settings.book_policy()
    wanted: list[tuple[str, object]] = []
    if core.handler.book.policy != policy:
        wanted.append(("policy.adopt", AdoptPolicy(policy=policy)))
    if first:
        wanted += [
            ("limit.set", SetLimit(control=item.control, scope=item.scope, value=item.value, reason="initial settings"))
            for item in settings.limits
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
