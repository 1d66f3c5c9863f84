"""Plane waves in a stack of layers: the amplitudes in each, and the power.

    kz[j] = k0 q[j],  q[j]² = n[j]² - (kx / k0)² = (n[j] - a - low) (n[j] + a + low)

with Im q >= 0 (Re q >= 0 where Im q = 0). kx / k0 = a + low, twice as many digits as a number has:
at the critical angle of the last medium, where q is as small as the root of what rounding of `a`
leaves, r and T depend on them. In the first and the last medium Re q + Im q >= 0: the same for real
kx, but continuous where q² crosses the positive axis, as behind a first medium that absorbs a
little. With forward and backward amplitudes F, B of E (s), or of Z0 H (p: n times those of E), and
h[j] = q[j] (s) or q[j] / n[j]² (p), F + B and h (F - B) are continuous, so that before and behind
an interface

    (F, B)[j] ∝ (s, d; d, s) (F, B)[j+1],        s = h[j] + h[j+1],  d = h[j] - h[j+1],

and from the far to the near side of layer j B takes the factor exp(2i kz d) over F. The pair is
carried from the back, where it is (1, 0), to the front as a ratio with a common factor apart; then
the amplitudes follow from the front. Only decaying exponentials occur. Where one of s and d is less
than half the other it comes from s d = h[j]² - h[j+1]², of which n[j] - n[j+1] is a factor: it
keeps its digits, and so does a small reflection. Near kz = 0 the two waves become one, and the
field is lost in the difference of two large ones: q² of a layer is kept from 0 by `shift`, such
that kz is 5e-6 of the largest one behind it, or of 1 / d, where the change matters as little as the
difference: 1e-10 of the field; where |n| < 1, in which p has q² / n², by |n|^(1/2) less, and then
1e-10 / |n| at most.

`incidence` gives what comes to each stack, a row of INCIDENCE numbers: k0, Re a, Im a, Re low and
Im low. It takes n[0] sin(theta), |theta| < 1.6, or where theta is empty kx over k0, for kx / k0: a
product of which one factor has twice as many digits as a number. `solve` takes the same, and gives
as `outside` the parts of r and of t, |r|², and the flux along z behind the stack and into it over
the incident one. `waves` gives kz and amplitudes, the forward wave's at the near and the backward
one's at the far interface of its layer; `depth` at planes z weighted sums, each over the K stacks
of a group, of quadratic forms

    A |u|² + B |w|² + 2 Re(C u conj(w)),   u = forward + backward, w = forward - backward

of the waves of E: |E|²; the flux along z over the incident one's; and k0 Im(n²) |E|² over that,
whose integral over each layer is what `absorb` gives, in closed form and without a difference.
Where a few sums are long `add_depth` adds a piece of them to partial results.

Shapes: B stacks of N media, in one polarisation or in both: P = 1 or 2, of which the first is
`first`, S_POLARISED or P_POLARISED. Stack b has the rows rows[b, 0] of n (·, N) and rows[b, 1] of
thickness (·, N), 0 at both ends, and wavelength, theta or kx, all (B,), and incidence (B, c), c =
INCIDENCE. Outputs outside (7, P, B), kz (B, N), amplitudes (P, B, N, 2), absorbed
(P, B, N - 2). Of depth, the stacks are G groups of K, rows (G, K, 2), incidence (G, K, c), weights
(P, G, K), z (Nz,), and the output is (S, G, Nz): S = P, or 1 for the sum of both polarisations. Of
add_depth, they are as in solve, weights (P, B), and sums of P B / S items each, (S, Nz): the row
that an item adds to depends on its place, so no piece of the stacks stands alone.
Source: L. G. Parratt, Phys. Rev. 95, 359 (1954); Born & Wolf, Principles of Optics (7th ed., 1999),
section 1.6.
"""

BLOCKS = """
incidence b   | rows:bi n wavelength:b theta:b? kx:b? > found:bc
solve     b   | rows:bi n thickness wavelength:b theta:b? kx:b? first > outside:fpb
waves     b   | rows:bi n thickness incidence:bc first > kz:bj amplitudes:pbjw
absorb    b   | rows:bi n thickness incidence:bc first > absorbed:pbj
depth     g z | rows:gki n thickness incidence:gkc first z:z what weights:pgk > out:sgz
add_depth b   | rows n thickness incidence first z what weights > +out
"""

#: Polarisations.
S_POLARISED, P_POLARISED = range(2)
#: Numbers of a row of incidence.
INCIDENCE = 5
#: What `depth` and `add_depth` sum up.
INTENSITY, POYNTING, ABSORPTION = range(3)
