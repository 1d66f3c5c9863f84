"""Steps of refinement, with residuals in twice the working precision."""

import functools
import math
from typing import Any

import numpy as np

from .._run import Output, Step, tiles
from .._typing import Array
from .factors import Factor
from .problem import Problem
from .singular import epsilon

_STEPS = 60  # each halves the error at least, or it is one of the last two


def refined(factor: Factor, b: Array) -> Array:
    """x (K, n, p) for b (K, m, p), by steps that are kept where the next one shows that they were
    towards x."""
    x, problem, exact = factor.solve(b), factor.problem, factor.exact
    r, n = np.zeros(b.shape, b.dtype), 0 if exact else x.shape[1]
    eps, least = epsilon(x.dtype), math.inf
    # The correction of x, and what h's rounding makes of it, tell how far off x is: of all x
    # the last of the least is kept. r is 0 at first, as the roundings of b − A x, times a heavy
    # weight, would drown h
    steps = np.zeros((3, *x.shape), x.dtype)
    now, correction, noise = steps
    now[...] = x
    one = len(b) * b.shape[2] == 1  # column, of which numbers are quicker than arrays
    active: Any = True if one else np.ones((len(b), 1, b.shape[2]), bool)
    gained: Any = active
    with np.errstate(all="ignore"):
        for step in range(_STEPS):
            wanted = n if step or problem.alpha else 0
            f, gradient = residual(problem, factor.scale, b, now, r, wanted)
            factor.solve(f, gradient, correction)
            if gradient.size and factor.is_rough:
                factor.solve_rounding(gradient, noise)
            norms = _norms(steps, factor.scale)
            whole, size, rest = norms.ravel().tolist() if one else norms
            size, rounding = size + rest, eps * whole
            again = not step and not exact  # another solution: it may meet x by chance
            if again:
                size = max(size, rounding) if one else np.maximum(size, rounding)
            _put(x, now, active & ((size <= least) | (size <= rounding)))
            better, after = size < least / 2, now + correction
            changed = (after != now).any(axis=1, keepdims=True)
            changed = changed.item() if one else changed
            active = active & (again | changed) & (better | (gained & (size > rounding)))
            if not (active if one else active.any()):
                break
            _put(now, after, active)
            if not exact:
                r += f - problem.a @ correction
            gained = better
            least = min(size, least) if one else np.minimum(size, least)
    return x


def residual(problem: Problem, scale: Array, b: Array, x: Array, r: Array, n: int) -> Any:
    """The kernel's f, and h of n rows, in blocks of matrices and columns."""
    a, (count, _, p) = problem.a, b.shape
    step = Step("residual", _residual_blocks(*a.shape, p), 10.0 * a.size * p)
    inputs = {
        "a": a, "weights": problem.weights, "alpha": problem.alpha, "scale": scale, "b": b, "x": x,
        "r": r,
    }  # fmt: skip
    f, h = Output(b.shape, b.dtype), Output((count, n, p if n else 0), b.dtype)
    return problem.run(step, b.dtype, inputs, {"f": f, "h": h})


@functools.lru_cache
def _residual_blocks(count: int, m: int, n: int, p: int) -> list[tuple[int, ...]]:
    matrices = tiles.split(count, 10.0 * m * n * p)
    columns = p if matrices > 1 else tiles.split(p, 10.0 * m * n)
    return tiles.grid((count, p), (matrices, columns))


def _norms(x: Array, scale: Array) -> Array:
    """The largest elements of the columns of x (..., K, n, p), in the units of scaled columns."""
    return (np.abs(x) / scale[:, :, None]).max(axis=-2, keepdims=True)


def _put(x: Array, values: Array, where: Any) -> None:
    """x = values, where `where` is true: a bool or an array of them."""
    if where is True:
        x[...] = values
    elif where is not False:
        np.copyto(x, values, where=where)
