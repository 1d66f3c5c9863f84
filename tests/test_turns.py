"""While blocks run, Python's threads take turns quickly; before and after, as the user has it."""

import os
import sys
import threading

import pytest

from hotloops._run import each
from hotloops._run.turns import quick_turns


@pytest.fixture(autouse=True)
def before():
    """The interval that Python begins with."""
    interval = sys.getswitchinterval()
    yield interval
    sys.setswitchinterval(interval)


@pytest.mark.parametrize("workers", [1, 2])
def test_turns_are_quick_inside(before, workers):
    inside = []
    each(lambda k: inside.append(sys.getswitchinterval()), 5, workers=workers)
    assert before == 5e-3
    assert inside == pytest.approx([1e-3] * 5)
    assert sys.getswitchinterval() == before


def test_a_shorter_interval_stays():
    sys.setswitchinterval(1e-5)
    inside = []
    each(lambda k: inside.append(sys.getswitchinterval()), 2, workers=1)
    assert [*inside, sys.getswitchinterval()] == pytest.approx([1e-5] * 3)


def test_what_is_set_inside_stays():
    each(lambda k: sys.setswitchinterval(2e-3), 2, workers=1)
    assert sys.getswitchinterval() == pytest.approx(2e-3)


def test_an_error_ends_it(before):
    with pytest.raises(ZeroDivisionError):
        each(lambda k: 1 / 0, 2, workers=2)
    assert sys.getswitchinterval() == before


def test_calls_that_overlap(before):
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()
    seen = []

    def first(k):
        if k == 0:
            first_in.set()
            second_in.wait(10)

    def second(k):
        if k == 0:
            first_in.wait(10)
            second_in.set()
            first_out.wait(10)
            seen.append(sys.getswitchinterval())

    def run_first():
        each(first, 2, workers=1)
        first_out.set()

    threads = [
        threading.Thread(target=run_first),
        threading.Thread(target=each, args=(second, 2, 1)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == pytest.approx([1e-3])
    assert sys.getswitchinterval() == before


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_forked_inside_has_the_interval_from_before(before):
    ended = []

    def fork(k):
        pid = os.fork()
        if pid == 0:
            os._exit(0 if sys.getswitchinterval() == before and not quick_turns.inside else 1)
        ended.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    each(fork, 2, workers=1)
    assert ended == [0, 0]
    assert sys.getswitchinterval() == before
