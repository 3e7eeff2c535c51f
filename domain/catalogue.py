"""Every subject with events, imported so that the register of tags is full."""

from domain import (
    account,
    cost,
    fill,
    funding,
    hedge,
    indicative,
    internalisation,
    limit,
    listing,
    mode,
    onchain,
    order,
    policy,
    quote,
    request,
    settlement,
    surprise,
    suspension,
    treasury,
    watch,
)
from domain.event import CATALOGUE

SUBJECTS = (
    policy,
    quote,
    request,
    hedge,
    order,
    fill,
    settlement,
    onchain,
    limit,
    mode,
    watch,
    suspension,
    listing,
    funding,
    account,
    indicative,
    internalisation,
    treasury,
    cost,
    surprise,
)
EVENTS = CATALOGUE
