import io
import json
import os
import re
import subprocess
import sys

import pytest

import hotloops as hl
from hotloops import _cases
from hotloops._run import resolve
from hotloops._run.backends import names
from hotloops._run.lines import subjects
from hotloops.cli import compare, config
from hotloops.cli.main import main

QUICK = ["compare", "binomial", "--size", "small"]


@pytest.mark.slow
def test_compare_small(tmp_path, capsys):
    table, picture = tmp_path / "figures.json", tmp_path / "figures.svg"
    assert main([*QUICK, "--json", str(table), "--plot", str(picture)]) == 0
    shown = capsys.readouterr().out
    written = json.loads(table.read_text())
    cases = _cases.timed(["binomial"])
    assert len(written["rows"]) == len(cases) < len(_cases.timed()) < len(_cases.CASES)
    assert written["config"]["backend cython"] == "imports"
    for row, case in zip(written["rows"], cases, strict=True):
        assert row["kernel"] == case.subject
        assert row["size"] == (case.small or case.full)
        assert set(row["seconds"]) == {"question", "best NumPy", "numba", "cython"}
        assert all(seconds > 0 for seconds in row["seconds"].values())
        assert (
            row["over_numpy"]["cython"] == row["seconds"]["best NumPy"] / row["seconds"]["cython"]
        )
        assert max(row["error"].values()) <= max(case.tolerance.values())
        assert case.name in shown.replace("\n", " ")
        assert compare.duration(row["seconds"]["cython"]) in shown
    for case in _cases.timed():
        assert (case.name.split(",")[0] in shown) == (case in cases)
    assert "</svg>" in picture.read_text()


def row(case, size, backends=compare.BACKENDS):
    """A row of the comparison that costs no time."""
    seconds = {"question": 1234.5, "best NumPy": 0.9999, **dict.fromkeys(backends, 4.5678e-6)}
    gains = dict.fromkeys(backends, 12345.6)
    return compare._name(case, size) | {"seconds": seconds, "over_question": gains,
                                         "over_numpy": gains, "error": gains}  # fmt: skip


@pytest.fixture
def instantly(monkeypatch):
    monkeypatch.setattr(compare, "measure", row)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_table_cuts_no_figure(columns, instantly, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["compare"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= columns
    figures = re.compile("1234 s +1 s +4.57 µs +4.57 µs +12346 +12346 +1.2e[+]04")
    assert sum(bool(figures.search(line)) for line in lines) == len(_cases.timed())


def test_compare_only_these_backends(instantly, capsys):
    assert main(["compare", "ard", "--backend", "numba", "--workers", "1", "--json", "-"]) == 0
    out, table = capsys.readouterr()
    rows = json.loads(out)["rows"]
    assert {row["kernel"] for row in rows} == {"ard"}
    assert all(set(row["seconds"]) == {"question", "best NumPy", "numba"} for row in rows)
    assert "numba" in table
    assert "cython" not in table


def test_the_numpy_backend_is_not_the_best_numpy(monkeypatch):
    times = {"question": 6.0, "best NumPy": 2.0, "numpy": 3.0}
    monkeypatch.setattr(
        compare, "interleave", lambda functions, *_: {k: times[k] for k in functions}
    )
    row = compare.measure(_cases.timed(["binomial"])[0], "small", ["numpy"])
    assert row["seconds"] == times
    assert (row["over_question"], row["over_numpy"]) == ({"numpy": 2.0}, {"numpy": 2 / 3})
    table = io.StringIO()
    assert compare._Table(table, ["numpy"]).figures(row).split()[:6:2] == ["6", "2", "3"]


def test_workers_are_those_of_the_kernels(monkeypatch):
    seen = []
    monkeypatch.setattr(
        compare, "measure", lambda *args: seen.append(hl.get_workers()) or row(*args)
    )
    before = hl.get_workers()
    main(["compare", "solve", "--workers", "7"])
    assert set(seen) == {7}
    assert hl.get_workers() == before


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("no figures"), 1), (KeyboardInterrupt(), 130)]
)
def test_what_is_measured_is_kept(error, status, instantly, tmp_path, capsys, monkeypatch):
    table, picture = tmp_path / "figures.json", tmp_path / "figures.png"
    table.write_text("of yesterday")
    rows = []

    def measure(case, *args):
        if case.name.startswith("small positive"):
            raise error
        rows.append(row(case, *args))
        if len(rows) == 2:
            assert json.loads(table.read_text())["rows"] == rows[:1]
        return rows[-1]

    monkeypatch.setattr(compare, "measure", measure)
    assert (
        main(["compare", "lstsq", "solve", "--json", str(table), "--plot", str(picture)]) == status
    )
    written = json.loads(table.read_text())
    assert written["rows"] == json.loads(json.dumps(rows))
    assert picture.read_bytes().startswith(b"\x89PNG")
    if status == 1:
        assert len(rows) == len(_cases.timed(["lstsq", "solve"])) - 1
        assert [failed["reason"] for failed in written["failed"]] == ["ValueError: no figures"]
        assert "failed: ValueError: no figures" in capsys.readouterr().out
    else:
        assert len(rows) == 3
        assert "interrupted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["compare", "sums"], r"unknown kernel\(s\) sums; there are: ard"),
        (["selftest", "sums"], r"unknown kernel\(s\) sums; there are: ard"),
        (["compare", "--json", "{}/no/figures.json"], "cannot write '.*No such file"),
        (["compare", "--plot", "{}/no/figures.png"], "cannot write '.*No such file"),
        (["compare", "--plot", "{}/figures.xyz"], r"figures.xyz' must end in one of \..*, \.png"),
        (["compare", "--workers", "0"], "must be a number of threads, at least 1.* got '0'"),
        (["selftest", "--workers", "many"], "must be a number of threads, at least 1.*'many'"),
        (["selftest", "--backend", "fortran"], "invalid choice: 'fortran'"),
    ],
)
def test_what_cannot_be_done_is_told_first(arguments, reason, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(compare, "measure", None)
    with pytest.raises(SystemExit) as ended:
        main([argument.format(tmp_path) for argument in arguments])
    assert ended.value.code == 2
    assert re.search(reason, capsys.readouterr().err)


def test_help_and_version(capsys):
    assert main([]) == 0
    assert "usage: hotloops" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"hotloops {hl.__version__}\n"


def test_standard_output_in_ascii(monkeypatch, instantly):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii"))
    assert main(["compare", "sparse"]) == 0
    assert main(["selftest", "ard", "--backend", "cython"]) == 0
    shown = raw.getvalue().decode("ascii")
    assert "4.57 us" in shown
    assert "sparse: tensor x sparse matrix" in shown
    assert "Matern" in shown


def test_a_reader_that_has_enough(instantly, monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as broken:
        monkeypatch.setattr(sys, "stdout", broken)
        assert main(["config"]) == 141


def test_an_interleaved_figure_is_about_right():
    import time

    seconds = compare.interleave({"a": lambda: time.sleep(0.004), "b": lambda: None}, 0.01)
    assert seconds["a"] >= 0.004
    assert seconds["b"] < seconds["a"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1234.5, "1234 s"),
        (12.34, "12.3 s"),
        (0.9996, "1 s"),
        (0.0123, "12.3 ms"),
        (9.996e-4, "1 ms"),
        (4.5e-6, "4.5 µs"),
    ],
)
def test_duration(seconds, text):
    assert compare.duration(seconds) == text


def test_config(capsys):
    assert main(["config"]) == 0
    shown = capsys.readouterr().out
    facts = dict(re.match(r"(\S+(?: \S+)*?)\s{1,}(.*)", line).groups() for line in
                 shown.splitlines() if line)  # fmt: skip
    assert facts["hotloops"] == hl.__version__
    for name in names():
        assert re.search(rf"backend {name}\s+imports", shown)
    assert re.search(r"BLAS 0 .*architecture", shown)
    assert re.search(r"BLAS integer\s+(32|64) bits", shown)
    assert re.search(r"SIMD level\s+\S", shown)
    assert re.search(r"workers\s+\d", shown)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("HOTLOOPS_BACKEND", "f77", "must be one of 'cython'"),
        ("OMP_NUM_THREADS", "0", "OMP_NUM_THREADS must be"),
    ],
)
def test_config_in_a_wrong_environment(name, value, reason):
    result = subprocess.run(
        [sys.executable, "-m", "hotloops", "config"], env=os.environ | {name: value},
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert reason in result.stdout


def test_config_names_every_kernel():
    assert subjects() == sorted(subjects())
    assert "ard" in subjects()


def test_config_says_why_a_backend_does_not_import(monkeypatch):
    monkeypatch.setitem(resolve("cython", "ard")._loaded, "ard", ImportError("the reason"))
    assert config._backend("cython") == "the reason"


@pytest.mark.slow
def test_selftest(capsys):
    assert main(["selftest"]) == 0
    shown = capsys.readouterr().out
    assert "the backends agree" in shown
    for case in _cases.CASES:
        for backend in names()[:-1] if case.random else names():
            assert re.search(rf"ok   {case.subject}: {re.escape(case.name)}.*{backend}", shown)


@pytest.mark.slow
def test_selftest_finds_a_mismatch(capsys, monkeypatch):
    cython = resolve("cython", "ard")
    right = cython.block

    def block(subject, name, dtype):
        function = right(subject, name, dtype)

        def wrong(*args):
            function(*args)
            args[-1][0, 0] += 1

        return wrong if (subject, name) == ("ard", "fill") else function

    monkeypatch.setattr(cython, "block", block)
    assert main(["selftest", "ard"]) == 1
    shown = capsys.readouterr().out
    assert re.search(r"FAIL ard: .*cython: error", shown)
    assert "binomial" not in shown
    assert main(["selftest", "ard", "--backend", "numpy"]) == 0
    assert "cython" not in capsys.readouterr().out


def test_selftest_finds_a_mistake_of_the_reference(capsys, monkeypatch):
    monkeypatch.setattr(resolve("numpy", "linalg").load("linalg"), "softmax", lambda *args: None)
    resolve("numpy", "linalg")._blocks.clear()
    assert main(["selftest", "linalg", "--backend", "numpy"]) >= 1
    monkeypatch.undo()
    resolve("numpy", "linalg")._blocks.clear()
    assert "FAIL linalg: softmax, float64, numpy: error" in capsys.readouterr().out


def test_selftest_finds_a_missing_backend(capsys, monkeypatch):
    backend = resolve("cython", "lu")
    monkeypatch.setitem(backend._loaded, "lu", ImportError("the reason"))
    monkeypatch.setattr(backend, "_blocks", {})
    assert main(["selftest", "lu", "--backend", "cython"]) == 1
    assert re.search(r"FAIL lu: .*cython: ImportError: the reason", capsys.readouterr().out)
