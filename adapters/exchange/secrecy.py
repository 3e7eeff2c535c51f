"""Words that may be logged: without keys, signed queries and listen keys."""

import re
from collections.abc import Sequence

TEXT_MAX = 300
_QUERY = re.compile(r"\?[^\s\"'<>]+")
# Listen keys, tokens and signatures; nothing that we name is as long.
_OPAQUE = re.compile(r"[A-Za-z0-9+=_-]{40,}")


def redacted(text: str, secrets: Sequence[str]) -> str:
    """Return a text without what nobody may read."""
    for secret in secrets:
        text = text.replace(secret, "(secret)") if secret else text
    return _OPAQUE.sub("(opaque)", _QUERY.sub("?(query)", text))[:TEXT_MAX]
