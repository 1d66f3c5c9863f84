"""What each layer of a solar cell absorbs of sunlight, and where in the cell.

    python examples/solar.py [PICTURE] [--quick]

A thin film of silicon between a transparent electrode and silver, with indices that are simple
models of the materials' measured ones. Thin films interfere: the absorption of silicon is a comb of
resonances, and what the electrode and the metal absorb is lost.

Needs: pip install matplotlib
"""

import argparse

import matplotlib.figure
import numpy as np

import hotloops as hl

LAYERS = {"electrode": 80.0, "silicon": 350.0, "spacer": 60.0, "silver": 150.0}  # nm


def indices(wavelength):
    """Of air, the layers and air behind them, shape (wavelengths, media)."""
    um = wavelength / 1e3
    electrode = 1.9 + 0.02j * um**3
    silicon = 3.4 + 0.15 / um**2 + 0.35j * np.exp((0.50 - um) / 0.075)
    spacer = np.full(len(um), 1.9 + 0.002j)
    silver = 0.05 + 0.02 / um + 1j * (7.0 * um - 0.2)
    air = np.ones(len(um))
    return np.stack([air, electrode, silicon, spacer, silver, air], axis=-1)


def sunlight(wavelength):
    """The photons of a black body of 5800 K, in relative units."""
    return 1 / wavelength**4 / np.expm1(14_388e3 / 5800 / wavelength)


def draw(wavelength, cell, z, profile, picture):
    figure = matplotlib.figure.Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.stackplot(wavelength, cell.layer_absorption.T, labels=LAYERS)
    left.plot(wavelength, 1 - cell.R, color="k", linewidth=0.8, label="1 − reflectivity")
    left.set(xlabel="wavelength (nm)", ylabel="absorbed", ylim=(0, 1),
             xlim=(wavelength[0], wavelength[-1]))  # fmt: skip
    left.legend(loc="lower left")
    right.plot(z, 1e3 * profile)
    for edge in cell.interfaces:
        right.axvline(edge, color="0.7", linewidth=0.8, zorder=0)
    right.set(xlabel="depth (nm)", ylabel="share of the photons absorbed in 1 µm", yscale="log",
              ylim=(1e-4, None))  # fmt: skip
    figure.savefig(picture, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", nargs="?", default="solar.png")
    parser.add_argument("--quick", action="store_true", help="a coarse spectrum")
    options = parser.parse_args()

    wavelength = np.linspace(400, 1100, 71 if options.quick else 1401)
    thickness = list(LAYERS.values())
    cell = hl.optics.solve_stack(indices(wavelength), thickness, wavelength, pol="s")
    photons = sunlight(wavelength)
    photons /= photons.sum()
    z = np.linspace(0, sum(thickness), 1000)
    profile = cell.absorption(z, incoherent_weights=photons)
    share = photons @ cell.layer_absorption
    for name, part in zip(LAYERS, share, strict=True):
        print(f"{name:>10} absorbs {part:6.1%} of the photons")
    print(f"{photons @ cell.R:>17.1%} come back")
    draw(wavelength, cell, z, profile, options.picture)


if __name__ == "__main__":
    main()
