"""Each block is what its line says, in every version."""

import copy
import functools
import inspect
import itertools

import numpy as np
import pytest
from helpers import small_blocks
from hotloops.kernels.ard import NOWHERE

from hotloops import _cases
from hotloops._run import backends
from hotloops._run import lines as notation
from hotloops._run.backends import resolve

BLOCKS = _cases.blocks()


def test_a_line_is_read():
    line = notation.parse("pull i j | x:if rows:if? c:ij,ji alpha @mirror > ~a:ik +sums")["pull"]
    assert (line.name, line.axes, line.numbers, line.sums) == ("pull", "ij", ("mirror",), [1])
    assert line.signature == [
        "i0", "i1", "j0", "j1", "x", "rows", "c", "alpha", "mirror", "a", "sums",
    ]  # fmt: skip
    assert [a.letters for a in line.inputs] == [("if",), ("if",), ("ij", "ji"), ()]
    assert [a.optional for a in line.inputs] == [False, True, False, False]
    assert [a.mark for a in line.outputs] == ["~", "+"]
    assert line.cuttable == "ij"


@pytest.mark.parametrize(
    "text", ["fill i x > out", "fill i | x", "fill i | x >", "fill ij | x > out", "f i | 1x > out"]
)
def test_what_is_no_line(text):
    with pytest.raises(ValueError, match=r"a block|cannot read"):
        notation.parse(text)


@pytest.mark.parametrize(("subject", "name"), BLOCKS)
def test_signatures_follow_from_the_line(subject, name, backend):
    function = getattr(resolve(backend, subject).load(subject), name)
    assert list(inspect.signature(function).parameters) == notation.lines(subject)[name].signature


@pytest.mark.parametrize("subject", notation.subjects())
def test_every_block_has_a_line(subject, backend):
    module = resolve(backend, subject).load(subject)
    own = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and callable(value)
        and getattr(value, "__module__", "").startswith(module.__name__)
    }
    assert own == set(notation.lines(subject))


# --- what the shared cases ask of the blocks -------------------------------------------------


class Recorder(backends.Backend):
    """A backend that keeps the arguments of the blocks that it has NumPy's carry out: one call of
    each situation."""

    def __init__(self):
        super().__init__("recorder", lambda subject: resolve("numpy", subject).load(subject))
        self.case, self.seen = None, {}

    def block(self, subject, name, dtype):
        function, line = super().block(subject, name, dtype), notation.lines(subject)[name]

        def recorded(*args):
            calls = self.seen.setdefault((subject, name), {}).setdefault(dtype, {})
            situation = self.case, _situation(line, args)
            if situation not in calls:
                calls[situation] = copy.deepcopy(args)
            function(*args)

        return recorded


def _situation(line, args):
    """What a block may branch on: whether its bounds begin at 0, which arrays are empty, and of
    what kind the numbers of the tile are."""
    bounds = tuple(start == 0 for start in args[: 2 * len(line.axes) : 2])
    return bounds, *_empty(line, args).items(), *_kinds(line, args).items()


def _empty(line, args):
    """{argument: whether it is empty} of those that may be."""
    first = 2 * len(line.axes)
    values = (*args[first : first + line.count], *args[first + line.count + len(line.numbers) :])
    pairs = zip(line.arguments, values, strict=True)
    return {argument.name: np.size(value) == 0 for argument, value in pairs if argument.optional}


def _kinds(line, args):
    """{number: false or true, or 0, another or NOWHERE, as 0, 1 or 2} of the tile's own numbers."""
    first = 2 * len(line.axes) + line.count
    values = args[first : first + len(line.numbers)]
    pairs = zip(line.numbers, values, strict=True)
    return {name: (value != 0) + (value == NOWHERE) for name, value in pairs}


@functools.cache
def recorded(subject):
    """{block: {dtype: arguments of some calls}} of all cases of a subject, in small tiles."""
    recorder = Recorder()
    with small_blocks(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(backends, "_backends", backends._backends | {"recorder": recorder})
        for case in _cases.CASES:
            if case.subject == subject:
                recorder.case = case.name
                for dtype in case.tolerance:
                    case.call(case.arguments("tiny", dtype), backend="recorder", workers=1)
    return {
        name: {dtype: list(calls.values()) for dtype, calls in seen.items()}
        for (_, name), seen in recorder.seen.items()
    }


@pytest.mark.parametrize(("subject", "name"), BLOCKS)
def test_every_block_has_a_case(subject, name):
    """And each of its arrays that may be empty is so in one and not in another; a tile's own number
    that is true in one is false in another, and a diagonal meets one and misses another."""
    line = notation.lines(subject)[name]
    calls = list(itertools.chain(*recorded(subject).get(name, {}).values()))
    assert calls
    seen = [_empty(line, args) | _kinds(line, args) for args in calls]
    for name in seen[0]:
        if name not in ("first", "place", "start", "stop"):  # where a tile lies
            assert len({one[name] for one in seen}) > 1, name


def _piece(argument, value, line, bounds):
    """What a block with these bounds needs of an array."""
    if not argument.letters or (argument.optional and not value.size):
        return value
    places = [line.axes.find(letter) for letter in argument.letters[0]]
    cut = (slice(*bounds[2 * k : 2 * k + 2]) if k >= 0 else slice(None) for k in places)
    return value[tuple(cut)]


def _cut(line, args):
    """The arguments of the block on the pieces of its arrays, with bounds from 0."""
    count = 2 * len(line.axes)
    bounds, args = list(args[:count]), copy.deepcopy(list(args[count:]))
    pieces, given = [], iter(args)
    for argument in line.inputs:
        pieces.append(np.ascontiguousarray(_piece(argument, next(given), line, bounds))
                      if argument.letters else next(given))  # fmt: skip
    pieces += [next(given) for _ in line.numbers]
    for argument in line.outputs:
        pieces.append(_piece(argument, next(given), line, bounds).copy())
    for k, axis in enumerate(line.axes):
        if axis in line.cuttable:
            bounds[2 * k : 2 * k + 2] = 0, bounds[2 * k + 1] - bounds[2 * k]
    return [*bounds, *pieces]


def _without_mirror(line, args):
    """The arguments without the mirror image, which is another piece."""
    args = copy.deepcopy(list(args))
    if "mirror" in line.numbers:
        args[2 * len(line.axes) + line.count + line.numbers.index("mirror")] = False
    return args


@pytest.mark.parametrize(("subject", "name"), BLOCKS)
def test_a_block_does_the_same_on_its_pieces(subject, name, backend):
    line = notation.lines(subject)[name]
    for dtype, calls in recorded(subject)[name].items():
        block = resolve(backend, subject).block(subject, name, dtype)
        ready = resolve(backend, subject).ready
        for args in calls:
            alone = _without_mirror(line, args)
            # of a tile that is written, the image does not touch the tile itself
            whole, pieces = alone if line.sums else copy.deepcopy(args), _cut(line, alone)
            for some in (whole, pieces):
                inputs = slice(2 * len(line.axes), 2 * len(line.axes) + len(line.inputs))
                some = list(some)
                some[inputs] = [ready(a) if type(a) is np.ndarray else a for a in some[inputs]]
                block(*some)
            bounds = args[: 2 * len(line.axes)]
            count = len(line.outputs)
            for argument, a, b in zip(line.outputs, whole[-count:], pieces[-count:], strict=True):
                np.testing.assert_array_equal(_piece(argument, a, line, bounds), b)
