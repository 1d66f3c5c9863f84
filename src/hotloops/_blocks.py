"""Blocks of one kind over their tiles."""

import functools
import operator

from ._run.guard import blas_on_one_thread, threads_blas
from ._run.threads import Chains, run, stopped
from ._run.tiles import grid, is_short, split, square
from ._run.workers import available_cpus, set_workers
from ._run.workers import number_of_workers as workers

__all__ = [
    "available_cpus",
    "blas_on_one_thread",
    "fill",
    "fill_rows",
    "grid",
    "is_short",
    "reduce",
    "set_workers",
    "split",
    "square",
    "stopped",
    "threads_blas",
    "workers",
]

_PARTIALS = 8


def fill(block, bounds, args, *, workers, blas=False):
    """Call block(*b, *args) once for each b of `bounds`, on up to `workers` threads in any order;
    on one in theirs.

    `blas`: the blocks call BLAS on sizes for which it would start threads of its own.
    """
    if len(bounds) == 1 and not blas:
        block(*bounds[0], *args)
    elif bounds:
        chains = [(functools.partial(block, *b, *args),) for b in bounds]
        run(Chains(chains), len(bounds), workers, blas)


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
    run(Chains(chains), len(bounds), workers, blas)
    return functools.reduce(operator.add, sums)
