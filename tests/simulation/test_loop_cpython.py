"""CPython's own asyncio tests, run on our loop in a process of their own."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PROGRAM = """
import asyncio, importlib, unittest
from tests.simulation.loop import SimLoop

class Policy(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self):
        return SimLoop()

suite = unittest.TestSuite()
for name in ("test_locks", "test_queues", "test_taskgroups", "test_timeouts", "test_waitfor"):
    module = importlib.import_module("test.test_asyncio." + name)
    module.tearDownModule = lambda: None  # it would reset the policy
    suite.addTests(unittest.defaultTestLoader.loadTestsFromModule(module))
asyncio.set_event_loop_policy(Policy())
result = unittest.TextTestRunner(verbosity=0).run(suite)
assert result.testsRun > 150 and result.wasSuccessful()
"""


def test_the_interpreters_own_tests_pass_on_the_simulated_loop() -> None:
    if importlib.util.find_spec("test") is None or importlib.util.find_spec("test.test_asyncio") is None:
        pytest.skip("this interpreter comes without its own tests")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
