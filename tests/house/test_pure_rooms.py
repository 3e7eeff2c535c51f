"""The pure rooms compute exactly and know no clock, chance or outside."""

import ast

from tests.house.source import PURE, called, nodes

BANNED_CALLS = {
    "open",
    "print",
    "input",
    "eval",
    "exec",
    "uuid1",
    "uuid4",
    "uuid.uuid1",
    "uuid.uuid4",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "datetime.datetime.now",
    "date.today",
    "getcontext",
    "setcontext",
    "localcontext",
    "decimal.getcontext",
    "decimal.localcontext",
    "hash",  # of a str differs from one process to the next
    "id",  # of an object differs from one run to the next
}
BANNED_MODULES = {
    "asyncio",
    "concurrent",
    "io",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "random",
    "secrets",
    "signal",
    "socket",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "math",  # its functions answer in floats
    "statistics",
}
# Methods of Decimal that work in the ambient context, 28 digits: `domain.quantity` has exact ones.
AMBIENT = {"normalize", "quantize", "sqrt", "exp", "ln", "log10", "to_eng_string"}


def test_no_float_anywhere():
    # How long a port may wait is the loop's own number and no quantity.
    waits = {id(node.annotation) for _, node in nodes(*PURE) if isinstance(node, ast.arg) and node.arg == "timeout_s"}
    found = [
        where
        for where, node in nodes(*PURE)
        if (isinstance(node, ast.Constant) and isinstance(node.value, float | complex))
        or (isinstance(node, ast.Name) and node.id in {"float", "complex"} and id(node) not in waits)
        or (isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div))
    ]
    assert found == []


def test_no_clock_chance_or_outside_is_called():
    found = [
        f"{where} {called(node)}"
        for where, node in nodes(*PURE)
        if isinstance(node, ast.Call) and called(node) in BANNED_CALLS
    ]
    assert found == []


def test_nothing_that_knows_the_outside_is_imported():
    found: list[str] = []
    for where, node in nodes(*PURE):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [f"{where} {name}" for name in names if name.split(".")[0] in BANNED_MODULES]
    assert found == []


def test_nothing_that_decides_or_folds_awaits():
    found = [
        where
        for where, node in nodes("domain", "commands")
        if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith)
    ]
    assert found == []


def test_decimals_are_never_rounded_by_the_ambient_context():
    found = [
        f"{where} {node.func.attr}"
        for where, node in nodes(*PURE)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in AMBIENT
    ]
    assert found == []


def test_sets_are_never_walked_into_a_log():
    """The order of a set of strings differs from one process to the next: a fold or a decision sorts it first."""
    found = [
        where
        for where, node in nodes("domain", "commands")
        if isinstance(node, ast.For | ast.comprehension)
        and (
            isinstance(node.iter, ast.Set | ast.SetComp)
            or (isinstance(node.iter, ast.Call) and called(node.iter) in {"set", "frozenset"})
        )
    ]
    assert found == []
