"""Which way a machine is, behind a louder noise: cross-spectra round the ring of frequencies.

    python examples/cross_spectra.py [PICTURE] [--quick]

Four microphones in a row hear a machine, whose noise swells once a turn, and a louder steady noise
from another side. The frequencies of a noise that swells are not independent: X_f, the spectra at
frequency f, are correlated with X_{f+j}, where j is one turn. Those of steady noise are, however
loud it is. So the cross-spectra

    S_{f,j} = mean over the windows of X_f X_{f+j}ᴴ,        f + j modulo the window's length

show the loud noise at j = 0, where they are the ordinary ones, and the machine alone at one turn;
their phases tell the delay from one microphone to the next (Gardner and Chen, "Signal-selective
time-difference-of-arrival estimation", IEEE Transactions on Signal Processing 40, 1992).

Needs: pip install matplotlib
"""

import argparse

import matplotlib.figure
import numpy as np

import hotloops as hl

WINDOW = 256  # samples
TURN = 32  # samples: the microphones are sampled in step with the machine
MICROPHONES = 4
MACHINE, NOISE = 3, -5  # samples of delay from one microphone to the next
NEAR, MOST = 3, 80  # bins apart to look at; nearer ones share the window's own width


def recording(samples, rng):
    """What the microphones hear, (MICROPHONES, samples)."""
    margin = MICROPHONES * max(abs(MACHINE), abs(NOISE))
    time = np.arange(samples + 2 * margin)
    machine = rng.normal(size=len(time)) * (1 + np.cos(2 * np.pi * time / TURN))
    noise = 2 * rng.normal(size=len(time))
    heard = rng.normal(size=(MICROPHONES, samples))  # of their own
    for k in range(MICROPHONES):
        for source, delay in ((machine, MACHINE), (noise, NOISE)):
            heard[k] += source[margin - k * delay :][:samples]
    return heard


def spectra(signal):
    """Of half-overlapping windows, (WINDOW, MICROPHONES, windows), with phases from time 0 on."""
    windows = np.lib.stride_tricks.sliding_window_view(signal, WINDOW, axis=1)
    x = np.fft.fft(windows[:, :: WINDOW // 2] * np.hanning(WINDOW)).transpose(2, 0, 1)
    x[1::2, :, 1::2] *= -1  # odd bins turn by half between windows
    return x


def cross_spectra(x):
    """S, (WINDOW, MOST, MICROPHONES, MICROPHONES)."""
    return hl.rolled_matmul(x, x.conj().transpose(0, 2, 1), MOST) / x.shape[2]


def coherence(s):
    """How much of the bins f and f + j belongs together, for each j."""
    power = np.abs(np.einsum("fmm->fm", s[:, 0]))
    ring = (np.arange(WINDOW)[:, None] + np.arange(MOST)) % WINDOW
    own = np.abs(np.einsum("fjmm->fjm", s)) / np.sqrt(power[:, None] * power[ring])
    return own.mean(axis=(0, 2))


def correlation(s, j):
    """Between neighbouring microphones over the delay in samples, from bins j apart."""
    # a delay D turns S_{f,j} by 2 pi f D / WINDOW, and by an angle that is the same for all f
    pairs = np.einsum("fmm->fm", s[:, j, :-1, 1:])
    return np.abs(np.fft.fft(pairs, axis=0)).sum(axis=1)


def draw(strength, delays, curves, picture):
    figure = matplotlib.figure.Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(np.arange(NEAR, MOST) * TURN / WINDOW, strength[NEAR:], color="C0", lw=1)
    left.set(xlabel="distance of the two frequencies, in turns of the machine",
             ylabel="coherence", ylim=(0, None), title="What belongs together")  # fmt: skip
    for (label, curve), color in zip(curves.items(), ("C7", "C1"), strict=True):
        right.plot(delays, curve / curve.max(), color=color, label=label)
    for name, delay in (("machine", MACHINE), ("noise", NOISE)):
        right.axvline(delay, color="black", lw=0.8, ls=":")
        right.annotate(name, (delay, 1.04), ha="center")
    right.set(xlabel="delay from one microphone to the next, samples", ylim=(0, 1.15),
              ylabel="correlation over its largest", title="Where it comes from")  # fmt: skip
    right.legend(frameon=False, loc="center right", handlelength=1)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", nargs="?", default="cross_spectra.png")
    parser.add_argument("--quick", action="store_true", help="a tenth of the recording")
    options = parser.parse_args()

    samples = 20_000 if options.quick else 200_000
    s = cross_spectra(spectra(recording(samples, np.random.default_rng(0))))
    turn = WINDOW // TURN
    near = np.arange(-12, 13)
    curves = {
        "same frequency": correlation(s, 0)[near],
        "one turn apart": correlation(s, turn)[near],
    }
    for label, curve in curves.items():
        print(f"{label}: the sound takes {near[curve.argmax()]} samples to the next microphone")
    draw(coherence(s), near, curves, options.picture)
    print(f"machine: {MACHINE} samples, noise: {NOISE}; see {options.picture}")


if __name__ == "__main__":
    main()
