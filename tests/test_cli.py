import json
import os
import re
import subprocess
import sys

import pytest

import hotloops as hl
from hotloops import _backends, _cases, _compare, _config
from hotloops.__main__ import main


def test_compare_small(tmp_path, capsys):
    table, picture = tmp_path / "figures.json", tmp_path / "figures.png"
    assert main(["compare", "--size", "small", "--json", str(table), "--plot", str(picture)]) == 0
    shown = capsys.readouterr().out
    written = json.loads(table.read_text())
    assert len(written["rows"]) == len(_cases.timed()) < len(_cases.CASES)
    assert written["config"]["backend cython"] == "imports"
    for row, case in zip(written["rows"], _cases.timed(), strict=True):
        assert row["kernel"] == case.subject
        assert set(row["seconds"]) == {"question", "numpy", "numba", "cython"}
        assert all(seconds > 0 for seconds in row["seconds"].values())
        assert row["over_numpy"]["cython"] == row["seconds"]["numpy"] / row["seconds"]["cython"]
        assert max(row["error"].values()) <= max(case.tolerance.values())
        assert case.subject in shown
        assert _compare.duration(row["seconds"]["cython"]) in shown
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_compare_only_the_named(capsys):
    main(["compare", "ard", "--size", "small"])
    shown = capsys.readouterr().out
    assert "ard" in shown
    for case in _cases.timed():
        assert (case.name.split(",")[0] in shown) == (case.subject == "ard")


def test_compare_an_unknown_kernel():
    with pytest.raises(SystemExit, match=r"unknown kernel\(s\) sums; there are: ard"):
        main(["compare", "sums"])


def test_an_interleaved_figure_is_about_right():
    import time

    seconds = _compare.interleave({"a": lambda: time.sleep(0.004), "b": lambda: None}, 0.01)
    assert seconds["a"] >= 0.004
    assert seconds["b"] < seconds["a"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(12.34, "12.3 s"), (0.0123, "12.3 ms"), (4.5e-6, "4.5 µs")]
)
def test_duration(seconds, text):
    assert _compare.duration(seconds) == text


def test_config(capsys):
    assert main(["config"]) == 0
    shown = capsys.readouterr().out
    facts = dict(re.match(r"(\S+(?: \S+)*?)\s{1,}(.*)", line).groups() for line in
                 shown.splitlines() if line)  # fmt: skip
    assert facts["hotloops"] == hl.__version__
    for name in _backends.NAMES:
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
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert reason in result.stdout


def test_config_names_every_kernel():
    assert _config.subjects() == sorted(_config.subjects())
    assert "ard" in _config.subjects()


def test_config_says_why_a_backend_does_not_import(monkeypatch):
    monkeypatch.setattr(_backends, "_modules", {})
    monkeypatch.setitem(_backends._errors, ("ard", "cython"), "the reason")
    assert _config._backend("cython") == "the reason"


def test_selftest(capsys):
    assert main(["selftest"]) == 0
    shown = capsys.readouterr().out
    assert "the backends agree" in shown
    for case in _cases.CASES:
        for backend in _backends.NAMES:
            assert re.search(rf"ok   {case.subject}: {re.escape(case.name)}.*{backend}", shown)


def test_selftest_finds_a_mismatch(capsys, monkeypatch):
    fill = _backends.load("ard", "cython").fill

    class Wrong:
        @staticmethod
        def fill(*args):
            fill(*args)
            args[-1][0, 0] += 1

    monkeypatch.setitem(_backends._modules, ("ard", "cython"), Wrong)
    assert main(["selftest"]) == 1
    shown = capsys.readouterr().out
    assert re.search(r"FAIL ard: .*cython: error", shown)


def test_selftest_finds_a_missing_backend(capsys, monkeypatch):
    monkeypatch.setattr(_backends, "_modules", {})
    monkeypatch.setitem(_backends._errors, ("ard", "cython"), "the reason")
    assert main(["selftest"]) == 1
    assert re.search(r"FAIL ard: .*cython: ImportError: the reason", capsys.readouterr().out)
