"""What the minting contract logged, read strictly from a node's answer: settlements, and who may do what. Pure."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec
from eth_hash.auto import keccak

from adapters.rpc.wire import Malformed, address, fields, octets, quantity, truth, word
from domain.onchain import PartyChange, PartyKind

LOGS_MAX = 20_000
TOPICS_MAX = 4
DATA_BYTES_MAX = 1_024

_WORD = 32
_WORDS_OF_SETTLED = 4


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one log as a node tells it; hex in lower case with 0x."""

    topics: tuple[str, ...]
    data: bytes
    block_number: int
    block_hash: str
    tx_hash: str
    index: int


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """Tell one mint or redeem that the contract logged. The log carries the order id's hash alone.

    `sender` is the minter or redeemer. Addresses are lower case, amounts atoms.
    """

    order_type: str  # MINT or REDEEM
    order_id_hash: str
    benefactor: str
    beneficiary: str
    sender: str
    collateral_asset: str
    collateral_amount: int
    usde_amount: int
    block_number: int
    block_hash: str
    tx_hash: str
    log_index: int


class _Party(msgspec.Struct, frozen=True, kw_only=True):
    kind: PartyKind
    admitted: bool
    party_at: int = 1  # which topic
    owner_at: int = 0  # 0: nobody owns the right


def topic(signature: str) -> str:
    """Return the first topic of an event."""
    return "0x" + keccak(signature.encode()).hex()


MINT_EVENT = "Mint(string,address,address,address,address,uint256,uint256)"
REDEEM_EVENT = "Redeem(string,address,address,address,address,uint256,uint256)"
SETTLED: Mapping[str, str] = MappingProxyType({topic(MINT_EVENT): "MINT", topic(REDEEM_EVENT): "REDEEM"})

PARTY_EVENTS: Mapping[str, _Party] = MappingProxyType(
    {
        "BenefactorAdded(address)": _Party(kind=PartyKind.BENEFACTOR, admitted=True),
        "BenefactorRemoved(address)": _Party(kind=PartyKind.BENEFACTOR, admitted=False),
        "BeneficiaryAdded(address,address)": _Party(kind=PartyKind.BENEFICIARY, admitted=True, party_at=2, owner_at=1),
        "BeneficiaryRemoved(address,address)": _Party(
            kind=PartyKind.BENEFICIARY, admitted=False, party_at=2, owner_at=1
        ),
        "DelegatedSignerAdded(address,address)": _Party(kind=PartyKind.DELEGATE, admitted=True, owner_at=2),
        # Delegating anew makes a delegate wait for his confirmation again, whatever he was before.
        "DelegatedSignerInitiated(address,address)": _Party(kind=PartyKind.DELEGATE, admitted=False, owner_at=2),
        "DelegatedSignerRemoved(address,address)": _Party(kind=PartyKind.DELEGATE, admitted=False, owner_at=2),
        "CustodianAddressAdded(address)": _Party(kind=PartyKind.CUSTODIAN, admitted=True),
        "CustodianAddressRemoved(address)": _Party(kind=PartyKind.CUSTODIAN, admitted=False),
        "AssetAdded(address)": _Party(kind=PartyKind.ASSET, admitted=True),
        "AssetRemoved(address)": _Party(kind=PartyKind.ASSET, admitted=False),
    }
)
PARTIES: Mapping[str, _Party] = MappingProxyType({topic(text): party for text, party in PARTY_EVENTS.items()})


def _word_address(text: str) -> str:
    if int(text, 16) >> 160:
        raise Malformed("a topic is no address")
    return "0x" + text[-40:]


def _log(value: Any, contract: str) -> Log:
    told = fields(value, "a log")
    if truth(told.get("removed", False), "removed"):
        raise Malformed("a log that was removed")
    if address(told.get("address"), "a log's address") != contract:
        raise Malformed("a log of another contract")
    topics = told.get("topics")
    if not isinstance(topics, list) or not 0 < len(topics) <= TOPICS_MAX:
        raise Malformed("a log without topics")
    return Log(
        topics=tuple(word(each, "a topic") for each in topics),
        data=octets(told.get("data"), "a log's data", DATA_BYTES_MAX),
        block_number=quantity(told.get("blockNumber"), "a log's block"),
        block_hash=word(told.get("blockHash"), "a log's block"),
        tx_hash=word(told.get("transactionHash"), "a log's transaction"),
        index=quantity(told.get("logIndex"), "a log's index"),
    )


def parse_logs(answer: Any, contract: str, wanted: Mapping[str, object], first: int, last: int) -> tuple[Log, ...]:
    """Return the logs of a contract in a range of blocks, in their order; raise `Malformed` for any that was not asked.

    `contract` is lower case; `wanted` are first topics.
    """
    if not isinstance(answer, list) or len(answer) > LOGS_MAX:
        raise Malformed(f"logs are no list of at most {LOGS_MAX}")
    logs = tuple(_log(value, contract) for value in answer)
    if any(each.topics[0] not in wanted or not first <= each.block_number <= last for each in logs):
        raise Malformed("a log that was not asked for")
    placed = [(each.block_number, each.index) for each in logs]
    if placed != sorted(set(placed)):
        raise Malformed("logs out of order")
    return logs


def parse_settled(logs: Sequence[Log]) -> tuple[Settled, ...]:
    """Return the mints and redeems among logs."""
    return tuple(_settled(each) for each in logs)


def _settled(log: Log) -> Settled:
    if len(log.topics) != TOPICS_MAX or len(log.data) != _WORDS_OF_SETTLED * _WORD:
        raise Malformed("a settlement of another shape")
    words = [log.data[at : at + _WORD] for at in range(0, len(log.data), _WORD)]
    return Settled(
        order_type=SETTLED[log.topics[0]],
        order_id_hash=log.topics[1],
        benefactor=_word_address(log.topics[2]),
        beneficiary=_word_address(log.topics[3]),
        sender=_word_address("0x" + words[0].hex()),
        collateral_asset=_word_address("0x" + words[1].hex()),
        collateral_amount=int.from_bytes(words[2]),
        usde_amount=int.from_bytes(words[3]),
        block_number=log.block_number,
        block_hash=log.block_hash,
        tx_hash=log.tx_hash,
        log_index=log.index,
    )


def parse_parties(logs: Sequence[Log]) -> tuple[PartyChange, ...]:
    """Return who was admitted and removed, as logged."""
    return tuple(_party(each) for each in logs)


def _party(log: Log) -> PartyChange:
    what = PARTIES[log.topics[0]]
    if len(log.topics) != 1 + max(what.party_at, what.owner_at) or log.data:
        raise Malformed("a change of another shape")
    return PartyChange(
        kind=what.kind,
        party=_word_address(log.topics[what.party_at]),
        owner=_word_address(log.topics[what.owner_at]) if what.owner_at else "",
        admitted=what.admitted,
        block_number=log.block_number,
        block_hash=log.block_hash,
        tx_hash=log.tx_hash,
        log_index=log.index,
    )
