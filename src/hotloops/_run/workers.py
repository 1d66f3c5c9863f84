"""How many workers a call has."""

import contextlib
import functools
import math
import operator
import os
import pathlib
from typing import Any

from .settings import Setter, Setting

MAX_WORKERS = 128  # OpenBLAS has a fixed number of buffers, one for each thread inside it


def _cgroup_cpus() -> float:
    root = pathlib.Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):
        quota, period = (root / "cpu.max").read_text().split()
        return math.inf if quota == "max" else math.ceil(int(quota) / int(period))
    with contextlib.suppress(OSError, ValueError):
        share = int((root / "cpu/cpu.cfs_quota_us").read_text())
        whole = int((root / "cpu/cpu.cfs_period_us").read_text())
        return math.inf if share <= 0 else math.ceil(share / whole)
    return math.inf


@functools.cache
def available_cpus() -> int:
    """The CPUs this process may use: its affinity and its control group's quota."""
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux tells
        cpus = os.cpu_count() or 1
    return int(max(1, min(cpus, _cgroup_cpus())))


def _checked(workers: Any, name: str) -> int:
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
def _environment_workers() -> int:
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


_workers: Setting[int] = Setting("hotloops_workers")


def number_of_workers(value: int | None = None) -> int:
    """The number of workers that a call with `workers=value` gets."""
    if value is not None:
        return _checked(value, "workers")
    return _workers.get() or _environment_workers()


class set_workers(Setter[int]):
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

    def __init__(self, workers: int | None) -> None:
        super().__init__(None if workers is None else _checked(workers, "workers"))


def get_workers() -> int:
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
    return number_of_workers()
