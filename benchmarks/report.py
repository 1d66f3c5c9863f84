"""Turn pytest-benchmark's JSON into the tables of the README.

python -m pytest benchmarks --benchmark-json=benchmark.json
python benchmarks/report.py benchmark.json            prints them
python benchmarks/report.py benchmark.json README.md  puts them between the marks there
"""

import json
import pathlib
import statistics
import sys

from marked import put

from hotloops.cli.compare import duration

OURS = ("numba", "numba, out=", "cython", "cython, out=")
FIXED = ("question", "best NumPy", "best NumPy, out=", "writing the output", *OURS)


def figures(benchmarks):
    """{group: {contender: median seconds}}, in the order of the file."""
    groups = {}
    for benchmark in benchmarks:
        information = benchmark["extra_info"]
        if "contender" not in information:
            continue
        size = [f"{name} = {value}" for name, value in information["size"].items()]
        size += [information["dtype"]] * bool(information["dtype"])
        times = groups.setdefault(benchmark["group"], {"size": ", ".join(size)})
        times[information["contender"]] = benchmark["stats"]["median"]
    return groups


def cell(times, name):
    return duration(times[name]) if name in times else "–"


def row(group, times):
    size = times.pop("size")
    peers = {name: time for name, time in times.items() if name not in FIXED}
    best, cython = min(peers, key=peers.get, default=None), times["cython"]
    named = f"{duration(peers[best])} ({best})" if best else "–"
    question = times.get("question")
    rivals = [*peers.values(), *(times[name] for name in ("best NumPy",) if name in times)]
    cells = [
        f"**{group}**<br>{size}",
        *(cell(times, name) for name in ("question", "best NumPy")),
        named,
        *(cell(times, name) for name in ("numba", "cython", "cython, out=", "writing the output")),
        f"{question / cython:.3g}×" if question else "–",
        f"{min(rivals) / cython:.3g}×",
    ]
    return "| " + " | ".join(cells) + " |"


def report(data):
    """The table of the cases."""
    groups = figures(data["benchmarks"])
    if not groups:
        return ""
    machine = data["machine_info"]["cpu"]
    head = (
        "kernel and input", "the question's code", "best NumPy", "best peer", "numba", "cython",
        "cython, `out=`", "writing the output", "over the question", "over the best other",
    )  # fmt: skip
    return "\n".join([
        "| " + " | ".join(head) + " |",
        "|---|" + "---:|" * (len(head) - 1),
        *(row(group, times) for group, times in groups.items()),
        "",
        f"Medians on {machine['count']} cores, {machine['brand_raw']}, "
        f"Python {data['machine_info']['python_version']}.",
    ])  # fmt: skip


def tiny(benchmarks):
    """The table of the smallest inputs, and the mean of its ratios."""
    ratios, lines = [], []
    for seconds in (b["extra_info"] for b in benchmarks if "tiny" in b["extra_info"]):
        ours, line = (seconds.get(name) for name in ("hotloops", "line"))
        cells = [f"`{seconds['tiny']}`", f"{ours * 1e6:.1f}", "–", "–"]
        if line:
            ratios.append(ours / line)
            cells[2:] = f"{line * 1e6:.1f}", f"{ratios[-1]:.2f}"
        lines.append("| " + " | ".join(cells) + " |")
    if not ratios:
        return ""
    return "\n".join([
        "| smallest useful input | µs a call | µs of NumPy's or SciPy's line | ratio |",
        "|---|---:|---:|---:|",
        *lines,
        f"| geometric mean | | | {statistics.geometric_mean(ratios):.2f} |",
    ])  # fmt: skip


def load(benchmarks):
    """The table of calls beside other work: how many times as long as alone they take."""
    lines = []
    for information in (b["extra_info"] for b in benchmarks if "load" in b["extra_info"]):
        seconds = information["seconds"]
        alone, beside = seconds["alone"], seconds["beside processes"]
        slower = {name: beside[name] / alone[name] for name in alone}
        ours, ruler = slower.pop("hotloops"), slower.pop("ruler")
        best = min(slower, key=beside.get, default=None)
        cells = [
            information["load"],
            *(duration(times["hotloops"]) for times in (alone, beside)),
            f"{ours:.3g}×",
            f"{ours / ruler:.3g}",
            *([duration(beside[best]) + f" ({best})", f"{slower[best]:.3g}×"] if best else "––"),
        ]
        for other in ("after torch", "beside Python"):
            times = seconds.get(other)
            cells.append(f"{times['hotloops'] / alone['hotloops']:.3g}×" if times else "–")
        lines.append("| " + " | ".join(cells) + " |")
    if not lines:
        return ""
    head = (
        "call", "alone", "beside processes that factor matrices, one a core", "slower",
        "over `ard_kernel`'s slowdown", "the quickest peer beside them", "slower", "after torch",
        "beside a thread of Python",
    )  # fmt: skip
    return "\n".join(["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1), *lines])


def main(source, target=None):
    data = json.loads(pathlib.Path(source).read_text())
    every = data["benchmarks"]
    for name, table in (("figures", report(data)), ("tiny calls", tiny(every)),
                        ("load", load(every))):  # fmt: skip
        if table:
            put(table, name, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
