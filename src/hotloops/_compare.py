"""Time the kernels beside the question's own code and the best NumPy, in one process."""

import json
import statistics
import sys
import time

from . import _cases, _config

BACKENDS = ("numba", "cython")
_PAUSE = 0.05  # idle threads of BLAS and others spin for tens of milliseconds
_BURSTS = 5
_BURST = {"full": 0.15, "small": 0.01}  # seconds


def _timed(function):
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def interleave(functions, burst_seconds):
    """Seconds a call of each of the functions {name: function}, which have run before.

    They take turns, with a pause before each burst of calls; a figure is the median over the
    bursts of a burst's fastest call. What takes seconds runs once.
    """
    fastest = {name: [] for name in functions}
    for burst in range(_BURSTS):
        for name, function in functions.items():
            if burst and fastest[name][0] > 10 * burst_seconds:
                continue
            time.sleep(_PAUSE)
            end = time.perf_counter() + burst_seconds
            best, calls = float("inf"), 0
            while not calls or (time.perf_counter() < end and calls < 10_000):
                best, calls = min(best, _timed(function)[0]), calls + 1
            fastest[name].append(best)
    return {name: statistics.median(times) for name, times in fastest.items()}


def measure(case, size):
    """One row of the comparison."""
    arguments = case.arguments(size)
    reference = case.call(arguments, backend="numpy")
    functions = {
        "question": lambda: case.question(**arguments),
        "numpy": lambda: case.numpy(**arguments),
    }
    small = case.arguments("small")  # what is imported at a first call is not timed
    case.question(**small)
    case.numpy(**small)
    errors, first = {}, {}
    for backend in BACKENDS:
        functions[backend] = lambda backend=backend: case.call(arguments, backend=backend)
        first[backend], result = _timed(functions[backend])
        errors[backend] = case.error(result, reference)
    del result, reference
    seconds = interleave(functions, _BURST[size])
    return {
        "kernel": case.subject,
        "input": case.name,
        "size": getattr(case, size),
        "seconds": seconds,
        "numba_compile_seconds": first["numba"] - seconds["numba"],
        "over_question": {b: seconds["question"] / seconds[b] for b in BACKENDS},
        "over_numpy": {b: seconds["numpy"] / seconds[b] for b in BACKENDS},
        "error": errors,
    }


def compare(subjects=(), size="full", json_file=None, plot_file=None):
    """Run the cases of these subjects, print the table and write the files asked for."""
    from rich.console import Console
    from rich.live import Live

    console = Console(width=None if sys.stdout.isatty() else 150)
    cases, rows = _cases.timed(subjects), []
    with Live(console=console) as live:  # the table grows; of a file it is written at the end
        for case in cases:
            live.update(_table(rows, caption=f"{case.subject}: {case.name} ..."))
            rows.append(measure(case, size))
        live.update(_table(rows))
    if json_file:
        facts = {name: str(value) for name, value in _config.config().items()}
        with open(json_file, "w") as file:
            json.dump({"config": facts, "rows": rows}, file, indent=1)
    if plot_file:
        _plot(rows, plot_file)
    return rows


def duration(seconds):
    """A time with three digits and its unit."""
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


def _describe(size):
    return ", ".join(f"{name}={value}" for name, value in size.items())


def _table(rows, caption=None):
    from rich import box
    from rich.table import Table

    title = "seconds a call, speed-up of cython (numba), error against the reference"
    table = Table(title=title, caption=caption, box=box.SIMPLE, padding=0)
    table.add_column("input", min_width=12)
    for name in ("question", "best\nNumPy", *BACKENDS, "×\nquestion", "×\nNumPy", "error"):
        table.add_column(name, justify="right", min_width=7)
    for row in rows:
        times = (duration(row["seconds"][k]) for k in ("question", "numpy", *BACKENDS))
        gains = (
            f"{row[k]['cython']:.3g} ({row[k]['numba']:.3g})"
            for k in ("over_question", "over_numpy")
        )
        name = f"{row['kernel']}: {row['input']}: {_describe(row['size'])}"
        table.add_row(name, *times, *gains, f"{max(row['error'].values()):.1e}")
    return table


def _plot(rows, file):
    import matplotlib.figure

    names = ("question", "numpy", *BACKENDS)
    figure = matplotlib.figure.Figure(figsize=(9, 1 + 0.9 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    height = 0.8 / len(names)
    for k, name in enumerate(names):
        places = [row + k * height for row in range(len(rows))]
        label = "best NumPy" if name == "numpy" else name
        bars = axes.barh(places, [row["seconds"][name] for row in rows], height, label=label)
        axes.bar_label(bars, [duration(row["seconds"][name]) for row in rows], fontsize=7,
                       padding=2)  # fmt: skip
    axes.set_yticks(
        [row + 0.4 - height / 2 for row in range(len(rows))],
        [f"{row['input']}\n{_describe(row['size'])}" for row in rows],
        fontsize=8,
    )
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.set_xlabel("seconds a call")
    axes.legend(fontsize=8)
    figure.savefig(file, dpi=150)
