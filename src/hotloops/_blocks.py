"""The scheduler: who runs which block.

The blocks of a call follow from its shape alone, so that its result does not depend on the number
of workers. Runners take blocks from one counter; the caller is one of them, the others come from
one pool of threads.
"""

import contextlib
import functools
import itertools
import math
import operator
import os
import pathlib
import queue
import threading

import threadpoolctl

MAX_WORKERS = 128  # OpenBLAS has a fixed number of buffers, one for each thread inside it
_SHORT = 100e3  # ns: some times what it costs to hand work to another thread
_LONG = 2.5e6  # ns: a block this long fills pages of its own
_PARTIALS = 8


# --- which blocks ---------------------------------------------------------------------------


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


_default_workers = None


def workers(value=None):
    """The number of workers that a call with `workers=value` gets."""
    if value is not None:
        return _checked(value, "workers")
    return _default_workers or _environment_workers()


class set_workers:
    """Set the number of workers that calls use which do not name one.

    Parameters
    ----------
    workers : int or None
        A number of threads, −1 for all the CPUs this process may use, None for the default: the
        environment variable HOTLOOPS_WORKERS, else OMP_NUM_THREADS, else all the CPUs. At most 128.

    As a context manager it puts the previous setting back at the end. The setting is one for the
    whole process. Results do not depend on it.

    Examples
    --------
    >>> import hotloops as hl
    >>> with hl.set_workers(1):
    ...     q = hl.quadform([[0.0], [2.0]])
    >>> q
    array([[0., 4.],
           [4., 0.]])
    """

    def __init__(self, workers):
        global _default_workers
        checked = None if workers is None else _checked(workers, "workers")
        self._previous, _default_workers = _default_workers, checked

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        global _default_workers
        _default_workers = self._previous


# --- BLAS on one thread ---------------------------------------------------------------------


class _BlasGuard:
    """While a thread is inside, its BLAS calls run on one thread.

    Most libraries have one setting for the process: the first thread in sets it, the last one out
    puts back what was there. OpenBLAS over OpenMP has one for each thread.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._inside = 0
        self._before = ()
        self._own = threading.local()

    @functools.cached_property
    def _libraries(self):
        """Those with one setting for the process, and those with one for each thread."""
        import scipy.linalg.cython_blas  # noqa: F401  the library that the kernels call

        libraries = threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers
        own = [lib for lib in libraries if getattr(lib, "threading_layer", None) == "openmp"]
        return [lib for lib in libraries if lib not in own], own

    def __enter__(self):
        with self._lock:
            shared, own = self._libraries
            if not self._inside:
                self._before = [(lib, lib.num_threads) for lib in shared]
                _set_threads((lib, 1) for lib in shared)
            self._inside += 1
            if own:
                self._own.before = [(lib, lib.num_threads) for lib in own]
                _set_threads((lib, 1) for lib in own)

    def __exit__(self, *exc):
        with self._lock:
            _set_threads(getattr(self._own, "before", ()))
            self._inside -= 1
            if not self._inside:
                _set_threads(self._before)

    def after_fork(self):
        # Whoever was inside did not come along.
        self._lock = threading.Lock()
        if self._inside:
            self._inside = 0
            _set_threads(self._before)


def _set_threads(settings):
    for library, threads in settings:
        # threadpoolctl >= 3.8 lets only the first thread that asks set OpenBLAS's number
        release = getattr(library, "clear_controlling_thread", lambda force: None)
        release(force=True)
        library.set_num_threads(threads)
        release(force=True)


blas_on_one_thread = _BlasGuard()


# --- progress -------------------------------------------------------------------------------

_progress = None


class progress:
    """Show a progress bar for each call inside that takes longer than half a second.

    The bar is tqdm's (the extra ``cli``); keywords go to ``tqdm.auto.tqdm``.

    Examples
    --------
    >>> import hotloops as hl
    >>> with hl.progress():
    ...     k = hl.ard_kernel([[0.0], [1.0]], length_scale=2.0)
    """

    def __init__(self, **keywords):
        from tqdm.auto import tqdm

        self._make = functools.partial(tqdm, **{"delay": 0.5, "unit": "block", **keywords})

    def __enter__(self):
        global _progress
        self._previous, _progress = _progress, self._make
        return self

    def __exit__(self, *exc):
        global _progress
        _progress = self._previous


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
        self._guard = blas_on_one_thread if blas else contextlib.nullcontext()
        self._chains = iter(chains)
        self._bar = bar
        self._lock = threading.Lock()
        self._error = None
        self._done = 0
        self._helpers = 0
        self._stop = self._closed = False
        self._left = threading.Lock()  # held while helpers are at work that the caller waits for

    def run(self, helpers):
        """Run all blocks on this thread and up to `helpers` others."""
        try:
            try:
                for _ in range(helpers):
                    _pool.submit(self._help)
                self._runner(caller=True)
            except BaseException:
                self._stop = True
                raise
            finally:
                self._wait()
        finally:
            if self._bar is not None:
                self._bar.update(self._done - self._bar.n)
                self._bar.close()
        if self._error is not None:
            raise self._error

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
                    self._left.release()

    def _runner(self, caller=False):
        nested, _thread.running = getattr(_thread, "running", None), self
        try:
            with self._guard:
                while (chain := self._next()) is not None:
                    for block in chain:
                        if self._stop:
                            return
                        block()
                        self._count(caller)
        finally:
            _thread.running = nested

    def _next(self):
        with self._lock:
            return None if self._stop else next(self._chains, None)

    def _count(self, caller):
        with self._lock:
            self._done += 1
        if caller and self._bar is not None:
            self._bar.update(self._done - self._bar.n)

    def _wait(self):
        """Until no helper is inside a block, whatever is pressed meanwhile."""
        with self._lock:
            self._closed = True
            if not self._helpers:
                return
            self._left.acquire()
        interrupt = None
        while True:
            try:
                self._left.acquire()
                break
            except BaseException as error:
                self._stop, interrupt = True, error
        if interrupt is not None:
            raise interrupt


def stopped():
    """Whether the call that this block belongs to is to end: a long block asks now and then."""
    job = getattr(_thread, "running", None)
    return job is not None and job._stop


def _run(chains, blocks, workers, blas):
    if getattr(_thread, "running", None):
        workers = 1  # the call came from inside a block: its runners are all at work
    bar = _progress(total=blocks) if _progress and not getattr(_thread, "running", None) else None
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
