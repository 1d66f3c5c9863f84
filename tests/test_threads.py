"""Which blocks, who runs them, BLAS on one thread meanwhile, interruption and progress."""

import contextlib
import itertools
import os
import signal
import sys
import threading
import time
import types

import numpy as np
import pytest
import threadpoolctl
from helpers import in_new_python

import hotloops as hl
from hotloops._run import Call, Output, Step, backends, each, guard, run, stopped, tiles
from hotloops._run.lines import lines
from hotloops._run.workers import available_cpus


def blas_threads():
    return [lib["num_threads"] for lib in threadpoolctl.threadpool_info()
            if lib["user_api"] == "blas"]  # fmt: skip


# --- which blocks ---------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1,), (7,), (5, 3), (64, 65), (3, 4, 5)])
@pytest.mark.parametrize("step", [1, 2, 4, 100])
def test_grid_covers_each_element_once(shape, step):
    count = np.zeros(shape, int)
    for bounds in tiles.grid(shape, (step,) * len(shape)):
        count[tuple(itertools.starmap(slice, zip(bounds[::2], bounds[1::2], strict=True)))] += 1
    assert (count == 1).all()


@pytest.mark.parametrize("n", [1, 5, 64, 100])
@pytest.mark.parametrize("side", [1, 7, 64])
def test_upper_grid_and_its_mirror_cover_each_element(n, side):
    count = np.zeros((n, n), int)
    for i0, i1, j0, j1 in tiles.grid((n, n), (side, side), upper=True):
        count[i0:i1, j0:j1] += 1
        if i0 != j0:
            count[j0:j1, i0:i1] += 1
    assert (count == 1).all()


@pytest.mark.parametrize("cost", [1e-3, 1, 30, 1e4, 1e9])
@pytest.mark.parametrize("length", [1, 2, 1000, 10**6])
def test_pieces_are_neither_short_nor_long(length, cost):
    piece = tiles.split(length, cost)
    assert 1 <= piece <= length
    if piece < length:
        assert piece == 1 or piece * cost >= 0.5 * tiles._SHORT
    if piece > 1:
        assert piece * cost < 50e6


# --- who runs them --------------------------------------------------------------------------


def test_two_workers_really_run():
    meet = threading.Barrier(2, timeout=300)
    each(lambda k: meet.wait(), 2, workers=2)


def test_every_block_runs_once():
    seen = []
    each(seen.append, 500, workers=4)
    assert sorted(seen) == list(range(500))


def test_no_block_is_no_work():
    each(None, 0, workers=2)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_a_block_comes_out(workers):
    def block(k):
        if k == 3:
            raise KeyError("three")

    with pytest.raises(KeyError, match="three"):
        each(block, 50, workers=workers)
    each(lambda k: None, 50, workers=workers)


def test_a_call_inside_a_block_runs_serially():
    inner = []

    def block(k):
        each(lambda j: inner.append(threading.get_ident()), 4, workers=8)
        mine = [ident for ident in inner if ident == threading.get_ident()]
        assert len(mine) % 4 == 0

    each(block, 40, workers=4)
    assert len(inner) == 160


@pytest.fixture
def summing(monkeypatch):
    """A kernel "summing" of one block, which adds up numbers, and a backend "toy" that has it."""

    def add(i0, i1, values, total):
        for value in values[i0:i1]:
            total += value

    kernel = types.ModuleType("hotloops.kernels.summing")
    kernel.BLOCKS, kernel.add = "add i | values:i > +total", add
    monkeypatch.setitem(sys.modules, kernel.__name__, kernel)
    monkeypatch.setattr(backends, "_backends", dict(backends._backends))
    backends.add(backends.Backend("toy", lambda subject: kernel))
    yield
    lines.cache_clear()


@pytest.mark.parametrize("blocks", [1, 3, 8, 9, 100])
def test_sums_are_added_in_a_fixed_order(blocks, summing):
    values = np.random.default_rng(0).normal(size=1000) * 10.0 ** np.arange(1000)[::-1] ** 0.5
    step = Step("add", tiles.grid((1000,), (-(-1000 // blocks),)))
    arrays = {"values": values, "total": Output((1,), values.dtype)}

    def total(workers):
        return run(Call("summing", values.dtype, arrays, [step], ("total",)), "toy", workers)

    one = total(1)
    np.testing.assert_allclose(one, values.sum(), rtol=1e-12)
    for workers in (2, 5):
        assert total(workers).tobytes() == one.tobytes()


# --- workers --------------------------------------------------------------------------------


PRINT_WORKERS = "import hotloops as hl; print(hl.get_workers())"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"HOTLOOPS_WORKERS": "5", "OMP_NUM_THREADS": "3"}, "5"),
        ({"OMP_NUM_THREADS": "3,2"}, "3"),
        ({"HOTLOOPS_WORKERS": "-1"}, str(available_cpus())),
    ],
)
def test_environment(environment, expected):
    assert in_new_python(PRINT_WORKERS, **environment).stdout.strip() == expected


def test_bad_environment():
    error = in_new_python(PRINT_WORKERS, HOTLOOPS_WORKERS="many").stderr
    assert "the environment variable HOTLOOPS_WORKERS must be" in error
    assert "'many'" in error


# --- BLAS on one thread ---------------------------------------------------------------------


@contextlib.contextmanager
def held():
    hold = guard.blas_on_one_thread.hold()
    hold.enter()
    try:
        yield
    finally:
        hold.leave()


def test_the_guard_limits_and_restores():
    import scipy.linalg.blas  # noqa: F401

    before = blas_threads()
    inside = []
    each(lambda k: inside.append(blas_threads()), 1, workers=1, blas=True)
    assert inside == [[1] * len(before)]
    assert blas_threads() == before


def test_no_blas_to_hold_is_told():
    import threadpoolctl

    held = guard._BlasGuard()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threadpoolctl.ThreadpoolController, "_load_libraries", lambda self: None)
        with pytest.warns(RuntimeWarning, match="threadpoolctl finds no BLAS that it knows"):
            assert held.libraries == ([], [])


def test_overlapping_guards_restore():
    before = blas_threads()
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()
    seen = []

    def first():
        with held():
            first_in.set()
            second_in.wait(10)
        first_out.set()

    def second():
        first_in.wait(10)
        with held():
            second_in.set()
            first_out.wait(10)
            seen.append(blas_threads())

    threads = [threading.Thread(target=f) for f in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [[1] * len(before)]
    assert blas_threads() == before


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_forked_inside_the_guard_gets_its_threads_back():
    before = blas_threads()
    with held():
        pid = os.fork()
        if pid == 0:
            inside = guard.blas_on_one_thread.inside
            os._exit(0 if blas_threads() == before and not inside else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert blas_threads() == before


# --- interruption and progress --------------------------------------------------------------

INTERRUPTED = """
import threading, os, signal
import numpy as np, hotloops as hl
from hotloops._run import threads
X = np.random.default_rng(0).normal(size=(6000, 100))
Y, out = X.copy(), np.empty((6000, 6000))
small = hl.quadform(X[:10])
ended, count = [], threads._Job._count

def counted(job, caller):
    ended.append(caller)
    count(job, caller)

def interrupt():
    ended.clear()
    os.kill(os.getpid(), signal.SIGINT)

threads._Job._count = counted
hl.ard_kernel(X[:700], backend=BACKEND, workers=2)  # imports
threading.Timer(0.3, interrupt).start()
try:
    for _ in range(1000):
        hl.ard_kernel(X, Y, out=out, backend=BACKEND, workers=2)
except KeyboardInterrupt:
    print("after Ctrl-C:", len(ended))
assert not threads.nested()
np.testing.assert_array_equal(hl.quadform(X[:10]), small)
k = hl.ard_kernel(X[:700], backend=BACKEND, workers=2)
assert (k == k.T).all()
"""


@pytest.mark.parametrize("backend", ["cython", "numpy"])
def test_ctrl_c_waits_for_the_running_blocks(backend, ctrl_c):
    result = in_new_python(INTERRUPTED.replace("BACKEND", repr(backend)))
    assert result.returncode == 0, result.stderr
    assert int(result.stdout.removeprefix("after Ctrl-C: ")) <= 8


def test_a_long_block_learns_that_its_call_is_to_end():
    both = threading.Barrier(2, timeout=300)

    def block(k):
        both.wait()
        if k == 0:
            raise RuntimeError("mine")
        deadline = time.monotonic() + 300
        while not stopped():
            assert time.monotonic() < deadline
            time.sleep(0.001)

    with pytest.raises(RuntimeError, match="mine"):
        each(block, 2, workers=2)
    assert not stopped()


def test_ctrl_c_stops_the_other_runners(ctrl_c):
    ran = []

    def block(k):
        ran.append(k)
        if threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGINT)
        time.sleep(0.1)

    with pytest.raises(KeyboardInterrupt):
        each(block, 1000, workers=3)
    count = len(ran)
    assert count < 50
    time.sleep(0.3)
    assert len(ran) == count


OFTEN_INTERRUPTED = """
import random, signal, sys
import numpy as np, hotloops as hl, threadpoolctl
from hotloops._run.guard import blas_on_one_thread
from hotloops._run.turns import quick_turns
op = hl.KernelOperator(np.random.default_rng(0).normal(size=(200, 3)), workers=2)
v = np.ones(200)
expected = op @ v

def blas_threads():
    return [lib["num_threads"] for lib in threadpoolctl.threadpool_info()
            if lib["user_api"] == "blas"]

def interrupt(*args):
    raise KeyboardInterrupt

before, interval, count = blas_threads(), sys.getswitchinterval(), 0
signal.signal(signal.SIGALRM, interrupt)
for _ in range(200):
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(2e-4, 1e-3))
        while True:
            op @ v
    except KeyboardInterrupt:
        count += 1
assert count == 200
assert blas_threads() == before, blas_threads()
assert sys.getswitchinterval() == interval
assert not blas_on_one_thread.inside and not quick_turns.inside
assert (op @ v == expected).all()
"""


def test_ctrl_c_leaves_the_guard_clean():
    result = in_new_python(OFTEN_INTERRUPTED)
    assert result.returncode == 0, result.stderr


def test_progress_counts_the_blocks(capsys):
    with hl.progress(delay=0, unit="tile"):
        each(lambda k: time.sleep(0.002), 30, workers=2)
    shown = capsys.readouterr().err
    assert "30/30" in shown
    assert "tile" in shown
    each(lambda k: None, 30, workers=2)
    assert capsys.readouterr().err == ""


def test_a_short_call_shows_no_progress(capsys):
    with hl.progress():
        hl.quadform(np.zeros((900, 2)))
    assert capsys.readouterr().err == ""
