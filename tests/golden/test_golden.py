"""What the log holds stays readable and is still written the same: one file per tag, byte for byte."""

from pathlib import Path

import msgspec
import pytest

from commands.handler import Metadata
from domain.catalogue import EVENTS
from domain.codec import UPCASTERS, UnknownTopic, decode_event, encode
from tests.golden import write
from tests.golden.examples import example, metadata_example

TAGS = sorted(EVENTS)


def golden(tag: str) -> bytes:
    return (write.FOLDER / f"{tag}.json").read_bytes()


def test_every_tag_has_its_file_and_every_file_its_tag():
    files = {path.name.removesuffix(".json") for path in write.FOLDER.iterdir()}
    assert files == set(EVENTS) | set(UPCASTERS), "run `python -m tests.golden.write` for a new event"


@pytest.mark.parametrize("tag", TAGS)
def test_todays_encoder_writes_the_same_bytes(tag: str):
    assert encode(example(EVENTS[tag])) == golden(tag)


@pytest.mark.parametrize("tag", TAGS)
def test_it_reads_back_exactly(tag: str):
    assert decode_event(tag, golden(tag)) == example(EVENTS[tag])


@pytest.mark.parametrize("tag", TAGS)
def test_the_bytes_are_sorted_plain_and_named(tag: str):
    state = golden(tag)
    document = msgspec.json.decode(state)
    assert document["type"] == tag
    assert list(document) == sorted(document)
    assert b"E+" not in state
    assert b"E-" not in state
    assert not state.endswith(b"\n")


@pytest.mark.parametrize("tag", TAGS)
def test_unknown_extra_fields_do_not_stop_a_fold(tag: str):
    later = golden(tag)[:-1] + b',"zz_later":{"any":["thing"]}}'
    assert decode_event(tag, later) == example(EVENTS[tag])


def test_an_old_tag_is_read_as_its_newest_form():
    for tag in UPCASTERS:
        assert decode_event(tag, golden(tag)).TOPIC in EVENTS


def test_an_unknown_tag_stops_a_fold():
    with pytest.raises(UnknownTopic):
        decode_event("fill.invented.v1", golden("fill.recorded.v1"))


def test_the_metadata_is_written_and_read_the_same():
    state = write.METADATA.read_bytes()
    assert encode(metadata_example()) == state
    assert msgspec.json.decode(state, type=Metadata) == metadata_example()
    names = ["actor", "at", "cause", "command_id", "command_sha256", "recorded_at", "trace"]
    assert list(msgspec.json.decode(state)) == names


def test_the_writer_never_touches_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert write.missing() == {}
    monkeypatch.setattr(write, "FOLDER", tmp_path / "events")
    write.main()
    assert {path.name for path in write.FOLDER.iterdir()} == {f"{tag}.json" for tag in EVENTS}
    precious = write.FOLDER / "fill.recorded.v1.json"
    precious.write_bytes(b"precious")
    write.main()
    assert precious.read_bytes() == b"precious"
