"""Every place where a world can go wrong, by name: what a swarm draws from."""

from tests.simulation import bus, chain, chaos, log, people, ports, readers, stream, venue, venue_client

CRASHES = tuple(
    f"crash.{point}"
    for point in (
        "core.bus.reply",
        "core.log.append",
        "core.log.committed",
        "core.log.head",
        "core.log.outcomes",
        "core.log.read",
        "core.log.take_over",
        "core.log.save_snapshot",
        "core.stream.ack.INBOX",
        "core.stream.fetch.INBOX.answer",
        "core.stream.publish.EVENTS",
        "core.stream.stored.EVENTS",
        "execution.log.read",
        "execution.stream.publish.INBOX",
        "execution.stream.stored.INBOX",
        "execution.venue.fills",
        "execution.venue.order_state",
        "execution.venue.order_state.answer",
        "execution.venue.placed",
        "execution.venue.submit",
        "chain.chain.final",
        "chain.chain.submit",
        "chain.stream.publish.INBOX",
        "chain.stream.stored.INBOX",
        "readers.bookmarks.save",
        "readers.stream.publish.ALERTS",
        "readers.stream.publish.INBOX",
        "readers.stream.stored.ALERTS",
        "readers.views.applied",
        "readers.views.apply",
    )
)
SITES = (
    *bus.SITES,
    *chain.SITES,
    *chaos.SITES,
    *log.SITES,
    *people.SITES,
    *ports.SITES,
    *readers.SITES,
    *stream.SITES,
    *venue.SITES,
    *venue_client.SITES,
    *CRASHES,
)
