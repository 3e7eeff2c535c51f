"""What a kill did and found: for people as text, for machines as JSON."""

import msgspec

from domain.sweep import PositionLeft, Untold

# A clock that differs by less is nobody's business.
AHEAD_MS_MIN = 500


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """Name a local sender's process."""

    role: str
    pid: int


class Senders(msgspec.Struct, frozen=True, kw_only=True):
    """Tell of the local senders: in which folder they were looked for, who was killed, who lives nevertheless."""

    folder: str
    killed: tuple[Sender, ...] = ()
    living: tuple[Sender, ...] = ()
    error: str = ""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Tell of one thing that was tried: whether it was done, and what was answered or why not."""

    done: bool
    text: str
    ms: int = 0


class VenueEnd(msgspec.Struct, frozen=True, kw_only=True):
    """Tell of one venue account: silent when two sweeps in a row, after all senders were stopped, found no order.

    `cancelled` counts the different orders that were found standing, `conditional` those of them that waited for a
    price or a time, `silent_ms` from the kill's beginning to the second empty answer. `untold` are the parts of the
    account of which nothing is known, `without` those that the settings say it does not have. The venue's clock was
    found to be `ahead_ms` ahead of this machine's. `positions` are None when the venue did not tell; they are left as
    they are.
    """

    venue: str
    account: str
    silent: bool
    sweeps: int = 0
    cancelled: int = 0
    conditional: int = 0
    untold: tuple[Untold, ...] = ()
    without: tuple[str, ...] = ()
    ahead_ms: int = 0
    silent_ms: int | None = None
    positions: tuple[PositionLeft, ...] | None = None
    error: str = ""


class KillReport(msgspec.Struct, frozen=True, kw_only=True):
    """Hold all of it. `silence_ms` is from the kill's beginning until no order stood at any venue.

    Of it `load_ms` went by until what speaks with venues was loaded; `start_ms` went by before it, since the process
    was started.
    """

    at: str
    by: str
    reason: str
    dry_run: bool
    senders: Senders | None
    halted: Step | None
    leases: Step | None
    venues: tuple[VenueEnd, ...]
    chain: Step | None
    silence_ms: int | None
    start_ms: int | None
    load_ms: int | None
    journal: str
    silent: bool


def is_silent(report: KillReport) -> bool:
    """Say whether nothing can trade any more: no local sender, no order, no mint. What was not tried is not done."""
    senders = report.senders is None or not (report.senders.living or report.senders.error)
    return senders and all(end.silent for end in report.venues) and (report.chain is None or report.chain.done)


def text_of(report: KillReport) -> str:
    """Return a report for people."""
    lines = [f"kill by {report.by}: {report.reason}" + (" (dry run: nothing was changed)" if report.dry_run else "")]
    if report.senders is not None:
        lines += _senders(report.senders, dry_run=report.dry_run)
    for name, step in (("mode", report.halted), ("leases", report.leases), ("chain", report.chain)):
        if step is not None:
            lines.append(f"{name + ':':9}{'' if step.done else 'NOT DONE: '}{step.text} ({step.ms} ms)")
    for end in report.venues:
        lines += _venue(end, dry_run=report.dry_run)
    if not report.dry_run:
        lines.append(_verdict(report))
    if report.journal:
        lines.append(f"written to {report.journal}")
    return "\n".join(lines) + "\n"


def _senders(senders: Senders, *, dry_run: bool) -> list[str]:
    named = ", ".join(f"{each.role} {each.pid}" for each in senders.killed) or "none"
    lines = [f"senders: {'killed ' if not dry_run else 'living: '}{named} (of {senders.folder})"]
    if senders.living and not dry_run:
        lines.append(f"senders: STILL LIVING: {', '.join(f'{each.role} {each.pid}' for each in senders.living)}")
    if senders.error:
        lines.append(f"senders: {senders.error}")
    return lines


def _venue(end: VenueEnd, *, dry_run: bool) -> list[str]:
    of = f"{end.venue}/{end.account}"
    orders = f"{end.cancelled} orders" + (f" ({end.conditional} of them conditional)" if end.conditional else "")
    if dry_run:
        lines = [f"{of}: {end.error or f'answers; {orders} stand'}"]
    elif end.silent:
        lines = [f"{of}: silent after {end.silent_ms} ms, {end.sweeps} sweeps, {orders} cancelled"]
    else:
        lines = [f"{of}: NOT SILENT after {end.sweeps} sweeps: {end.error}"]
    lines += [f"{of}: NOT KNOWN what stands in {each.part}: {each.why}" for each in end.untold]
    if end.without:
        lines.append(f"{of}: not asked for, since the settings say that it has none: {', '.join(end.without)}")
    if abs(end.ahead_ms) >= AHEAD_MS_MIN:
        lines.append(f"{of}: its clock is {end.ahead_ms} ms ahead of this machine's; requests were signed by its")
    if end.positions is None:
        return [*lines, f"{of}: positions are not known"]
    return lines + [f"{of}: NOT CLOSED {each.quantity} {each.unit} of {each.market}" for each in end.positions]


def _verdict(report: KillReport) -> str:
    if not report.silent:
        return "NOT SILENT: what is named above may still trade. Run it again, or act at the venue itself."
    if report.silence_ms is None:
        return "SILENT. Positions are left as they are."
    parts = [f"{report.load_ms} ms of it to load" if report.load_ms is not None else ""]
    parts.append(f"and {report.start_ms} ms before, to start the process" if report.start_ms is not None else "")
    told = ", ".join(part for part in parts if part)
    return f"SILENT: no order at any venue after {report.silence_ms} ms ({told}). Positions are left as they are."
