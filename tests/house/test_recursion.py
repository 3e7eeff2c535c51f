"""No role may raise the recursion limit: a stranger's deeply nested bytes must be refused, not overflow the stack."""

import subprocess
import sys

import pytest

from api.wiring.roles import ROLES

CODE = """
import importlib, sys
before = sys.getrecursionlimit()
importlib.import_module(sys.argv[1])
assert sys.getrecursionlimit() == before, sys.getrecursionlimit()
"""


@pytest.mark.parametrize("module", sorted({module for module, _ in ROLES.values()} | {"api.cli"}))
def test_what_a_role_imports_leaves_the_recursion_limit_alone(module: str) -> None:
    done = subprocess.run([sys.executable, "-c", CODE, module], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
