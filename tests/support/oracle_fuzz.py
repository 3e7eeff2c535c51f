"""What every oracle parser promises, whatever it is given: a sound value or `OracleRejected`, and nothing else."""

import json
from collections.abc import Callable
from decimal import Decimal

import msgspec

from adapters.oracle.asking import parse_json
from adapters.oracle.contracts import Reading, parse_decimals, parse_pyth_price, parse_round, parse_text
from adapters.oracle.files import pyth_report, redstone_report
from adapters.oracle.hermes import parse_updates
from adapters.oracle.median import medians, newest
from adapters.oracle.pyth import PriceMessage, parse_message, verify_update
from adapters.oracle.redstone import feed_bytes, parse_gateway, verify_package, verify_payload
from adapters.oracle.rejected import PRICE_MAX, OracleRejected
from adapters.oracle.signers import REDSTONE_PRODUCTION, ROUTERS, SignersUnreadable, parse_signer_set
from adapters.oracle.sse import EventLines

NOW_S = 1_800_000_000
TEXT_MAX = 500


def sound(price: Decimal, confidence: Decimal) -> None:
    """Fail for a number that is no price."""
    assert price.is_finite()
    assert confidence.is_finite()
    assert 0 <= confidence < price <= PRICE_MAX


def _pyth(data: bytes) -> None:
    for message in verify_update(data, ROUTERS).prices:
        sound(*message.priced())


def _message(data: bytes) -> None:
    message = parse_message(data)
    if isinstance(message, PriceMessage):
        sound(*message.priced())


def _payload(data: bytes) -> None:
    for price in medians(verify_payload(data), REDSTONE_PRODUCTION):
        sound(price.price, price.confidence)


def _gateway(data: bytes) -> None:
    for feed, packages in parse_gateway(data).items():
        read = [verify_package(each, feed) for each in packages]
        sound((price := newest(read, feed_bytes(feed), REDSTONE_PRODUCTION)).price, price.confidence)


def _reading(data: bytes) -> None:
    read: tuple[Callable[[bytes], Reading], ...] = (parse_pyth_price, lambda data: parse_round(data, 8))
    for each in read:
        try:
            reading = each(data)
            sound(reading.price, reading.confidence)
        except OracleRejected:
            continue


def _words(data: bytes) -> None:
    for read in (parse_decimals, parse_text):
        try:
            read(data)
        except OracleRejected:
            continue


def _events(data: bytes) -> None:
    whole, cut = EventLines(), EventLines()
    told = whole.feed(data)
    assert told == [event for byte in data for event in cut.feed(bytes((byte,)))]


def _reports(data: bytes) -> None:
    for report in (pyth_report, redstone_report):
        try:
            json.dumps(report(data, ROUTERS, NOW_S))
        except OracleRejected:
            continue


def _signers(data: bytes) -> None:
    try:
        parse_signer_set(data)
    except SignersUnreadable:
        return


PARSERS: tuple[Callable[[bytes], object], ...] = (
    _pyth,
    _message,
    _payload,
    _gateway,
    _reading,
    _words,
    _events,
    _reports,
    _signers,
    parse_updates,
    parse_json,
)


def give(parser: Callable[[bytes], object], data: bytes) -> None:
    """Give bytes to a parser; whatever escapes but a refusal is a fault, and a refusal's text is short and clean."""
    refused = _refusal(parser, data)
    if refused is not None:
        assert refused.code
        assert len(refused.text) < TEXT_MAX
        msgspec.json.encode(refused.text)


def _refusal(parser: Callable[[bytes], object], data: bytes) -> OracleRejected | None:
    try:
        parser(data)
    except OracleRejected as error:
        return error
    return None
