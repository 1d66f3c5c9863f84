"""BLAS's own threads never run: not in the shortest block either."""

import pathlib

import pytest
from helpers import in_new_python

SEEN = """
import os, pathlib, time, warnings
import numpy as np
from hotloops import _cases

def others():
    "How many ns each thread but this one has run."
    threads = pathlib.Path("/proc/self/task").iterdir()
    return {thread.name: int((thread / "schedstat").read_text().split()[0])
            for thread in threads if int(thread.name) != os.getpid()}

def alone(function):
    "Whether no other thread runs while function() does."
    function()
    time.sleep(0.005)
    before = others()
    function()
    time.sleep(0.002)
    return all(ran == before.get(name, 0) for name, ran in others().items())

warnings.simplefilter("ignore")
assert others()  # BLAS has threads
a = np.ones((300, 300))
assert not alone(lambda: a @ a)  # and they are seen
for case in _cases.CASES:
    for dtype in case.tolerance:
        arguments = case.arguments("tiny", dtype)
        call = lambda: case.call(arguments, backend="cython", workers=1)
        if not all(alone(call) for _ in range(2)) and not alone(call):
            print(case.subject, case.name, np.dtype(dtype))
"""


@pytest.mark.skipif(
    not pathlib.Path("/proc/self/schedstat").exists(), reason="the system counts no thread's time"
)
def test_the_threads_of_blas_sleep():
    result = in_new_python(SEEN, OPENBLAS_NUM_THREADS="2", OPENBLAS_THREAD_TIMEOUT="4")
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
