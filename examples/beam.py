"""A beam of light on a mirror of many layers: what comes back, and how deep it goes.

    python examples/beam.py [PICTURE] [--quick]

A Gaussian beam is a sum of plane waves, each of which the stack reflects and transmits in its own
way. Inside the band of angles that a Bragg mirror reflects the beam dies within a few layers;
outside, it passes.

Needs: pip install matplotlib
"""

import argparse

import matplotlib.figure
import numpy as np

import hotloops as hl

WAVELENGTH = 1.0
PAIRS = 16
HIGH, LOW = 1.9, 1.46
QUARTERS = [WAVELENGTH / 4 / HIGH, WAVELENGTH / 4 / LOW] * PAIRS
INDICES = [1.0, *[HIGH, LOW] * PAIRS, 1.52]
WAIST = 5 * WAVELENGTH


def beam(tilt, waves):
    """The stack for each plane wave of a beam, and their amplitudes: of a Gaussian whose waist is
    at the mirror and which comes at an angle `tilt`."""
    k0 = 2 * np.pi / WAVELENGTH
    across = np.linspace(-4, 4, waves) / WAIST
    kx = k0 * np.sin(tilt) + across * np.cos(tilt)
    amplitudes = np.exp(-((across * WAIST) ** 2) / 4)
    stack = hl.optics.solve_stack(INDICES, QUARTERS, WAVELENGTH, kx=kx, pol="s")
    return stack, amplitudes / amplitudes.sum()


def draw(maps, z, x, end, picture):
    figure = matplotlib.figure.Figure(figsize=(10, 5), layout="constrained")
    panels = figure.subplots(1, len(maps), sharey=True)
    for axes, (tilt, intensity) in zip(panels, maps.items(), strict=True):
        axes.pcolormesh(x, z, np.sqrt(intensity), cmap="magma", rasterized=True)
        for edge in (0, end):
            axes.axhline(edge, color="w", linewidth=0.5)
        axes.set(title=f"at {tilt}°", xlabel="x (wavelengths)", aspect="equal")
    panels[0].set_ylabel("z (wavelengths), the mirror between the lines")
    figure.suptitle("|E| of a beam that meets a Bragg mirror")
    figure.savefig(picture, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", nargs="?", default="beam.png")
    parser.add_argument("--quick", action="store_true", help="a coarse map")
    options = parser.parse_args()

    points, waves = (120, 64) if options.quick else (700, 256)
    end = sum(QUARTERS)
    z, x = np.linspace(-12, end + 6, points), np.linspace(-14, 14, points)
    maps = {}
    for tilt in (10, 55):
        stack, amplitudes = beam(np.deg2rad(tilt), waves)
        maps[tilt] = stack.intensity(z, x, coherent_weights=amplitudes)
        reflected = np.average(stack.R, weights=amplitudes**2)
        print(f"at {tilt} degrees the mirror reflects {reflected:.1%} of the beam")
    draw(maps, z, x, end, options.picture)


if __name__ == "__main__":
    main()
