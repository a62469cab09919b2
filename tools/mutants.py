"""Changes one small thing at a time and asks whether a test notices: ``make mutants`` (COUNT=200 SEED=1 ONLY=gateway/).

The script copies the repository once per process, draws changes ("mutants") from the modules below by a seed, applies
each one alone, and runs the tests of the project that the module belongs to, until one fails. The tests that are named
after the module come first. A mutant that no test notices has survived: either a test is missing, or the line is
needless, or the change has no consequence. Only a reader can tell these apart, so the script prints every survivor.

It needs no server, and nothing of it is part of the gate: 200 mutants take about an hour on two cores.
"""

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).parents[1]
PROJECTS = ("chassis", "gateway", "captcha-service", "sms-service", "user-service", "news-service")
# What decides about safety, money or a person's data. A folder stands for all modules below it.
DECISIVE = (
    "chassis/chassis/addresses.py", "chassis/chassis/identity.py", "chassis/chassis/problems.py",
    "chassis/chassis/service_client.py", "chassis/chassis/web.py",
    "gateway/gateway",
    "captcha-service/captcha_service/answer_store.py", "captcha-service/captcha_service/captchas.py",
    "captcha-service/captcha_service/issue_limit.py", "captcha-service/captcha_service/proof_of_work.py",
    "sms-service/sms_service/api", "sms-service/sms_service/codes", "sms-service/sms_service/routing",
    "sms-service/sms_service/worker", "sms-service/sms_service/providers",
    "user-service/user_service/accounts/registration.py", "user-service/user_service/audit",
    "user-service/user_service/limits", "user-service/user_service/passwords",
    "user-service/user_service/sessions", "user-service/user_service/tokens",
    "news-service/news_service/writing/sanitising.py", "news-service/news_service/cursors.py",
)  # fmt: skip
_COMPARISONS = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
_OPERATORS = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.FloorDiv: "*", ast.Mod: "*"}
# Patterns of Lua and what they become; strings of ours hold none of them but numbers, which `"` keeps apart.
_LUA = (
    (r"<=", "<"), (r">=", ">"), (r"(?<![<>~=])<(?!=)", "<="), (r"(?<![<>~=])>(?!=)", ">="), (r"==", "~="),
    (r"~=", "=="), (r"\band\b", "or"), (r"\bor\b", "and"), (r"(?<![\w'\".])\d+(?![\w'\".])", "+1"),
    (r"^\s*redis\.call\(.*\)$", ""),
)  # fmt: skip
_NO_TESTS_FAILED, _TESTS_FAILED = 0, 1
_SLOWEST_SECONDS = 900


@dataclass(frozen=True)
class Mutant:
    """One change: the text from ``start`` to ``end`` of a file becomes ``new``."""

    path: str
    start: int
    end: int
    new: str

    def apply(self, text: str) -> str:
        """Return the text of the file with the change."""
        return text[: self.start] + self.new + text[self.end :]

    def describe(self) -> str:
        """Say where the change is, and what it is, on one line."""
        text = (ROOT / self.path).read_text()
        line = text.count("\n", 0, self.start) + 1
        old = " ".join(text[self.start : self.end].split())
        return f"{self.path}:{line}  {old[:60]}  ->  {self.new[:60] or '(deleted)'}"


def modules() -> list[str]:
    """List the decisive files; stop the script with a message if one was moved or deleted."""
    if missing := [name for name in DECISIVE if not (ROOT / name).exists()]:
        sys.exit(f"Not there: {', '.join(missing)}. DECISIVE in tools/mutants.py names it; was it moved?")
    files: list[Path] = []
    for name in DECISIVE:
        path = ROOT / name
        files += path.rglob("*") if path.is_dir() else [path]
    return sorted(str(file.relative_to(ROOT)) for file in files if file.suffix in (".py", ".lua"))


def mutants_of(path: str) -> Iterator[Mutant]:
    """Find every change that this script knows for a file."""
    text = (ROOT / path).read_text()
    if path.endswith(".lua"):
        yield from _mutants_of_lua(path, text)
        return
    offsets = [0]
    for line in text.encode().splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))

    def position(line: int, column: int) -> int:
        return len(text.encode()[: offsets[line - 1] + column].decode())

    def replace(node: ast.expr | ast.stmt, new: str) -> Mutant:
        end = position(node.end_lineno or 0, node.end_col_offset or 0)
        return Mutant(path, position(node.lineno, node.col_offset), end, new)

    for node in ast.walk(_without_docstrings(ast.parse(text))):
        if isinstance(node, ast.expr | ast.stmt):
            yield from (replace(node, new) for new in _changes(node))


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]  # type: ignore[attr-defined]
    return tree


def _changes(node: ast.expr | ast.stmt) -> Iterator[str]:
    """Return the texts that may stand in place of a node."""
    if isinstance(node, ast.stmt):
        yield from _changes_of_statement(node)
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        new = _COMPARISONS[type(node.ops[0])]
        yield f"({ast.unparse(node.left)} {new} {ast.unparse(node.comparators[0])})"
    elif isinstance(node, ast.BoolOp):
        values = [f"({ast.unparse(value)})" for value in node.values]
        yield "(" + (" or " if isinstance(node.op, ast.And) else " and ").join(values) + ")"
        yield from values
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield f"({ast.unparse(node.operand)})"
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        yield f"({ast.unparse(node.left)} {_OPERATORS[type(node.op)]} {ast.unparse(node.right)})"
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        yield str(not node.value if isinstance(node.value, bool) else node.value + 1)


def _changes_of_statement(node: ast.stmt) -> Iterator[str]:
    """Leave a call, a raise or an ``if`` without ``else`` out; return nothing where something is returned."""
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    if is_call or isinstance(node, ast.Raise) or (isinstance(node, ast.If) and not node.orelse):
        yield "pass"
    elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
        yield "return None"


def _mutants_of_lua(path: str, text: str) -> Iterator[Mutant]:
    code = re.sub(r"--.*", lambda comment: " " * len(comment[0]), text)
    for pattern, new in _LUA:
        for match in re.finditer(pattern, code, re.MULTILINE):
            value = str(int(match[0]) + 1) if new == "+1" else new
            yield Mutant(path, match.start(), match.end(), value)


def tests_of(path: str) -> list[str]:
    """List the test files of a module's project, the nearest first.

    Tests stand in folders that mirror those of the modules: ``tests/tokens/test_refresh.py`` tests
    ``tokens/refresh.py``. That file comes first, then those of its folder (of them ``test_idempotency.py`` before
    others if the module is ``idempotency_end.lua``), then those elsewhere that are named after the module or one of
    its folders.
    """
    project, _, *folders, name = path.split("/")
    stem, tests = name.partition(".")[0], ROOT / project / "tests"

    def distance(file: Path) -> int:
        tested = file.stem.removeprefix("test_")
        if file.parent != tests.joinpath(*folders):
            return 3 if tested in (stem, *folders) else 4
        return 0 if tested == stem else 1 if stem.startswith(f"{tested}_") else 2

    return [str(file.relative_to(ROOT)) for file in sorted(sorted(tests.rglob("test_*.py")), key=distance)]


def run_tests(tree: Path, path: str) -> tuple[int, str]:
    """Run the tests of a module in a copy of the repository; return pytest's status and the end of its output."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(str(tree / name) for name in (*PROJECTS, "deploy"))}
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m"]
    command += ["not outside and not compose and not browser", *tests_of(path)]
    try:
        done = subprocess.run(
            command, cwd=tree, env=env, capture_output=True, text=True, timeout=_SLOWEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return _TESTS_FAILED, "too slow"
    return done.returncode, done.stdout[-3000:] + done.stderr[-1000:]


def is_killed(mutant: Mutant, trees: "SimpleQueue[Path]") -> bool:
    """Apply a mutant to one of the copies and say whether a test fails; a test that cannot even be collected does."""
    tree = trees.get()
    file = tree / mutant.path
    text = file.read_text()
    try:
        file.write_text(mutant.apply(text))
        return run_tests(tree, mutant.path)[0] != _NO_TESTS_FAILED
    finally:
        file.write_text(text)
        trees.put(tree)


def copy_repository(folder: Path) -> Path:
    """Copy what git tracks, as it is in the working tree."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    for name in filter(None, names):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def main() -> int:
    """Draw, try and print; the status is 0 whatever survived."""
    parser = argparse.ArgumentParser(prog="make mutants")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="a part of the paths, such as sms_service/routing")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    every = [mutant for path in modules() if options.only in path for mutant in mutants_of(path)]
    drawn = random.Random(options.seed).sample(every, min(options.count, len(every)))
    print(f"{len(drawn)} of {len(every)} mutants, seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="mutants") as folder, ThreadPoolExecutor(options.processes) as pool:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(options.processes):
            trees.put(copy_repository(Path(folder) / str(number)))
        if not _is_green(trees, {mutant.path.split("/")[0]: mutant.path for mutant in drawn}):
            return 1
        results = _try_all(drawn, trees, pool)
    _print_table(results)
    return 0


def _is_green(trees: "SimpleQueue[Path]", path_of_project: dict[str, str]) -> bool:
    tree = trees.get()
    for project, path in path_of_project.items():
        begun_at = time.monotonic()
        status, output = run_tests(tree, path)
        if status != _NO_TESTS_FAILED:
            print(f"{project}: the tests fail without any change:\n{output}")
            return False
        print(f"{project}: its tests take {time.monotonic() - begun_at:.0f} s", flush=True)
    trees.put(tree)
    return True


def _try_all(drawn: list[Mutant], trees: "SimpleQueue[Path]", pool: ThreadPoolExecutor) -> dict[Mutant, bool]:
    results: dict[Mutant, bool] = {}
    verdicts = pool.map(lambda mutant: is_killed(mutant, trees), drawn)
    for number, (mutant, killed) in enumerate(zip(drawn, verdicts, strict=True), start=1):
        results[mutant] = killed
        if not killed:
            print(f"survived  {mutant.describe()}", flush=True)
        if number % 10 == 0:
            print(f"{number} of {len(drawn)} tried, {sum(results.values())} killed", flush=True)
    return results


def _print_table(results: dict[Mutant, bool]) -> None:
    tried, killed = Counter(m.path for m in results), Counter(m.path for m, is_dead in results.items() if is_dead)
    width = max(map(len, tried))
    print(f"\n{'module':{width}}  killed  survived")
    for path in sorted(tried):
        print(f"{path:{width}}  {killed[path]:6}  {tried[path] - killed[path]:8}")
    print(f"{'all':{width}}  {sum(killed.values()):6}  {len(results) - sum(killed.values()):8}")
    print(f"\n{sum(killed.values()) / len(results):.1%} killed")


if __name__ == "__main__":
    sys.exit(main())
