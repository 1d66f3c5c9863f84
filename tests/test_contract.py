"""What every kernel does in every backend, on the shared cases."""

import ctypes
import doctest
import functools
import importlib
import inspect
import itertools
import multiprocessing
import pathlib
import pkgutil
import resource
import sys
import threading
import warnings

import numpy as np
import pytest
from helpers import small_blocks

import hotloops as hl
from hotloops import _cases
from hotloops._run import resolve
from hotloops._run.backends import names
from hotloops._run.lines import subjects

CASES = [
    pytest.param(case, dtype, id=f"{case.subject}-{k}-{getattr(dtype, '__name__', 'exact')}")
    for k, case in enumerate(_cases.CASES)
    for dtype in case.tolerance
]
EACH = [parameters.values for parameters in CASES]
cases = pytest.mark.parametrize(("case", "dtype"), CASES)
# the reference takes many times as long as the other versions
reference_is_slow = pytest.mark.parametrize(
    "backend",
    [pytest.param(name, marks=[pytest.mark.slow] * (name == "numpy")) for name in names()],
)


@functools.cache
def expected(case, dtype, backend):
    """The result for the tiny input, which is read only."""
    result = case.call(case.arguments("tiny", dtype), backend=backend)
    result.flags.writeable = False
    return result


def arrays(arguments):
    return {k: v for k, v in arguments.items() if isinstance(v, np.ndarray) and v.ndim}


def test_every_subject_has_a_case():
    assert {case.subject for case in _cases.CASES} == set(subjects())


def test_every_backend_imports(backend):
    for subject in subjects():
        resolve(backend, subject).load(subject)


def test_the_backends_have_the_same_blocks():
    for subject in subjects():
        modules = {name: resolve(name, subject).load(subject) for name in names()}
        home = {
            name: {
                key
                for key, value in vars(module).items()
                if not key.startswith("_")
                and callable(value)
                and getattr(value, "__module__", "").startswith(module.__name__)
            }
            for name, module in modules.items()
        }
        assert home["cython"] == home["numba"] == home["numpy"] != set()


@cases
@pytest.mark.parametrize("backend", [name for name in names() if name != "numpy"])
def test_agrees_with_the_reference(case, dtype, backend):
    reference, result = expected(case, dtype, "numpy"), expected(case, dtype, backend)
    assert result.dtype == reference.dtype
    assert result.shape == reference.shape
    assert case.error(result, reference) <= case.tolerance[dtype]


@cases
def test_reference_agrees_with_the_question(case, dtype):
    arguments, ours = case.arguments("tiny", dtype), expected(case, dtype, "numpy")
    if case.random:
        # Both are counts of as many draws from one distribution: Pearson's statistic of two
        # samples, on the values with enough counts, within six of its standard deviations.
        for theirs in (case.question(**arguments), case.numpy(**arguments)):
            assert ours.sum() == theirs.sum()
            enough = ours + theirs >= 20
            statistic = ((ours - theirs)[enough] ** 2 / (ours + theirs)[enough]).sum()
            freedom = enough.sum() - 1
            assert abs(statistic - freedom) < 6 * np.sqrt(2 * freedom)
    else:
        tolerance = 10 * case.tolerance[dtype]
        for theirs in filter(None, (case.question, case.numpy)):
            assert case.error(theirs(**arguments), ours) <= tolerance


@cases
def test_a_call_leaves_its_inputs_and_the_screen_alone(case, dtype, backend, capfd):
    arguments = case.arguments("tiny", dtype)
    copies = {name: array.copy() for name, array in arrays(arguments).items()}
    with np.errstate(all="raise"):
        result = case.call(arguments, backend=backend)
    np.testing.assert_array_equal(result, expected(case, dtype, backend))
    for name, copy in copies.items():
        np.testing.assert_array_equal(arguments[name], copy)
    assert capfd.readouterr() == ("", "")


# --- memory that comes and goes in any form -------------------------------------------------


def _unaligned(array):
    raw = np.empty(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    raw[...] = array
    return raw


def _read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def _every_second(array):
    wide = np.empty((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def _backwards(array):
    return np.ascontiguousarray(array[..., ::-1])[..., ::-1]


def _memmap(array, folder):
    path = folder / "array"
    path.write_bytes(array.tobytes() + b" ")  # an empty file cannot be mapped
    return np.memmap(path, array.dtype, "r", shape=array.shape)


LAYOUTS = {
    "list": lambda a: a.tolist(),
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "fortran": np.asfortranarray,
    "every second": _every_second,
    "backwards": _backwards,
    "unaligned": _unaligned,
    "read-only": _read_only,
}


@cases
def test_any_layout(case, dtype, backend, tmp_path):
    arguments = case.arguments("tiny", dtype)
    layouts = LAYOUTS | {"memmap": lambda a: _memmap(a, tmp_path)}
    for name, array in arrays(arguments).items():
        for layout, changed in layouts.items():
            if layout == "list" and np.asarray(array.tolist()).dtype != array.dtype:
                continue
            result = case.call(arguments | {name: changed(array)}, backend=backend)
            np.testing.assert_array_equal(
                result, expected(case, dtype, backend), err_msg=f"{name}: {layout}"
            )


@cases
def test_arrays_that_broadcast(case, dtype, backend):
    arguments = case.arguments("tiny", dtype)
    refused, given = [], arrays(arguments)
    for name, array in given.items():
        wide = np.broadcast_to(array[..., :1], array.shape)
        try:
            same = case.call(arguments | {name: wide.copy()}, backend=backend)
        except (ValueError, RuntimeWarning):  # interfaces must ascend, say; rank
            refused.append(name)
            continue
        result = case.call(arguments | {name: wide}, backend=backend)
        np.testing.assert_array_equal(result, same, err_msg=name)
    assert len(refused) < len(given) or not given


@pytest.mark.parametrize(
    ("case", "dtype"),
    [p for p in CASES if "out" in inspect.signature(p.values[0].function).parameters],
)
def test_out_is_filled_and_returned(case, dtype, backend, tmp_path):
    arguments, same = case.arguments("tiny", dtype), expected(case, dtype, backend)
    memmap = np.memmap(tmp_path / "out", same.dtype, "w+", shape=same.shape)
    for out in (np.full_like(same, 77), memmap):
        assert case.call(arguments, backend=backend, out=out) is out
        np.testing.assert_array_equal(out, same)


# --- any number of threads and processes ----------------------------------------------------


@functools.cache
def in_small_blocks(case, dtype, backend):
    """The result for the tiny input from many blocks, one after another; it is read only."""
    with small_blocks():
        result = case.call(case.arguments("tiny", dtype), backend=backend, workers=1)
    result.flags.writeable = False
    return result


@cases
def test_any_number_of_workers(case, dtype, backend):
    arguments, one = case.arguments("tiny", dtype), in_small_blocks(case, dtype, backend)
    for workers in (2, 3, -1):
        with small_blocks():
            result = case.call(arguments, backend=backend, workers=workers)
        assert result.tobytes() == one.tobytes()
    assert case.error(one, expected(case, dtype, "numpy")) <= case.tolerance[dtype]


@cases
@reference_is_slow
def test_from_four_threads_at_once(case, dtype, backend):
    arguments, results = case.arguments("tiny", dtype), [None] * 4

    def work(k):
        results[k] = [case.call(arguments, backend=backend, workers=2) for _ in range(5)]

    with small_blocks():
        threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for result in itertools.chain(*results):
        np.testing.assert_array_equal(result, in_small_blocks(case, dtype, backend))


def _send(queue, function, args):
    queue.put(function(*args))


def in_forked_child(function, *args):
    """What function(*args) returns in a child, whose largest size so far is its size."""
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_send, args=(queue, function, args))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
        child.start()
    try:
        return queue.get(timeout=600)
    finally:
        child.kill()
        child.join()


def _bytes_of_each(cases, backend):
    with small_blocks():
        return [
            case.call(case.arguments("tiny", dtype), backend=backend, workers=2).tobytes()
            for case, dtype in cases
        ]


@pytest.mark.parametrize("subject", subjects())
def test_from_a_forked_child(subject, backend):
    cases = [(case, dtype) for case, dtype in EACH if case.subject == subject]
    expected = [in_small_blocks(*one, backend).tobytes() for one in cases]
    assert in_forked_child(_bytes_of_each, cases, backend) == expected


# --- bounded memory -------------------------------------------------------------------------


def _size():
    """The memory that this process has now, in bytes; where no system tells, the most it had."""
    try:
        return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return _largest_size()


def _largest_size():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _growth(function):
    """The result of function(), and the most that the process was larger in it, in bytes."""
    before = _size()
    result = function()
    return result, _largest_size() - before


def _growth_of_a_case(case, arguments, backend):
    case.call(case.arguments("tiny"), backend=backend, workers=2)  # maps the code, starts threads
    result, growth = _growth(lambda: case.call(arguments, backend=backend, workers=2))
    return growth, result.nbytes, sum(array.nbytes for array in arrays(arguments).values())


def _growth_of_malloc(size):
    def allocate():
        libc = ctypes.CDLL(None)
        libc.malloc.restype = ctypes.c_void_p
        ctypes.memset(libc.malloc(ctypes.c_size_t(size)), 1, size)

    return _growth(allocate)[1]


def test_growth_is_seen_in_native_code():
    for size in (2**26, 2**27):  # up to 2**25 malloc may return memory that was in use before
        assert abs(in_forked_child(_growth_of_malloc, size) - size) < 2**22


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case,
            id=f"{case.subject}-{case.name}",
            marks=[pytest.mark.slow] * (case.subject == "sparse"),
        )
        for case in _cases.timed()
    ],
)
@reference_is_slow
def test_memory_is_the_output_and_scratch(case, backend):
    subject = {"lstsq": "qr", "solve": "lu"}.get(case.subject)
    factors = [one for one in _cases.CASES if one.subject == subject]
    for one in (case, *factors):  # imports and compiles what the full size takes
        one.call(one.arguments("tiny"), backend=backend)
    arguments = case.arguments("full")  # not in the child, whose size it would raise
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)  # what is free already, a child would use unseen
    growth, output, inputs = in_forked_child(_growth_of_a_case, case, arguments, backend)
    assert output - 2**22 < growth < output + 2 * inputs + 2 * 8 * 2**20


def test_subnormals_survive_the_import(backend):
    case = _cases.CASES[0]
    case.call(case.arguments("tiny"), backend=backend, workers=2)
    assert np.float64(2.2250738585072014e-308) / 2 > 0
    inside = []
    thread = threading.Thread(target=lambda: inside.append(np.float64(2.225073858507e-308) / 2))
    thread.start()
    thread.join()
    assert inside[0] > 0


# --- the documentation ----------------------------------------------------------------------

PUBLIC = [name for name in hl.__all__]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_a_running_example(name):
    tests = doctest.DocTestFinder().find(getattr(hl, name), name)
    examples = sum(len(test.examples) for test in tests)
    assert examples > 0
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in tests:
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


def test_every_module_says_what_it_is():
    packages = [hl, importlib.import_module("hotloops.kernels")]
    for package in packages:
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if module.name.rpartition(".")[2] in names() or "._n" in module.name:
                continue
            if module.name.endswith((".__main__", "._cython")):
                continue
            assert importlib.import_module(module.name).__doc__, module.name


def test_the_package_is_the_installed_one():
    here = pathlib.Path(__file__).parents[1]  # the environment may lie in it
    folders = [*hl.__path__, *importlib.import_module("hotloops.kernels").__path__]
    assert not {here / "src" / "hotloops", here / "kernels"} & set(map(pathlib.Path, folders))
