"""The registers are whole: every event, command and reason is known wherever it has to be."""

import ast
import re

import pytest

from api.http.codes import CODES, PUBLIC
from commands.dispatch import ASKED, DECIDERS, FACTS, INTERNAL, NEEDS_EVIDENCE, REACTIONS
from commands.envelope import COMMANDS
from domain import book
from domain.catalogue import EVENTS
from domain.codec import UPCASTERS
from domain.limits import CONTROLS, Stage
from domain.refusal import SEVERE, TRANSIENT, Reason
from tests.golden.write import FOLDER
from tests.house.source import PRODUCT, called, files, nodes, text

TAG = re.compile(r"[a-z]+\.[a-z][a-z_]*\.v[1-9][0-9]*")
KIND = re.compile(r"[a-z]+\.[a-z][a-z_]*")
# Where a value may become approved: from an intent's own record, and again in the words of the venue.
APPROVERS = {"commands/order.py", "api/execution/worker.py"}


def classes_over(base: str) -> list[tuple[str, ast.ClassDef]]:
    return [
        (where, node)
        for where, node in nodes(*PRODUCT)
        if isinstance(node, ast.ClassDef) and any(ast.unparse(each) == base for each in node.bases)
    ]


def keywords(node: ast.ClassDef) -> dict[str, object]:
    return {word.arg or "": word.value.value for word in node.keywords if isinstance(word.value, ast.Constant)}


EVENT_CLASSES = classes_over("Event")
COMMAND_CLASSES = classes_over("Command")


def test_there_are_events_and_commands():
    assert len(EVENT_CLASSES) == len(EVENTS) > 25
    assert len(COMMAND_CLASSES) == len(COMMANDS) > 15


@pytest.mark.parametrize(("where", "node"), EVENT_CLASSES, ids=[node.name for _, node in EVENT_CLASSES])
def test_an_event_is_frozen_by_name_versioned_catalogued_and_golden(where: str, node: ast.ClassDef):
    said = keywords(node)
    assert (said.get("frozen"), said.get("kw_only")) == (True, True), where
    tag = str(said.get("tag"))
    assert TAG.fullmatch(tag), where
    assert [ast.unparse(each) for each in node.decorator_list] == ["catalogued"], where
    assert tag in EVENTS
    assert EVENTS[tag].__struct_config__.frozen
    assert (FOLDER / f"{tag}.json").is_file(), "python -m tests.golden.write"
    assert where.startswith("domain/")


def test_an_old_tag_leads_to_one_of_today():
    for tag, (newer, _) in UPCASTERS.items():
        assert tag not in EVENTS
        assert newer in EVENTS or newer in UPCASTERS


def test_the_book_folds_every_event():
    assert set(book._APPLY) == set(EVENTS.values())
    assert set(REACTIONS) <= set(EVENTS.values())


@pytest.mark.parametrize(("where", "node"), COMMAND_CLASSES, ids=[node.name for _, node in COMMAND_CLASSES])
def test_a_command_is_frozen_by_name_registered_and_decided(where: str, node: ast.ClassDef):
    said = keywords(node)
    assert (said.get("frozen"), said.get("kw_only")) == (True, True), where
    (decorator,) = node.decorator_list
    assert isinstance(decorator, ast.Call)
    assert called(decorator) == "command"
    kind = ast.literal_eval(decorator.args[0])
    assert KIND.fullmatch(kind)
    assert COMMANDS[kind].__name__ == node.name
    assert COMMANDS[kind] in DECIDERS
    assert where.startswith("commands/")


def test_every_kind_of_command_comes_through_one_door():
    assert set(DECIDERS) == set(COMMANDS.values())
    assert set(COMMANDS) == ASKED | FACTS | INTERNAL
    assert len(ASKED) + len(FACTS) + len(INTERNAL) == len(COMMANDS)
    assert set(COMMANDS) >= NEEDS_EVIDENCE


def test_every_reason_has_its_public_code():
    assert set(PUBLIC) == set(Reason)
    assert {number for number in PUBLIC.values() if number not in CODES} == set()
    # A public caller may try the same again under codes 1, 20, 21 and 28 only: these refusals are not remembered.
    assert {PUBLIC[reason] for reason in TRANSIENT} <= {1, 20, 21, 28}
    assert set(Reason) > TRANSIENT
    assert set(Reason) > SEVERE


# Codes of the public API that nothing here can bring about yet: addresses are judged at the edge as malformed, assets
# become inactive on chain, orders are looked up in a read model.
RESERVED = {"ADDRESS_INVALID", "ASSET_INACTIVE", "UNKNOWN_ORDER"}
# Of states, which nobody decides: beyond their limits a mode reduces what may be done, and tells why.
STATES = {spec.reason.name for spec in CONTROLS.values() if spec.stages == frozenset({Stage.STATE})}


def test_every_reason_is_given_by_someone():
    given = {
        node.attr
        for where, node in nodes("commands", "domain", "api", "adapters")
        if isinstance(node, ast.Attribute) and not where.startswith("api/http/codes.py")
    }
    assert {reason.name for reason in Reason} - given <= RESERVED


def test_every_reason_is_reached_by_a_spec_of_the_core():
    told = " ".join(text(path) for path in files("tests") if path.parts[:3] == ("tests", "spec", "core"))
    assert {reason.name for reason in Reason if reason.name not in told} <= RESERVED | STATES


def test_only_a_recorded_intent_is_approved():
    found = {
        where.split(":")[0]
        for where, node in nodes(*PRODUCT)
        if (isinstance(node, ast.Call) and called(node).split(".")[-1] in {"approve", "Approved"})
        or (isinstance(node, ast.ImportFrom) and any(alias.name == "approve" for alias in node.names))
    }
    assert found - {"domain/approval.py"} == APPROVERS
