"""Electric field of plane waves in a stack of layers.

    f(z) = sum over w = forward, backward of v[n, w] a[n, w] exp(±i kz[n] (z - z_w)),
    E(z, x) = f(z) exp(i kx x),        n = the number of interfaces <= z

so that layer n is [interfaces[n-1], interfaces[n]). z_forward = interfaces[n-1], interfaces[0] in
the first layer; z_backward is the same, or with `far` interfaces[n], the last one in the last
layer. A wave of amplitude 0 is absent: nothing of it counts. Where z is not finite, f is NaN.

Shapes: B fields of N >= 2 media on one grid, z (Nz,), x (Nx,); interfaces (·, N-1), kz (·, N),
amplitudes a (·, N, 2), vectors v (·, N, 2, 3), kx (·,), of which field b takes the rows rows[b], in
this order; output (B, Nz, Nx, 3), or (B, Nz, 3) for the profile f. A tile takes the exponentials of
its planes and of its columns, then their outer product. All is computed in double precision, and
rounded once where the output is single.
Source: Born & Wolf, Principles of Optics (7th ed., 1999), section 1.6.
"""
