"""Where Postgres is and who we are there, read from a dsn."""

import ssl
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from adapters.postgres.failures import HandshakeFailed

DEFAULT_PORT = 5432
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


class Address(msgspec.Struct, frozen=True):
    """Say where the server is. `host` that starts with a slash is the directory of a Unix socket."""

    host: str
    port: int
    user: str
    password: str
    database: str
    sslmode: str
    sslrootcert: str = ""
    sslcert: str = ""
    sslkey: str = ""

    def __repr__(self) -> str:
        """Write the address without its password."""
        return f"postgresql://{self.user}@{self.host}:{self.port}/{self.database}"

    @property
    def socket_path(self) -> str:
        """Return the Unix socket's path; empty for TCP."""
        return f"{self.host}/.s.PGSQL.{self.port}" if self.host.startswith("/") else ""

    @property
    def asks_tls(self) -> bool:
        """Tell whether TLS is to be asked for: never on a Unix socket."""
        return not self.socket_path and self.sslmode not in {"disable", "allow"}

    @property
    def requires_tls(self) -> bool:
        """Tell whether a server without TLS is refused."""
        return self.asks_tls and self.sslmode != "prefer"

    def tls_context(self) -> ssl.SSLContext:
        """Return the context that the mode asks for; `require` encrypts without checking who answers, as libpq does."""
        context = ssl.create_default_context(cafile=self.sslrootcert or None)
        if self.sslmode in {"prefer", "require"} and not self.sslrootcert:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self.sslmode != "verify-full":
            context.check_hostname = False
        if self.sslcert:
            context.load_cert_chain(self.sslcert, self.sslkey or None)
        return context


def parse_dsn(dsn: str) -> Address:
    """Read `postgresql://user:password@host:port/database?host=/socket/dir&sslmode=…`.

    Raise HandshakeFailed for what this client cannot honour: other forms, several hosts, unknown options.
    """
    parts = urlsplit(dsn)
    if parts.scheme not in {"postgresql", "postgres"}:
        raise HandshakeFailed("a dsn starts with postgresql://")
    if "," in parts.netloc:
        raise HandshakeFailed("a dsn names one server, not several")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    user = options.pop("user", unquote(parts.username or ""))
    sslmode = options.pop("sslmode", "prefer")
    if sslmode not in SSL_MODES:
        raise HandshakeFailed(f"sslmode is one of {', '.join(SSL_MODES)}, not {sslmode!r}")
    if not user:
        raise HandshakeFailed("a dsn names its user")
    address = Address(
        host=options.pop("host", unquote(parts.hostname or "localhost")),
        port=int(options.pop("port", parts.port or DEFAULT_PORT)),
        user=user,
        password=options.pop("password", unquote(parts.password or "")),
        database=options.pop("dbname", unquote(parts.path.lstrip("/")) or user),
        sslmode=sslmode,
        sslrootcert=options.pop("sslrootcert", ""),
        sslcert=options.pop("sslcert", ""),
        sslkey=options.pop("sslkey", ""),
    )
    if options:
        raise HandshakeFailed(f"this client does not know the dsn's options {', '.join(sorted(options))}")
    return address
