import numpy as np
from contenders import parametrize


def tmm_fast(n, d, wavelength, theta, z=None):
    if z is not None or len(wavelength) < 2:
        return None
    import tmm_fast

    ends = np.full(1, np.inf)
    thicknesses = np.concatenate([ends, d, ends])[None].repeat(len(n), 0)
    # one stack a wavelength: it takes indices (stacks, layers, wavelengths)
    index = np.moveaxis(n[:, 0], 0, -1)[None]

    def run():
        found = [
            tmm_fast.coh_tmm(pol, index, thicknesses[:1], theta, wavelength[:, 0]) for pol in "sp"
        ]
        powers = [[np.asarray(one[name])[0].T for one in found] for name in "RT"]
        return np.array(powers)

    return run


def tmm(n, d, wavelength, theta, z=None):
    if z is None or n.shape[0] > 1:
        return None
    import tmm

    thicknesses, index = [np.inf, *d, np.inf], list(n[0, 0])

    def run():
        solved = tmm.coh_tmm("p", index, thicknesses, theta[0], wavelength[0, 0])
        profile = np.zeros(len(z))
        for k, depth in enumerate(z):
            if 0 <= depth < d.sum():
                layer, inside = tmm.find_in_structure_with_inf(thicknesses, depth)
                profile[k] = tmm.position_resolved(layer, inside, solved)["absor"]
        return profile[None, None]

    return run


PEERS = {"tmm_fast": ("tmm_fast", tmm_fast), "tmm": ("tmm", tmm)}


@parametrize("optics", PEERS)
def test_optics(contend, case, name, make):
    contend(case, name, make)
