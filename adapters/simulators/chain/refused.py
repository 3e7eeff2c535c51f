"""What a node answers instead of a result: JSON-RPC's code, a text in geth's words, and data where a call reverted."""

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
SERVER_ERROR = -32000
LIMIT_EXCEEDED = -32005
REVERTED = 3
PRUNED = 4444


class Refused(Exception):
    """Tell why a request has no result. `data` is the returned bytes of a reverted call as hex."""

    def __init__(self, message: str, *, code: int = SERVER_ERROR, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
