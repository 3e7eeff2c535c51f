"""The gatekeeper's settings: its own endpoints, its own key, its own files, and what it lets through."""

import msgspec

from domain.gatekeeping import Rules


class GatekeeperSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set the gatekeeper. `rpc` and `key` may be `env:` or `file:` references; files count from its own folder.

    Of `rpc` a majority, at least `quorum`, must agree on everything that is believed. Times in milliseconds.
    """

    enabled: bool = False
    rpc: tuple[str, ...] = ()
    quorum: int = 1
    key: str = ""  # holds GATEKEEPER_ROLE and nothing else
    folder: str = ""  # empty: data_dir/gatekeeper
    poll_ms: int = 2_000
    timeout_ms: int = 3_000
    head_age_ms_max: int = 120_000  # 0: any age, for chains that make blocks on demand
    lookback_blocks: int = 50  # judged at the very first start
    catch_up_blocks_max: int = 50_000  # what is older after a long stop is not judged any more, and that is said
    blind_after_ms: int = 30_000  # of silence, before it is said loudly
    bump_blocks: int = 2  # without inclusion, until the fees are raised
    tries_max: int = 12  # replacements of one transaction
    priority_fee_wei: int = 5_000_000_000
    max_fee_wei_max: int = 2_000_000_000_000  # shutting the contract is worth it
    rules: Rules = Rules()
