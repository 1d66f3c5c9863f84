"""A bar for calls that take long."""

import contextvars
import functools
from typing import Any

from .settings import Scope


class progress(Scope):
    """Show a progress bar for each call inside that takes longer than half a second.

    It is for a ``with`` block or a decorated function; threads, tasks and generators see it as they
    see the setting of a block of `set_backend`. The bar is tqdm's (the extra ``cli``); keywords go
    to ``tqdm.auto.tqdm``.

    Examples
    --------
    >>> import hotloops as hl
    >>> with hl.progress():
    ...     k = hl.ard_kernel([[0.0], [1.0]], length_scale=2.0)
    """

    _scope: contextvars.ContextVar[tuple[Any, ...]] = contextvars.ContextVar(
        "hotloops_progress", default=()
    )

    def __init__(self, **keywords: Any) -> None:
        try:
            from tqdm.auto import tqdm
        except ImportError as error:
            raise ImportError("progress needs tqdm: pip install 'hotloops[cli]'") from error
        self._keywords = keywords
        self._make = functools.partial(tqdm, **{"delay": 0.5, "unit": "block", **keywords})

    def __repr__(self) -> str:
        return f"progress({', '.join(f'{k}={v!r}' for k, v in self._keywords.items())})"


def bar(blocks: int) -> Any:
    """A bar for a call of so many blocks, if one is asked for."""
    entered = progress._scope.get()
    return entered[-1]._make(total=blocks) if entered else None
