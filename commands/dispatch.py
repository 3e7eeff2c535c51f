"""Which decider answers a command, and which processes an event wakes: two tables, read by the handler."""

from collections.abc import Callable
from typing import Any

import msgspec

from commands import (
    account,
    approval,
    costs,
    custody,
    custody_reports,
    destination,
    funding,
    hedge,
    hedging_continue,
    hedging_requests,
    hedging_slices,
    indicative,
    interest,
    latch,
    limit,
    listing,
    market,
    mode,
    onchain,
    order,
    quote,
    ratio,
    rebalance,
    rehedge,
    request,
    risk,
    settlement,
    settling,
    supply,
    transfer,
    treasury,
    watch,
)
from commands.context import Context
from commands.envelope import COMMANDS, Command
from commands.process import Message
from domain.account import AccountObserved
from domain.approvals import ApprovalDenied, ApprovalExpired, ApprovalGranted, ApprovalRequested
from domain.book import Book
from domain.codec import reader
from domain.event import Event
from domain.fill import FillRecorded
from domain.hedge import HedgeAbandoned, HedgeCompleted, HedgePlanned, HedgeRerouted
from domain.latch import ControlLatched, ControlReleased
from domain.limit import LimitExpired, LimitRemoved, LimitSet
from domain.mode import ModeChanged
from domain.onchain import ContractChanged, ContractObserved, PartyRemoved
from domain.order import OrderAcknowledged, OrderClosed, OrderSubmissionRequested
from domain.policy import PolicyAdopted
from domain.ratio import RatioObserved
from domain.rebalancing.rebalance import RebalanceHeld, RebalanceProposed, RebalanceStarted
from domain.refusal import Refusal
from domain.request import RequestAccepted, RequestCancelled, RequestSettlementFailed
from domain.settlement import SettlementConfirmed, SettlementIncluded, SettlementReverted
from domain.stable import StableHeld, StableProposed
from domain.supply import SupplyObserved
from domain.surprise import SurpriseClassified
from domain.suspension import (
    AssetResumed,
    AssetSuspended,
    InstrumentResumed,
    InstrumentSuspended,
    OracleResumed,
    VenueResumed,
    VenueSuspended,
)
from domain.treasury import CustodyFailed, CustodyTransferred
from domain.vault import DestinationAdmitted, DestinationRemoved
from domain.warning import LimitApproached
from domain.watch import DependencyRestored

Decide = Callable[[Book, Any, Context], tuple[Event, ...] | Refusal]
React = Callable[[Book, Any, int], tuple[Message, ...]]

DECIDERS: dict[type[Command], Decide] = {
    quote.IssueQuote: quote.issue_quote,
    request.AcceptRequest: request.accept_request,
    order.RecordAcknowledged: order.record_acknowledged,
    order.RecordRejected: order.record_rejected,
    order.RecordOutcomeUnknown: order.record_outcome_unknown,
    order.RecordAbsent: order.record_absent,
    order.RecordFill: order.record_fill,
    order.CancelOrder: order.cancel_order,
    hedging_continue.ContinueHedge: hedging_continue.continue_hedge,
    hedging_requests.StartHedge: hedging_requests.start_hedge,
    rehedge.UnwindHedge: rehedge.unwind_hedge,
    rehedge.Rehedge: rehedge.rehedge,
    settlement.SubmitSettlement: settlement.submit_settlement,
    settlement.ReplaceSettlement: settlement.replace_settlement,
    settlement.RecordIncluded: settlement.record_included,
    settlement.RecordReorged: settlement.record_reorged,
    settlement.RecordConfirmed: settlement.record_confirmed,
    settlement.RecordReverted: settlement.record_reverted,
    custody.SubmitCustody: custody.submit_custody,
    custody.RecordCustodyIncluded: custody.record_included,
    custody.RecordCustodyFailed: custody.record_failed,
    custody_reports.ObserveCustody: custody_reports.observe_custody,
    custody_reports.ObserveCustodySettlement: custody_reports.observe_settlement,
    destination.AddDestination: destination.add_destination,
    destination.RemoveDestination: destination.remove_destination,
    latch.ReleaseControl: latch.release_control,
    transfer.PlanTransfer: transfer.plan_transfer,
    limit.SetLimit: limit.set_limit,
    limit.RemoveLimit: limit.remove_limit,
    limit.ApplyLimits: limit.apply_limits,
    limit.ExpireLimit: limit.expire_limit,
    approval.DecideApproval: approval.decide_approval,
    approval.ExpireApproval: approval.expire_approval,
    mode.ChangeMode: mode.change_mode,
    watch.RecordDegraded: watch.record_degraded,
    watch.RecordRestored: watch.record_restored,
    watch.RaiseAlert: watch.raise_alert,
    watch.AcknowledgeAlert: watch.acknowledge_alert,
    watch.AdoptPolicy: watch.adopt_policy,
    market.Suspend: market.suspend,
    market.Resume: market.resume,
    listing.ObserveInstrument: listing.observe_instrument,
    interest.ObserveInterest: interest.observe_interest,
    funding.RecordFunding: funding.record_funding,
    onchain.ObserveContract: onchain.observe_contract,
    onchain.RecordParty: onchain.record_party,
    onchain.RevokeRequest: onchain.revoke_request,
    account.ObserveAccount: account.observe_account,
    ratio.ObserveRatio: ratio.observe_ratio,
    supply.ObserveSupply: supply.observe_supply,
    indicative.SampleIndicative: indicative.sample_indicative,
    rebalance.LookAtHedges: rebalance.look_at_hedges,
    risk.LookAtRisk: risk.look_at_risk,
}

REACTIONS: dict[type[Event], tuple[React, ...]] = {
    RequestAccepted: (settling.react_accepted,),
    RequestCancelled: (hedging_requests.react_fallen,),
    RequestSettlementFailed: (hedging_requests.react_fallen,),
    HedgePlanned: (hedge.react_planned, rehedge.react_left),
    HedgeRerouted: (hedge.react_rerouted,),
    HedgeCompleted: (settling.react_hedged, costs.react_ended, rebalance.react_ended, rehedge.react_left),
    HedgeAbandoned: (settling.react_abandoned, costs.react_ended, rebalance.react_ended, rehedge.react_abandoned),
    OrderSubmissionRequested: (hedging_slices.react_requested,),
    ModeChanged: (hedging_slices.react_stopped, approval.react_moved, watch.react_mode),
    ApprovalRequested: (approval.react_requested,),
    LimitSet: (limit.react_set, approval.react_moved),
    LimitRemoved: (approval.react_moved,),
    LimitExpired: (approval.react_moved,),
    ControlLatched: (approval.react_moved, risk.react_latched),
    ControlReleased: (approval.react_moved, risk.react_unlatched, watch.react_unlatched),
    DestinationAdmitted: (approval.react_moved,),
    DestinationRemoved: (approval.react_moved,),
    VenueSuspended: (hedging_slices.react_stopped,),
    InstrumentSuspended: (hedging_slices.react_stopped,),
    AssetSuspended: (hedging_slices.react_stopped,),
    OrderAcknowledged: (hedge.react_acknowledged,),
    OrderClosed: (hedge.react_closed,),
    FillRecorded: (rehedge.react_surprise, hedge.react_fill),
    SurpriseClassified: (rehedge.react_classified, risk.react_surprised),
    SettlementIncluded: (hedging_requests.react_included,),
    SettlementConfirmed: (hedging_requests.react_settled, settling.react_confirmed),
    SettlementReverted: (settling.react_reverted,),
    PolicyAdopted: (onchain.react_removed, rebalance.react_policy, rehedge.react_policy, supply.react_policy),
    DependencyRestored: (watch.react_restored,),
    RebalanceHeld: (rebalance.react_looked, watch.react_moved),
    RebalanceProposed: (rebalance.react_looked, watch.react_moved),
    RebalanceStarted: (watch.react_moved,),
    StableProposed: (watch.react_stable,),
    StableHeld: (watch.react_stable,),
    AccountObserved: (rebalance.react_observed, risk.react_compared),
    LimitApproached: (watch.react_approached, risk.react_approached),
    ApprovalGranted: (watch.react_decided,),
    ApprovalDenied: (watch.react_decided,),
    ApprovalExpired: (watch.react_decided,),
    SupplyObserved: (supply.react_observed,),
    RatioObserved: (ratio.react_observed,),
    PartyRemoved: (onchain.react_removed,),
    ContractChanged: (onchain.react_removed, treasury.react_terms),
    ContractObserved: (treasury.react_terms,),
    CustodyTransferred: (treasury.react_called,),
    CustodyFailed: (treasury.react_called,),
    VenueResumed: (watch.react_resumed,),
    InstrumentResumed: (watch.react_resumed,),
    OracleResumed: (watch.react_resumed,),
    AssetResumed: (watch.react_resumed,),
}

# What may be decided only on market evidence: the core stamps it on these.
NEEDS_EVIDENCE = frozenset(
    {
        "quote.issue",
        "request.accept",
        "hedge.continue",
        "hedge.open",
        "hedge.unwind",
        "hedge.rehedge",
        "rebalance.look",
        "risk.look",
    }
)

# What trades delta that is open already: while it is refused, a person is told.
OWED = frozenset({"hedge.continue", "hedge.open", "hedge.unwind", "hedge.rehedge"})

# Of these, what chooses where to trade: funding is weighed there. A price does not rest on marks.
NEEDS_MARKS = NEEDS_EVIDENCE - {"quote.issue"}

# What people and integrators may ask for, by request and reply.
ASKED = frozenset(
    {
        "quote.issue",
        "request.accept",
        "limit.set",
        "limit.remove",
        "limit.apply",
        "approval.decide",
        "mode.change",
        "control.release",
        "transfer.plan",
        "destination.add",
        "destination.remove",
        "alert.acknowledge",
    }
)

# What the book asks itself.
INTERNAL = frozenset(
    {
        "hedge.continue",
        "hedge.open",
        "hedge.unwind",
        "hedge.rehedge",
        "order.cancel",
        "rebalance.look",
        "risk.look",
        "request.revoke",
        "policy.adopt",
        "limit.expire",
        "approval.expire",
    }
)

# What the outside reports.
FACTS = frozenset(COMMANDS) - ASKED - INTERNAL

Read = Callable[[bytes | msgspec.Raw], Command]


def _reader(command_type: type[Command]) -> tuple[Read, Decide]:
    return reader(command_type).decode, DECIDERS[command_type]


READERS: dict[str, tuple[Read, Decide]] = {kind: _reader(command_type) for kind, command_type in COMMANDS.items()}
