"""What holds for calls that say nothing: set for the whole process, or for a `with` block."""

import contextvars
import functools
import inspect
import os
import threading
import weakref


class Scope:
    """A setting for a `with` block and what runs in its context, or for a decorated function.

    A class of settings has a `_scope`, the context variable with the tuple of those entered. An
    object keeps no record of its entries, so it can be entered again, by itself or by several
    threads; and an exit takes back its own entry, whichever came last: blocks in suspended
    generators of one context end in any order.
    """

    def __enter__(self):
        self._scope.set((*self._scope.get(), self))
        return self

    def __exit__(self, *exc):
        entered = list(self._scope.get())
        if self in entered:  # or the block ends in another context than it began in
            del entered[len(entered) - 1 - entered[::-1].index(self)]
            self._scope.set(tuple(entered))

    def __call__(self, function):
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
            async def inside(*args, **keywords):
                with self:
                    return await function(*args, **keywords)

        else:

            @functools.wraps(function)
            def inside(*args, **keywords):
                with self:
                    return function(*args, **keywords)

        return inside


class Setting:
    """A value for the process, and the values that `with` blocks put over it."""

    def __init__(self, name):
        self.scope = contextvars.ContextVar(name, default=())
        self._process = None
        self._made = []  # who set the process's value, and to what; the last one counts
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    def get(self):
        """The value that holds here."""
        entered = self.scope.get()
        return entered[-1].value if entered else self._process

    def set(self, setter):
        """Have the setter's value for the process."""
        with self._lock:
            # those before one whose setter is gone, which stays for good, never count again
            gone = [k for k, (made, _) in enumerate(self._made) if made() is None]
            del self._made[: gone[-1] if gone else 0]
            self._made.append((weakref.ref(setter), setter.value))
            self._process = setter.value

    def take_back(self, setter):
        """As if the setter had not set it: the process has what others set before or since."""
        with self._lock:
            self._made = [entry for entry in self._made if entry[0]() is not setter]
            self._process = self._made[-1][1] if self._made else None

    def _after_fork(self):
        self._lock = threading.Lock()


class Setter(Scope):
    """One call of set_…: its value is the process's, until a `with` or a decorator makes it that
    of a block. A class of setters has a `_setting`."""

    @property
    def _scope(self):
        return self._setting.scope

    def __init__(self, value):
        self.value = value
        self._setting.set(self)

    def __enter__(self):
        self._setting.take_back(self)
        return super().__enter__()

    def __call__(self, function):
        inside = super().__call__(function)
        self._setting.take_back(self)
        return inside

    def __repr__(self):
        return f"{type(self).__name__}({self.value!r})"
