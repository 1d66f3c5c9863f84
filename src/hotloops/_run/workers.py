"""How many workers a call has."""

import contextlib
import functools
import math
import operator
import os
import pathlib

MAX_WORKERS = 128  # OpenBLAS has a fixed number of buffers, one for each thread inside it


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


def number_of_workers(value=None):
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
