"""Controls: what is measured of the Book before anything is decided, and what is refused because of it."""

from domain.controls.probe import Probe, Usage

__all__ = ["Probe", "Usage"]
