"""A call is a value: what is to be computed, said as data; and `run`, which carries it out."""

import functools
import itertools
import math
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
# makes the results of a call's inputs, the caller's `out`, and what that must share no memory with
_Directly: TypeAlias = Callable[[Sequence[Any], Array | None, dict[str, Any]], Any]
_Known: TypeAlias = "tuple[Step | HostStep, Line | None, bool]"  # its outputs are 0 if True
_PARTIALS = 8  # sums of a reduction
_READY = 0x101  # NumPy's flags of an array that is C-contiguous and aligned


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
    of BLAS; an element of triangular solutions counts as `guard.TRIANGULAR`, and where LAPACK
    exchanges rows, which starts threads for any, the number is inf.
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


class Form:
    """What calls have in common whose arrays have the same shapes and dtypes.

    `inputs` names, in the order of the arguments of `of`, the arrays and numbers that each call
    brings. `arrays` has for each other name an array or a number that blocks read, or an `Output`;
    `steps` are in a valid order; `dtype` is that of the numbers the blocks compute with; `returns`
    names the results. A subject makes a form once and keeps it (see `by_shape`), so that what
    follows from it is found once, and not by each call.
    """

    __slots__ = ("_direct", "arrays", "dtype", "inputs", "returns", "steps", "subject")

    def __init__(
        self,
        inputs: Sequence[str],
        subject: str,
        dtype: np.dtype[Any],
        arrays: Mapping[str, Any],
        steps: Sequence[Step | HostStep],
        returns: Sequence[str] = ("out",),
    ) -> None:
        self.inputs, self.subject, self.dtype = inputs, subject, dtype
        self.arrays, self.steps, self.returns = arrays, steps, returns
        self._direct: dict[backends.Backend, _Directly | None] = {}

    def of(self, *inputs: Any) -> "Call":
        """The call with these inputs."""
        call = Call.__new__(Call)
        call.form, call.inputs = self, inputs
        return call

    def directly(self, backend: backends.Backend) -> _Directly | None:
        """The function that makes the results of calls of one short block, or None: see
        `_made_directly`, whose answer is kept."""
        try:
            return self._direct[backend]
        except KeyError:
            return self._direct.setdefault(backend, _made_directly(self, backend))

    def __reduce__(self) -> tuple[Any, ...]:
        of = self.inputs, self.subject, self.dtype, self.arrays, self.steps, self.returns
        return Form, of


class Call:
    """Steps in a valid order over named arrays: a form and its inputs.

    `arrays` has for each name an array or a number that blocks read, or an `Output`; `dtype` is
    that of the numbers the blocks compute with; `returns` names the results. A call that is made of
    these has a form of its own, and `inputs` is None.
    """

    __slots__ = ("form", "inputs")

    form: Form
    inputs: Sequence[Any] | None

    def __init__(
        self,
        subject: str,
        dtype: np.dtype[Any],
        arrays: Mapping[str, Any],
        steps: Sequence[Step | HostStep],
        returns: Sequence[str] = ("out",),
    ) -> None:
        self.form, self.inputs = Form((), subject, dtype, arrays, steps, returns), None

    @property
    def subject(self) -> str:
        """The kernel whose blocks the steps run."""
        return self.form.subject

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the numbers that the blocks compute with."""
        return self.form.dtype

    @property
    def steps(self) -> Sequence[Step | HostStep]:
        """The steps in a valid order."""
        return self.form.steps

    @property
    def returns(self) -> Sequence[str]:
        """The names of the results."""
        return self.form.returns

    @property
    def arrays(self) -> dict[str, Any]:
        """The arrays, numbers and outputs by their names."""
        return {**self.form.arrays, **dict(zip(self.form.inputs, self.inputs or (), strict=True))}


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
    if call.inputs is None:
        results = _made_once(call.form, carrier, out, given)
    else:
        directly = call.form.directly(carrier)
        results = None if directly is None else directly(call.inputs, out, given)
    if results is not None:
        return results
    return _results(call, carrier, workers, out, given)


def _results(
    call: Call,
    backend: backends.Backend,
    workers: int | None,
    out: Array | None,
    given: dict[str, Any],
) -> Any:
    """The results of any call."""
    arrays, made, returns = call.arrays, {}, call.returns
    for name, value in arrays.items():
        if type(value) is _Array:
            arrays[name] = backend.ready(value)
        elif type(value) is Output:
            given_out = out if name == returns[0] else None
            made[name], arrays[name] = value.made(given_out, given)
    if any(made[name].size for name in returns) and not backend.run(call, arrays):
        _carry_out(call, backend, workers, arrays)
    return made[returns[0]] if len(returns) == 1 else tuple([made[name] for name in returns])


def _line_of_one_tile(form: Form, backend: backends.Backend) -> Line | None:
    """The line of the block of a form's calls, if they are one tile of it that needs nothing around
    it, as BLAS keeps to one thread."""
    if len(form.steps) != 1 or backend.takes_calls:
        return None
    step = form.steps[0]
    if type(step) is not Step or len(step.tiles) != 1 or step.names:
        return None
    if step.multiplications and threads_blas(step.multiplications, form.dtype):
        return None
    return lines(form.subject)[step.block]


def _made_once(
    form: Form, backend: backends.Backend, out: Array | None, given: dict[str, Any]
) -> Any:
    """The results of a call that has the form for itself, if it is one tile whose block needs
    nothing around it; else None. What is found is not kept, so each argument is looked at once."""
    line = _line_of_one_tile(form, backend)
    if line is None:
        return None
    arrays, inputs, as_they_are = form.arrays, [], backend.reads_any
    for name, required in line.reads:
        value = arrays[name]
        if type(value) is _Array:
            if required and not value.size:  # the sums that it takes are empty
                return None
            if not as_they_are or value.flags.num & _READY != _READY:
                value = backend.ready(value)
        elif type(value) is Output:
            return None
        inputs.append(value)
    made, outputs, some = {}, [], 0
    for name in line.writes:
        made[name], seen = arrays[name].made(out if name == form.returns[0] else None, given)
        outputs.append(seen)
        some += seen.size
    if some:
        for k in line.sums:
            outputs[k][...] = 0
        step: Any = form.steps[0]
        block, tile = backend.block(form.subject, step.block, form.dtype), step.tiles[0]
        block(*tile[: line.cut], *inputs, *tile[line.cut :], *outputs)
    returns = form.returns
    return made[returns[0]] if len(returns) == 1 else tuple([made[name] for name in returns])


def _made_directly(form: Form, backend: backends.Backend) -> _Directly | None:
    """The function that makes the results of a form's calls, where these are one tile whose block
    needs nothing around it; None where they are not. The function returns None for inputs of which
    one is empty that must not be.

    It is all that a small call consists of, so it does nothing that can be done here.
    """
    line = _line_of_one_tile(form, backend)
    if line is None:
        return None
    step: Any = form.steps[0]
    tile, arrays = step.tiles[0], form.arrays
    block, ready = backend.block(form.subject, step.block, form.dtype), backend.ready
    before: list[Any] = [*tile[: line.cut]]
    places = []  # which input, where it goes, whether it must not be empty
    for name, required in line.reads:
        value = None
        if name in form.inputs:
            places.append((form.inputs.index(name), len(before), required))
        else:
            value = arrays[name]
            if type(value) is _Array:
                if required and not value.size:  # the sums that it takes are empty
                    return None
                value = ready(value)
            elif type(value) is Output:
                return None
        before.append(value)
    before += tile[line.cut :]
    outputs = [(arrays[name], name == form.returns[0]) for name in line.writes]
    some = any(math.prod(output.shape) for output, _ in outputs)
    order = [line.writes.index(name) for name in form.returns]
    as_they_are, sums = backend.reads_any, line.sums

    def directly(inputs: Sequence[Any], out: Array | None, given: dict[str, Any]) -> Any:
        arguments = before.copy()
        for k, place, required in places:
            value = inputs[k]
            if type(value) is _Array:
                if required and not value.size:
                    return None
                if not as_they_are or value.flags.num & _READY != _READY:
                    value = ready(value)
            arguments[place] = value
        results = []
        for output, is_first in outputs:
            result, seen = output.made(out if is_first else None, given)
            results.append(result)
            arguments.append(seen)
        if some:
            for k in sums:
                results[k][...] = 0
            block(*arguments)
        return results[order[0]] if len(order) == 1 else tuple([results[k] for k in order])

    return directly


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


def bound(
    call: Call, name: str, backend: str | None = None, workers: int | None = None
) -> Callable[[Array], Array]:
    """The function of the array `name` that carries out a call of one result with it: what
    surrounds a call takes as long as a small block, and is done here once."""
    form = Form([name], call.subject, call.dtype, call.arrays, call.steps, call.returns)
    directly = form.directly(backends.resolve(backend, call.subject))

    def again(array: Array) -> Any:
        result = None if directly is None else directly((array,), None, {})
        return run(form.of(array), backend, workers) if result is None else result

    return again


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
