"""The matrix of controls: control, law, test. `python -m tests.support.control_matrix` writes docs/controls.md.

A test proves a control by the marker `control`; what is marked is read from the source, no test is run for it.
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from domain.limits import CONTROLS, Bound, ControlSpec
from domain.quantity import plain
from tests.house.source import files, tree

PAGE = Path(__file__).resolve().parents[2] / "docs" / "controls.md"
HEAD = """# Controls

Every control there is: what it bounds, when it is tested, which law asks for it, and the tests that prove it. It is
written by `python -m tests.support.control_matrix` from `domain/limits.py` and the tests; a house test fails while a
control has no test, or this page is not what would be written.

A valued control must have a limit in its first scope, or what it guards is refused; limits of narrower scopes bind
beside it, and the strictest wins. A rule has no value and always holds. There is no way around any of them: no flag, no
role, no setting. The order is that of `domain/limits.py`; when several say no, the gravest reason is told
(`domain/refusal.py`).

Laws: *15c3-5* is the market access rule of the SEC (17 CFR 240.15c3-5), *RTS 6* Commission Delegated Regulation (EU)
2017/589, *RTS 9* 2017/566, *UMIR* the Canadian universal market integrity rules. Their names stand here to show what
each control answers; nobody certified anything.
"""


def proofs() -> Mapping[str, tuple[str, ...]]:
    """Return the tests that are marked as proofs, by control, as `path::name`."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in files("tests"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                for control in _marked(node):
                    found[control].append(f"{path}::{node.name}")
    return {control: tuple(sorted(tests)) for control, tests in found.items()}


def _marked(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[str]:
    return [
        argument.value
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.control"
        for argument in decorator.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]


def page() -> str:
    """Return the page as it should be."""
    proven = proofs()
    lines = [HEAD, "| control | bounds | value | scopes | tested | reason | law |", "|---|---|---|---|---|---|---|"]
    lines += [_row(spec) for spec in CONTROLS.values()]
    lines += ["", "## Proofs", ""]
    for control in CONTROLS:
        lines += [f"- `{control}`", *(f"  - `{test}`" for test in proven.get(control, ()))]
    return "\n".join([*lines, ""])


def _row(spec: ControlSpec) -> str:
    value = "rule" if spec.bound is Bound.RULE else f"{spec.bound} {_default(spec)}"
    text = spec.text + ("; what only reduces is spared" if spec.spares_reducing else "")
    stages = ", ".join(sorted(stage.value for stage in spec.stages))
    scopes, law = ", ".join(spec.scopes), "; ".join(spec.law)
    text = text.replace("|", r"\|")
    return f"| `{spec.control}` | {text} | {value} | {scopes} | {stages} | `{spec.reason.name}` | {law} |"


def _default(spec: ControlSpec) -> str:
    return f"{spec.unit} (set by the settings)" if spec.default is None else f"{plain(spec.default)} {spec.unit}"


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
