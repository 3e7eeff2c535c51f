"""What a feed counts about itself."""

WORDS = ("gap", "silence", "disconnected", "crossed", "unreadable", "refused")


class Counters:
    """Count since the start. `losses` goes by the word that a reason begins with; `gaps` is one of them."""

    def __init__(self) -> None:
        self.messages = 0
        self.unread = 0
        self.reconnects = 0
        self.losses: dict[str, int] = dict.fromkeys(WORDS, 0)

    @property
    def gaps(self) -> int:
        """Return how many times a message did not follow the one before."""
        return self.losses["gap"]

    def lost(self, reason: str) -> None:
        """Count a loss by the first word of its reason."""
        self.losses[reason.partition(":")[0]] += 1
