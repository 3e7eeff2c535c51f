"""Approval as a type: what was not checked cannot be sent."""

from typing import Generic, TypeVar
from uuid import UUID

T = TypeVar("T")

_SEAL = object()


class Approved(Generic[T]):
    """Hold a value that the Book checked against every limit and recorded; only `approve` makes one.

    `intent_id` is the recorded intent, `send_before_us` the instant after which it must not be sent any more.
    """

    __slots__ = ("intent_id", "send_before_us", "value")

    def __init__(self, value: T, intent_id: UUID, send_before_us: int, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("an approval is made by approve(), from a recorded intent")
        self.value = value
        self.intent_id = intent_id
        self.send_before_us = send_before_us


def approve(value: T, intent_id: UUID, send_before_us: int) -> Approved[T]:
    """Seal a value as approved. Call it only with what stands in the log as an intent (a house test holds this)."""
    return Approved(value, intent_id, send_before_us, _SEAL)
