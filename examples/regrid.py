"""A field on the globe regridded so that nothing is lost: (time, level, cell) × a sparse matrix.

    python examples/regrid.py [PICTURE] [--quick]

From a grid of equal angles, whose cells crowd at the poles, to a reduced one, whose rows have fewer
cells the shorter they are. A cell of the new grid gets the mean of the old ones below it, weighted
by the areas they share, so that integrals over the globe are kept. Each weight is an element of a
sparse matrix, the same for every time and level.

Needs: pip install matplotlib
"""

import argparse
import time

import matplotlib.figure
import numpy as np
import scipy.sparse

import hotloops as hl


def overlap(old, new):
    """What the intervals between the edges `old` and those between `new` share, as a matrix."""
    low = np.maximum(old[:-1, None], new[:-1])
    high = np.minimum(old[1:, None], new[1:])
    return scipy.sparse.csr_array(np.maximum(high - low, 0))


def reduced_grid(rows):
    """Edges of rows of latitude, and for each the edges of its cells, nearly of one area."""
    latitudes = np.linspace(-90, 90, rows + 1)
    middle = np.deg2rad((latitudes[1:] + latitudes[:-1]) / 2)
    cells = np.maximum(4, np.round(2 * rows * np.cos(middle))).astype(int)
    return latitudes, [np.linspace(0, 360, count + 1) for count in cells]


def conservative(latitudes, longitudes, new_latitudes, new_longitudes):
    """Weights (cell, new cell), and the area of each cell of the new grid."""
    # on a sphere the area between two latitudes is the difference of their sines
    heights = overlap(*(np.sin(np.deg2rad(edges)) for edges in (latitudes, new_latitudes)))
    shared = scipy.sparse.hstack([
        scipy.sparse.kron(heights[:, [row]], overlap(longitudes, edges))
        for row, edges in enumerate(new_longitudes)
    ]).tocsc()  # fmt: skip
    area = shared.sum(axis=0)
    return (shared / area).tocsc(), area


def waves(latitudes, longitudes, times, levels):
    """A field (time, level, cell) of cells' middles: a jet that meanders, eddies and a front."""
    middles = [np.deg2rad((edges[1:] + edges[:-1]) / 2) for edges in (latitudes, longitudes)]
    latitude, longitude = (array.ravel() for array in np.meshgrid(*middles, indexing="ij"))
    t = np.linspace(0, 1, times)[:, None, None]
    height = np.linspace(0, 1, levels)[:, None]
    meander = 0.12 * np.sin(5 * longitude - 4 * t + 2 * height)
    jet = np.tanh(8 * (np.abs(latitude) - 0.75 - meander))
    eddies = np.cos(latitude) ** 2 * np.sin(9 * longitude + 6 * t) * np.cos(11 * latitude)
    return 285 - 60 * height - 14 * jet + 4 * eddies


def draw(field, latitudes, longitudes, new_field, new_latitudes, new_longitudes, picture):
    figure = matplotlib.figure.Figure(figsize=(9, 7.5), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True)
    colors = {"vmin": field.min(), "vmax": field.max(), "cmap": "RdYlBu_r"}
    mesh = top.pcolormesh(longitudes, latitudes, field, **colors)
    top.set_title(f"equal angles: {field.size} cells")
    start = 0
    for row, edges in enumerate(new_longitudes):
        stop = start + len(edges) - 1
        bottom.pcolormesh(edges, new_latitudes[row : row + 2], new_field[None, start:stop],
                          edgecolors="white", linewidth=0.1, **colors)  # fmt: skip
        start = stop
    bottom.set_title(f"reduced: {new_field.size} cells of nearly one area, with the same integral")
    bottom.set_xlabel("longitude / degrees")
    for axes in (top, bottom):
        axes.set_ylabel("latitude / degrees")
    figure.colorbar(mesh, ax=(top, bottom), label="temperature / K", shrink=0.7)
    figure.savefig(picture, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", nargs="?", default="regrid.png")
    parser.add_argument("--quick", action="store_true", help="coarse grids, few times")
    options = parser.parse_args()

    degrees, rows, times, levels = (4, 15, 3, 2) if options.quick else (1, 36, 24, 19)
    latitudes = np.linspace(-90, 90, 180 // degrees + 1)
    longitudes = np.linspace(0, 360, 360 // degrees + 1)
    new = reduced_grid(rows)
    weights, new_area = conservative(latitudes, longitudes, *new)
    field = waves(latitudes, longitudes, times, levels)

    start = time.perf_counter()
    new_field = hl.sparse_tensordot(field, weights)
    seconds = time.perf_counter() - start

    print(f"{field.shape} @ {weights.shape}, {weights.nnz} weights: {1e3 * seconds:.0f} ms")
    area = np.outer(np.diff(np.sin(np.deg2rad(latitudes))), np.diff(longitudes)).ravel()
    before, after = field @ area / area.sum(), new_field @ new_area / new_area.sum()
    print(f"global means differ by at most {np.abs(after / before - 1).max():.1e} of their size")
    shape = len(latitudes) - 1, len(longitudes) - 1
    draw(field[0, 0].reshape(shape), latitudes, longitudes, new_field[0, 0], *new, options.picture)


if __name__ == "__main__":
    main()
