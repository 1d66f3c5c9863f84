"""Electric field of plane waves in a stack of layers, and sums of such fields.

    f(z) = sum over w = forward, backward of v[n, w] a[n, w] exp(±i kz[n] (z - z_w)),
    E(z, x) = sum over k of coherent[k] f_k(z) exp(i kx[k] x),   n = the number of interfaces <= z
    |E|^2(z, x) = sum over m of incoherent[m] |E_m(z, x)|^2

so that layer n is [interfaces[n-1], interfaces[n]). z_forward = interfaces[n-1], interfaces[0] in
the first layer; z_backward is the same, or with `far` interfaces[n], the last one in the last
layer. A wave of amplitude 0 is absent: nothing of it counts. Where z is not finite, f is NaN.

`points` takes places z (P,), x (P,), or without x (0,) the profile f; `grid` takes z (Nz,) and
x (Nx,). The output's last axis is the field's 6 real numbers, or 1, the intensity: of `grid`
(B, Nz, Nx, 6 or 1), of `points` (S, B, P, 6 or 1). Output b sums M beams of K waves (M = 1 of the
field): rows (B, M, K, 7) are where the operands of each wave are in the tables interfaces (·, N-1),
kz (·, N), amplitudes a (·, N, 2), vectors v (·, N, 2, 3), kx (·,), coherent (·,), incoherent (·,),
in this order; N >= 2. A long sum at few points is S shares, each a tile's own: that of the beams
`start` to `stop`, or of the field's waves.

Planes go by strips, of which the layers are found and the exponentials taken together
(waves.h). On a grid one wave is an outer product; K are a matrix product, and so are M intensities,
|f(z)|^2 times exp(-2 Im kx x). All is computed in double precision, and rounded once where the
output is single.
Source: Born & Wolf, Principles of Optics (7th ed., 1999), section 1.6.
"""

COLUMNS = 1024  # of a grid, whose phases stay in the first cache
WAVES = 128  # of one matrix product
# what a row of `rows` has the places of, in this order
OPERANDS = (
    "interfaces", "kz", "amplitudes", "vectors", "kx", "coherent_weights", "incoherent_weights",
)  # fmt: skip

BLOCKS = """
    points  s b p | rows:bmkr z:p interfaces kz amplitudes vectors far x:p? kx coherent incoherent \
                    @start @stop > out:sbpc
    grid    b z x | rows:bmkr z:z interfaces kz amplitudes vectors far x:x kx coherent incoherent \
                  > out:bzxc
"""
