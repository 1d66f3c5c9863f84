"""The scheduler: who runs which block.

The blocks of a call follow from its shape alone, so that its result does not depend on the number
of workers. Runners take blocks from one counter; the caller is one of them, the others come from
one pool of threads.
"""

import contextlib
import contextvars
import functools
import itertools
import math
import operator
import os
import pathlib
import queue
import threading

import threadpoolctl

from ._settings import Scope, Setter, Setting
from ._warnings import warn

MAX_WORKERS = 128  # OpenBLAS has a fixed number of buffers, one for each thread inside it
_SHORT = 100e3  # ns: some times what it costs to hand work to another thread
_LONG = 2.5e6  # ns: a block this long fills pages of its own
_PARTIALS = 8
_SERIAL = {"f": 262144, "c": 32768}  # multiplications for which BLAS starts no threads


# --- which blocks ---------------------------------------------------------------------------


def threads_blas(multiplications, dtype):
    """Whether BLAS starts threads of its own for a product of so many."""
    return multiplications > _SERIAL.get(dtype.kind, math.inf)


def is_short(time):
    """Whether work of `time` ns is one block, which the caller runs."""
    return time < 1.5 * _SHORT


def _count(time):
    """How many blocks work of `time` ns makes: 16, unless they would be too short or too long."""
    if is_short(time):
        return 1
    return round(max(time / _LONG, min(time / _SHORT, 16)))


def split(length, cost):
    """Length of equal pieces of range(length), one item of which takes about `cost` ns."""
    count = _count(length * cost)
    return length if count == 1 else -(-length // min(length, count))


def square(length, cost, multiple):
    """Side of square tiles on and above the diagonal of (length, length), one item of which takes
    about `cost` ns: a multiple of `multiple` if there are several."""
    count = _count(length * length * cost / 2)
    if count == 1:
        return length
    side = -(-length // round(math.sqrt(2 * count)))
    return -(-side // multiple) * multiple


def grid(shape, tile, *, upper=False):
    """Bounds (start, stop for each axis) of the tiles of `shape`; `upper`: of a square grid the
    tiles on and above the diagonal."""
    if all(map(operator.ge, tile, shape)):
        return [tuple(end for length in shape for end in (0, length))]
    axes = [
        [(start, min(start + step, length)) for start in range(0, length, step)]
        for length, step in zip(shape, tile, strict=True)
    ]
    if upper:
        rows, columns = axes
        return [r + c for k, r in enumerate(rows) for c in columns[k:]]
    return [tuple(itertools.chain(*bounds)) for bounds in itertools.product(*axes)]


# --- how many workers -----------------------------------------------------------------------


def _cgroup_cpus():
    root = pathlib.Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):
        quota, period = (root / "cpu.max").read_text().split()
        return math.inf if quota == "max" else math.ceil(int(quota) / int(period))
    with contextlib.suppress(OSError, ValueError):
        quota = int((root / "cpu/cpu.cfs_quota_us").read_text())
        period = int((root / "cpu/cpu.cfs_period_us").read_text())
        return math.inf if quota <= 0 else math.ceil(quota / period)
    return math.inf


@functools.cache
def available_cpus():
    """The CPUs this process may use: its affinity and its control group's quota."""
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux tells
        cpus = os.cpu_count() or 1
    return max(1, min(cpus, _cgroup_cpus()))


def _checked(workers, name):
    try:
        count = operator.index(workers)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {workers!r}") from None
    if count == -1:
        count = available_cpus()
    elif count < 1:
        raise ValueError(f"{name} must be at least 1, or -1 for all CPUs, got {count}")
    return min(count, MAX_WORKERS)


@functools.cache
def _environment_workers():
    for name in ("HOTLOOPS_WORKERS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "").split(",")[0].strip()
        if value:
            try:
                return _checked(int(value), name)
            except ValueError:
                raise ValueError(
                    f"the environment variable {name} must be a number of workers, at least 1 "
                    f"or -1 for all CPUs, got {value!r}"
                ) from None
    return _checked(-1, "workers")


_workers = Setting("hotloops_workers")


def workers(value=None):
    """The number of workers that a call with `workers=value` gets."""
    if value is not None:
        return _checked(value, "workers")
    return _workers.get() or _environment_workers()


class set_workers(Setter):
    """Set the number of workers that calls use which do not name one.

    A call alone sets it for the whole process. In a ``with`` statement it sets it for the block,
    and as a decorator for each call of the function; the process keeps the number it had. Threads,
    tasks and generators see it as they see that of `set_backend`. Results do not depend on it.

    Parameters
    ----------
    workers : int or None
        A number of threads, −1 for all the CPUs this process may use, None for the default: the
        environment variable HOTLOOPS_WORKERS, else OMP_NUM_THREADS, as the first call finds them,
        else all the CPUs. At most 128.

    See Also
    --------
    get_workers, set_backend

    Examples
    --------
    >>> import hotloops as hl
    >>> with hl.set_workers(1):
    ...     q = hl.quadform([[0.0], [2.0]])
    >>> q
    array([[0., 4.],
           [4., 0.]])
    """

    _setting = _workers

    def __init__(self, workers):
        super().__init__(None if workers is None else _checked(workers, "workers"))


def get_workers():
    """The number of workers that a call uses here which does not name one.

    Returns
    -------
    int
        What `set_workers` set for the block or the process, else the environment variable
        HOTLOOPS_WORKERS or OMP_NUM_THREADS, else the number of CPUs this process may use.

    Raises
    ------
    ValueError
        Where an environment variable is needed that is no number of workers.

    Examples
    --------
    >>> import hotloops as hl
    >>> with hl.set_workers(3):
    ...     hl.get_workers()
    3
    """
    return workers()


# --- BLAS on one thread ---------------------------------------------------------------------


class _BlasGuard:
    """From a hold's `enter` to its `leave`, a thread's BLAS calls run on one thread.

    Most libraries have one setting for the process: the first in sets it, the last one out puts
    back what was there. OpenBLAS over OpenMP has one for each thread.
    """

    def __init__(self):
        self.lock = threading.Lock()
        self.inside = set()
        self.before = None

    @functools.cached_property
    def libraries(self):
        """Those with one setting for the process, and those with one for each thread."""
        import scipy.linalg.cython_blas  # noqa: F401  the library that the kernels call

        libraries = threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers
        if not libraries:
            warn(
                "threadpoolctl finds no BLAS that it knows: the one that NumPy and SciPy call may "
                "start threads of its own beside the workers; its environment variable sets it to "
                "one (VECLIB_MAXIMUM_THREADS=1 for Accelerate)",
                RuntimeWarning,
            )
        own = [lib for lib in libraries if getattr(lib, "threading_layer", None) == "openmp"]
        return [lib for lib in libraries if lib not in own], own

    def hold(self):
        return _Hold(self)

    def after_fork(self):
        # Whoever was inside did not come along.
        self.lock = threading.Lock()
        self.inside.clear()
        if self.before is not None:
            _set_threads(self.before)
            self.before = None


class _Hold:
    """One stay inside the guard. A step that Ctrl-C cut short can be repeated."""

    def __init__(self, guard):
        self._guard = guard
        self._own_before = None

    def enter(self):
        guard = self._guard
        with guard.lock:
            shared, own = guard.libraries
            guard.inside.add(self)
            if guard.before is None:
                guard.before = [(lib, lib.num_threads) for lib in shared]
            if self._own_before is None:
                self._own_before = [(lib, lib.num_threads) for lib in own]
            _set_threads((lib, 1) for lib in shared if lib.num_threads != 1)
            _set_threads((lib, 1) for lib in own)

    def leave(self):
        guard = self._guard
        with guard.lock:
            _set_threads(self._own_before or ())
            self._own_before = None
            guard.inside.discard(self)
            if not guard.inside and guard.before is not None:
                _set_threads(guard.before)
                guard.before = None


def _set_threads(settings):
    for library, threads in settings:
        # threadpoolctl >= 3.8 lets only the first thread that asks set OpenBLAS's number
        release = getattr(library, "clear_controlling_thread", lambda force: None)
        release(force=True)
        library.set_num_threads(threads)
        release(force=True)


blas_on_one_thread = _BlasGuard()


# --- progress -------------------------------------------------------------------------------


class progress(Scope):
    """Show a progress bar for each call inside that takes longer than half a second.

    It is for a ``with`` block or a decorated function; threads, tasks and generators see it as they
    see the setting of a block of `set_backend`. The bar is tqdm's (the extra ``cli``); keywords go
    to ``tqdm.auto.tqdm``.

    Examples
    --------
    >>> import hotloops as hl
    >>> with hl.progress():
    ...     k = hl.ard_kernel([[0.0], [1.0]], length_scale=2.0)
    """

    _scope = contextvars.ContextVar("hotloops_progress", default=())

    def __init__(self, **keywords):
        try:
            from tqdm.auto import tqdm
        except ImportError as error:
            raise ImportError("progress needs tqdm: pip install 'hotloops[cli]'") from error
        self._keywords = keywords
        self._make = functools.partial(tqdm, **{"delay": 0.5, "unit": "block", **keywords})

    def __repr__(self):
        return f"progress({', '.join(f'{k}={v!r}' for k, v in self._keywords.items())})"


def _bar(blocks):
    """A bar for a call of so many blocks, if one is asked for."""
    entered = progress._scope.get()
    return entered[-1]._make(total=blocks) if entered else None


# --- who runs them --------------------------------------------------------------------------

_thread = threading.local()


class _Pool:
    """Threads that wait for tasks; one is started where none is to spare.

    It hands a task over in a third of the time of concurrent.futures. They are daemons: at the
    end of the process they are idle, because each call waits for its own.
    """

    def __init__(self):
        self._tasks = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = self._spare = 0

    def submit(self, task):
        """Have a thread call `task()`; if there is none to be had, nobody does."""
        with self._lock:
            if self._spare:
                self._spare -= 1
            elif self._threads < MAX_WORKERS - 1:
                try:
                    threading.Thread(target=self._serve, name="hotloops", daemon=True).start()
                except RuntimeError:  # the system's limit, or the end of the process
                    return
                self._threads += 1
            else:
                return
        self._tasks.put(task)

    def _serve(self):
        while True:
            self._tasks.get()()
            with self._lock:
                self._spare += 1


_pool = _Pool()


def _after_fork():
    global _pool
    _pool = _Pool()
    _thread.running = None
    blas_on_one_thread.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Job:
    """One call's chains of blocks: a chain's blocks run one after another, the chains anyhow."""

    def __init__(self, chains, bar, blas):
        self._blas = blas
        self._chains = iter(chains)
        self._bar = bar
        self._lock = threading.Lock()
        self._error = None
        self._done = 0
        self._helpers = 0
        self._stop = self._closed = False
        self._left = threading.Event()  # when the last helper is gone that the caller waits for

    def run(self, helpers):
        """Run all blocks on this thread and up to `helpers` others."""
        interrupt = None
        try:
            for _ in range(helpers):  # in the caller's context, for calls inside a block
                _pool.submit(functools.partial(contextvars.copy_context().run, self._help))
            self._runner(caller=True)
        except BaseException as error:
            self._stop, interrupt = True, error
        while True:  # until no helper is inside a block, whatever is pressed meanwhile
            try:
                with self._lock:
                    self._closed, busy = True, self._helpers
                if busy:
                    self._left.wait()
                break
            except BaseException as error:
                self._stop, interrupt = True, error
        if self._bar is not None:
            self._bar.update(self._done - self._bar.n)
            self._bar.close()
        if interrupt is not None or self._error is not None:
            raise interrupt or self._error

    def _help(self):
        with self._lock:
            if self._closed:  # it came too late
                return
            self._helpers += 1
        try:
            self._runner()
        except BaseException as error:
            self._stop, self._error = True, error
        finally:
            with self._lock:
                self._helpers -= 1
                if self._closed and not self._helpers:
                    self._left.set()

    def _runner(self, caller=False):
        nested, _thread.running = getattr(_thread, "running", None), self
        hold = blas_on_one_thread.hold() if self._blas else None
        try:
            if hold is not None:
                hold.enter()
            while (chain := self._next()) is not None:
                for block in chain:
                    if self._stop:
                        return
                    block()
                    self._count(caller)
        finally:
            _thread.running = nested
            if hold is not None:
                try:
                    hold.leave()
                finally:
                    hold.leave()  # once more: Ctrl-C may come as the first begins

    def _next(self):
        with self._lock:
            return None if self._stop else next(self._chains, None)

    def _count(self, caller):
        with self._lock:
            self._done += 1
        if caller and self._bar is not None:
            self._bar.update(self._done - self._bar.n)


def stopped():
    """Whether the call that this block belongs to is to end: a long block asks now and then."""
    job = getattr(_thread, "running", None)
    return job is not None and job._stop


def _run(chains, blocks, workers, blas):
    bar = None
    if getattr(_thread, "running", None):
        workers = 1  # the call came from inside a block: its runners are all at work
    else:
        bar = _bar(blocks)
    if blas:
        _ = blas_on_one_thread.libraries  # found on the caller's thread, which is told if none is
    _Job(chains, bar, blas).run(min(workers, len(chains)) - 1)


def fill(block, bounds, args, *, workers, blas=False):
    """Call block(*b, *args) once for each b of `bounds`, on up to `workers` threads in any order;
    on one in theirs.

    `blas`: the blocks call BLAS on sizes for which it would start threads of its own.
    """
    if len(bounds) == 1 and not blas:
        block(*bounds[0], *args)
    elif bounds:
        chains = [(functools.partial(block, *b, *args),) for b in bounds]
        _run(chains, len(bounds), workers, blas)


def fill_rows(block, length, cost, args, *, workers, blas=False):
    """`fill` over pieces of range(length), one item of which takes about `cost` ns."""
    if is_short(length * cost) and not blas:
        block(0, length, *args)
    else:
        fill(block, grid((length,), (split(length, cost),)), args, workers=workers, blas=blas)


def reduce(block, bounds, args, partials, *, workers, blas=False):
    """Call block(*b, *args, partial) once for each b of `bounds`, and return the partials' sum.

    The bounds are dealt in order to at most 8 partial results, as many as `partials(count)` makes
    (an array whose first axis is `count`, zeros); each adds up its blocks in order, and the
    partials are added in order.
    """
    count = max(1, min(_PARTIALS, len(bounds)))
    sums = partials(count)
    ends = [len(bounds) * k // count for k in range(count + 1)]
    chains = [
        [functools.partial(block, *b, *args, sums[k]) for b in bounds[ends[k] : ends[k + 1]]]
        for k in range(count)
    ]
    _run(chains, len(bounds), workers, blas)
    return functools.reduce(operator.add, sums)
