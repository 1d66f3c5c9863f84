"""Time the kernels beside the question's own code and the best NumPy, in one process."""

import functools
import json
import os
import pathlib
import shutil
import statistics
import textwrap
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TextIO

from .._cases import Case
from .config import config

BACKENDS = ("numba", "cython")
_PAUSE = {"full": 0.05, "small": 0.02}  # seconds: threads of BLAS and others spin a while
_BURSTS = {"full": 5, "small": 3}
_BURST = {"full": 0.15, "small": 0.01}  # seconds


# --- figures --------------------------------------------------------------------------------


def _timed(function: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def interleave(
    functions: Mapping[str, Callable[[], Any]],
    burst_seconds: float,
    bursts: int = _BURSTS["full"],
    pause: float = _PAUSE["full"],
) -> dict[str, float]:
    """Seconds a call of each of the functions {name: function}, which have run before.

    They take turns, with a pause before each burst of calls; a figure is the median over the
    bursts of a burst's fastest call. What takes seconds runs once.
    """
    fastest: dict[str, list[float]] = {name: [] for name in functions}
    for burst in range(bursts):
        for name, function in functions.items():
            if burst and fastest[name][0] > 10 * burst_seconds:
                continue
            time.sleep(pause)
            end = time.perf_counter() + burst_seconds
            best, calls = float("inf"), 0
            while not calls or (time.perf_counter() < end and calls < 10_000):
                best, calls = min(best, _timed(function)[0]), calls + 1
            fastest[name].append(best)
    return {name: statistics.median(times) for name, times in fastest.items()}


def measure(case: Case, size: str, backends: Sequence[str] = BACKENDS) -> dict[str, Any]:
    """One row of the comparison."""
    arguments = case.arguments(size)
    reference = case.call(arguments, backend="numpy")
    functions = {
        name: functools.partial(function, **arguments)
        for name, function in (("question", case.question), ("best NumPy", case.numpy))
        if function is not None
    }
    tiny = case.arguments("tiny")  # what is imported at a first call is not timed
    for function in functions.values():
        function(**tiny)
    errors, first = {}, {}
    for backend in backends:
        functions[backend] = functools.partial(case.call, arguments, backend=backend)
        first[backend], result = _timed(functions[backend])
        errors[backend] = case.error(result, reference)
        del result
    del reference
    seconds = interleave(functions, _BURST[size], _BURSTS[size], _PAUSE[size])
    row = _name(case, size) | {
        "seconds": {"question": seconds["question"], "best NumPy": seconds["best NumPy"]}
        | {backend: seconds[backend] for backend in backends},
        "over_question": {b: seconds["question"] / seconds[b] for b in backends},
        "over_numpy": {b: seconds["best NumPy"] / seconds[b] for b in backends},
        "error": errors,
    }
    if "numba" in backends:
        row["numba_compile_seconds"] = first["numba"] - seconds["numba"]
    return row


def _name(case: Case, size: str) -> dict[str, Any]:
    return {"kernel": case.subject, "input": case.name, "size": case.size(size)}


def compare(
    cases: Iterable[Case],
    size: str,
    backends: Sequence[str],
    stream: TextIO,
    json_file: str | TextIO | None = None,
    plot_file: str | None = None,
) -> dict[str, Any]:
    """Measure the cases, show each on the stream as it ends, and write the files asked for.

    `json_file` is a name or a stream. Returns the results. A case that fails does not stop the
    others; what has been measured is written whatever ends it.
    """
    results: dict[str, Any] = {"config": config(), "rows": [], "failed": []}
    table = _Table(stream, backends)
    try:
        for case in cases:
            name = _name(case, size)
            table.begin(name)
            try:
                row = measure(case, size, backends)
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                results["failed"].append(name | {"reason": reason})
                table.end(f"failed: {reason}")
            else:
                results["rows"].append(row)
                table.end(table.figures(row))
            if json_file:
                _write(results, json_file, last=False)
    finally:
        if json_file:
            _write(results, json_file, last=True)
        if plot_file:
            _plot(results["rows"], backends, plot_file)
    return results


# --- outputs --------------------------------------------------------------------------------


def _write(results: Mapping[str, Any], target: str | TextIO, last: bool) -> None:
    """Write the results to the file of this name, or to a stream, which gets the last ones only."""
    if not isinstance(target, str):
        if last:
            json.dump(results, target, indent=1)
            target.write("\n")
    elif last or os.path.isfile(target):  # a pipe is a stream too
        with open(target, "w") as file:
            _write(results, file, True)


def plot_format(path: str) -> str:
    """The format that the name's ending asks for; ValueError where Matplotlib has none."""
    from matplotlib.backend_bases import FigureCanvasBase

    formats = FigureCanvasBase.get_supported_filetypes()
    ending = pathlib.Path(path).suffix[1:].lower()
    if ending not in formats:
        raise ValueError(f"{path!r} must end in one of .{', .'.join(sorted(formats))}")
    return ending


def duration(seconds: float) -> str:
    """A time with three digits and its unit."""
    for unit, factor in (("µs", 1e6), ("ms", 1e3)):
        if seconds * factor < 999.5:
            return f"{digits(seconds * factor)} {unit}"
    return f"{digits(seconds)} s"


def digits(number: float) -> str:
    """Three digits, or those before the point."""
    return f"{number:.3g}" if number < 999.5 else f"{number:.0f}"


def _describe(row: Mapping[str, Any]) -> str:
    size = ", ".join(f"{name}={value}" for name, value in row["size"].items())
    return f"{row['kernel']}: {row['input']}: {size}"


class _Table:
    """A row's name as it begins, and its figures as it ends: beside it where there is room."""

    def __init__(self, stream: TextIO, backends: Sequence[str]) -> None:
        self._stream, self._backends = stream, backends
        heads = ("question", "NumPy", *backends, "×question", "×NumPy", "error")
        self._widths = [max(len(head), 7) + 1 for head in heads]
        columns = shutil.get_terminal_size((120, 24)).columns
        room = columns - sum(self._widths)
        self._beside = room if room >= 24 else 0
        self._columns = (self._beside or columns) - 1
        self._rest: list[str] = []
        text = (
            f"Seconds a call; × how many times the speed of the question's code and of the best "
            f"NumPy {backends[-1]} has; the largest error against the reference."
        )
        self._print(textwrap.fill(text, columns - 1) + "\n\n")
        self._print(" " * self._beside + self._line(heads) + "\n")

    def _print(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    def _line(self, cells: Iterable[str]) -> str:
        return "".join(f"{cell:>{width}}" for cell, width in zip(cells, self._widths, strict=True))

    def figures(self, row: Mapping[str, Any]) -> str:
        """The row's figures in their columns."""
        last = self._backends[-1]
        return self._line([
            *(duration(row["seconds"][k]) for k in ("question", "best NumPy", *self._backends)),
            digits(row["over_question"][last]),
            digits(row["over_numpy"][last]),
            f"{max(row['error'].values()):.1e}",
        ])  # fmt: skip

    def begin(self, row: Mapping[str, Any]) -> None:
        """Name the row that is being measured."""
        lines = textwrap.wrap(_describe(row), self._columns)
        if self._beside:
            self._print(lines[0].ljust(self._beside))
            self._rest = lines[1:]
        else:
            self._print("\n".join(lines) + "\n")

    def end(self, text: str) -> None:
        """Show what came of it."""
        self._print("\n".join([text, *self._rest]) + "\n")


def _plot(rows: Sequence[Mapping[str, Any]], backends: Sequence[str], path: str) -> None:
    import matplotlib.figure

    names = ("question", "best NumPy", *backends)
    figure = matplotlib.figure.Figure(figsize=(9, 1 + 0.9 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    height = 0.8 / len(names)
    for k, name in enumerate(names):
        places = [row + k * height for row in range(len(rows))]
        bars = axes.barh(places, [row["seconds"][name] for row in rows], height, label=name)
        axes.bar_label(bars, [duration(row["seconds"][name]) for row in rows], fontsize=7,
                       padding=2)  # fmt: skip
    axes.set_yticks(
        [row + 0.4 - height / 2 for row in range(len(rows))],
        [_describe(row).partition(": ")[2].replace(": ", "\n") for row in rows],
        fontsize=8,
    )
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.set_xlabel("seconds a call")
    axes.legend(fontsize=8)
    figure.savefig(path, format=plot_format(path), dpi=150)
