"""The command line: python -m hotloops compare | config | selftest."""

import argparse
import sys

from . import _backends, _cases, _config


def selftest():
    """Compare the backends with each other on small inputs; the number of mismatches."""
    failures = 0
    for case in _cases.CASES:
        for dtype, tolerance in case.tolerance.items():
            arguments = case.arguments("small", dtype)
            reference = case.call(arguments, backend="numpy")
            for backend in _backends.NAMES:
                try:
                    error = case.error(case.call(arguments, backend=backend), reference)
                    right, what = error <= tolerance, f"error {error:.1e}, allowed {tolerance:.1e}"
                except Exception as problem:
                    right, what = False, f"{type(problem).__name__}: {problem}"
                failures += not right
                name = f"{case.subject}: {case.name}, {getattr(dtype, '__name__', 'exact')}"
                print(f"{'ok  ' if right else 'FAIL'} {name}, {backend}: {what}")
    print("the backends agree" if not failures else f"{failures} mismatch(es)")
    return failures


def _compare(options):
    known = {case.subject for case in _cases.timed()}
    unknown = set(options.kernels) - known
    if unknown:
        unknown, known = (", ".join(sorted(names)) for names in (unknown, known))
        sys.exit(f"unknown kernel(s) {unknown}; there are: {known}")
    try:
        import matplotlib  # noqa: F401
        import rich  # noqa: F401
    except ImportError as error:
        sys.exit(f"compare needs {error.name}: pip install 'hotloops[cli]'")
    from ._compare import compare

    compare(options.kernels, options.size, options.json, options.plot)


def main(arguments=None):
    """Run the command line; its exit status."""
    parser = argparse.ArgumentParser("hotloops", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("compare", help="time the kernels beside plain NumPy")
    command.add_argument("kernels", nargs="*", help="only these (all)")
    command.add_argument("--size", choices=_cases.SIZES, default="full")
    command.add_argument("--json", metavar="FILE", help="write the figures")
    command.add_argument("--plot", metavar="FILE.png", help="draw them")
    commands.add_parser("config", help="print what a bug report needs")
    commands.add_parser("selftest", help="compare the backends on this machine")
    options = parser.parse_args(arguments)
    if options.command == "compare":
        _compare(options)
    elif options.command == "config":
        _config.show_config()
    else:
        return 1 if selftest() else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
