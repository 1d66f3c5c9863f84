"""Steps of refinement, with residuals in twice the working precision."""

import functools
import math
from typing import Any

import numpy as np

from .._factors.serial import serial
from .._run import Form, Output, Step, by_shape, run, tiles
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
    eps, least, work = epsilon(x.dtype), math.inf, problem.a.size * b.shape[2]
    # The correction of x, and what h's rounding makes of it, tell how far off x is: of all x
    # the last of the least is kept. r is 0 at first, as the roundings of b − A x, times a heavy
    # weight, would drown h
    steps: Array = np.zeros((3, *x.shape), x.dtype)
    now: Array
    correction: Array
    noise: Array
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
                r += f - serial(functools.partial(np.matmul, problem.a, correction), work)
            gained = better
            least = min(size, least) if one else np.minimum(size, least)
    return x


def residual(
    problem: Problem, scale: Array, b: Array, x: Array, r: Array, n: int
) -> tuple[Array, Array]:
    """f = b − r − A x, and the gradient h = S (Aᴴ W r − alpha x), as `kernels.lstsq` has them: f
    (K, m, p), and h (K, n, p), or without an element where n is 0 and no gradient is wanted."""
    a, (count, m, p) = problem.a, b.shape
    form = _residual(b.dtype, count, m, a.shape[2], p, n)
    call = form.of(a, problem.weights, problem.alpha, scale, b, x, r)
    found: tuple[Array, Array] = run(call, *problem.kept)
    return found


@by_shape
def _residual(dtype: np.dtype[Any], count: int, m: int, n: int, p: int, of_h: int) -> Form:
    """The form of the calls that make f, and h of `of_h` rows, in tiles (matrices, columns)."""
    matrices = tiles.split(count, 10.0 * m * n * p)
    columns = p if matrices > 1 else tiles.split(p, 10.0 * m * n)
    bounds = tiles.grid((count, p), (matrices, columns))
    step = Step("residual", bounds, 10.0 * count * m * n * p)
    outputs = {
        "f": Output((count, m, p), dtype),
        "h": Output((count, of_h, p if of_h else 0), dtype),
    }
    inputs = "a", "weights", "alpha", "scale", "b", "x", "r"
    return Form(inputs, "lstsq", dtype, outputs, [step], ("f", "h"))


def _norms(x: Array, scale: Array) -> Array:
    """The largest elements of the columns of x (..., K, n, p), in the units of scaled columns."""
    norms: Array = (np.abs(x) / scale[:, :, None]).max(axis=-2, keepdims=True)
    return norms


def _put(x: Array, values: Array, where: Any) -> None:
    """x = values, where `where` is true: a bool or an array of them."""
    if where is True:
        x[...] = values
    elif where is not False:
        np.copyto(x, values, where=where)
