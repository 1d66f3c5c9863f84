"""A call is a value: what is to be computed, said as data; and `run`, which carries it out."""

import functools
import itertools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from .. import _arrays
from .._typing import Array
from . import backends, tasks, threads, tiles
from .guard import threads_blas
from .lines import Line, lines
from .tiles import Tile
from .workers import number_of_workers

_Array = np.ndarray
_Known: TypeAlias = "tuple[Step | HostStep, Line | None, bool]"  # its outputs are 0 if True
_PARTIALS = 8  # sums of a reduction


class Output:
    """An array that steps write, the caller's or scratch between two steps: its shape and dtype,
    and in what shape and as what numbers blocks see it."""

    __slots__ = ("dtype", "seen_as", "seen_shape", "shape")

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: DTypeLike,
        seen_shape: tuple[int, ...] | None = None,
        seen_as: DTypeLike | None = None,
    ) -> None:
        self.shape, self.dtype = shape, dtype
        self.seen_shape, self.seen_as = seen_shape, seen_as

    def seen(self, array: Array) -> Array:
        """The array as blocks see it."""
        if self.seen_shape is not None:
            array = array.reshape(self.seen_shape)
        if self.seen_as is None or self.seen_as is self.dtype:
            return array
        return array.view(self.seen_as)

    def made(self, out: Array | None, given: Mapping[str, Any]) -> tuple[Array, Array]:
        """A new array, or the caller's `out`, which must share no memory with what was `given`; and
        it as blocks see it."""
        if out is not None:
            out = _arrays.output(out, self.shape, self.dtype, **given)
            return out, self.seen(np.asarray(out))
        array = np.empty(self.shape, self.dtype)
        if self.seen_shape is None and self.seen_as is None:
            return array, array
        return array, self.seen(array)


class Step:
    """A block over its tiles: bounds for each axis of its line, then the tile's own numbers.

    Its arguments are the call's arrays of the same names, or of those in `names`. `time`: about
    how many ns all of it takes; `multiplications`: of the largest matrix product that one tile asks
    of BLAS.
    """

    __slots__ = ("block", "multiplications", "names", "tiles", "time")

    def __init__(
        self,
        block: str,
        tiles: Sequence[Tile],
        time: float = 0.0,
        multiplications: float = 0,
        **names: str,
    ) -> None:
        self.block, self.tiles, self.names = block, tiles, names
        self.time, self.multiplications = time, multiplications


class HostStep:
    """A short function, function(*reads, *writes), over named arrays."""

    __slots__ = ("function", "reads", "writes")

    def __init__(
        self, function: Callable[..., object], reads: Sequence[str], writes: Sequence[str]
    ) -> None:
        self.function, self.reads, self.writes = function, reads, writes


class Call:
    """Steps in a valid order over named arrays.

    `arrays` has for each name an array or a number that blocks read, or an `Output`; `dtype` is
    that of the numbers the blocks compute with; `returns` names the results.
    """

    __slots__ = ("arrays", "dtype", "returns", "steps", "subject")

    def __init__(
        self,
        subject: str,
        dtype: np.dtype[Any],
        arrays: Mapping[str, Any],
        steps: Sequence[Step | HostStep],
        returns: Sequence[str] = ("out",),
    ) -> None:
        self.subject, self.dtype, self.arrays = subject, dtype, arrays
        self.steps, self.returns = steps, returns


def run(
    call: Call,
    backend: str | None = None,
    workers: int | None = None,
    *,
    out: Array | None = None,
    **given: Any,
) -> Any:
    """The results of a call: an array, or a tuple of those that it returns.

    `out`: the caller's array for the first result, which must share no memory with what was
    `given`, by the caller's names.
    """
    carrier = backends.resolve(backend, call.subject)
    if workers is not None:
        workers = number_of_workers(workers)
    made = None if carrier.takes_calls else _made_directly(call, carrier, out, given)
    if made is None:
        made = _made(call, carrier, workers, out, given)
    returns = call.returns
    return made[returns[0]] if len(returns) == 1 else tuple([made[name] for name in returns])


def _made(
    call: Call,
    backend: backends.Backend,
    workers: int | None,
    out: Array | None,
    given: dict[str, Any],
) -> dict[str, Array]:
    """The arrays that a call makes."""
    arrays, made = dict(call.arrays), {}
    for name, value in arrays.items():
        if type(value) is _Array:
            arrays[name] = backend.ready(value)
        elif type(value) is Output:
            given_out = out if name == call.returns[0] else None
            made[name], arrays[name] = value.made(given_out, given)
    if any(made[name].size for name in call.returns) and not backend.run(call, arrays):
        _carry_out(call, backend, workers, arrays)
    return made


def _made_directly(
    call: Call, backend: backends.Backend, out: Array | None, given: dict[str, Any]
) -> dict[str, Array] | None:
    """The arrays that a call of one tile makes, where its block needs nothing around it; None where
    it does. It is what a small call consists of, so it looks at each argument once."""
    line = _line_of_one_tile(call)
    if line is None:
        return None
    arrays, inputs = call.arrays, []
    as_they_are = backend.reads_any
    for name, required in line.reads:
        value = arrays[name]
        if type(value) is _Array:
            if required and not value.size:  # the sums that it takes are empty
                return None
            # most are C-contiguous and aligned: known at once of those that may be written
            if not (as_they_are and value.flags.carray):
                value = backend.ready(value)
        elif type(value) is Output:
            return None
        inputs.append(value)
    made, outputs, some = {}, [], 0
    for name in line.writes:
        made[name], seen = arrays[name].made(out if name == call.returns[0] else None, given)
        outputs.append(seen)
        some += seen.size
    if some:
        for k in line.sums:
            outputs[k][...] = 0
        step: Any = call.steps[0]
        block, tile = backend.block(call.subject, step.block, call.dtype), step.tiles[0]
        block(*tile[: line.cut], *inputs, *tile[line.cut :], *outputs)
    return made


def _carry_out(
    call: Call, backend: backends.Backend, workers: int | None, arrays: dict[str, Any]
) -> None:
    """Run a step of many tiles by itself; of those of one tile each, what may run at once."""
    bound = [_bind(step, call, backend, arrays) for step in call.steps]
    workers = number_of_workers(workers)
    for single, steps in itertools.groupby(bound, operator.attrgetter("single")):
        if single:
            _run_singles([*steps], workers)
        else:
            for step in steps:
                step.run(workers)


def _line_of_one_tile(call: Call) -> Line | None:
    """The line of a call's block, if the call is one tile of it and BLAS keeps to one thread."""
    if len(call.steps) != 1:
        return None
    step = call.steps[0]
    if type(step) is not Step or len(step.tiles) != 1 or step.names:
        return None
    if step.multiplications and threads_blas(step.multiplications, call.dtype):
        return None
    return lines(call.subject)[step.block]


def bound(
    call: Call, name: str, backend: str | None = None, workers: int | None = None
) -> Callable[[Array], Array]:
    """The function of the array `name` that carries out a call of one step and one result with it:
    what surrounds a call takes as long as a small block, and is done here once."""
    carrier, line = backends.resolve(backend, call.subject), _line_of_one_tile(call)
    if (
        carrier.takes_calls
        or line is None
        or line.sums
        or any(required and not np.size(call.arrays[name]) for name, required in line.reads)
    ):

        def again(array: Array) -> Any:
            arrays = {**call.arrays, name: array}
            return run(
                Call(call.subject, call.dtype, arrays, call.steps, call.returns), backend, workers
            )

        return again

    step: Any = call.steps[0]
    ready, tile, place = carrier.ready, step.tiles[0], line.arrays.index(name)
    block = carrier.block(call.subject, step.block, call.dtype)
    output = call.arrays[call.returns[0]]
    values = [call.arrays[name] for name, _ in line.reads]
    inputs = [ready(x) if type(x) is _Array else x for x in values]
    before = *tile[: line.cut], *inputs[:place]
    after = *inputs[place + 1 :], *tile[line.cut :]

    def directly(array: Array) -> Array:
        result = np.empty(output.shape, output.dtype)
        block(*before, ready(array), *after, output.seen(result))
        return result

    return directly


def _run_singles(steps: list["_Bound"], workers: int) -> None:
    """Run steps of one tile each, side by side where their work is worth it."""
    guard = any(step.guard for step in steps)
    source: threads.Source
    if workers > 1 and not tiles.is_short(sum(step.time for step in steps)):
        source = threads.Tasks(steps, _waits(tuple([step.known for step in steps])))
    elif guard:
        source = threads.Chains([steps])
    else:
        for step in steps:
            step()
        return
    threads.run(source, len(steps), workers, guard)


def _names(step: Step, line: Line) -> list[str]:
    """The names of the arrays that are the arguments of a step's block."""
    if not step.names:
        return line.arrays
    return [step.names.get(name, name) for name in line.arrays]


@functools.lru_cache(maxsize=32)
def _waits(steps: tuple["_Known", ...]) -> list[list[int]]:
    """What each of the steps waits for, which takes as long as a short task: of those that a
    subject keeps, it is found once."""
    return tasks.waits([_pieces(*known) for known in steps])


def _pieces(step: Step | HostStep, line: Line | None, nothing: bool) -> tasks.Access:
    """The pieces of arrays that a step reads, and those that it writes."""
    if isinstance(step, HostStep):
        return [(name, ()) for name in step.reads], [(name, ()) for name in step.writes]
    assert line is not None  # as host steps alone have none
    names = _names(step, line)
    if nothing:
        return [], [(name, ()) for name in names[line.count :]]
    return tasks.pieces(line, names, step.tiles[0])


def _bind(
    step: Step | HostStep, call: Call, backend: backends.Backend, arrays: dict[str, Any]
) -> "_Bound":
    """The step with what it works on."""
    if isinstance(step, HostStep):
        return _BoundHostStep(step, arrays)
    bound = _BoundStep(step, lines(call.subject)[step.block], call, backend, arrays)
    if len(call.steps) > 1:
        bound.make_ready(backend)
    return bound


class _BoundHostStep:
    """A host step with its arrays."""

    single, guard, time = True, False, 0.0

    def __init__(self, step: HostStep, arrays: dict[str, Any]) -> None:
        self._step, self._arrays = step, arrays
        self.known: _Known = step, None, False

    def __call__(self) -> None:
        step = self._step
        step.function(*(self._arrays[name] for name in (*step.reads, *step.writes)))

    def run(self, workers: int) -> None:
        """Run the step, on this thread."""
        self()


class _BoundStep:
    """A step with its block function and the arrays that are its arguments."""

    __slots__ = (
        "_block", "_line", "_nothing", "_tiles", "_values", "guard", "known", "single", "time",
    )  # fmt: skip

    def __init__(
        self,
        step: Step,
        line: Line,
        call: Call,
        backend: backends.Backend,
        arrays: dict[str, Any],
    ) -> None:
        self._line, self._tiles = line, step.tiles
        self._block = backend.block(call.subject, step.block, call.dtype)
        self._values = [arrays[name] for name in _names(step, line)]
        self.time = step.time
        self.guard = bool(step.multiplications and threads_blas(step.multiplications, call.dtype))
        self._nothing = not step.tiles or self._has_no_terms()
        self.single = self._nothing or len(step.tiles) == 1
        self.known: _Known = step, line, self._nothing

    def make_ready(self, backend: backends.Backend) -> None:
        """Have inputs as the backend takes them, those too that other steps write."""
        for k in range(self._line.count):
            value = self._values[k]
            if type(value) is np.ndarray:
                self._values[k] = backend.ready(value)

    def _has_no_terms(self) -> bool:
        """Whether the sums that the step takes are empty: then they are 0."""
        for k in self._line.required:
            value = self._values[k]
            if type(value) is np.ndarray and not value.size:
                return True
        return False

    def __call__(self) -> None:
        """Run all of the step, which is one tile at most: its sums are whole."""
        if self._nothing:
            for output in self._outputs():
                output[...] = 0
            return
        for k in self._line.sums:
            self._outputs()[k][...] = 0
        self._on(self._tiles[0], self._outputs())()

    def _outputs(self) -> list[Array]:
        return self._values[self._line.count :]

    def _on(self, tile: Tile, outputs: Iterable[Array]) -> Callable[[], object]:
        """The block with the arguments of this tile."""
        cut, inputs = self._line.cut, self._values[: self._line.count]
        return functools.partial(self._block, *tile[:cut], *inputs, *tile[cut:], *outputs)

    def run(self, workers: int) -> None:
        """Run the step's tiles. They are dealt in order to the partial results of its sums; each
        adds up its tiles in order, and the partial results are added in order."""
        tiles, outputs, sums = self._tiles, self._outputs(), self._line.sums
        chains: list[list[Callable[[], object]]]
        if not sums:
            chains = [[self._on(tile, outputs)] for tile in tiles]
            threads.run(threads.Chains(chains), len(tiles), workers, self.guard)
            return
        count = min(_PARTIALS, len(tiles))
        partials = {k: np.zeros((count, *outputs[k].shape), outputs[k].dtype) for k in sums}
        chains = []
        for part in range(count):
            into = [partials[k][part] if k in sums else out for k, out in enumerate(outputs)]
            some = tiles[len(tiles) * part // count : len(tiles) * (part + 1) // count]
            chains.append([self._on(tile, into) for tile in some])
        threads.run(threads.Chains(chains), len(tiles), workers, self.guard)
        for k, parts in partials.items():
            outputs[k][...] = functools.reduce(operator.add, parts)


_Bound = _BoundStep | _BoundHostStep
