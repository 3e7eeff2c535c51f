"""Routes: which custodians a mint's collateral goes to, so that each holds its share of it."""

import msgspec

from domain.book import Book
from domain.onchain import RATIO_SUM, PartyKind


class Split(msgspec.Struct, frozen=True, gc=False):
    """Name custodians and what each is sent, in bps that add up to exactly 10,000; empty: nowhere."""

    custodians: tuple[str, ...] = ()
    ratios: tuple[int, ...] = ()


NO_ROUTE = Split()


def choose_route(book: Book, asset: str, amount: int) -> Split:
    """Return where `amount` atoms should go, so that what custodians hold comes closest to the policy's targets.

    Custodians that the chain does not admit get nothing; while the chain is unknown the policy's word is taken.
    """
    chain = book.onchain
    targets = {
        each.address: each.ratio_bps
        for each in (book.policy.custodians if book.policy is not None else ())
        if each.ratio_bps > 0 and (chain.terms is None or chain.admitted(PartyKind.CUSTODIAN, each.address))
    }
    if not targets or amount <= 0:
        return NO_ROUTE
    held = chain.custody.get(asset, {})
    total = amount + sum(held.get(address, 0) for address in targets)
    weight = sum(targets.values())
    # In units of 1/weight atoms, so that nothing is rounded before the ratios are.
    short = {address: max(total * ratio - held.get(address, 0) * weight, 0) for address, ratio in targets.items()}
    missing = sum(short.values())
    ratios = {address: lacking * RATIO_SUM // missing for address, lacking in short.items()}
    neediest = max(short, key=lambda address: short[address])
    ratios[neediest] += RATIO_SUM - sum(ratios.values())
    used = tuple(address for address, ratio in ratios.items() if ratio > 0)
    return Split(used, tuple(ratios[address] for address in used))
