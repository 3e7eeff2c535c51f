"""No role may raise the recursion limit: a stranger's deeply nested bytes must be refused, not overflow the stack."""

import subprocess
import sys
from collections.abc import Sequence

import pytest

from api.wiring.roles import ROLES

CODE = """
import importlib, sys
before = sys.getrecursionlimit()
for name in sys.argv[1:]:
    importlib.import_module(name)
    assert sys.getrecursionlimit() == before, (name, sys.getrecursionlimit())
"""
WITHIN_S = 240
MODULES = sorted({module for module, _ in ROLES.values()} | {"api.cli"})


def _import(modules: Sequence[str]) -> None:
    command = [sys.executable, "-c", CODE, *modules]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WITHIN_S)
    assert done.returncode == 0, done.stderr


def test_what_the_roles_import_leaves_the_recursion_limit_alone() -> None:
    _import(MODULES)


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_what_a_role_imports_alone_leaves_the_recursion_limit_alone(module: str) -> None:
    """Another one's imports hide nothing here."""
    _import([module])
