"""How a benchmark runs: the result is checked before it is timed."""

import time

import numpy as np
import pytest
from contenders import allowed


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
            contender=name, subject=case.subject, case=case.name, size=case.full
        )
        time.sleep(0.05)  # idle threads of the last contender's library spin for a while
        if seconds < 2:
            benchmark(function)
        else:
            benchmark.pedantic(function, rounds=1)

    return run
