"""The shape of the source: small, named by its subject, finished, and every exception with its reason."""

import ast
import re

from tests.house.source import PRODUCT, PYTHON, ROOT, called, files, nodes, text, texts, tree

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "service", "misc"}

# A marker that silences a check names what it silences, and after ` - ` or ` # ` says why. `fmt: skip` is left out: the
# formatter knows it only without a word behind it.
SILENCED = re.compile(r"#\s*(?:noqa|type:\s*ignore|pyright:\s*(?:ignore|basic)|pragma:\s*no)")
CODES = r"noqa:\s*[A-Z]+[0-9]+(?:,\s*[A-Z]+[0-9]+)*|(?:type|pyright):\s*ignore\[\w[\w, -]*\]"
REASONED = re.compile(rf"#\s*(?:{CODES}|pragma:\s*no \w+)\s+[-#:]+\s+\S.{{3,}}")
UNFINISHED = re.compile("|".join(rf"\b{word}\b" for word in ("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")))
# Where a machine or a registry shows through.
MACHINE = re.compile(r"(?<![\w.}])/(?:wo[r]k|ro[o]t|ho[m]e)/|py[p]i\.org|python[h]osted|npm[j]s")
WIRING = ("api/wiring.py:", "api/wiring/")
VARIABLE = re.compile(r"\bBALLAST_[A-Z0-9_]+\b")


def test_no_function_is_longer_than_a_screen():
    found = [
        f"{where} {node.name}: {(node.end_lineno or 0) - node.lineno + 1} lines"
        for where, node in nodes(*PRODUCT)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert found == []


def test_no_file_is_longer_than_its_subject():
    found = {str(path): lines for path in files(*PRODUCT) if (lines := text(path).count("\n")) > FILE_LINES_MAX}
    assert found == {}


def test_a_file_is_named_by_its_subject():
    found = [str(path) for path in files(*PYTHON) if BANNED_NAMES & set(path.stem.strip("_").split("_"))]
    found += [str(path) for path in files(*PYTHON) if BANNED_NAMES & set(path.parts[:-1])]
    assert found == []


def test_imports_are_absolute():
    assert [where for where, node in nodes(*PYTHON) if isinstance(node, ast.ImportFrom) and node.level > 0] == []


def test_only_the_wiring_imports_adapters():
    found: list[str] = []
    for where, node in nodes("api", "commands", "projections", "domain"):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if not where.startswith(WIRING):
            found += [where for name in names if name.split(".")[0] == "adapters"]
    assert found == []


def test_what_is_silenced_says_why():
    found = [
        f"{path}:{number} {line.strip()}"
        for path in files(*PYTHON)
        for number, line in enumerate(text(path).splitlines(), 1)
        if SILENCED.search(line) and not REASONED.search(line) and path.parts[:2] != ("tests", "house")
    ]
    assert found == []


SKIPS = ("pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail", "pytest.skip", "pytest.xfail")


def test_a_test_that_does_not_run_says_why():
    calls = [(where, node) for where, node in nodes("tests") if isinstance(node, ast.Call) and called(node) in SKIPS]
    told = {
        id(node.func)
        for _, node in calls
        if any(word.arg == "reason" for word in node.keywords)
        or (node.args and not called(node).startswith("pytest.mark"))
    }
    found = [
        where
        for where, node in nodes("tests")
        if isinstance(node, ast.Attribute) and ast.unparse(node) in SKIPS and id(node) not in told
    ]
    assert found == []


def test_nothing_is_left_unfinished():
    found = [
        f"{path}:{number}"
        for path in texts()
        for number, line in enumerate(text(path).splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert found == []


def test_no_machine_and_no_registry_shows_through():
    found = [
        f"{path}:{number} {line.strip()[:80]}"
        for path in texts()
        for number, line in enumerate(text(path).splitlines(), 1)
        if MACHINE.search(line)
    ]
    assert found == []


def test_every_variable_of_the_environment_is_documented():
    told = " ".join(text(path) for path in texts() if path.suffix in {".md", ".toml"})
    used = {name for path in files(*PRODUCT) for name in VARIABLE.findall(text(path))}
    assert {name for name in used if name not in told} == set()


def test_every_module_says_what_it_is():
    assert [str(path) for path in files(*PRODUCT) if not ast.get_docstring(tree(path))] == []


def test_the_top_level_is_the_plan():
    allowed = {*PYTHON, "docs"}
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] not in {".", "_"}}
    built = {name for name in folders if name.endswith(".egg-info") or name in {"build", "dist"}}
    assert folders - built <= allowed
