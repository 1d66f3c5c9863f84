"""Which steps wait for which: it follows from what their lines read and write.

A piece of an array is (name, box); a box has (start, stop) for each axis, or None for all of it.
"""


def pieces(line, names, bounds):
    """What a block reads, and what it writes, of the arrays `names`, within these bounds."""
    reads, writes = [], []
    for place, (argument, name) in enumerate(zip(line.arguments, names, strict=True)):
        for letters in argument.letters or ("",):
            cuts = (2 * line.axes.index(x) if x in line.axes else None for x in letters)
            piece = name, tuple(None if k is None else bounds[k : k + 2] for k in cuts)
            if place >= line.count:
                writes.append(piece)
            if place < line.count or argument.mark:
                reads.append(piece)
    return reads, writes


def _overlap(one, other):
    (name, box), (other_name, other_box) = one, other
    return name == other_name and all(
        x is None or y is None or (x[0] < y[1] and y[0] < x[1])
        for x, y in zip(box, other_box, strict=False)
    )


def _meet(some, others):
    return any(_overlap(x, y) for x in some for y in others)


def waits(steps):
    """Of steps in their serial order, (reads, writes) each, those before it for which each waits:
    where one of the two writes what the other reads or writes."""
    return [
        [
            k
            for k, (read, written) in enumerate(steps[:place])
            if _meet(reads, written) or _meet(writes, read) or _meet(writes, written)
        ]
        for place, (reads, writes) in enumerate(steps)
    ]
