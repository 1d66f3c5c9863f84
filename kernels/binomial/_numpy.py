import numpy as np

from . import LEAST, MOST


def _upper(x):
    """x rounded to 26 bits."""
    return ((x.view(np.int64) + 2**26) & -(2**27)).view(np.float64)


def _times(x, y):
    """x y, for pairs whose sums they stand for."""
    a, b = _upper(x[0]), _upper(y[0])
    c, d = x[0] - a, y[0] - b
    low = (a * d + c * b) + (c * d + (a * _upper(y[1]) + _upper(x[1]) * b))
    high = a * b + low
    return high, low - (high - a * b)


def _over(x, y):
    """x / y, for pairs."""
    quotient = x[0] / y[0]
    product = _times((quotient, quotient * 0), y)
    return quotient, (((x[0] - product[0]) + x[1]) - product[1]) / y[0]


def _weights(n, start, odds):
    """Those of start + 1, start + 2, … as long as they count, relative to that of start."""
    v = np.arange(start, n, dtype=np.float64)
    ratios = np.transpose(_times(odds, _over((n - v, v * 0), (v + 1, v * 0))))
    weight, weights = (np.float64(MOST), np.float64(0)), []
    for ratio in ratios:
        weight = _times(weight, ratio)
        if weight[0] < LEAST:
            break
        weights.append(weight)
    return weights


def _table(n, p):
    """The values whose P does not underflow, by ascending P, and P."""
    success = p, np.float64(0)
    failure = 1 - p, (1 - (1 - p)) - p
    mode = min(n, int((n + 1) * p))
    above = _weights(n, mode, _over(success, failure))
    below = _weights(n, n - mode, _over(failure, success))
    weights = np.array([*below[::-1], (MOST, 0.0), *above])
    order = np.argsort(weights[:, 0], kind="stable")
    high, low = MOST, 0.0
    for weight in weights[order[-2::-1]]:
        total = high + weight[0]
        low += (weight[0] - (total - high)) + weight[1]
        high = total
    scaled = weights[order, 0] * (1 / ((high + low) / MOST))
    return mode - len(below) + order, scaled / MOST


def tables(i0, i1, p, n, first, values, probabilities):
    """The tables of p[i0:i1]."""
    with np.errstate(all="ignore"):
        for i in range(i0, i1):
            its_values, its_probabilities = _table(n, p[i])
            first[i] = values.shape[1] - len(its_values)
            values[i, first[i] :] = its_values
            probabilities[i, first[i] :] = its_probabilities


def pmf(i0, i1, p, n, out):
    """out[i, v] = P(v) of p[i0:i1]."""
    with np.errstate(all="ignore"):
        for i in range(i0, i1):
            values, probabilities = _table(n, p[i])
            out[i] = 0
            out[i, values] = probabilities


def intervals(c0, c1, counts, draws, z, estimate, lower, upper):
    """c / T, and the ends of its Wilson score interval."""
    c, part = counts[c0:c1], slice(c0, c1)
    rarer, mirrored = np.minimum(c, draws - c), c > draws // 2
    with np.errstate(all="ignore"):
        larger = rarer + z * z / 2 + z * np.sqrt(rarer * (1 - rarer / draws) + z * z / 4)
        # a root that underflows is one of a count of 0
        low = rarer.astype(float) ** 2 / (draws * np.maximum(larger, 1))
        high = larger / (draws + z * z)
    estimate[part] = c / draws
    # rounding may put the end of a narrow interval on the other side
    lower[part] = np.minimum(np.where(mirrored, 1 - high, low), estimate[part])
    upper[part] = np.maximum(np.where(mirrored, 1 - low, high), estimate[part])


def count(t0, t1, bit_generator, words, guide, thresholds, hits):
    """Add to hits[k] how many of the next t1 - t0 doubles have k thresholds up to them."""
    doubles = np.random.Generator(bit_generator).random(t1 - t0) * 2**53
    hits += np.bincount(np.searchsorted(thresholds, doubles, side="right"), minlength=len(hits))
