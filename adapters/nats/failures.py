"""What can go wrong on the bus: the house's kinds of error (`domain.refusal`), refined.

Unavailable           surely not done: try again
├── NotConnected      no server at hand
├── CoreAbsent        nobody answers commands
├── CoreBusy          the core is at its bound
└── InboxFull         INBOX is at its bound
Unknown
└── OutcomeUnknown    may be done: ask again with the same id
Broken                stop and alert
├── ConnectionEnded   the client gave up or was refused
├── ClientChanged     nats-py no longer has the parts we rely on
├── StreamMismatch    a stream of that name is not ours
├── EventsAheadOfLog  EVENTS holds positions the log does not
├── EventsDiverged    EVENTS holds another history
└── Unpublishable     an event that no message can carry
"""

from domain.refusal import Broken, Unavailable, Unknown


class NotConnected(Unavailable):
    """Say that no server is connected now."""


class CoreAbsent(Unavailable):
    """Say that nobody listens for commands: the core is down or starting."""


class CoreBusy(Unavailable):
    """Say that the core refused the command unread because too many are in flight."""


class InboxFull(Unavailable):
    """Say that INBOX holds as many facts as it may: the core does not keep up."""


class OutcomeUnknown(Unknown):
    """Say that the thing asked may have been done; the same id makes asking again harmless."""


class ConnectionEnded(Broken):
    """Say that the connection closed without being asked to and will not come back."""


class ClientChanged(Broken):
    """Say that the installed nats-py lacks a part that the fast write path needs."""


class StreamMismatch(Broken):
    """Say that a stream exists under our name with another purpose."""


class EventsAheadOfLog(Broken):
    """Say that EVENTS holds positions that the log does not: the log lost its tail, or it is another book's."""


class EventsDiverged(Broken):
    """Say that the EVENTS stream and the log disagree about a position."""


class Unpublishable(Broken):
    """Say that an event cannot be carried by a message: its topic, metadata or size."""
