import numpy as np


def _profile(z, interfaces, kz, amplitudes, vectors, far):
    """f(z) of one field, shape (len(z), 3)."""
    n = np.searchsorted(interfaces, z, side="right")
    near = interfaces[np.maximum(n - 1, 0)]
    back = interfaces[np.minimum(n, len(interfaces) - 1)] if far else near
    path = np.stack([z - near, back - z], axis=1)
    waves = amplitudes[n] * np.exp(1j * kz[n, None] * path)
    waves = np.where(amplitudes[n, :, None] == 0, 0, waves[:, :, None] * vectors[n])
    return np.where(np.isfinite(z)[:, None], waves[:, 0] + waves[:, 1], complex(np.nan, np.nan))


def profile(b0, b1, z0, z1, rows, z, interfaces, kz, amplitudes, vectors, far, out):
    """out[b0:b1, z0:z1] = f(z)."""
    with np.errstate(all="ignore"):
        for b in range(b0, b1):
            i, k, a, v = rows[b]
            out[b, z0:z1] = _profile(z[z0:z1], interfaces[i], kz[k], amplitudes[a], vectors[v], far)


def fill(b0, b1, z0, z1, x0, x1, rows, z, interfaces, kz, amplitudes, vectors, far, x, kx, out):
    """out[b0:b1, z0:z1, x0:x1] = f(z) exp(i kx x)."""
    with np.errstate(all="ignore"):
        for b in range(b0, b1):
            i, k, a, v, q = rows[b]
            f = _profile(z[z0:z1], interfaces[i], kz[k], amplitudes[a], vectors[v], far)
            phase = np.exp(1j * kx[q] * x[x0:x1])
            out[b, z0:z1, x0:x1] = f[:, None] * phase[:, None]
