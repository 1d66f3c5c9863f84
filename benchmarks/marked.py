"""A table between two marks in a document."""

import pathlib
import sys


def put(table, name, target=None):
    """Print the table, or put it into the file `target` between the marks `<!-- name -->` and
    `<!-- end of name -->`."""
    if target is None:
        print(table)
        return
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    text = pathlib.Path(target).read_text()
    before, opened, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if not (opened and closed):
        sys.exit(f"{target} has no marks {start} and {end}")
    pathlib.Path(target).write_text(f"{before}{start}\n{table}\n{end}{after}")
