"""What tests of several subjects use: a new Python, and blocks so short that there are many."""

import contextlib
import os
import subprocess
import sys

import pytest

from hotloops._run import tiles


def in_new_python(code, **environment):
    """The ended process of another Python that ran this code."""
    return subprocess.run(
        [sys.executable, "-W", "always", "-c", code], env=os.environ | environment,
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip


@contextlib.contextmanager
def small_blocks():
    """Blocks so short that small inputs make many."""
    tiles.forget()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "_SHORT", 1e3)
        patch.setattr(tiles, "_LONG", 4e3)
        try:
            yield
        finally:
            tiles.forget()
