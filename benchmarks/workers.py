"""What a call of each case spends under the GIL, and how many workers that allows.

python benchmarks/workers.py [SUBJECT …]

Between two blocks a worker holds the GIL: it takes what is next, calls the block, which looks at
its arguments before it lets go, and counts it. Each worker is called besides. All that is serial.
With b blocks of a µs, w workers of c µs each, and work of t µs, the GIL is busy for
w (b a + w c) / t of the time that the call takes at best. A row says up to how many workers, at
most one a block, this is under a twentieth.

The check: 16 workers must not take over a tenth more CPU time than as many as there are CPUs, which
wait for the memory as they do.
"""

import collections
import functools
import math
import sys
import time

import hotloops as hl
from hotloops import _cases
from hotloops._run import backends, number_of_workers, threads
from hotloops._run.lines import lines

BUSY, MANY, GROWTH = 0.05, 16, 1.1
ROUNDS, TURNS = 3, 3


def least(function, clock=time.perf_counter):
    """The least time of some calls, in µs."""
    times = []
    for _ in range(ROUNDS):
        start = clock()
        function()
        times.append(clock() - start)
    return 1e6 * min(times)


def of_blocks_and_workers():
    """µs that a block costs beside its function and its arguments, and µs that a worker costs."""

    def run(function, count, workers):
        threads.run(threads.Chains([(function,)] * count), count, workers, False)

    def of(workers):  # the time of all threads, beside blocks that take none
        sleep = functools.partial(time.sleep, 0.002)
        return least(lambda: [run(sleep, MANY, workers) for _ in range(10)], time.process_time) / 10

    block = least(lambda: run(int, 1000, 1)) / 1000
    return block, (of(MANY) - of(1)) / (MANY - 1)


def blocks_of(call):
    """How often a call runs each block on its workers: a Counter of functions, and arguments."""
    counts, arguments, find = collections.Counter(), {}, backends.Backend.block

    def recorded(self, subject, name, dtype):
        function, cut = find(self, subject, name, dtype), lines(subject)[name].cut

        def block(*args):
            counts[function] += 1
            bounds = [args[k // 2 * 2] for k in range(cut)]  # of nothing
            arguments.setdefault(function, (*bounds, *args[cut:]))
            function(*args)

        return block

    backends.Backend.block = recorded
    try:
        call()
    finally:
        backends.Backend.block = find
    return counts, arguments


def workers(blocks, block, worker, work):
    """The largest w <= blocks for which w (blocks block + w worker) is under BUSY of the work."""
    serial = blocks * block
    root = math.sqrt(serial**2 + 4 * worker * BUSY * work)
    return max(1, min(blocks, int((root - serial) / (2 * worker))))


def main(subjects):
    block, worker = of_blocks_and_workers()
    print(f"a block {block:.2f} µs and its arguments, a worker {worker:.1f} µs\n")
    own = number_of_workers(-1)
    print(
        f"| case | work, ms | blocks | µs a block | workers | CPU time of 16 over 1 | over {own} |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    over = []
    for case in _cases.timed(subjects):
        given = case.arguments("full")

        def call(count, case=case, given=given):
            with hl.set_workers(count):
                case.call(given, backend="cython")

        call(1)
        counts, arguments = blocks_of(lambda call=call: call(1))
        total = sum(counts.values())
        looks = 0.0
        for function, count in counts.items():
            given_nothing = functools.partial(function, *arguments[function])
            looks += count / total * least(given_nothing)
        times = {1: [], own: [], MANY: []}
        for _ in range(TURNS):
            for count, found in times.items():
                time.sleep(0.05)
                found.append(least(lambda count=count: call(count), time.process_time))
        work, few, many = (min(times[count]) for count in (1, own, MANY))
        allowed = workers(total, block + looks, worker, work) if total else 1
        print(f"| {case.subject}: {case.name} | {work / 1e3:.3g} | {total} | {block + looks:.1f} | "
              f"{allowed} | {many / work:.2f} | {many / few:.2f} |", flush=True)  # fmt: skip
        if many > GROWTH * few:
            over.append(f"{case.name}: {many / few:.2f}")
    print(f"\nover {GROWTH}: {'; '.join(over) or 'none'}")


if __name__ == "__main__":
    main(sys.argv[1:])
