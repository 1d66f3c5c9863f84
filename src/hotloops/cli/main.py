"""The command line: python -m hotloops compare | config | selftest."""

import argparse
import codecs
import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterable, Sequence

from .. import __version__, _cases
from .._run.backends import names
from .._run.lines import subjects
from .._run.workers import number_of_workers, set_workers
from . import compare, config, selftest

_PLAIN = {"µ": "u", "×": "x", "é": "e"}


def _plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    """What a stream shows for a character that its encoding does not have."""
    if isinstance(error, UnicodeEncodeError):
        plain = _PLAIN.get(error.object[error.start])
        if plain:
            return plain, error.start + 1
    return codecs.backslashreplace_errors(error)


codecs.register_error("hotloops.plainly", _plainly)


# --- the commands ---------------------------------------------------------------------------


def _compare(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    cases = _chosen(_cases.timed(), options, parser)
    backends = options.backend or compare.BACKENDS
    stream, json_file = sys.stdout, options.json
    if options.plot:
        _check_writable(options.plot, parser, compare.plot_format)
    if json_file == "-":
        stream, json_file = sys.stderr, sys.stdout
    elif json_file:
        _check_writable(json_file, parser)
    results = compare.compare(cases, options.size, backends, stream, json_file, options.plot)
    return 1 if results["failed"] else 0


def _selftest(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    cases = _chosen(_cases.CASES, options, parser)
    return 1 if selftest.selftest(cases, options.backend) else 0


def _config(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    config.show_config()
    return 0


def _chosen(
    cases: Iterable[_cases.Case], options: argparse.Namespace, parser: argparse.ArgumentParser
) -> list[_cases.Case]:
    """The cases of the kernels that are named, all if none is."""
    unknown = set(options.kernels) - set(subjects())
    if unknown:
        parser.error(
            f"unknown kernel(s) {', '.join(sorted(unknown))}; there are: {', '.join(subjects())}"
        )
    return [case for case in cases if not options.kernels or case.subject in options.kernels]


def _check_writable(
    path: str, parser: argparse.ArgumentParser, check: Callable[[str], object] = str
) -> None:
    """See to it that the output can be written, before anything is measured."""
    try:
        check(path)
        if os.path.isfile(path) or not os.path.exists(path):  # a pipe is opened once
            open(path, "a").close()
    except (OSError, ValueError) as error:
        parser.error(f"cannot write {path!r}: {error}")
    except ImportError as error:
        parser.error(f"--plot needs {error.name}: pip install 'hotloops[cli]'")


# --- the parser -----------------------------------------------------------------------------


def _workers(text: str) -> int:
    try:
        return number_of_workers(int(text))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be a number of threads, at least 1, or -1 for all CPUs, got {text!r}"
        ) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("hotloops", description=__doc__)
    parser.add_argument("--version", action="version", version=f"hotloops {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("kernels", nargs="*", metavar="KERNEL",
                        help=f"only these: {', '.join(subjects())}")  # fmt: skip
    shared.add_argument("--backend", action="append", choices=names(),
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
    commands.add_parser("config", help="print what a bug report needs").set_defaults(run=_config)
    return parser


def _run(arguments: Sequence[str] | None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.command:
        parser.print_help()
        return 0
    workers = getattr(options, "workers", None)
    with set_workers(workers) if workers else contextlib.nullcontext():
        status: int = options.run(options, parser)
    sys.stdout.flush()
    return status


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="hotloops.plainly")
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # who reads, a pager or head, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
