import numpy as np


def _profile(z, interfaces, kz, amplitudes, vectors, far):
    """f(z) of one wave, shape (len(z), 3)."""
    n = np.searchsorted(interfaces, z, side="right")
    near = interfaces[np.maximum(n - 1, 0)]
    back = interfaces[np.minimum(n, len(interfaces) - 1)] if far else near
    path = np.stack([z - near, back - z], axis=1)
    waves = amplitudes[n] * np.exp(1j * kz[n, None] * path)
    waves = np.where(amplitudes[n, :, None] == 0, 0, waves[:, :, None] * vectors[n])
    return np.where(np.isfinite(z)[:, None], waves[:, 0] + waves[:, 1], complex(np.nan, np.nan))


def _waves(rows, z, interfaces, kz, amplitudes, vectors, far, kx, coherent, x):
    """coherent · f(z), shape (K, len(z), 3), and exp(i kx x), shape (K, len(x)), K waves a time."""
    for start in range(0, len(rows), 64):
        part = rows[start : start + 64]
        profiles = [
            coherent[c] * _profile(z, interfaces[i], kz[k], amplitudes[a], vectors[v], far)
            for i, k, a, v, _, c, _ in part
        ]
        yield np.stack(profiles), np.exp(1j * kx[part[:, 4], None] * x)


def _write(out, fields, weights):
    """out = the only field, or the sum of weights |field|^2."""
    if out.shape[-1] == 6:
        (field,) = fields
        out.view(f"c{2 * out.itemsize}")[...] = field
    else:
        squares = ((field.real**2 + field.imag**2).sum(-1) for field in fields)
        out[..., 0] = sum(map(np.multiply, weights, squares))


def points(
    s0, s1, b0, b1, p0, p1, rows, z, interfaces, kz, amplitudes, vectors, far, x, kx, coherent,
    incoherent, start, stop, out,
):  # fmt: skip
    """out[s0:s1, b0:b1, p0:p1] = E or |E|^2 at points (z, x), the terms start to stop of its sum;
    no x: the profile."""
    x = x[p0:p1] if len(x) else np.zeros(p1 - p0)
    operands = z[p0:p1], interfaces, kz, amplitudes, vectors, far, kx, coherent, x
    with np.errstate(all="ignore"):
        for s, b in np.ndindex(s1 - s0, b1 - b0):
            beams = rows[b0 + b, start:stop] if out.shape[3] == 1 else rows[b0 + b, :, start:stop]
            fields = (
                sum((f * phase[:, :, None]).sum(0) for f, phase in _waves(beam, *operands))
                for beam in beams
            )
            _write(out[s0 + s, b0 + b, p0:p1], fields, incoherent[beams[:, 0, 6]])


def grid(
    b0, b1, z0, z1, x0, x1, rows, z, interfaces, kz, amplitudes, vectors, far, x, kx, coherent,
    incoherent, out,
):  # fmt: skip
    """out[b0:b1, z0:z1, x0:x1] = E or |E|^2 on the grid of z and x."""
    operands = interfaces, kz, amplitudes, vectors, far, kx, coherent, x[x0:x1]
    with np.errstate(all="ignore"):
        for b in range(b0, b1):
            for start in range(z0, z1, 64):  # so that its fields are small
                stop = min(start + 64, z1)
                fields = (
                    sum(
                        np.tensordot(*wave, (0, 0))
                        for wave in _waves(beam, z[start:stop], *operands)
                    )
                    for beam in rows[b]
                )
                fields = (field.swapaxes(1, 2) for field in fields)
                _write(out[b, start:stop, x0:x1], fields, incoherent[rows[b, :, 0, 6]])
