"""The command line: python -m hotloops compare | config | selftest."""

import argparse
import codecs
import contextlib
import os
import sys

from . import __version__, _backends, _blocks, _cases, _config

_PLAIN = {"µ": "u", "×": "x", "é": "e"}


def _plainly(error):
    """What a stream shows for a character that its encoding does not have."""
    plain = _PLAIN.get(error.object[error.start])
    return (plain, error.start + 1) if plain else codecs.backslashreplace_errors(error)


codecs.register_error("hotloops.plainly", _plainly)


# --- selftest -------------------------------------------------------------------------------


def _judged(case, dtype, tolerance, arguments, reference, backend):
    """Whether the backend is right, and what is to be said of it."""
    try:
        if isinstance(reference, Exception):
            raise reference
        error = case.error(case.call(arguments, backend=backend), reference)
        return error <= tolerance, f"error {error:.1e}, allowed {tolerance:.1e}"
    except Exception as problem:
        return False, f"{type(problem).__name__}: {problem}"


def selftest(cases=_cases.CASES, backends=_backends.NAMES):
    """Compare the backends with the reference on small inputs; the number of mismatches."""
    failures = 0
    for case in cases:
        for dtype, tolerance in case.tolerance.items():
            arguments = case.arguments("tiny", dtype)
            try:
                reference = case.call(arguments, backend="numpy")
            except Exception as problem:
                reference = problem
            for backend in backends:
                right, what = _judged(case, dtype, tolerance, arguments, reference, backend)
                failures += not right
                name = f"{case.subject}: {case.name}, {getattr(dtype, '__name__', 'exact')}"
                print(f"{'ok  ' if right else 'FAIL'} {name}, {backend}: {what}", flush=True)
    print("the backends agree" if not failures else f"{failures} mismatch(es)")
    return failures


def _selftest(options, parser):
    cases = _chosen(_cases.CASES, options, parser)
    return 1 if selftest(cases, options.backend or _backends.NAMES) else 0


# --- compare --------------------------------------------------------------------------------


def _check_writable(path, parser, check=lambda path: None):
    """See to it that the output can be written, before anything is measured."""
    try:
        check(path)
        if os.path.isfile(path) or not os.path.exists(path):  # a pipe is opened once
            open(path, "a").close()
    except (OSError, ValueError) as error:
        parser.error(f"cannot write {path!r}: {error}")
    except ImportError as error:
        parser.error(f"--plot needs {error.name}: pip install 'hotloops[cli]'")


def _compare(options, parser):
    from . import _compare

    cases = _chosen(_cases.timed(), options, parser)
    backends = options.backend or _compare.BACKENDS
    stream, json_file = sys.stdout, options.json
    if options.plot:
        _check_writable(options.plot, parser, _compare.plot_format)
    if json_file == "-":
        stream, json_file = sys.stderr, sys.stdout
    elif json_file:
        _check_writable(json_file, parser)
    results = _compare.compare(cases, options.size, backends, stream, json_file, options.plot)
    return 1 if results["failed"] else 0


# --- the parser -----------------------------------------------------------------------------


def _chosen(cases, options, parser):
    """The cases of the kernels that are named, all if none is."""
    known = {case.subject for case in cases}
    unknown = set(options.kernels) - known
    if unknown:
        unknown, known = (", ".join(sorted(names)) for names in (unknown, known))
        parser.error(f"unknown kernel(s) {unknown}; there are: {known}")
    return [case for case in cases if not options.kernels or case.subject in options.kernels]


def _workers(text):
    try:
        return _blocks.workers(int(text))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be a number of threads, at least 1, or -1 for all CPUs, got {text!r}"
        ) from None


def _parser():
    parser = argparse.ArgumentParser("hotloops", description=__doc__)
    parser.add_argument("--version", action="version", version=f"hotloops {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("kernels", nargs="*", metavar="KERNEL",
                        help=f"only these: {', '.join(_config.subjects())}")  # fmt: skip
    shared.add_argument("--backend", action="append", choices=_backends.NAMES,
                        help="only this; may be given again")  # fmt: skip
    shared.add_argument("--workers", type=_workers, metavar="N",
                        help="threads of the kernels, -1 for all CPUs")  # fmt: skip
    command = commands.add_parser(
        "compare", parents=[shared], help="time the kernels beside plain NumPy"
    )
    command.add_argument(
        "--size", choices=_cases.SIZES, default="full", help="of the inputs: small takes a minute"
    )
    command.add_argument(
        "--json", metavar="FILE", help="write the figures; - is standard output, and the table "
        "goes to standard error",
    )  # fmt: skip
    command.add_argument("--plot", metavar="FILE.png", help="draw them")
    command.set_defaults(run=_compare)
    commands.add_parser(
        "selftest", parents=[shared], help="compare the backends on this machine"
    ).set_defaults(run=_selftest)
    commands.add_parser("config", help="print what a bug report needs").set_defaults(
        run=lambda options, parser: _config.show_config()
    )
    return parser


def _run(arguments):
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.command:
        parser.print_help()
        return 0
    workers = getattr(options, "workers", None)
    with _blocks.set_workers(workers) if workers else contextlib.nullcontext():
        status = options.run(options, parser)
    sys.stdout.flush()
    return status or 0


def main(arguments=None):
    """Run the command line; its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "errors", None) == "strict":
            stream.reconfigure(errors="hotloops.plainly")
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # who reads, a pager or head, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


if __name__ == "__main__":
    sys.exit(main())
