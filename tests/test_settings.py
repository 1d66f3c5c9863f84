"""Where set_backend, set_workers and progress hold, and where not."""

import asyncio
import contextvars
import gc
import threading

import pytest

import hotloops as hl
from hotloops._run import each, number_of_workers, resolve, workers
from hotloops._run.workers import available_cpus

# set_…, get_…, two values that are not the default
SETTINGS = [
    pytest.param(hl.set_backend, hl.get_backend, "numpy", "numba", id="backend"),
    pytest.param(hl.set_workers, hl.get_workers, 3, 5, id="workers"),
]
settings = pytest.mark.parametrize(("put", "get", "first", "second"), SETTINGS)


@pytest.fixture(autouse=True)
def as_before():
    """Every test leaves the process and this context as they were."""
    before = hl.get_backend(), hl.get_workers()
    yield
    gc.collect()
    assert (hl.get_backend(), hl.get_workers()) == before
    hl.set_backend(None)
    hl.set_workers(None)


def elsewhere(function):
    """What function() returns in a new thread, in a context of its own."""
    found = []
    run = contextvars.Context().run  # where Python's threads begin with a copy of this one
    thread = threading.Thread(target=run, args=(lambda: found.append(function()),))
    thread.start()
    thread.join(300)
    return found[0]


@settings
def test_alone_it_is_the_process_s(put, get, first, second):
    before = get()
    put(first)
    assert get() == elsewhere(get) == first
    kept = put(second)
    assert get() == elsewhere(get) == second
    with kept:  # now it is the block's
        assert get() == second
        assert elsewhere(get) == first
    assert get() == first
    put(None)
    assert get() == before


@settings
def test_a_block_is_its_context_s(put, get, first, second):
    before = get()
    with put(first):
        assert get() == first
        assert elsewhere(get) == before
        with put(None):
            assert get() == before
        put(second)  # the block's own wins over the process's
        assert get() == first
        assert elsewhere(get) == second
    assert get() == second
    put(None)


@settings
def test_a_block_ends_with_an_error(put, get, first, second):
    before = get()
    with pytest.raises(KeyError), put(first), put(second):
        raise KeyError
    assert get() == before


@settings
def test_overlapping_blocks_of_two_threads(put, get, first, second):
    before, seen, step = get(), {}, threading.Barrier(2, timeout=300)

    def run(value, late):
        setter = put(value)  # both are made before one is entered
        step.wait()
        if late:
            step.wait()
        with setter:
            if not late:
                step.wait()
            step.wait()
            seen[value] = get()
            if late:
                step.wait()
        if not late:
            step.wait()
        seen[value, "after"] = get()

    threads = [threading.Thread(target=run, args=args) for args in ((first, False), (second, True))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert seen == {first: first, second: second, (first, "after"): before,
                    (second, "after"): before}  # fmt: skip
    assert get() == elsewhere(get) == before


@settings
def test_entered_twice(put, get, first, second):
    before, setter = get(), put(first)
    with setter:
        with put(second), setter:
            assert get() == first
        assert get() == first
    assert get() == before
    with setter:
        assert get() == first
    assert get() == before


@settings
def test_decorators(put, get, first, second):
    before = get()

    @put(first)
    def outer(depth):
        """Says it."""
        assert get() == first
        if depth:
            inner(depth)
            outer(depth - 1)
        assert get() == first
        return depth

    @put(second)
    def inner(depth):
        assert get() == second
        outer(depth - 1)
        assert get() == second

    assert get() == elsewhere(get) == before
    assert outer(3) == 3
    assert outer.__doc__ == "Says it."
    assert get() == before

    @put(first)
    async def awaited():
        await asyncio.sleep(0)
        return get()

    assert asyncio.run(awaited()) == first

    def generator():
        yield

    async def asynchronous_generator():
        yield

    for function in (generator, asynchronous_generator, type("Class", (), {})):
        setter = put(first)
        with pytest.raises(TypeError, match=r"what runs later is not inside; put a `with` block"):
            setter(function)
        with setter:  # takes it back from the process
            pass


@settings
def test_tasks(put, get, first, second):
    before = get()

    async def inherits(ready, go):
        ready.set()
        await go.wait()
        seen = get()
        with put(second):
            await asyncio.sleep(0)
            return seen, get()

    async def main():
        ready, go = asyncio.Event(), asyncio.Event()
        with put(first):
            task = asyncio.create_task(inherits(ready, go))
            await ready.wait()
            assert await asyncio.to_thread(get) == first
        other = asyncio.create_task(inherits(ready, go))
        go.set()
        assert await task == (first, second)
        assert await other == (before, second)
        assert get() == before

    asyncio.run(main())


@settings
def test_generators_that_end_in_any_order(put, get, first, second):
    before = get()

    def generator(value):
        with put(value):
            yield get()

    one, other = generator(first), generator(second)
    assert next(one) == first
    assert next(other) == second
    one.close()
    assert get() == second
    other.close()
    assert get() == before
    # one that ends in another context than it began in
    ended = generator(first)
    contextvars.copy_context().run(next, ended)
    ended.close()
    assert get() == before


@settings
def test_threads_as_documented(put, get, first, second):
    before = get()
    with put(first):
        assert elsewhere(get) == before
        context = contextvars.copy_context()
        assert elsewhere(lambda: context.run(get)) == first


@settings
def test_calls_inside_blocks_have_the_callers_setting(put, get, first, second):
    meet, seen = threading.Barrier(3, timeout=300), []

    def block(k):
        meet.wait()
        seen.append(get())

    with put(first):
        each(block, 3, workers=3)
    assert seen == [first] * 3


def test_statements_leave_no_trace():
    for k in range(50):
        hl.set_workers(1 + k)
    gc.collect()
    hl.set_workers(None)
    assert len(hl.set_workers._setting._made) <= 2


def test_what_is_refused():
    with pytest.raises(ValueError, match="backend must be one of 'cython', 'numba', 'numpy'"):
        hl.set_backend("fortran")
    with pytest.raises(ValueError, match="workers must be at least 1"):
        hl.set_workers(0)
    with pytest.raises(TypeError, match="workers must be an integer"):
        hl.set_workers("many")


def test_the_backend_that_runs():
    def module(name=None):
        return resolve(name, "ard").load("ard").__name__

    assert module() == "hotloops.kernels.ard._cython"
    with hl.set_backend("numpy"):
        assert module() == "hotloops.kernels.ard._numpy"
        assert module("numba") == "hotloops.kernels.ard._numba"
    assert module() == "hotloops.kernels.ard._cython"


def test_the_workers_of_a_call():
    with hl.set_workers(3):
        assert number_of_workers() == 3
        assert number_of_workers(2) == 2
    assert number_of_workers(-1) == available_cpus()
    assert number_of_workers(10**6) == 128


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({}, 8),
    ],
)
def test_the_quota_of_the_control_group_counts(files, expected, tmp_path, monkeypatch):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(workers.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(workers.pathlib, "Path", lambda root: tmp_path)
    assert available_cpus.__wrapped__() == expected


def test_repr():
    shown = []
    for setter in (hl.set_backend(None), hl.set_workers(2)):
        with setter:
            shown.append(repr(setter))
    assert shown == ["set_backend(None)", "set_workers(2)"]
    assert repr(hl.progress(unit="tile")) == "progress(unit='tile')"


def test_progress_holds_where_a_block_does():
    def shown(progress=hl.progress):
        return bool(progress._scope.get())

    progress = hl.progress()
    assert not shown()
    with progress, progress:
        assert shown()
        assert not elsewhere(shown)
    assert not shown()
    assert progress(shown)()
    assert not shown()
