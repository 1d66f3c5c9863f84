import ast
import inspect
import pathlib
import re
import runpy
import subprocess
import sys

import pytest

import hotloops as hl

FOLDER = pathlib.Path(__file__).parent / "typed"
USER, WRONG = FOLDER / "user.py", FOLDER / "wrong.py"
CALLS = [node for node in ast.walk(ast.parse(USER.read_text())) if isinstance(node, ast.Call)]
MODULES = [hl, hl.gp, hl.linalg, hl.optics, hl.sklearn]
PUBLIC = {
    name: getattr(module, name)
    for module in MODULES
    for name in dir(module)
    if not (inspect.ismodule(getattr(module, name)) or name.startswith("__"))
}


def names(node):
    """All names and attributes in a piece of code."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr


def calls_of(name):
    return [call for call in CALLS if name in list(names(call.func))[:1]]


def options(function):
    if not function.__module__.startswith("hotloops."):  # another package's exception
        return set()
    parameters = inspect.signature(function).parameters.values()
    return {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}


def methods(kind):
    """The methods and properties that hotloops gives this class."""
    return {
        name
        for base in kind.__mro__
        if base.__module__.startswith("hotloops.")
        for name in vars(base)
        if not name.startswith("_")
    }


@pytest.mark.slow
def test_mypy_accepts_what_a_user_writes_and_flags_each_wrong_call():
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary"]
    found = subprocess.run(
        [*command, "--disable-error-code=import-untyped", USER, WRONG],
        cwd=FOLDER, capture_output=True, text=True,
    )  # fmt: skip
    assert found.stdout + found.stderr == ""


def test_each_wrong_call_is_to_be_flagged():
    lines = WRONG.read_text().splitlines()
    calls = [node for node in ast.parse(WRONG.read_text()).body if isinstance(node, ast.Expr)][1:]
    assert len(calls) > 30
    for call in calls:
        assert re.search(r"  # type: ignore\[[a-z-]+\]$", lines[call.lineno - 1])


def test_the_user_runs(capsys):
    runpy.run_path(str(USER), run_name="__main__")
    assert "hotloops" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_the_user_has_every_name_and_option(name):
    thing = PUBLIC[name]
    assert name in list(names(ast.parse(USER.read_text())))
    if inspect.isclass(thing):
        missing = methods(thing) - set(names(ast.parse(USER.read_text())))
        assert not missing
    if options(thing):
        passed = {keyword.arg for call in calls_of(name) for keyword in call.keywords}
        assert options(thing) <= passed


def test_the_user_has_the_readmes_example():
    readme = (FOLDER.parents[1] / "README.md").read_text()
    example = re.search(r"```python\n(.*?)```", readme, re.DOTALL).group(1)
    function = next(
        node
        for node in ast.parse(USER.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == "readme"
    )
    imported, *statements = map(ast.dump, ast.parse(example).body)
    assert imported == ast.dump(ast.parse("import hotloops as hl").body[0])
    _, *body, names_used = function.body
    assert isinstance(names_used, ast.Delete)
    assert list(map(ast.dump, body)) == statements
