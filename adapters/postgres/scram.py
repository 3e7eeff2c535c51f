"""SCRAM-SHA-256 (RFC 5802, RFC 7677): the client's side of it, and the verifier that the server keeps."""

import base64
import hashlib
import hmac
import secrets

ITERATIONS = 4096
ITERATIONS_MAX = 1_000_000
_NONCE_BYTES = 18
_SALT_BYTES = 16
_GS2_HEADER = "n,,"


class ScramFailed(Exception):
    """Say that the server's messages are not those of a server that knows the password."""


class ScramClient:
    """Hold one exchange: first message, answer to the challenge, check of the server's proof."""

    def __init__(self, password: str, nonce: str | None = None) -> None:
        self._password = password
        self._nonce = nonce or base64.b64encode(secrets.token_bytes(_NONCE_BYTES)).decode()
        # Postgres takes the user from the startup message and ignores the name here.
        self._first_bare = f"n=,r={self._nonce}"
        self._server_signature = b""

    def first(self) -> bytes:
        """Return the client's first message."""
        return f"{_GS2_HEADER}{self._first_bare}".encode()

    def answer(self, challenge: bytes) -> bytes:
        """Return the client's final message to the server's challenge."""
        server_first = challenge.decode()
        fields = _fields(server_first)
        nonce, iterations = fields.get("r", ""), int(fields.get("i", "0"))
        if not nonce.startswith(self._nonce) or len(nonce) == len(self._nonce):
            raise ScramFailed("the server's nonce does not extend ours")
        if not 0 < iterations <= ITERATIONS_MAX:
            raise ScramFailed(f"{iterations} iterations are outside 1 to {ITERATIONS_MAX}")
        salted = _salted(self._password, base64.b64decode(fields.get("s", "")), iterations)
        final_bare = f"c={base64.b64encode(_GS2_HEADER.encode()).decode()},r={nonce}"
        signed = f"{self._first_bare},{server_first},{final_bare}".encode()
        client_key = _hmac(salted, b"Client Key")
        signature = _hmac(hashlib.sha256(client_key).digest(), signed)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._server_signature = _hmac(_hmac(salted, b"Server Key"), signed)
        return f"{final_bare},p={base64.b64encode(proof).decode()}".encode()

    def check(self, final: bytes) -> None:
        """Raise ScramFailed unless the server proved that it knows the password too."""
        proof = base64.b64decode(_fields(final.decode()).get("v", ""))
        if not self._server_signature or not hmac.compare_digest(proof, self._server_signature):
            raise ScramFailed("the server could not prove that it knows the password")


def verifier(password: str, salt: bytes | None = None) -> str:
    """Return what Postgres keeps of a password, so that the password itself never travels or gets logged.

    The password is ASCII: others would need SASLprep to mean the same to every client.
    """
    if not password.isascii() or not password.isprintable() or not password:
        raise ValueError("a password must be printable ASCII")
    salt = salt or secrets.token_bytes(_SALT_BYTES)
    salted = _salted(password, salt, ITERATIONS)
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    server = _hmac(salted, b"Server Key")
    encoded = [base64.b64encode(each).decode() for each in (salt, stored, server)]
    return f"SCRAM-SHA-256${ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def _fields(message: str) -> dict[str, str]:
    return {part[:1]: part[2:] for part in message.split(",")}


def _salted(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")
