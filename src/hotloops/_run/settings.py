"""What holds for calls that say nothing: set for the whole process, or for a `with` block."""

import contextvars
import functools
import inspect
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, Self, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")
_T = TypeVar("_T")


class Scope:
    """A setting for a `with` block and what runs in its context, or for a decorated function.

    A class of settings has a `_scope`, the context variable with the tuple of those entered. An
    object keeps no record of its entries, so it can be entered again, by itself or by several
    threads; and an exit takes back its own entry, whichever came last: blocks in suspended
    generators of one context end in any order.
    """

    _scope: Any

    def __enter__(self) -> Self:
        self._scope.set((*self._scope.get(), self))
        return self

    def __exit__(self, *exc: object) -> None:
        entered = list(self._scope.get())
        if self in entered:  # or the block ends in another context than it began in
            del entered[len(entered) - 1 - entered[::-1].index(self)]
            self._scope.set(tuple(entered))

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        if (
            inspect.isclass(function)
            or inspect.isgeneratorfunction(function)
            or inspect.isasyncgenfunction(function)
        ):
            raise TypeError(
                f"{self!r} decorates functions and coroutine functions, got {function!r}: what "
                f"runs later is not inside; put a `with` block into its body"
            )
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def inside_it(*args: _P.args, **keywords: _P.kwargs) -> Any:
                with self:
                    return await function(*args, **keywords)

            return inside_it  # type: ignore[return-value]

        @functools.wraps(function)
        def inside(*args: _P.args, **keywords: _P.kwargs) -> _R:
            with self:
                return function(*args, **keywords)

        return inside


class Setting(Generic[_T]):
    """A value for the process, and the values that `with` blocks put over it."""

    def __init__(self, name: str) -> None:
        self.scope: contextvars.ContextVar[tuple[Setter[_T], ...]]
        self.scope = contextvars.ContextVar(name, default=())
        self._process: _T | None = None
        # who set the process's value, and to what; the last one counts
        self._made: list[tuple[weakref.ref[Setter[_T]], _T | None]] = []
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    def get(self) -> _T | None:
        """The value that holds here."""
        entered = self.scope.get()
        return entered[-1].value if entered else self._process

    def set(self, setter: "Setter[_T]") -> None:
        """Have the setter's value for the process."""
        with self._lock:
            # those before one whose setter is gone, which stays for good, never count again
            gone = [k for k, (made, _) in enumerate(self._made) if made() is None]
            del self._made[: gone[-1] if gone else 0]
            self._made.append((weakref.ref(setter), setter.value))
            self._process = setter.value

    def take_back(self, setter: "Setter[_T]") -> None:
        """As if the setter had not set it: the process has what others set before or since."""
        with self._lock:
            self._made = [entry for entry in self._made if entry[0]() is not setter]
            self._process = self._made[-1][1] if self._made else None

    def _after_fork(self) -> None:
        self._lock = threading.Lock()


class Setter(Scope, Generic[_T]):
    """One call of set_…: its value is the process's, until a `with` or a decorator makes it that
    of a block. A class of setters has a `_setting`."""

    _setting: Setting[_T]

    @property
    def _scope(self) -> Any:
        return self._setting.scope

    def __init__(self, value: _T | None) -> None:
        self.value = value
        self._setting.set(self)

    def __enter__(self) -> Self:
        self._setting.take_back(self)
        return super().__enter__()

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        inside = super().__call__(function)
        self._setting.take_back(self)
        return inside

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"
