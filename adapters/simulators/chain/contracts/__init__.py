"""The contracts of the development chain: Vyper sources, and what the compiler made of each, committed beside them.

`artefacts.artefact` reads one; `python -m adapters.simulators.chain.contracts.compiling` makes them again.
"""
