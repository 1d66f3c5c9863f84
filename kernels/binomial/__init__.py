"""Probabilities of the binomial distribution, intervals of estimated ones, and doubles counted.

    P(v) = n! / (v! (n - v)!) p^v (1 - p)^(n - v),        0 <= v <= n

Of each p (rows,), `pmf` writes P into out (rows, n + 1). `tables` sorts P: `probabilities` has it
in ascending order and `values` the v that it belongs to, both (rows, width(n)), from the column
`first` (rows,) on; what is rarer underflows, and is not written. Ascending, because a multinomial
sampler that takes each value's share of what remains then subtracts small numbers from large ones,
and no tail is lost.

From the mode outwards each weight is the last one times a ratio,

    P(v + 1) / P(v) = (n - v) / (v + 1) · p / (1 - p),

and downwards the same with v -> n - v and p -> 1 - p; then all are divided by their sum. Numbers
are pairs (high, low) with 78 bits. A product that goes into a sum has two factors of at most 26
bits, hence is exact: whether a compiler fuses the two does not matter, and the tables are the same
bit for bit wherever they are made, and `pmf` has the bits of `tables`.

Accuracy: within 2 ulps, and half the smallest subnormal. Source for the arithmetic: T. J. Dekker,
A floating-point technique for extending the available precision, Numer. Math. 18 (1971).

`intervals` has of each of the `counts` c of T `draws` the `estimate` c / T and the ends of its
Wilson score interval,

    (c + z^2 / 2 ± z sqrt(c (T - c) / T + z^2 / 4)) / (T + z^2).

With the rarer outcome's count for c, the two are the roots of a quadratic: the smaller one is their
product, c^2 / (T (T + z^2)), over the larger one, and nothing cancels; the other outcome's interval
is the mirror image. Source: E. B. Wilson, Probable inference, the law of succession, and
statistical inference, J. Am. Stat. Assoc. 22 (1927).

`count` takes the next t1 - t0 doubles u of a NumPy bit generator and counts in `hits` how many
have 0, 1, … of the ascending `thresholds` up to u 2**53; the last threshold is 2**53. `guide[c]` is
the number of thresholds up to c 2**SHIFT: where to begin the search. With `words`, u 2**53 is the
upper 53 bits of the next word, which takes less time. Both come through the bit generator's C
interface, as NumPy's own samplers take them; the caller holds its lock. Source:
https://numpy.org/doc/stable/reference/random/extending.html
"""

import math

BLOCKS = """
    tables     i | p:i n > first:i values:iw probabilities:iw
    pmf        i | p:i n > out:iv
    intervals  c | counts:c draws z > estimate:c lower:c upper:c
    count      t | bit_generator words guide thresholds > +hits
"""

#: The weight of the mode, and the least that counts: the smallest subnormal, and room for a sum.
MOST, LEAST = 2.0**960, 2.0**-115

#: A guide has a cell for each 2**SHIFT of the 2**53 doubles: 4096, which stay in the first cache.
SHIFT = 41


def width(n: int) -> int:
    """Room for the values of n trials that do not underflow.

    By Hoeffding's inequality P(|v - n p| >= t) <= 2 exp(-2 t^2 / n), and the mode has at least
    1 / (n + 1): beyond t = 20 sqrt(n) weights are less than 2**-1075 of its own, for n < 2**60.
    """
    return min(n + 1, 40 * math.isqrt(n) + 40)
