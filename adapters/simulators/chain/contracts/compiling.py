"""Compile the contracts again: `python -m adapters.simulators.chain.contracts.compiling`.

The same source and compiler make the same bytes: no paths, dates or metadata go into an artefact. The compiler is
needed for this and for the test that repeats it, so it is imported here alone.
"""

import decimal
import hashlib

import msgspec

from adapters.simulators.chain.contracts.artefacts import CONTRACTS, Artefact, artefact_path, source_path

# Importing the compiler sets the precision of every decimal of this thread, for good: it keeps that to itself.
_OURS = decimal.getcontext()

import vyper  # noqa: E402 - what the import does is undone below
from vyper.compiler import compile_code  # noqa: E402 - as above
from vyper.compiler.settings import Settings  # noqa: E402 - as above

_ITS = decimal.getcontext()
decimal.setcontext(_OURS)

# Known to py-evm and anvil alike; the first with transient storage, where the guard against re-entry lives.
EVM_VERSION = "cancun"


def compile_contract(contract: str) -> Artefact:
    """Return what the compiler makes of one contract's source."""
    return compile_source(contract, source_path(contract).read_text(encoding="utf-8"))


def compile_source(contract: str, source: str) -> Artefact:
    """Return what the compiler makes of a source; `contract` is only its name."""
    with decimal.localcontext(_ITS):
        made = compile_code(
            source,
            contract_path=f"{contract}.vy",
            output_formats=["abi", "bytecode", "bytecode_runtime"],
            settings=Settings(evm_version=EVM_VERSION),
            no_bytecode_metadata=True,
        )
    return Artefact(
        contract=contract,
        source_sha256=hashlib.sha256(source.encode()).hexdigest(),
        compiler=f"vyper {vyper.__version__}",
        evm_version=EVM_VERSION,
        abi=made["abi"],
        bytecode=made["bytecode"],
        runtime=made["bytecode_runtime"],
    )


def written(made: Artefact) -> bytes:
    """Return an artefact as its file holds it."""
    return msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n"


def main() -> None:
    """Write every contract's artefact."""
    for contract in CONTRACTS:
        artefact_path(contract).write_bytes(written(compile_contract(contract)))


if __name__ == "__main__":
    main()
