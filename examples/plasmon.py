"""A plasmon on a silver film: where the reflected light goes, and the magnetic field that it makes.

    python examples/plasmon.py [PICTURE] [--quick]

Light in glass meets a film of silver beyond the angle of total reflection (Kretschmann's
arrangement). At one angle it excites a wave that runs along the silver's other side, a surface
plasmon: the reflectivity drops almost to 0, and the field at the surface is many times that of the
incident light.

Needs: pip install matplotlib
"""

import argparse

import matplotlib.figure
import numpy as np

import hotloops as hl

WAVELENGTH = 633.0  # nm
INDICES = [1.517, 3.719 + 4.362j, 0.130 + 3.162j, 1.0]  # glass, chromium, silver, air
THICKNESSES = [2.0, 50.0]  # nm


def solve(theta):
    return hl.optics.solve_stack(INDICES, THICKNESSES, WAVELENGTH, theta, pol="p")


def draw(angles, reflectivity, z, x, field, dip, picture):
    figure = matplotlib.figure.Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.5))
    left.plot(np.rad2deg(angles), reflectivity)
    left.axvline(np.rad2deg(dip), color="0.7", zorder=0)
    left.set(xlabel="angle in the glass (degrees)", ylabel="reflectivity", ylim=(0, 1))
    size = np.abs(field).max()
    image = right.pcolormesh(
        x / 1e3, z, field, cmap="RdBu_r", vmin=-size, vmax=size, rasterized=True
    )
    for edge in np.cumsum([0.0, *THICKNESSES]):
        right.axhline(edge, color="0.4", linewidth=0.8)
    right.set(xlabel="x (µm)", ylabel="z (nm), glass below, air above",
              title=f"magnetic field over the incident, at {np.rad2deg(dip):.2f}°")  # fmt: skip
    figure.colorbar(image, ax=right)
    figure.savefig(picture, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", nargs="?", default="plasmon.png")
    parser.add_argument("--quick", action="store_true", help="a coarse map")
    options = parser.parse_args()

    angles = np.deg2rad(np.linspace(38, 50, 2001))
    reflectivity = solve(angles).R
    dip = angles[reflectivity.argmin()]
    points = 100 if options.quick else 600
    z, x = np.linspace(-700, 900, points), np.linspace(0, 2000, points)
    field = solve(dip).magnetic_field(z, x)[..., 1] / INDICES[0]
    print(f"reflectivity {reflectivity.min():.4f} at {np.rad2deg(dip):.3f} degrees")
    print(f"field over the incident at most {np.abs(field).max():.1f}")
    draw(angles, reflectivity, z, x, field.real, dip, options.picture)


if __name__ == "__main__":
    main()
