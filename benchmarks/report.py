"""Turn pytest-benchmark's JSON into the table of the README.

python -m pytest benchmarks --benchmark-json=benchmark.json
python benchmarks/report.py benchmark.json            prints it
python benchmarks/report.py benchmark.json README.md  puts it between the marks there
"""

import json
import pathlib
import sys

from hotloops.cli.compare import duration

START, END = "<!-- figures: benchmarks/report.py -->", "<!-- end of figures -->"
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
    machine = data["machine_info"]["cpu"]
    head = (
        "kernel and input", "the question's code", "best NumPy", "best peer", "numba", "cython",
        "cython, `out=`", "writing the output", "over the question", "over the best other",
    )  # fmt: skip
    return "\n".join([
        "| " + " | ".join(head) + " |",
        "|---|" + "---:|" * (len(head) - 1),
        *(row(group, times) for group, times in figures(data["benchmarks"]).items()),
        "",
        f"Medians on {machine['count']} cores, {machine['brand_raw']}, "
        f"Python {data['machine_info']['python_version']}.",
    ])  # fmt: skip


def main(source, target=None):
    table = report(json.loads(pathlib.Path(source).read_text()))
    if target is None:
        print(table)
        return
    text = pathlib.Path(target).read_text()
    before, _, rest = text.partition(START)
    _, mark, after = rest.partition(END)
    if not mark:
        sys.exit(f"{target} has no marks {START} and {END}")
    pathlib.Path(target).write_text(f"{before}{START}\n{table}\n{END}{after}")


if __name__ == "__main__":
    main(*sys.argv[1:])
