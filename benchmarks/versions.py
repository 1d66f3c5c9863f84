"""Time the cases of two installed versions of hotloops in turns: is anything slower than it was?

python benchmarks/versions.py OLD_PYTHON NEW_PYTHON     each a Python that has its version installed

A row has the old time over the new one of a case and a backend, in three rounds of bursts that the
two processes do in turns; rows whose ratio is below 0.95 in two rounds of the three are marked.
"""

import subprocess
import sys
import time

ROUNDS, TURNS, BURST = 3, 3, 0.12  # seconds of a burst


def answer_questions():
    """Print the least time of a burst for each line "subject, case, backend" that comes."""
    from hotloops import _cases

    cases = {(case.subject, case.name): case for case in _cases.timed()}
    print("\n".join("\t".join(key) for key in cases), flush=True)
    print(flush=True)
    last, function = None, None
    for line in sys.stdin:
        if line != last:
            *key, backend = line.rstrip("\n").split("\t")
            case = cases[tuple(key)]
            arguments = case.arguments("full")
            last, function = line, lambda: case.call(arguments, backend=backend)  # noqa: B023
            function()
        least, end = float("inf"), time.perf_counter() + BURST
        while True:
            start = time.perf_counter()
            function()
            now = time.perf_counter()
            least = min(least, now - start)
            if now > end:
                break
        print(least, flush=True)


class Version:
    """A process that times the cases of one version."""

    def __init__(self, python):
        self._process = subprocess.Popen(
            [python, __file__, "--answer"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.keys = list(iter(lambda: self._process.stdout.readline().rstrip("\n"), ""))

    def time(self, key, backend):
        self._process.stdin.write(f"{key}\t{backend}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())


def main(old, new):
    versions = [Version(old), Version(new)]
    slower = []
    for key in versions[0].keys:
        if key not in versions[1].keys:
            sys.exit(f"the new version has no case {key!r}")
        for backend in ("cython", "numba"):
            ratios = []
            for _ in range(ROUNDS):
                times = zip(
                    *[[v.time(key, backend) for v in versions] for _ in range(TURNS)], strict=True
                )
                before, after = map(min, times)
                ratios.append(before / after)
            low = sum(ratio < 0.95 for ratio in ratios) >= 2
            slower += [(key, backend)] * low
            shown = "  ".join(f"{ratio:5.2f}" for ratio in ratios)
            name = key.replace("\t", ": ")
            print(f"{name:60} {backend:7} {shown}  {after * 1e3:9.3f} ms {'<' * low}", flush=True)
    print(f"{len(slower)} rows are below 0.95 in two rounds of three")


if __name__ == "__main__":
    answer_questions() if "--answer" in sys.argv else main(*sys.argv[1:])
