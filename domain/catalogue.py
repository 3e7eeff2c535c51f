"""Every subject with events, imported so that the register of tags is full."""

from domain import fill, hedge, limit, mode, order, policy, quote, request, settlement, watch
from domain.event import CATALOGUE

SUBJECTS = (policy, quote, request, hedge, order, fill, settlement, limit, mode, watch)
EVENTS = CATALOGUE
