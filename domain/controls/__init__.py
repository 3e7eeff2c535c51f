"""Controls: what is measured of the Book before anything is decided, and what is refused because of it."""

from domain.controls.check import check
from domain.controls.meter import missing, strictest
from domain.controls.probe import Probe, Usage
from domain.controls.usage import usages

__all__ = ["Probe", "Usage", "check", "missing", "strictest", "usages"]
