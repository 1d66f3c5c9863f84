"""What a block's line says: the notation of BLOCKS (see `hotloops.kernels`), parsed."""

import functools
import importlib
import pkgutil
import typing


class Argument(typing.NamedTuple):
    """An argument of a block: an array with a letter for each axis, or something whole."""

    name: str
    letters: tuple[str, ...]  # one word of letters; two where the mirror's piece is touched too
    optional: bool  # may be empty
    mark: str  # "" it is read or written, "~" both, "+" added to: a partial sum


class Line:
    """A block: its name, the letters of the axes that bounds cut, and its arguments in order."""

    def __init__(
        self,
        name: str,
        axes: str,
        inputs: tuple[Argument, ...],
        numbers: tuple[str, ...],
        outputs: tuple[Argument, ...],
    ) -> None:
        self.name, self.axes = name, axes
        self.inputs, self.outputs = inputs, outputs
        self.numbers = numbers  # one for each tile, set when the tiles are made
        self.arguments = (*inputs, *outputs)
        self.arrays = [argument.name for argument in self.arguments]
        self.count = len(inputs)
        self.cut = 2 * len(axes)  # bounds that a tile begins with
        self.required = [k for k, argument in enumerate(inputs) if not argument.optional]
        self.sums = [k for k, argument in enumerate(outputs) if argument.mark == "+"]
        self.reads = [(argument.name, not argument.optional) for argument in inputs]
        self.writes = self.arrays[self.count :]

    @property
    def signature(self) -> list[str]:
        """The names of the block function's arguments."""
        bounds = [f"{axis}{end}" for axis in self.axes for end in (0, 1)]
        inputs, outputs = ([a.name for a in part] for part in (self.inputs, self.outputs))
        return [*bounds, *inputs, *self.numbers, *outputs]

    @property
    def cuttable(self) -> str:
        """The axes along which pieces of the arrays are a problem of their own: those that an
        array has a letter for."""
        words = "".join(word for a in self.arguments for word in a.letters)
        return "".join(axis for axis in self.axes if axis in words)


def _argument(text: str) -> Argument:
    """The argument that one word of a line describes."""
    mark = text[0] if text[0] in "~+" else ""
    name, _, letters = text.removeprefix(mark).partition(":")
    optional = (letters or name).endswith("?")
    name, letters = name.removesuffix("?"), letters.removesuffix("?")
    words = letters.split(",") if letters else []
    if not all(word.isidentifier() for word in (name, *words)):
        raise ValueError(f"cannot read the argument {text!r}")
    return Argument(name, tuple(words), optional, mark)


def parse(text: str) -> dict[str, Line]:
    """{name: Line} of the lines of BLOCKS."""
    lines: dict[str, Line] = {}
    for row in filter(None, map(str.strip, text.splitlines())):
        head, bar, tail = row.partition("|")
        left, arrow, right = tail.partition(">")
        if not (bar and arrow and head.strip()):
            raise ValueError(f"a block's line is `name axes | inputs > outputs`, got {row!r}")
        name, *axes = head.split()
        words = left.split()
        numbers = tuple(word[1:] for word in words if word.startswith("@"))
        inputs = tuple(_argument(word) for word in words if not word.startswith("@"))
        outputs = tuple(map(_argument, right.split()))
        if name in lines or not outputs or any(len(axis) > 1 for axis in axes):
            raise ValueError(
                f"a block has a name of its own, axes of one letter and an output, got {row!r}"
            )
        lines[name] = Line(name, "".join(axes), inputs, numbers, outputs)
    return lines


@functools.cache
def lines(subject: str) -> dict[str, Line]:
    """{name: Line} of the blocks of a kernel."""
    return parse(importlib.import_module(f"hotloops.kernels.{subject}").BLOCKS)


def subjects() -> list[str]:
    """The names of the kernels."""
    folder = importlib.import_module("hotloops.kernels").__path__
    return sorted(module.name for module in pkgutil.iter_modules(folder) if module.ispkg)
