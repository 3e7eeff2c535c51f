"""Sessions of our own making: addresses, SCRAM, TLS, and servers that ask for what we refuse."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.postgres import connection as connecting
from adapters.postgres import messages
from adapters.postgres.address import Address, parse_dsn
from adapters.postgres.connection import connect
from adapters.postgres.failures import ConnectionLost, HandshakeFailed, PostgresRefused
from adapters.postgres.scram import ScramClient, ScramFailed, verifier
from tests.support.postgres_proxy import proxied


def test_scram_is_the_rfcs() -> None:
    # RFC 7677, section 3; Postgres leaves the name to the startup message, so the proof differs from the RFC's there.
    client = ScramClient("pencil", nonce="rOprNGfwEbeRWgbNEkqO")
    assert client.first() == b"n,,n=,r=rOprNGfwEbeRWgbNEkqO"
    challenge = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    answer = client.answer(challenge)
    assert answer.startswith(b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=")
    with pytest.raises(ScramFailed):
        client.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


@pytest.mark.parametrize(
    "challenge",
    [
        b"r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"r=mine,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"r=mine1,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0",
        b"r=mine1,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999",
    ],
)
def test_scram_refuses_a_challenge_that_is_none(challenge: bytes) -> None:
    with pytest.raises(ScramFailed):
        ScramClient("pencil", nonce="mine").answer(challenge)


def test_a_verifier_is_what_postgres_keeps() -> None:
    salt = bytes.fromhex("5b6d99689d12358eeca04b141236fa81")  # the RFC's
    assert verifier("pencil", salt) == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )
    with pytest.raises(ValueError, match="ASCII"):
        verifier("pässword")


def test_a_dsn_is_read_and_its_password_not_shown() -> None:
    address = parse_dsn("postgresql://us%40er:p%2Fw@host:6543/data%20base?sslmode=require")
    assert (address.user, address.password, address.host) == ("us@er", "p/w", "host")
    assert (address.port, address.database, address.sslmode) == (6543, "data base", "require")
    assert "p/w" not in repr(address)
    assert address.requires_tls
    socket = parse_dsn("postgresql://ballast@/?host=/run/pg&port=7777")
    assert (socket.socket_path, socket.database, socket.asks_tls) == ("/run/pg/.s.PGSQL.7777", "ballast", False)


@pytest.mark.parametrize(
    "dsn",
    [
        "mysql://a@b/c",
        "host=localhost user=ballast",
        "postgresql://host/database",
        "postgresql://user@one,two/database",
        "postgresql://user@host/database?sslmode=sometimes",
        "postgresql://user@host/database?target_session_attrs=any",
    ],
)
def test_a_dsn_that_cannot_be_honoured_is_refused(dsn: str) -> None:
    with pytest.raises(HandshakeFailed):
        parse_dsn(dsn)


async def select_one(dsn: str) -> str | None:
    connection = await connect(parse_dsn(dsn), {"application_name": "a-test"})
    try:
        return (await connection.fetch("select current_setting('application_name')"))[0][0]
    finally:
        await connection.close()


async def test_a_session_runs_statements_and_tells_errors(database: str) -> None:
    assert await select_one(database) == "a-test"
    connection = await connect(parse_dsn(database), {})
    try:
        assert await connection.fetch("select null, 'ü', 1 union all select '', 'x', 2") == [
            (None, "ü", "1"),
            ("", "x", "2"),
        ]
        with pytest.raises(PostgresRefused) as refused:
            await connection.fetch("select 1 / 0")
        assert (refused.value.error.sqlstate, refused.value.error.is_conflict) == ("22012", False)
        # Pipelined: each hears its own.
        answers = await asyncio.gather(
            connection.fetch("select 1"),
            connection.fetch("nonsense"),
            connection.fetch("select 3"),
            return_exceptions=True,
        )
        assert answers[0] == [("1",)]
        assert isinstance(answers[1], PostgresRefused)
        assert answers[2] == [("3",)]
    finally:
        await connection.close()
        await connection.close()
    with pytest.raises(ConnectionLost):
        await connection.fetch("select 1")


async def test_a_wrong_password_and_a_wrong_database_say_so(database: str) -> None:
    with pytest.raises(HandshakeFailed, match="28P01"):
        await select_one(database.replace("ballast:", "ballast:x", 1))
    with pytest.raises(HandshakeFailed, match="3D000"):
        await select_one(f"{database}x")
    parsed = parse_dsn(database)
    with pytest.raises(HandshakeFailed, match="has none"):
        await connect(Address(parsed.host, parsed.port, parsed.user, "", parsed.database, "disable"), {})


async def test_a_server_without_tls_is_used_only_if_allowed(database: str) -> None:
    for allowed in ("disable", "allow", "prefer"):
        assert await select_one(f"{database}?sslmode={allowed}") == "a-test"
    for strict in ("require", "verify-ca", "verify-full"):
        with pytest.raises(HandshakeFailed, match="no TLS"):
            await select_one(f"{database}?sslmode={strict}")


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


async def test_tls_is_asked_for_and_checked_as_the_mode_says(database: str, tmp_path: Path) -> None:
    root, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(root, key)
    async with proxied(database, context) as (proxy, dsn):
        for number, accepted in enumerate(
            ("require", "prefer", f"verify-full&sslrootcert={root}", f"verify-ca&sslrootcert={root}"), start=1
        ):
            assert await select_one(f"{dsn}?sslmode={accepted}") == "a-test"
            assert proxy.secured == number
        with pytest.raises(HandshakeFailed):
            await select_one(f"{dsn}?sslmode=verify-full")


async def meet(answer: bytes) -> None:
    """Connect to a server that gives one answer to the startup message and waits."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(answer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        await connect(Address("127.0.0.1", port, "user", "secret", "database", "disable"), {})
    finally:
        server.close()
        await server.wait_closed()


def authentication(code: int, data: bytes = b"") -> bytes:
    return b"R" + (8 + len(data)).to_bytes(4) + code.to_bytes(4) + data


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (authentication(messages.AUTH_CLEARTEXT), "clear text"),
        (authentication(messages.AUTH_MD5, b"salt"), "md5"),
        (authentication(7), "method 7"),
        (authentication(messages.AUTH_SASL, b"SCRAM-SHA-1\0\0"), "SCRAM-SHA-1"),
        (
            authentication(messages.AUTH_SASL, b"SCRAM-SHA-256\0\0") + authentication(messages.AUTH_OK),
            "without proving",
        ),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "bytes"),
        (b"R\x00\x00\x00\x01", "bytes"),
        (b"R\x00\x00\x00\x04", "unpack"),
    ],
)
async def test_a_server_that_asks_for_what_we_refuse_is_refused(answer: bytes, said: str) -> None:
    with pytest.raises(HandshakeFailed, match=said):
        await meet(answer)


async def test_a_server_that_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "CONNECT_MS_MAX", 100)
    with pytest.raises(HandshakeFailed, match="within 100 ms"):
        await meet(b"")


async def test_nobody_there() -> None:
    with pytest.raises(HandshakeFailed):
        await connect(Address("127.0.0.1", 1, "user", "", "database", "disable"), {})
    with pytest.raises(HandshakeFailed):
        await connect(Address("/no/such/directory", 1, "user", "", "database", "disable"), {})
