"""Each example runs from the command line and draws its picture."""

import pathlib
import subprocess
import sys

import matplotlib.image
import pytest

EXAMPLES = sorted((pathlib.Path(__file__).parents[1] / "examples").glob("*.py"))


def test_there_are_examples():
    assert EXAMPLES


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example(example, tmp_path):
    # the picture's own name, next to the current directory
    result = subprocess.run(
        [sys.executable, "-W", "error", example, "--quick"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout
    assert [path.name for path in tmp_path.iterdir()] == [f"{example.stem}.png"]
    picture = matplotlib.image.imread(tmp_path / f"{example.stem}.png")
    height, width = picture.shape[:2]
    assert min(height, width) > 300
    assert picture.std() > 0.05  # something is drawn on it
