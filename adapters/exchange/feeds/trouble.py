"""What a feed raises: its own errors only, so that nothing a venue sends can end a reader with anything else.

FeedBroken
├── Unreadable   what was sent is not what this venue's messages look like; nothing of it may be believed
└── Unreachable  no connection or no answer; `retry_after_s` is what the venue asked to wait, 0 where it did not say
"""


class FeedBroken(Exception):
    """Root of what a feed may raise."""


class Unreadable(FeedBroken):
    """Say what in a message could not be read."""


class Unreachable(FeedBroken):
    """Say that a venue could not be connected to, or did not answer as it should."""

    def __init__(self, text: str, retry_after_s: float = 0.0) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s
