"""Two sets of points and a metric, and the calls that make something of all their pairs."""

import copy
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from .. import _arrays
from .._run import Call, Form, HostStep, Output, Step, by_shape, run, tiles
from .._run.tiles import Tile
from .._typing import Array
from ..kernels.ard import MANY, NOWHERE, PROJECTED, ROWS, STRIP
from ._metric import metric_of
from ._profile import IDENTITY, Profile

_NO_PRODUCTS = {
    np.dtype(number): {
        "rows": np.empty((0, 0), number),
        "row_norms": np.empty(0, number),
        "columns": np.empty((0, 0), number),
        "column_norms": np.empty(0, number),
    }
    for number in (np.float32, np.float64)
}
# the arrays of the second set, and those of the first that are like them
_FIRST = {"y": "x", "columns": "rows", "column_norms": "row_norms"}
_WORTHWHILE = 16  # features, and points, from which on a matrix product beats differences
_STEEP = 32  # features from which on derivatives come from matrix products


class Pairs:
    """Two sets of points and a metric, and the calls that make something of all their pairs.

    `features` and `products` are the arrays of the calls by name. What is still an `Output` there
    is made by every call anew, which begins with the steps in `projecting` and `normalising`;
    `keep_features` and `keep` make it once.
    """

    def __init__(
        self,
        X: ArrayLike,
        Y: ArrayLike | None,
        length_scale: ArrayLike | None,
        factors: ArrayLike | None,
        metric: ArrayLike | None,
    ) -> None:
        x = _arrays.real("X", X, 2)
        y = x if Y is None else _arrays.real("Y", Y, 2)
        d = x.shape[1]
        if y.shape[1] != d:
            raise ValueError(
                f"X and Y must have the same number of columns, got shapes {x.shape} and {y.shape}"
            )
        self.given = {"X": x, "Y": None if Y is None else y, "length_scale": length_scale,
                      "factors": factors, "metric": metric}  # fmt: skip
        self.one_set = Y is None
        self.shape = len(x), len(y)
        self.dtype = dtype = x.dtype
        if y.dtype is not dtype:
            self.dtype = dtype = np.result_type(x, y)
            x, y = x.astype(dtype, copy=False), y.astype(dtype, copy=False)
        self.plain, self.scale, self.projection = metric_of(dtype, d, length_scale, factors, metric)
        self.features: dict[str, Any] = {"x": x, "y": y, "scale": self.scale}
        self.products: dict[str, Any] = _NO_PRODUCTS[dtype]
        self.projecting: Sequence[HostStep | Step] = ()
        self.normalising: Sequence[HostStep | Step] = ()
        self.same: dict[str, str] = {}  # names of the second set's arrays that are the first's
        width = len(self.scale)
        if not width:
            self._have_one_feature()
        elif self.plain != width:
            self._project()
        self.many = width >= _WORTHWHILE and min(self.shape) >= _WORTHWHILE
        self.steep = False
        if self.many:
            self._normalise()

    def _have_one_feature(self) -> None:
        """Have one feature, the same for all points: distances are those that no feature makes."""
        x, y = (np.zeros((length, 1), self.dtype) for length in self.shape)
        self.scale = np.ones(1, self.dtype)
        self.features = {"x": x, "y": y, "scale": self.scale}

    def _sets(self) -> list[tuple[int, tuple[str, str, str, str]]]:
        """The number of points, and the names of the arrays, of both sets or of the only one."""
        names = ("points", "x", "rows", "row_norms"), ("others", "y", "columns", "column_norms")
        return list(zip(self.shape, names, strict=True))[: 1 if self.one_set else 2]

    def _project(self) -> None:
        """Have features that steps make of the points."""
        d, r = self.projection.shape
        width, sets = len(self.scale), self._sets()
        points, others = (_arrays.ready(self.features[name]) for name in "xy")
        self.features |= {"points": points, "others": others, "centre": Output((d,), self.dtype),
                          "plain": self.plain, "projection": self.projection}  # fmt: skip
        steps: list[HostStep | Step] = [
            HostStep(_centre, [points for _, (points, *_) in sets], ["centre"])
        ]
        cost = d + 0.1 * d * r
        for n, (name, features, *_) in sets:
            self.features[features] = Output((n, width), self.dtype)
            step = Step("prepare", tiles.rows(n, cost), n * cost, PROJECTED * d * r, x=name,
                        features=features)  # fmt: skip
            steps.append(step)
        self.projecting = steps
        if self.one_set:
            del self.features["y"]
            self.same["y"] = _FIRST["y"]

    def _normalise(self) -> None:
        """Have the factors of the products: the scaled features less their centre, which are rows
        of the one set and columns of the other, and their norms."""
        width, sets = len(self.scale), self._sets()
        self.products = {"middle": Output((width,), self.dtype)}
        steps: list[HostStep | Step] = [
            HostStep(_centre, [features for _, (_, features, *_) in sets], ["middle"])
        ]
        for n, (_, features, rows, norms) in sets:
            self.products[rows] = Output((n, width), self.dtype)
            self.products[norms] = Output((n,), self.dtype)
            step = Step("prepare_products", tiles.rows(n, width), n * width, x=features,
                        centre="middle", rows=rows, norms=norms)  # fmt: skip
            steps.append(step)
        self.normalising = steps
        if self.one_set:
            self.same |= {name: _FIRST[name] for name in ("columns", "column_norms")}

    def keep_features(self, backend: str, workers: int) -> None:
        """Make the features now, so that later calls need not."""
        if self.projecting:
            self.features = self._made(self.features, self.projecting, backend, workers)
            self.features.setdefault("y", self.features["x"])
            self.projecting = ()

    def keep_steep(self, backend: str, workers: int) -> None:
        """Make the features now, and what derivatives come from: products, if features are many,
        else nothing."""
        self.keep_features(backend, workers)
        self.steep = self.many and len(self.scale) >= _STEEP
        if self.steep:
            self.keep_products(backend, workers)
        else:
            self.products, self.normalising = _NO_PRODUCTS[self.dtype], ()

    def keep_products(self, backend: str, workers: int) -> None:
        """Make the factors of the products now, so that later calls need not."""
        if self.normalising:
            arrays = self.features | self.products
            made = self._made(arrays, self.normalising, backend, workers)
            self.products = {"rows": made["rows"], "row_norms": made["row_norms"]}
            for name, first in ("columns", "rows"), ("column_norms", "row_norms"):
                self.products[name] = made.get(name, self.products[first])
            self.normalising = ()

    def keep(self, backend: str, workers: int) -> None:
        """Make all arrays of later calls now, and copies of the points: whatever happens to those
        of the user, the calls' results stay."""
        if self.projecting:
            self.keep_features(backend, workers)
        else:
            x = np.array(self.features["x"], order="C")
            y = x if self.one_set else np.array(self.features["y"], order="C")
            self.features |= {"x": x, "y": y}
        self.keep_products(backend, workers)
        self.features = {name: self.features[name] for name in ("x", "y", "scale")}
        self.given, self.same = {}, {}

    def _made(
        self,
        arrays: dict[str, Any],
        steps: Sequence[HostStep | Step],
        backend: str,
        workers: int,
    ) -> dict[str, Any]:
        """The arrays, with those that the steps make."""
        names = [name for name, value in arrays.items() if type(value) is Output]
        results = run(Call("ard", self.dtype, arrays, steps, names), backend, workers)
        return arrays | dict(zip(names, results, strict=True))

    def transposed(self) -> Self:
        """The same pairs with the two sets exchanged, after `keep`."""
        if self.one_set:
            return self
        other = copy.copy(self)
        other.shape = self.shape[1], self.shape[0]
        features = self.features
        other.features = {"x": features["y"], "y": features["x"], "scale": self.scale}
        other.products = exchanged(self.products)
        return other

    def _cost(self, columns: int = 0) -> float:
        """About how many ns a pair takes, and its products with so many columns."""
        return _cost(len(self.scale), self.many, columns)

    def slope_cost(self) -> float:
        """About how many ns the derivatives of a pair take, after `keep_steep`."""
        return _slope_cost(len(self.scale), self.steep)

    def tiles(self, cost: float, *, products: bool = False) -> list[Tile]:
        """The tiles of the matrix, a pair of which takes about `cost` ns."""
        return _tiles(self.shape, len(self.scale) if products else 0, self.one_set, cost)

    def mirrored(self, bounds: list[Tile]) -> list[Tile]:
        """Tiles that say whether they stand for their mirror image too."""
        return _mirrored(bounds, self.one_set)

    def _call(
        self,
        block: str,
        bounds: list[Tile],
        cost: float,
        arrays: dict[str, Any],
        columns: int = 0,
    ) -> Call:
        """The call of a block over the pairs, each of which takes about `cost` ns; BLAS multiplies
        a tile by so many columns, and two sets of rows to make it if there are products."""
        terms = max(columns, len(self.scale)) if self.many else columns
        if terms:
            i0, i1, j0, j1, *_ = bounds[0]
            terms *= (i1 - i0) * (j1 - j0)
        n, m = self.shape
        step = Step(block, bounds, n * m * cost, terms, **self.same)
        return Call("ard", self.dtype, arrays, [*self.projecting, *self.normalising, step])

    def fill(self, profile: Profile) -> Call:
        """The call that makes the matrix of the pairs."""
        width = len(self.scale)
        if not (self.many or self.projecting):
            x, y = self.features["x"], self.features["y"]
            form = _plain_filling(self.shape, self.dtype, width, self.one_set)
            return form.of(x, y, self.scale, *profile.values())
        step = _filling(self.shape, width, self.many, self.one_set, *self.same)
        arrays = {**self.features, **self.products, **profile,
                  "out": Output(self.shape, self.dtype)}  # fmt: skip
        return Call("ard", self.dtype, arrays, [*self.projecting, *self.normalising, step])

    def apply(self, profile: Profile, v: Array) -> Call:
        """The call that multiplies the matrix, without the noise on its diagonal, by v."""
        width = v.shape[1]
        if not (self.many or self.projecting):
            x, y, scale = self.features["x"], self.features["y"], self.scale
            form = _plain_applying(self.shape, self.dtype, len(scale), width, self.one_set)
            return form.of(x, y, scale, *profile.values(), v)
        cost = self._cost(width)
        bounds = self.mirrored(self.tiles(cost, products=self.many))
        out = Output((self.shape[0], width), self.dtype)
        arrays = {**self.features, **self.products, **profile, "v": v, "out": out}
        return self._call("apply", bounds, cost, arrays, width)

    def diagonal(self, profile: Profile) -> Call:
        """The call that makes the diagonal of the matrix, to the bit as `fill` does."""
        cost, n = self._cost(), min(self.shape)
        bounds: list[Tile] = [(a, min(a + 64, n)) * 2 for a in range(0, n, 64)]
        on = 0 if self.one_set else NOWHERE
        if self.many and not self.one_set:
            # BLAS's rounding depends on the sizes: the tiles of the matrix, as far as they matter
            bounds = self.tiles(cost, products=True)
            bounds = [(i0, i1, j0, j1) for i0, i1, j0, j1 in bounds if i0 < j1 and j0 < i1]
        bounds = [(*tile, on) for tile in bounds]
        out = Output((n,), self.dtype)
        arrays = {**self.features, **self.products, **profile, "out": out}
        return self._call("fill_diagonal", bounds, cost, arrays)


def exchanged(products: dict[str, Any]) -> dict[str, Any]:
    """The factors of the products where the two sets are exchanged."""
    others = {"rows": "columns", "row_norms": "column_norms",
              "columns": "rows", "column_norms": "row_norms"}  # fmt: skip
    return {name: products[others[name]] for name in products}


def _cost(width: int, many: bool, columns: int = 0) -> float:
    """About how many ns a pair of points with so many features takes."""
    if many:
        return 1.5 + 0.045 * width + 0.15 * columns
    return 1 + 0.15 * (width + columns)


def _slope_cost(width: int, steep: bool) -> float:
    """About how many ns the derivatives of a pair of points with so many features take."""
    return 3 + 0.1 * width if steep else 2 + 0.8 * width


def slope_multiplications(width: int, steep: bool) -> int:
    """How many multiplications the largest matrix product has that derivatives come from."""
    return ROWS * STRIP * width if steep else 0


def _mirrored(bounds: list[Tile], one_set: bool) -> list[Tile]:
    """Tiles that say whether they stand for their mirror image too."""
    return [(*tile, one_set and tile[0] != tile[2]) for tile in bounds]


def _folded(n: int, side: int) -> list[Tile]:
    """Tiles on the diagonal, and beside them tiles of the same rows, each of which stands for
    itself alone."""
    bounds: list[Tile] = []
    for start in range(0, n, side):
        stop = min(start + side, n)
        bounds.append((start, stop, start, stop, False))
        bounds += [(start, stop, j, min(j + STRIP, n), False) for j in range(stop, n, STRIP)]
    return bounds


def _tiles(shape: tuple[int, int], terms: int, one_set: bool, cost: float) -> list[Tile]:
    """Tiles of a matrix: wide ones, so that rows of it are written in long runs; where they are
    made from products of so many `terms`, as high as makes those worth their preparation."""
    n, m = shape
    if tiles.is_short(n * m * cost):
        return [(0, n, 0, m)]
    height = 1
    if terms:
        height = ROWS if terms < MANY else 4 * ROWS
    if one_set:
        side = max(min(n, height), tiles.square(n, cost, ROWS))
        return tiles.grid(shape, (side, side), upper=True)
    width = min(m, max(STRIP, min(8 * STRIP, int(6e6 / (height * cost)))))
    return tiles.grid(shape, (max(height, tiles.split(n, cost * width)), width))


@by_shape
def _plain_filling(shape: tuple[int, int], dtype: np.dtype[Any], width: int, one_set: bool) -> Form:
    """The form of the calls that make the matrix of two sets of points from their differences, for
    any metric and profile."""
    arrays = {**_NO_PRODUCTS[dtype], "out": Output(shape, dtype)}
    step = _filling(shape, width, many=False, one_set=one_set)
    return Form(("x", "y", "scale", *IDENTITY), "ard", dtype, arrays, [step])


@by_shape
def _plain_applying(
    shape: tuple[int, int], dtype: np.dtype[Any], width: int, columns: int, one_set: bool
) -> Form:
    """The form of the calls that multiply so many columns by that matrix, without the noise on its
    diagonal."""
    (n, m), cost = shape, _cost(width, many=False, columns=columns)
    bounds = _mirrored(_tiles(shape, 0, one_set, cost), one_set)
    i0, i1, j0, j1, *_ = bounds[0]
    step = Step("apply", bounds, n * m * cost, columns * (i1 - i0) * (j1 - j0))
    arrays = {**_NO_PRODUCTS[dtype], "out": Output((n, columns), dtype)}
    return Form(("x", "y", "scale", *IDENTITY, "v"), "ard", dtype, arrays, [step])


@by_shape
def pulling(
    shape: tuple[int, int], dtype: np.dtype[Any], width: int, one_set: bool, steep: bool, side: int
) -> Form:
    """The form of the calls that make the sums of which the gradients by length_scale, variance and
    rq_alpha are multiples, from products if features are many (`steep`); of a cotangent that is
    folded, with tiles on its diagonal so wide, if `side` is not 0."""
    (n, m), cost = shape, _slope_cost(width, steep)
    if side:
        bounds = _folded(n, side)
    else:
        bounds = _mirrored(_tiles(shape, width if steep else 0, one_set, cost), one_set)
    step = Step("pull", bounds, n * m * cost, slope_multiplications(width, steep))
    inputs = "x", "y", "scale", *_NO_PRODUCTS[dtype], *IDENTITY, "cotangent"
    sums = {"sums": Output((width + 2,), np.dtype(np.float64))}
    return Form(inputs, "ard", dtype, sums, [step], ("sums",))


@by_shape
def _filling(shape: tuple[int, int], width: int, many: bool, one_set: bool, *same: str) -> Step:
    """The step that makes the matrix; `same` are the names of the second set's arrays that are the
    first's."""
    cost = _cost(width, many)
    bounds = _tiles(shape, width if many else 0, one_set, cost)
    terms = width * (bounds[0][1] - bounds[0][0]) * (bounds[0][3] - bounds[0][2]) if many else 0
    if one_set:
        bounds = [(i0, i1, j0, j1, i0 - j0, i0 != j0) for i0, i1, j0, j1 in bounds]
    else:
        bounds = [(*tile, NOWHERE, False) for tile in bounds]
    return Step(
        "fill", bounds, shape[0] * shape[1] * cost, terms, **{name: _FIRST[name] for name in same}
    )


def _centre(*points_and_centre: Array) -> None:
    """Write the mean of the finite rows of one or two sets of points into the last array."""
    *points, result = points_and_centre
    with np.errstate(all="ignore"):
        # a third of sum's overhead
        sums = [np.einsum("nd->d", p, dtype=np.float64) for p in points]
        centre = sum(sums) / sum(map(len, points))
        if not np.isfinite(centre).all():
            rows = [p[np.isfinite(p).all(axis=1)] for p in points]
            count = max(1, sum(map(len, rows)))
            centre = sum((r / count).sum(axis=0, dtype=np.float64) for r in rows)
        result[...] = centre
