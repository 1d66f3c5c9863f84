"""Two sets of points, a metric and a profile, and the calls that they are the arrays of."""

import copy

import numpy as np

from .. import _arrays
from .._run import Call, HostStep, Output, Step, run, tiles
from ..kernels.ard import MATERN12, MATERN32, MATERN52, NOWHERE, RQ, SE
from ._metric import metric_of

_KINDS = {
    "se": SE,
    "matern12": MATERN12,
    "matern32": MATERN32,
    "matern52": MATERN52,
    "rq": RQ,
}
_KIND_HINT = (
    '. "se" is what others call RBF: the gamma of rbf_kernel is 1 / (2 length_scale**2). A Matérn '
    'kernel has its ν in its name: "matern12", "matern32", "matern52" for 1/2, 3/2, 5/2'
)
_NO_PRODUCTS = {
    np.dtype(number): {
        name: np.empty((0,) * ndim, number)
        for name, ndim in {"rows": 2, "row_norms": 1, "columns": 2, "column_norms": 1}.items()
    }
    for number in (np.float32, np.float64)
}
_MANY = 16  # features, and points, from which on a matrix product beats differences


def profile_of(kind, rq_alpha, variance, noise_variance, pairs):
    """(profile, alpha, variance, noise) as kernels take them."""
    profile = _KINDS[_arrays.choice("kind", kind, _KINDS, _KIND_HINT)]
    alpha = _arrays.scalar("rq_alpha", rq_alpha, minimum=0, strict=True)
    variance = _arrays.scalar("variance", variance, minimum=0)
    noise = _arrays.scalar("noise_variance", noise_variance, minimum=0)
    _arrays.in_range("variance", variance, pairs.dtype)
    _arrays.in_range("noise_variance", noise, pairs.dtype)
    if noise and not pairs.one:
        raise ValueError(
            f"noise_variance must be 0 where Y is given, got {noise}: noise belongs to a point "
            f"and itself. Pass Y=None, or add it to the diagonal"
        )
    return profile, alpha, variance, noise


class Pairs:
    """Two sets of points and a metric, and the calls that they are the arrays of.

    `features` and `products` are named arrays; those that are not there yet are outputs, which the
    steps of the same name (`projecting`, `normalising`) write.
    """

    def __init__(self, X, Y, length_scale, factors, metric):
        x = _arrays.real("X", X, 2)
        y = x if Y is None else _arrays.real("Y", Y, 2)
        if x.shape[1] != y.shape[1]:
            raise ValueError(
                f"X and Y must have the same number of columns, got shapes {x.shape} and {y.shape}"
            )
        self.given = {"X": x, "Y": None if Y is None else y, "length_scale": length_scale,
                      "factors": factors, "metric": metric}  # fmt: skip
        self.shape = len(x), len(y)
        self.one = Y is None
        self.dtype = dtype = _arrays.common_dtype(x, y)
        self.plain, scale, self.projection = metric_of(
            dtype, x.shape[1], length_scale, factors, metric
        )
        x = _arrays.ready(x, dtype)
        y = x if self.one else _arrays.ready(y, dtype)
        self.points, self.scale = (x, y), scale
        self.features = {"x": x, "y": y, "scale": scale}
        self.projecting = self.normalising = ()
        self.same = {}  # names of the second set that are other names of the first's
        d, r = self.projection.shape
        if r or self.plain < d:
            self._project()
        if not len(scale):  # no features are as one that is the same for all
            self.projecting, self.same = (), {}
            x, y = (np.zeros((length, 1), dtype) for length in self.shape)
            self.scale = np.ones(1, dtype)
            self.features = {"x": x, "y": y, "scale": self.scale}
        self.many = min(len(self.scale), *self.shape) >= _MANY
        self.products = _NO_PRODUCTS[dtype]
        if self.many:
            self._normalise()

    def _sets(self):
        """(number of points, names of their arrays) of the two sets, or of the only one."""
        names = ("points", "x", "rows", "row_norms"), ("others", "y", "columns", "column_norms")
        return list(zip(self.shape, names, strict=True))[: 1 if self.one else 2]

    def _project(self):
        """Features that are made of the points."""
        (x, y), width = self.points, len(self.scale)
        d, r = self.projection.shape
        sets = self._sets()
        centre = Output((d,), self.dtype)
        self.features |= {"points": x, "others": y, "centre": centre, "plain": self.plain,
                          "projection": self.projection}  # fmt: skip
        steps = [HostStep(_centre, [points for _, (points, *_) in sets], ["centre"])]
        for n, (points, features, *_) in sets:
            self.features[features] = Output((n, width), self.dtype)
            cost = 2 * d * (1 + r)
            steps.append(
                Step("prepare", tiles.rows(n, cost), n * cost, x=points, features=features)
            )
        self.projecting = steps
        if self.one:
            del self.features["y"]
            self.same["y"] = "x"

    def _normalise(self):
        """The scaled features less their centre, and their norms: rows of the one set and columns
        of the other."""
        width, sets = len(self.scale), self._sets()
        self.products = {"middle": Output((width,), self.dtype)}
        steps = [HostStep(_centre, [features for _, (_, features, *_) in sets], ["middle"])]
        for n, (_, features, rows, norms) in sets:
            self.products |= {
                rows: Output((n, width), self.dtype), norms: Output((n,), self.dtype)
            }  # fmt: skip
            names = {"x": features, "centre": "middle", "rows": rows, "norms": norms}
            steps.append(Step("prepare_products", tiles.rows(n, width), n * width, **names))
        self.normalising = steps
        if self.one:
            self.same |= {"columns": "rows", "column_norms": "row_norms"}

    def keep_features(self, backend, workers):
        """Have features that later calls need not make."""
        if self.projecting:
            self.features = self._kept(self.features, self.projecting, backend, workers)
            self.features.setdefault("y", self.features["x"])
            self.projecting = ()

    def keep(self, backend, workers):
        """Have the arrays of later calls as they are now, whatever happens to the points."""
        if self.projecting:
            self.keep_features(backend, workers)
        else:
            x = np.array(self.features["x"])
            y = x if self.one else np.array(self.features["y"])
            self.features |= {"x": x, "y": y}
        if self.normalising:
            arrays = self.features | self.products
            kept = self._kept(arrays, self.normalising, backend, workers)
            self.products = {"rows": kept["rows"], "row_norms": kept["row_norms"]}
            for name, first in ("columns", "rows"), ("column_norms", "row_norms"):
                self.products[name] = kept.get(name, self.products[first])
            self.normalising = ()
        self.features = {name: self.features[name] for name in ("x", "y", "scale")}
        self.given, self.points, self.same = {}, (), {}

    def _kept(self, arrays, steps, backend, workers):
        """The arrays, with those that the steps write."""
        names = [name for name, value in arrays.items() if type(value) is Output]
        results = run(Call("ard", self.dtype, arrays, steps, names), backend, workers)
        return arrays | dict(zip(names, results, strict=True))

    def transposed(self):
        """The same with the two sets exchanged, after `keep`."""
        if self.one:
            return self
        other = copy.copy(self)
        other.shape = self.shape[::-1]
        (x, y, scale), products = self.features.values(), self.products
        other.features = {"x": y, "y": x, "scale": scale}
        exchanged = {"rows": "columns", "row_norms": "column_norms"}
        exchanged |= {name: first for first, name in exchanged.items()}
        other.products = {name: products[exchanged[name]] for name in products}
        return other

    def _cost(self, columns=0):
        """About how many ns a pair takes, and its products with so many columns."""
        if self.many:
            return 1.5 + 0.045 * len(self.scale) + 0.15 * columns
        return 1 + 0.15 * (len(self.scale) + columns)

    def slope_cost(self):
        """The same for a pair's derivatives, always from differences."""
        return 2 + 0.8 * len(self.scale)

    def tiles(self, cost, height=1):
        """Tiles of the result: wide ones, so that rows of it are written in long runs, and at
        least `height` rows high."""
        n, m = self.shape
        if tiles.is_short(n * m * cost):
            return [(0, n, 0, m)]
        if self.one:
            side = max(min(n, height), tiles.square(n, cost, 128))
            return tiles.grid(self.shape, (side, side), upper=True)
        width = min(m, max(512, min(4096, int(6e6 / (height * cost)))))
        return tiles.grid(self.shape, (max(height, tiles.split(n, cost * width)), width))

    def _height(self):
        """Rows for which a matrix product is worth its preparation."""
        return 1 if not self.many else 128 if len(self.scale) < 128 else 512

    def _terms(self):
        """Of the products that pairs are made from, if they are."""
        return len(self.scale) if self.many else 0

    def mirrored(self, bounds):
        """Tiles that say whether they stand for their mirror image too."""
        return [(*tile, self.one and tile[0] != tile[2]) for tile in bounds]

    def _call(self, block, bounds, cost, arrays, out, terms=0):
        """The call of a block over the pairs. `terms`: of the matrix products of a tile's size."""
        if terms:
            i0, i1, j0, j1, *_ = bounds[0]
            terms *= (i1 - i0) * (j1 - j0)
        n, m = self.shape
        step = Step(block, bounds, n * m * cost, terms, **self.same)
        arrays = {**self.features, **self.products, **arrays, "out": out}
        return Call("ard", self.dtype, arrays, [*self.projecting, *self.normalising, step])

    def fill(self, profile, alpha, variance, noise):
        """The matrix of the pairs."""
        cost = self._cost()
        bounds = self.tiles(cost, self._height())
        if self.one:
            bounds = [(i0, i1, j0, j1, i0 - j0, i0 != j0) for i0, i1, j0, j1 in bounds]
        else:
            bounds = [(*tile, NOWHERE, False) for tile in bounds]
        numbers = {"profile": profile, "alpha": alpha, "variance": variance, "noise": noise}
        out = Output(self.shape, self.dtype)
        return self._call("fill", bounds, cost, numbers, out, self._terms())

    def apply(self, profile, alpha, variance, v):
        """The matrix times v."""
        width = v.shape[1]
        cost = self._cost(width)
        bounds = self.mirrored(self.tiles(cost, self._height()))
        arrays = {"profile": profile, "alpha": alpha, "variance": variance, "v": v}
        out = Output((self.shape[0], width), self.dtype)
        return self._call("apply", bounds, cost, arrays, out, max(width, self._terms()))

    def diagonal(self, profile, alpha, variance, noise):
        """That of the matrix, to the bit."""
        n = min(self.shape)
        bounds = [(a, min(a + 64, n)) * 2 for a in range(0, n, 64)]
        if self.many and not self.one:
            # BLAS's rounding depends on the sizes: the tiles of the matrix, as far as they matter
            bounds = self.tiles(self._cost(), self._height())
            bounds = [(i0, i1, j0, j1) for i0, i1, j0, j1 in bounds if i0 < j1 and j0 < i1]
        numbers = {"profile": profile, "alpha": alpha, "variance": variance, "noise": noise}
        out = Output((n,), self.dtype)
        return self._call("fill_diagonal", bounds, self._cost(), numbers, out, self._terms())


def _centre(*points_and_centre):
    """centre = the mean of the finite rows of one or two sets of points."""
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
