"""Events and states to bytes and back: sorted keys, integers of any size, decimals in plain notation."""

import hashlib
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

import msgspec

from domain.catalogue import EVENTS
from domain.event import Event
from domain.quantity import Num, finite, num, plain

T = TypeVar("T")

Document = dict[str, Any]
Upcaster = Callable[[Document], Document]


def _same(document: Document) -> Document:
    """Take a document as it is: what a newer version added has a default."""
    return document


def _one_leg(document: Document) -> Document:
    """Turn a hedge on one venue into a hedge of one leg, or of none where nothing was to be traded."""
    kept = {name: value for name, value in document.items() if name not in _LEG}
    leg = {name: document[name] for name in (*_LEG, "quantity", "reference")}
    return kept | {"legs": [] if document["quantity"] == "0" else [leg]}


_LEG = ("venue", "account", "symbol", "limit_price")


# An old tag is turned into the document of a newer one before decoding; entries are never deleted.
UPCASTERS: dict[str, tuple[str, Upcaster]] = {
    # Market data was believed as it came, and a stable counted as a dollar: the defaults say so of the quotes.
    "policy.adopted.v1": ("policy.adopted.v2", _same),
    "quote.issued.v1": ("quote.issued.v2", _same),
    # Requests were settled by a simulated chain: no order of settlement, route or signature's kind was told.
    "policy.adopted.v2": ("policy.adopted.v3", _same),
    "request.accepted.v1": ("request.accepted.v2", _same),
    "settlement.submission_requested.v1": ("settlement.submission_requested.v2", _same),
    # Who vouched for a hedge's price was not told.
    "hedge.planned.v1": ("hedge.planned.v2", _same),
    # A hedge had one venue, and so had its price.
    "policy.adopted.v3": ("policy.adopted.v4", _same),
    "quote.issued.v2": ("quote.issued.v3", _same),
    "indicative.sampled.v1": ("indicative.sampled.v2", _same),
    "hedge.planned.v2": ("hedge.planned.v3", _one_leg),
    "order.submission_requested.v1": ("order.submission_requested.v2", _same),
    # Terms of risk, what a limit was before, what held a mode, and under which policy a control said no, were not told.
    "policy.adopted.v4": ("policy.adopted.v5", _same),
    "limit.set.v1": ("limit.set.v2", _same),
    "limit.removed.v1": ("limit.removed.v2", _same),
    "mode.changed.v1": ("mode.changed.v2", _same),
    "control.refused.v1": ("control.refused.v2", _same),
}


class UnknownTopic(Exception):
    """Say that a tag is not in the catalogue: a fold must stop, since it cannot know what happened."""


# So many numbers are remembered as they are written, then all are forgotten.
TEXTS_MAX = 65_536


class _Texts(dict[object, str]):
    """Remember how numbers are written: the same prices and sizes come again and again.

    Equal decimals have the same plain text. A look-up is the encoder's hook by itself: what is known costs no call of
    ours, and books are mostly numbers.
    """

    def __missing__(self, value: object) -> str:
        """Write a decimal, and remember it; raise NotImplementedError for what has no exact form."""
        if not isinstance(value, Decimal):
            raise NotImplementedError(f"no exact form for {type(value).__name__}")
        if len(self) >= TEXTS_MAX:
            self.clear()
        text = self[value] = plain(value)
        return text


TEXTS = _Texts()
_to_json: Callable[[object], str] = TEXTS.__getitem__


# A TypeError or ValueError in a hook becomes msgspec's ValidationError: bad input, not a broken program.
def from_json(wanted: type, value: object) -> object:
    """Read the types of ours that JSON does not know, as we wrote them: the hook of decoders of our own bytes."""
    if wanted is Num and isinstance(value, str | int) and not isinstance(value, bool):
        return finite(value)
    raise TypeError(f"cannot read {wanted.__name__} from {type(value).__name__}")


def _from_outside(wanted: type, value: object) -> object:
    if wanted is Num and isinstance(value, str | int) and not isinstance(value, bool):
        return num(value)
    return from_json(wanted, value)


_ENCODER = msgspec.json.Encoder(enc_hook=_to_json, order="sorted")

encode: Callable[[object], bytes] = _ENCODER.encode

# States have maps keyed by UUID and int, which cannot be sorted; they are written in the order in which they grew, the
# same for the same events.
encode_state: Callable[[object], bytes] = msgspec.json.Encoder(enc_hook=_to_json).encode


def decoder(wanted: type[T]) -> msgspec.json.Decoder[T]:
    """Return a decoder of what we wrote ourselves; it raises msgspec.ValidationError for what does not fit.

    It takes numbers of any size: what was computed and stored must be readable.
    """
    return msgspec.json.Decoder(wanted, dec_hook=from_json)


def reader(wanted: type[T]) -> msgspec.json.Decoder[T]:
    """Return a decoder of what others wrote: numbers are bounded; it raises msgspec.ValidationError."""
    return msgspec.json.Decoder(wanted, dec_hook=_from_outside)


_EVENT_DECODERS: dict[str, Callable[[bytes], Event]] = {
    topic: msgspec.json.Decoder(event_type, dec_hook=from_json).decode for topic, event_type in EVENTS.items()
}


def decode_event(topic: str, state: bytes) -> Event:
    """Return the event as today's struct; old tags are upcast, unknown extra fields are left out.

    Raise `UnknownTopic` for a tag that is neither catalogued nor upcast.
    """
    decode = _EVENT_DECODERS.get(topic)
    if decode is not None:
        return decode(state)
    if topic not in UPCASTERS:
        raise UnknownTopic(topic)
    document: Document = msgspec.json.decode(state)
    while topic in UPCASTERS:
        topic, upcast = UPCASTERS[topic]
        document = upcast(document)
    document["type"] = topic
    return _EVENT_DECODERS[topic](msgspec.json.encode(document))


@cache
def schema_fingerprint(state_type: type) -> str:
    """Return a fingerprint of a state's shape; a snapshot of another shape is not read. It takes 20 ms, once."""
    return hashlib.sha256(repr(msgspec.inspect.type_info(state_type)).encode()).hexdigest()[:32]
