"""Calls as values: their lines, their steps, and who may carry them out."""

import pickle
import sys
import types

import numpy as np
import pytest

from hotloops._run import backends, tasks
from hotloops._run import lines as notation
from hotloops._run.call import Call, Form, HostStep, Output, Step, run

# --- a kernel of three blocks: Cholesky's factor by tiles ------------------------------------

CHOLESKY = """
    factor  k      | > ~a:kk
    solve   i k    | corner:kk > ~a:ik
    update  i j k  | left:ik right:jk > ~a:ij
"""


def factor(k0, k1, a):
    a[k0:k1, k0:k1] = np.linalg.cholesky(a[k0:k1, k0:k1])


def solve(i0, i1, k0, k1, corner, a):
    a[i0:i1, k0:k1] = np.linalg.solve(corner[k0:k1, k0:k1], a[i0:i1, k0:k1].T).T


def update(i0, i1, j0, j1, k0, k1, left, right, a):
    a[i0:i1, j0:j1] -= left[i0:i1, k0:k1] @ right[j0:j1, k0:k1].T


def cholesky(n, side):
    """The steps of a factor of a matrix "a" in their serial order."""
    tiles = [(t, min(t + side, n)) for t in range(0, n, side)]
    steps = []
    for k, column in enumerate(tiles):
        steps.append(Step("factor", [column], 1e6))
        for i, row in enumerate(tiles[k + 1 :], k + 1):
            steps.append(Step("solve", [row + column], 1e6, corner="a"))
            for other in tiles[k + 1 : i + 1]:
                steps.append(Step("update", [row + other + column], 1e6, left="a", right="a"))
    return steps


def copy(given, a):
    a[...] = given


@pytest.fixture
def toy(monkeypatch):
    """A kernel "toy" of the blocks above, and a backend "toy" that has them."""
    kernel = types.ModuleType("hotloops.kernels.toy")
    kernel.BLOCKS = CHOLESKY
    kernel.factor, kernel.solve, kernel.update = factor, solve, update
    monkeypatch.setitem(sys.modules, kernel.__name__, kernel)
    monkeypatch.setattr(backends, "_backends", dict(backends._backends))
    backends.add(backends.Backend("toy", lambda subject: kernel))
    yield kernel
    notation.lines.cache_clear()


def factored(matrix, side, workers):
    n = len(matrix)
    call = Call(
        "toy",
        matrix.dtype,
        {"given": matrix, "a": Output((n, n), matrix.dtype)},
        [HostStep(copy, ["given"], ["a"]), *cholesky(n, side)],
        returns=("a",),
    )
    return np.tril(run(call, "toy", workers))


@pytest.mark.parametrize("side", [16, 50, 200])
def test_tasks_that_wait_for_one_another(toy, side):
    half = np.random.default_rng(1).normal(size=(200, 200))
    matrix = half @ half.T + np.eye(200)
    serial = factored(matrix, side, 1)
    assert np.abs(serial @ serial.T - matrix).max() < 1e-12 * np.abs(matrix).max()
    for workers in (2, 7):
        assert factored(matrix, side, workers).tobytes() == serial.tobytes()


def test_what_waits_for_what(toy):
    steps = cholesky(3, 1)
    lines = notation.parse(CHOLESKY)
    found = tasks.waits([
        tasks.pieces(
            lines[s.block], [s.names.get(name, name) for name in lines[s.block].arrays], s.tiles[0]
        )
        for s in steps
    ])  # fmt: skip
    order = [s.block for s in steps]
    assert order == ["factor", "solve", "update", "solve", "update", "update",
                     "factor", "solve", "update", "factor"]  # fmt: skip
    # the direct ones among them: a solve for its corner, an update for its two factors
    assert found[0] == []
    assert found[1] == [0]
    assert found[3] == [0]
    assert set(found[4]) == {1, 3}
    assert set(found[6]) == {2}
    assert set(found[7]) >= {4, 6}


def drawn_pieces(rng, most):
    """Pieces of two arrays: boxes of up to two axes, some of them whole."""
    pieces = []
    for _ in range(rng.integers(most + 1)):
        starts = rng.integers(0, 9, rng.integers(3))
        box = (
            (int(x), int(x + rng.integers(1, 5))) if rng.random() < 0.8 else None for x in starts
        )
        pieces.append((str(rng.choice(["one", "two"])), tuple(box)))
    return pieces


def overlap(some, others):
    """Whether a piece of some and one of others have an element in common."""
    return any(
        name == other
        and all(x is None or y is None or max(x[0], y[0]) < min(x[1], y[1])
                for x, y in zip(box, other_box, strict=False))
        for name, box in some for other, other_box in others
    )  # fmt: skip


def test_a_step_waits_for_all_that_it_meets():
    rng = np.random.default_rng(1)
    for _ in range(300):
        steps = [(drawn_pieces(rng, 2), drawn_pieces(rng, 2)) for _ in range(10)]
        reached = []
        for (reads, writes), direct in zip(steps, tasks.waits(steps), strict=True):
            before = steps[: len(reached)]
            meets = {
                k for k, (read, written) in enumerate(before)
                if overlap(reads + writes, written) or overlap(writes, read)
            }  # fmt: skip
            assert set(direct) <= meets
            reached.append(set(direct).union(*(reached[k] for k in direct)))
            assert meets <= reached[-1]
            for k in direct:  # none that another of them waits for
                assert not any(k in reached[other] for other in direct)


def test_what_thousands_of_steps_wait_for():
    row = [([("a", ((k, k + 1), None))], [("b", ((k, k + 1), (0, 9)))]) for k in range(3000)]
    found = tasks.waits([*row, ([("b", ())], [("a", ())]), *row])
    assert found[:3000] == [[]] * 3000
    assert found[3000] == [*range(2999, -1, -1)]
    assert found[3001:] == [[3000]] * 3000


def test_an_error_in_a_task_ends_the_call(toy):
    with pytest.raises(np.linalg.LinAlgError):
        factored(-np.eye(64), 8, 3)
    factored(np.eye(64), 8, 3)


def test_results_come_in_the_order_that_is_asked_for(toy):
    def both(one, two):
        one[...], two[...] = 1, 2

    arrays = {name: Output((3,), np.dtype(np.float64)) for name in ("one", "two")}
    call = Call("toy", np.dtype(np.float64), arrays, [HostStep(both, [], ["one", "two"])],
                returns=("two", "one"))  # fmt: skip
    two, one = run(call, "toy")
    assert (two == 2).all()
    assert (one == 1).all()


SUMMING = """
    summing  i  | values:im weights? factor > scaled:im +total
"""


def summing(i0, i1, values, weights, factor, scaled, total):
    scaled[i0:i1] = factor * values[i0:i1] * (weights if weights.size else 1)
    total += scaled[i0:i1].sum()


@pytest.fixture
def summing_toy(toy):
    toy.BLOCKS, toy.summing = SUMMING, summing
    notation.lines.cache_clear()


def of_arrays(tiles, shape, values, weights, factor):
    """A call that has all its arrays, with results in another order than the block's."""
    arrays = {"values": values, "weights": weights, "factor": factor,
              "scaled": Output(shape, "f8"), "total": Output((1,), "f8")}  # fmt: skip
    return Call("toy", np.dtype("f8"), arrays, [Step("summing", tiles)], ("total", "scaled"))


def of_a_form(tiles, shape, values, weights, factor):
    arrays = {"factor": factor, "scaled": Output(shape, "f8"), "total": Output((1,), "f8")}
    form = Form(("weights", "values"), "toy", np.dtype("f8"), arrays, [Step("summing", tiles)],
                ("total", "scaled"))  # fmt: skip
    return form.of(weights, values)


@pytest.mark.parametrize("made", [of_arrays, of_a_form])
@pytest.mark.parametrize("tiles", [[(0, 6)], [(0, 2), (2, 6)]])
def test_a_call_is_a_value(summing_toy, made, tiles):
    values, weights = np.arange(24.0).reshape(6, 4), np.array([1.0, 2.0, 4.0, 8.0])
    call = made(tiles, values.shape, values, weights, 3.0)
    for again in call, call, pickle.loads(pickle.dumps(call)):
        total, scaled = run(again, "toy")
        assert (scaled == 3 * values * weights).all()
        assert total == (3 * values * weights).sum()
        assert {*again.arrays} == {"values", "weights", "factor", "scaled", "total"}
        assert (again.arrays["values"] == values).all()


@pytest.mark.parametrize("made", [of_arrays, of_a_form])
def test_empty_inputs_and_outputs_of_a_call_of_one_block(summing_toy, made):
    ones = np.ones((6, 4))
    total, scaled = run(made([(0, 6)], (6, 4), ones, np.empty(0), 2.0), "toy")
    assert total == 48
    assert (scaled == 2).all()
    # the total of none is 0, also where the block is not asked for it
    total, scaled = run(made([(0, 0)], (0, 4), ones[:0], np.empty(0), 2.0), "toy")
    assert total == 0
    assert scaled.shape == (0, 4)


@pytest.mark.parametrize("made", [of_arrays, of_a_form])
def test_a_call_of_one_block_writes_to_the_callers_array_alone(summing_toy, made):
    ones, total = np.ones((6, 4)), np.full(1, np.nan)
    call = made([(0, 6)], (6, 4), ones, np.empty(0), 2.0)
    assert run(call, "toy", out=total)[0] is total
    assert total == 48
    first, second = run(call, "toy")[1], run(call, "toy")[1]
    assert not np.shares_memory(first, second)
    with pytest.raises(ValueError, match="out"):
        run(call, "toy", out=np.empty(2))


@pytest.mark.parametrize("made", [of_arrays, of_a_form])
def test_a_call_of_one_block_runs_it_as_it_is(summing_toy, made, monkeypatch):
    monkeypatch.delattr("hotloops._run.call._carry_out")
    run(made([(0, 6)], (6, 4), np.ones((6, 4)), np.empty(0), 2.0), "toy")


def test_what_a_step_has_written_is_read_as_the_backend_takes_inputs(toy, monkeypatch):
    class ReadOnly(backends.Backend):
        def ready(self, array):
            array = array.view()
            array.flags.writeable = False
            return array

    seen = []

    def solve(i0, i1, k0, k1, corner, a):
        seen.append((corner.flags.writeable, a.flags.writeable))

    monkeypatch.setattr(toy, "solve", solve)
    backends.add(ReadOnly("read-only", lambda subject: toy))
    matrix = np.eye(4)
    call = Call(
        "toy",
        matrix.dtype,
        {"given": matrix, "a": Output((4, 4), matrix.dtype)},
        [HostStep(copy, ["given"], ["a"]), Step("solve", [(2, 4, 0, 2)], corner="a")],
        returns=("a",),
    )
    run(call, "read-only")
    assert seen == [(False, True)]
