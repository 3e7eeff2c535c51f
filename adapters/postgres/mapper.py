"""Read the log with the `eventsourcing` library's stock Application: our events, decoded by our codec.

Environment: PERSISTENCE_MODULE=eventsourcing.postgres, CREATE_TABLE=n, MAPPER_TOPIC as below, and the POSTGRES_…
settings of a role that may only select.
"""

from typing import Any, cast

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, MapperDeserialisationError, NotSupportedError, StoredEvent
from eventsourcing.utils import register_topic

from domain.codec import UnknownTopic, decode_event
from domain.event import CATALOGUE

MAPPER_TOPIC = "adapters.postgres.mapper:BallastMapper"


def register_topics() -> None:
    """Tell the library what our tags name; harmless when repeated."""
    for topic, event_type in CATALOGUE.items():
        register_topic(topic, event_type)


class BallastMapper(Mapper[Any]):
    """Turn stored events into the domain's events. It writes nothing: the core is the only writer."""

    def to_stored_event(self, domain_event: DomainEventProtocol[Any]) -> StoredEvent:
        """Refuse: the log is written through the core alone."""
        raise NotSupportedError(f"the log is read-only here; {type(domain_event).__name__} cannot be stored")

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[Any]:
        """Return the event as today's struct, old tags upcast; raise MapperDeserialisationError for what is none."""
        try:
            event = decode_event(stored_event.topic, stored_event.state)
        except (UnknownTopic, msgspec.DecodeError) as error:
            raise MapperDeserialisationError(
                f"the event {stored_event.topic!r} of stream {stored_event.originator_id}, version "
                f"{stored_event.originator_version}, cannot be decoded: {error}"
            ) from error
        return cast("DomainEventProtocol[Any]", event)


register_topics()
