"""Simulated oracles: Hermes, RedStone's gateway, Ethereum endpoints. They sign with test keys of their own.

Formats are the real ones, prices those of the simulated world. Their signer sets are written where Ballast is told to
look for them: by no other way does it believe them.
"""
