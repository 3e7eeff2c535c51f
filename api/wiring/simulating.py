"""The simulated venues' and oracles' process: other parties' systems, on this machine."""

from decimal import Decimal
from pathlib import Path

from adapters.embedded.passwords import write_private
from adapters.simulators.oracles.gateway import SimulatedRedstone
from adapters.simulators.oracles.hermes import SimulatedHermes
from adapters.simulators.server import DEPOSITS, KINDS, Account, Simulators, SimulatorsSettings
from api.settings import SettingsError
from api.wiring.house import ADMIN_TOKEN, PYTH_SIGNERS, REDSTONE_SIGNERS, SIMULATOR
from api.wiring.kill_file import kill_keys
from api.wiring.process import Process, until

# The true gateway's packages are ten seconds apart; ours come sooner, so that a demonstration is not half over by then.
REDSTONE_STEP_MS = 2_000


async def run_simulator(process: Process) -> None:
    """Be every venue and oracle: the true wire protocols over TLS on loopback, with memories that survive us."""
    settings = process.settings
    wanted, home = settings.simulator, settings.data_dir / SIMULATOR
    strangers = [venue.name for venue in settings.venues if venue.name not in KINDS]
    if strangers:
        raise SettingsError(f"there is no simulator of {', '.join(strangers)}: {', '.join(sorted(KINDS))}")
    killing = kill_keys(home, tuple(venue.name for venue in settings.venues))
    accounts = {
        venue.name: Account(
            api_key=process.secret(venue.api_key),
            api_secret=process.secret(venue.api_secret),
            passphrase=process.secret(venue.passphrase),
            more_keys=dict([killing[venue.name]]),
            deposits={**DEPOSITS, "USDT": Decimal(wanted.deposit_usdt)},
        )
        for venue in settings.venues
    }
    simulators = Simulators(
        SimulatorsSettings(
            directory=home,
            accounts=accounts,
            seed=wanted.seed,
            port=settings.loopback.port,
            admin_token=(home / ADMIN_TOKEN).read_text().strip(),
            replay_file=Path(wanted.replay) if wanted.replay else None,
        ),
        gateways=(
            lambda world: SimulatedHermes(world.price_of, seed=wanted.seed),
            lambda world: SimulatedRedstone(world.price_of, seed=wanted.seed, step_ms=REDSTONE_STEP_MS),
        ),
    )
    for gateway, file in zip(simulators.gateways, (PYTH_SIGNERS, REDSTONE_SIGNERS), strict=True):
        if isinstance(gateway, SimulatedHermes | SimulatedRedstone):
            write_private(home / file, gateway.signer_set())
    await simulators.start()
    try:
        process.ready()
        await until(process.stop, simulators.failed())
    finally:
        await simulators.stop()
