"""A call is a value: what is to be computed, said as data; and `run`, which carries it out."""

import functools
import itertools
import operator

import numpy as np

from .. import _arrays
from . import backends, tasks, threads, tiles
from .guard import threads_blas
from .lines import lines
from .workers import number_of_workers

_PARTIALS = 8  # sums of a reduction


class Output:
    """An array that steps write, the caller's or scratch between two steps: its shape and dtype,
    and in what shape and as what numbers blocks see it."""

    __slots__ = ("dtype", "seen_as", "seen_shape", "shape")

    def __init__(self, shape, dtype, seen_shape=None, seen_as=None):
        self.shape, self.dtype = shape, dtype
        self.seen_shape, self.seen_as = seen_shape, seen_as

    def seen(self, array):
        """The array as blocks see it."""
        if type(array) is not np.ndarray:
            array = np.asarray(array)
        if self.seen_shape is not None:
            array = array.reshape(self.seen_shape)
        if self.seen_as is None or self.seen_as is self.dtype:
            return array
        return array.view(self.seen_as)


class Step:
    """A block over its tiles: bounds for each axis of its line, then the tile's own numbers.

    Its arguments are the call's arrays of the same names, or of those in `names`. `time`: about
    how many ns all of it takes; `multiplications`: of the largest matrix product that one tile asks
    of BLAS.
    """

    __slots__ = ("block", "multiplications", "names", "tiles", "time")

    def __init__(self, block, tiles, time=0.0, multiplications=0, **names):
        self.block, self.tiles, self.names = block, tiles, names
        self.time, self.multiplications = time, multiplications


class HostStep:
    """A short function of the caller's thread, function(*reads, *writes), over named arrays."""

    __slots__ = ("function", "reads", "writes")

    def __init__(self, function, reads, writes):
        self.function, self.reads, self.writes = function, reads, writes


class Call:
    """Steps in a valid order over named arrays.

    `arrays` has for each name an array or a number that blocks read, or an `Output`; `dtype` is
    that of the numbers the blocks compute with; `returns` names the results.
    """

    __slots__ = ("arrays", "dtype", "returns", "steps", "subject")

    def __init__(self, subject, dtype, arrays, steps, returns=("out",)):
        self.subject, self.dtype, self.arrays = subject, dtype, arrays
        self.steps, self.returns = steps, returns


def run(call, backend=None, workers=None, *, out=None, **given):
    """The results of a call: an array, or a tuple of those that it returns.

    `out`: the caller's array for the first result, which must share no memory with what was
    `given`, by the caller's names.
    """
    backend = backends.resolve(backend, call.subject)
    if workers is not None:
        workers = number_of_workers(workers)
    returns, ready, arrays, results = call.returns, backend.ready, {}, {}
    for name, value in call.arrays.items():
        kind = type(value)
        if kind is np.ndarray:
            value = ready(value)
        elif kind is Output:
            if out is not None and name == returns[0]:
                array = _arrays.output(out, value.shape, value.dtype, **given)
            else:
                array = np.empty(value.shape, value.dtype)
            if name in returns:
                results[name] = array
            value = value.seen(array)
        arrays[name] = value
    for array in results.values():
        if array.size:
            if not backend.run(call, arrays):
                _carry_out(call, backend, workers, arrays)
            break
    if len(returns) == 1:
        return array
    return tuple(results[name] for name in returns)


def _carry_out(call, backend, workers, arrays):
    """Run a step of many tiles by itself; of those of one tile each, what may run at once."""
    if len(call.steps) == 1 and _ran_directly(call, call.steps[0], backend, arrays):
        return
    bound = [_bind(step, call, backend, arrays) for step in call.steps]
    workers = number_of_workers(workers)
    for single, steps in itertools.groupby(bound, operator.attrgetter("single")):
        if single:
            _run_singles([*steps], workers)
        else:
            for step in steps:
                step.run(workers)


def _ran_directly(call, step, backend, arrays):
    """Run a step of one tile without more ado, where it needs none; whether it did."""
    if type(step) is HostStep or len(step.tiles) != 1 or step.names:
        return False
    line = lines(call.subject)[step.block]
    if line.sums or (step.multiplications and threads_blas(step.multiplications, call.dtype)):
        return False
    values = [arrays[name] for name in line.arrays]
    for k in line.required:
        if type(values[k]) is np.ndarray and not values[k].size:
            return False
    block, tile = backend.block(call.subject, step.block, call.dtype), step.tiles[0]
    if line.numbers:
        inputs, outputs = values[: line.count], values[line.count :]
        block(*tile[: line.cut], *inputs, *tile[line.cut :], *outputs)
    else:
        block(*tile, *values)
    return True


def _run_singles(steps, workers):
    guard = any(step.guard for step in steps)
    if workers > 1 and not tiles.is_short(sum(step.time for step in steps)):
        source = threads.Tasks(steps, tasks.waits([step.pieces() for step in steps]))
    elif guard:
        source = threads.Chains([steps])
    else:
        for step in steps:
            step()
        return
    threads.run(source, len(steps), workers, guard)


def _bind(step, call, backend, arrays):
    if type(step) is HostStep:
        return _BoundHostStep(step, arrays)
    block = backend.block(call.subject, step.block, call.dtype)
    bound = _BoundStep(step, lines(call.subject)[step.block], block, call.dtype, arrays)
    if len(call.steps) > 1:
        bound.make_ready(backend)
    return bound


class _BoundHostStep:
    """A host step with its arrays."""

    single, guard, time = True, False, 0.0

    def __init__(self, step, arrays):
        self._step, self._arrays = step, arrays

    def __call__(self):
        step = self._step
        step.function(*(self._arrays[name] for name in (*step.reads, *step.writes)))

    def pieces(self):
        """What it reads and what it writes: all of its arrays."""
        return [(name, ()) for name in self._step.reads], [(name, ()) for name in self._step.writes]


class _BoundStep:
    """A step with its block function and the arrays that are its arguments."""

    __slots__ = (
        "_block", "_line", "_names", "_nothing", "_tiles", "_values", "guard", "single", "time",
    )  # fmt: skip

    def __init__(self, step, line, block, dtype, arrays):
        self._line, self._block, self._tiles, names = line, block, step.tiles, line.arrays
        if step.names:
            names = [step.names.get(name, name) for name in names]
        self._names, self._values = names, [arrays[name] for name in names]
        self.time = step.time
        self.guard = step.multiplications and threads_blas(step.multiplications, dtype)
        self._nothing = not step.tiles or self._has_no_terms()
        self.single = self._nothing or len(step.tiles) == 1

    def make_ready(self, backend):
        """Have inputs as the backend takes them, those too that other steps write."""
        for k in range(self._line.count):
            value = self._values[k]
            if type(value) is np.ndarray:
                self._values[k] = backend.ready(value)

    def _has_no_terms(self):
        """Whether the sums that the step takes are empty: then they are 0."""
        for k in self._line.required:
            value = self._values[k]
            if type(value) is np.ndarray and not value.size:
                return True
        return False

    def __call__(self):
        """Run all of it, which is one tile at most: its sums are whole."""
        if self._nothing:
            for output in self._outputs():
                output[...] = 0
            return
        for k in self._line.sums:
            self._outputs()[k][...] = 0
        tile, line = self._tiles[0], self._line
        if line.numbers:
            self._on(tile, self._outputs())()
        else:
            self._block(*tile, *self._values)

    def _outputs(self):
        return self._values[self._line.count :]

    def pieces(self):
        """What it reads and what it writes, as `tasks` compares them."""
        if self._nothing:
            return [], [(name, ()) for name in self._names[self._line.count :]]
        return tasks.pieces(self._line, self._names, self._tiles[0])

    def _on(self, tile, outputs):
        cut, inputs = self._line.cut, self._values[: self._line.count]
        return functools.partial(self._block, *tile[:cut], *inputs, *tile[cut:], *outputs)

    def run(self, workers):
        """Run its tiles. They are dealt in order to the partial results of its sums; each adds up
        its tiles in order, and the partial results are added in order."""
        tiles, outputs, sums = self._tiles, self._outputs(), self._line.sums
        if not sums:
            chains = [(self._on(tile, outputs),) for tile in tiles]
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
