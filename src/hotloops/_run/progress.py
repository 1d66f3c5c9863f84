"""A bar for calls that take long."""

import functools

_progress = None


class progress:
    """Show a progress bar for each call inside that takes longer than half a second.

    The bar is tqdm's (the extra ``cli``); keywords go to ``tqdm.auto.tqdm``.

    Examples
    --------
    >>> import hotloops as hl
    >>> with hl.progress():
    ...     k = hl.ard_kernel([[0.0], [1.0]], length_scale=2.0)
    """

    def __init__(self, **keywords):
        try:
            from tqdm.auto import tqdm
        except ImportError as error:
            raise ImportError("progress needs tqdm: pip install 'hotloops[cli]'") from error
        self._make = functools.partial(tqdm, **{"delay": 0.5, "unit": "block", **keywords})

    def __enter__(self):
        global _progress
        self._previous, _progress = _progress, self._make
        return self

    def __exit__(self, *exc):
        global _progress
        _progress = self._previous


def bar(total):
    """A bar of so many blocks, where bars are shown; else None."""
    return _progress(total=total) if _progress else None


def bars_are_shown():
    return _progress is not None
