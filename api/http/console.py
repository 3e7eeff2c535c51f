"""The operators' page: one document with its script and style inside, and nothing loaded from elsewhere.

The policy of its content names the hashes of exactly that script and that style, so that no other can run.
"""

import base64
import hashlib
from pathlib import Path

from litestar import MediaType, Response, get

_FOLDER = Path(__file__).parent / "page"


def _source_hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def compose() -> tuple[bytes, str]:
    """Return the page and its Content-Security-Policy."""
    document, script, style = ((_FOLDER / f"console.{kind}").read_text("utf-8") for kind in ("html", "js", "css"))
    page = document.replace("/*style*/", style).replace("/*script*/", script)
    policy = (
        f"default-src 'none'; script-src {_source_hash(script)}; style-src {_source_hash(style)}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page.encode(), policy


_PAGE, _POLICY = compose()


@get(
    "/",
    operation_id="console",
    summary="Show the operators' page",
    media_type=MediaType.HTML,
    tags=["health"],
    sync_to_thread=False,
)
def console() -> Response[bytes]:
    """Return the page; it asks for a key and keeps it in the tab only."""
    return Response(_PAGE, media_type=MediaType.HTML, headers={"Content-Security-Policy": _POLICY})


HANDLERS = (console,)
