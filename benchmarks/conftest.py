"""How a benchmark runs: the result is checked before it is timed."""

import time

import numpy as np
import pytest
from contenders import BACKENDS, allowed

from hotloops.cli.compare import duration, interleave


def pytest_xdist_auto_num_workers(config):
    """Benchmarks run one after another, in this process."""
    return 0


@pytest.fixture
def contend(benchmark):
    def run(case, name, make):
        arguments = case.arguments("full")
        function = make(case, arguments)
        start = time.perf_counter()
        result = np.asarray(function())
        seconds = time.perf_counter() - start
        reference = case.call(arguments, backend="numpy")
        assert result.shape == reference.shape
        if name == "writing the output":
            pass
        elif case.random:
            assert result.sum() == reference.sum()
        else:
            assert case.error(result, reference) <= allowed(case, name)
        del result, reference
        benchmark.group = f"{case.subject}: {case.name}"
        benchmark.extra_info.update(
            contender=name,
            subject=case.subject,
            case=case.name,
            size=case.full,
            dtype=case.dtype and np.dtype(case.dtype).name,
        )
        time.sleep(0.05)  # idle threads of the last contender's library spin for a while
        if seconds < 2:
            benchmark(function)
        else:
            benchmark.pedantic(function, rounds=1)

    return run


@pytest.fixture
def take_turns(benchmark):
    """All contenders of a scene in one benchmark; the figures are in its extra_info."""

    def run(subject, scene, contenders, units=5e6):
        """`units`: how many eps of the largest element ours may be from the first."""
        first = None
        for name, function in contenders.items():
            result = np.array(function())
            first = result if first is None else first
            most = units if name.startswith(BACKENDS) else 5e6
            tolerance = most * np.finfo(first.dtype).eps * np.abs(first).max()
            np.testing.assert_allclose(result, first, rtol=0, atol=tolerance, err_msg=name)
        seconds = interleave(contenders, 0.15)
        benchmark.extra_info.update({name: duration(time) for name, time in seconds.items()})
        benchmark.group = f"{subject}: {scene}"
        ours = [run for name, run in contenders.items() if name.startswith("cython")]
        benchmark(ours[-1] if ours else next(iter(contenders.values())))

    return run
