"""Codes, keys, roles and budgets: the tables, walked."""

import pytest

from api.http.app import HANDLERS, create_app, served
from api.http.codes import CODES, KEYED_STATUS, PUBLIC, keyed_code, public_code
from api.http.errors import keyed_refusal, public_refusal
from api.http.keys import KEY_BYTES, KeyEntry, KeyRing, key_digest, new_key
from api.http.roles import ROUTES, Role, role_table
from api.http.throttle import Rate, Recent, Throttle, source_of
from api.http.trace import continued
from commands.envelope import Reply
from domain.refusal import Reason


def test_every_reason_has_a_public_and_a_keyed_code() -> None:
    assert set(PUBLIC) == set(Reason)
    for reason in Reason:
        assert public_code(reason) is CODES[PUBLIC[reason]]
        word, status = keyed_code(reason)
        assert word == reason.name.lower()
        assert 400 <= status < 500
    assert set(KEYED_STATUS) <= set(Reason)


def test_every_code_has_its_number_name_and_status() -> None:
    assert sorted(CODES) == list(range(38))
    assert {number: code.status for number, code in CODES.items() if code.status != 400} == {
        28: 429,
        35: 404,
        36: 202,
        37: 409,
    }
    assert all(code.name for code in CODES.values())


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_keeps_its_values_from_the_public_and_shows_them_to_people(reason: Reason) -> None:
    reply = Reply(
        status="refused", command_id="x", reason=reason.name, text="secret", limit="77", value="88", scope="s"
    )
    public = public_refusal(reply)
    assert (public.status, public.detail.error_code) == (public_code(reason).status, str(PUBLIC[reason]))
    assert "secret" not in repr(public.detail)
    assert "77" not in repr(public.detail)
    keyed = keyed_refusal(reply)
    assert (keyed.detail.limit, keyed.detail.value, keyed.detail.scope) == ("77", "88", "s")


def test_every_route_is_in_the_table_and_every_row_is_served() -> None:
    assert served(HANDLERS) == set(ROUTES)
    for (_, path), access in ROUTES.items():
        kinds = [bool(access.roles), access.public, access.open]
        assert kinds.count(True) == 1
        assert path.startswith("/v1/") == bool(access.roles)


def test_a_route_outside_the_table_cannot_be_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(ROUTES, ("GET", "/v1/orders"))
    with pytest.raises(ValueError, match="/v1/orders"):
        create_app(None)  # pyright: ignore[reportArgumentType] # refused before the ports are looked at


def test_a_key_is_256_random_bits_and_rests_as_its_digest() -> None:
    key = new_key()
    assert len(key) >= KEY_BYTES * 4 // 3
    assert key != new_key()
    ring = KeyRing([KeyEntry(digest=key_digest(key), person="ann", role=Role.RISK)])
    holder = ring.holder(key)
    assert holder is not None
    assert (holder.person, holder.role) == ("ann", "risk")
    assert key not in repr(vars(ring))
    for wrong in ("", key[:-1], key + "x", key.upper(), key_digest(key), "\udcff"):
        assert ring.holder(wrong) is None


@pytest.mark.parametrize("person", ["", "system", "ballast", "Ann", "a b", "a:b", "-a", "x" * 65, "a\n"])
def test_a_person_has_a_plain_name_that_is_no_actors(person: str) -> None:
    with pytest.raises(ValueError, match="person's name"):
        KeyRing([KeyEntry(digest="0" * 64, person=person, role=Role.VIEWER)])


@pytest.mark.parametrize("digest", ["", "0" * 63, "G" * 64, "AB" * 32])
def test_a_digest_is_64_lower_case_hex_digits(digest: str) -> None:
    with pytest.raises(ValueError, match="digest"):
        KeyRing([KeyEntry(digest=digest, person="ann", role=Role.VIEWER)])


def test_a_key_stands_in_the_ring_once() -> None:
    entry = KeyEntry(digest="0" * 64, person="ann", role=Role.VIEWER)
    with pytest.raises(ValueError, match="twice"):
        KeyRing([entry, entry])


def test_a_bucket_refills_with_time_and_never_beyond_its_burst() -> None:
    now = 0.0
    throttle = Throttle(Rate(per_s=2, burst=3), lambda: now)
    assert [throttle.spend("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert throttle.spend("b") == 0
    now = 0.5
    assert throttle.spend("a") == 0
    assert throttle.spend("a") > 0
    now = 1_000.0
    assert [throttle.spend("a") > 0 for _ in range(4)] == [False, False, False, True]


def test_buckets_are_bounded_and_forgetting_only_gives_back() -> None:
    throttle = Throttle(Rate(per_s=1, burst=1), lambda: 0.0, buckets_max=2)
    assert throttle.spend("a") == 0
    assert throttle.spend("a") > 0
    for name in ("b", "c", "d"):
        throttle.spend(name)
        assert len(throttle) <= 2
    assert throttle.spend("a") == 0


@pytest.mark.parametrize("rate", [Rate(per_s=0, burst=1), Rate(per_s=1, burst=0)])
def test_a_rate_allows_something(rate: Rate) -> None:
    with pytest.raises(ValueError, match="rate"):
        Throttle(rate, lambda: 0.0)


def test_recent_keys_are_bounded() -> None:
    recent = Recent(2)
    for name in ("a", "b", "a", "c"):
        recent.keep(name, 1)
    assert [recent.get(name) for name in ("a", "b", "c")] == [1, None, 1]


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("1.2.3.4", "", "1.2.3.4"),
        ("1.2.3.4", "9.9.9.9", "1.2.3.4"),
        ("10.0.0.1", "9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", "8.8.8.8, 9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", "8.8.8.8, 10.0.0.1", "8.8.8.8"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "x" * 500, "x" * 64),
        ("2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "", "2001:db8:1:2::/64"),
        ("::ffff:1.2.3.4", "", "1.2.3.4"),
        ("unknown", "", "unknown"),
    ],
)
def test_a_source_is_the_peer_or_the_last_untrusted_hop(peer: str, forwarded: str, expected: str) -> None:
    assert source_of(peer, forwarded, frozenset({"10.0.0.1"})) == expected


def test_a_trace_is_carried_on_or_begun() -> None:
    given = f"00-{'ab' * 16}-{'cd' * 8}-01"
    carried = continued(given)
    assert carried.split("-")[1] == "ab" * 16
    assert carried.split("-")[2] != "cd" * 8
    bad = ["", "x", given.upper(), given + "-x", f"00-{'0' * 32}-{'cd' * 8}-01", f"ff-{'ab' * 16}-{'cd' * 8}-01", None]
    for header in bad:
        begun = continued(header)
        assert begun.split("-")[1] != "ab" * 16
        assert len(begun) == len(given)
    assert continued(f"00-{'ab' * 16}-{'cd' * 8}-00").endswith("-00")


def test_the_table_of_roles_can_be_read_by_people() -> None:
    table = role_table().splitlines()
    assert len(table) == len(ROUTES) + 2
    assert "| GET `/rfq` | yes | yes | yes | yes | yes |" in table
    assert "| GET `/v1/events` |  |  |  |  | yes |" in table
    assert "| POST `/v1/mode` |  |  | yes | yes |  |" in table
