"""Who runs the blocks: the caller and, from one pool, up to workers − 1 threads beside it.

Runners take what is next from one source: chains of blocks, or tasks that wait for one another.
"""

import contextvars
import functools
import heapq
import os
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from .guard import blas_on_one_thread
from .progress import bar
from .turns import quick_turns
from .workers import MAX_WORKERS, number_of_workers

_thread = threading.local()


class _Pool:
    """Threads that wait for tasks; one is started where none is to spare.

    It hands a task over in a third of the time of concurrent.futures. They are daemons: at the
    end of the process they are idle, because each call waits for its own.
    """

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = self._spare = 0

    def submit(self, task: Callable[[], object]) -> None:
        """Have a thread call `task()`; if there is none to be had, nobody does."""
        with self._lock:
            if self._spare:
                self._spare -= 1
            elif self._threads < MAX_WORKERS - 1:
                try:
                    threading.Thread(target=self._serve, name="hotloops", daemon=True).start()
                except RuntimeError:  # the system's limit, or the end of the process
                    return
                self._threads += 1
            else:
                return
        self._tasks.put(task)

    def _serve(self) -> None:
        while True:
            self._tasks.get()()
            with self._lock:
                self._spare += 1


_pool = _Pool()


def _after_fork() -> None:
    global _pool
    _pool = _Pool()
    _thread.running = None
    blas_on_one_thread.after_fork()
    quick_turns.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Source(Protocol):
    """Where runners take chains of blocks from, until there is no more."""

    length: int

    def take(self, job: "_Job") -> Sequence[Callable[[], object]] | None: ...
    def finish(self, chain: Any, /) -> None: ...
    def wake(self) -> None: ...


class Chains:
    """Chains of blocks, which may run in any order; a chain's own blocks one after another."""

    def __init__(self, chains: Sequence[Sequence[Callable[[], object]]]) -> None:
        self.length = len(chains)
        self._left = iter(chains)
        self._lock = threading.Lock()

    def take(self, job: "_Job") -> Sequence[Callable[[], object]] | None:
        """The next chain; None when there is no more."""
        with self._lock:
            return None if job.stop else next(self._left, None)

    def finish(self, chain: Any) -> None:
        """A chain is done."""

    def wake(self) -> None:
        """Nobody waits."""


class Tasks:
    """Tasks in a valid order, of which each waits for some of those before it: `waits[k]`."""

    def __init__(
        self, tasks: Sequence[Callable[[], object]], waits: Sequence[Sequence[int]]
    ) -> None:
        self.length = self._left = len(tasks)
        self._tasks = tasks
        self._missing = [len(before) for before in waits]
        self._after: list[list[int]] = [[] for _ in tasks]
        for k, before in enumerate(waits):
            for earlier in before:
                self._after[earlier].append(k)
        self._ready = [k for k, missing in enumerate(self._missing) if not missing]
        self._changed = threading.Condition()

    def take(self, job: "_Job") -> "_Task | None":
        """The first task that may run, as soon as there is one; None when all are taken."""
        with self._changed:
            while not self._ready and self._left and not job.stop:
                self._changed.wait()
            if job.stop or not self._left:
                return None
            self._left -= 1
            if not self._left:
                self._changed.notify_all()
            return _Task(heapq.heappop(self._ready), self._tasks)

    def finish(self, task: "_Task") -> None:
        """What waited for this task alone may run; the runner itself takes one of it next."""
        with self._changed:
            ready = 0
            for k in self._after[task.place]:
                self._missing[k] -= 1
                if not self._missing[k]:
                    heapq.heappush(self._ready, k)
                    ready += 1
            if ready > 1:
                self._changed.notify(ready - 1)

    def wake(self) -> None:
        """Let those who wait see that the job is stopped."""
        with self._changed:
            self._changed.notify_all()


class _Task(tuple[Callable[[], object]]):
    """A chain of one block, and its place among the tasks."""

    place: int

    def __new__(cls, place: int, tasks: Sequence[Callable[[], object]]) -> "_Task":
        task = super().__new__(cls, (tasks[place],))
        task.place = place
        return task


class _Job:
    """One call's blocks, and those who run them."""

    def __init__(self, source: Source, blocks: int, blas: bool) -> None:
        self._source, self._blas = source, blas
        self._bar = None if nested() else bar(blocks)
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._done = 0
        self._helpers = 0
        self.stop = self._closed = False
        self._left = threading.Event()  # when the last helper is gone that the caller waits for

    def run(self, helpers: int) -> None:
        """Run all blocks on this thread and up to `helpers` others."""
        interrupt: BaseException | None = None
        try:
            quick_turns.enter(self)
            for _ in range(helpers):  # in the caller's context, for calls inside a block
                _pool.submit(functools.partial(contextvars.copy_context().run, self._help))
            self._runner(caller=True)
        except BaseException as raised:
            self._halt()
            interrupt = raised
        while True:  # until no helper is inside a block, whatever is pressed meanwhile
            try:
                with self._lock:
                    self._closed, busy = True, self._helpers
                if busy:
                    self._left.wait()
                quick_turns.leave(self)
                break
            except BaseException as pressed:
                self._halt()
                interrupt = pressed
        if self._bar is not None:
            self._bar.update(self._done - self._bar.n)
            self._bar.close()
        error = interrupt or self._error
        if error is not None:
            raise error

    def _halt(self) -> None:
        self.stop = True
        self._source.wake()

    def _help(self) -> None:
        with self._lock:
            if self._closed:  # it came too late
                return
            self._helpers += 1
        try:
            self._runner()
        except BaseException as error:
            self._error = error
            self._halt()
        finally:
            with self._lock:
                self._helpers -= 1
                if self._closed and not self._helpers:
                    self._left.set()

    def _runner(self, caller: bool = False) -> None:
        before, _thread.running = nested(), self
        hold = blas_on_one_thread.hold() if self._blas else None
        try:
            if hold is not None:
                hold.enter()
            while (chain := self._source.take(self)) is not None:
                for block in chain:
                    if self.stop:
                        return
                    block()
                    self._count(caller)
                self._source.finish(chain)
        finally:
            _thread.running = before
            if hold is not None:
                try:
                    hold.leave()
                finally:
                    hold.leave()  # once more: Ctrl-C may come as the first begins

    def _count(self, caller: bool) -> None:
        with self._lock:
            self._done += 1
        if caller and self._bar is not None:
            self._bar.update(self._done - self._bar.n)


def nested() -> _Job | None:
    """The job whose block this thread is running, if it is."""
    job: _Job | None = getattr(_thread, "running", None)
    return job


def stopped() -> bool:
    """Whether the call that this block belongs to is to end: a long block asks now and then."""
    job = nested()
    return job is not None and job.stop


def run(source: Source, blocks: int, workers: int, blas: bool) -> None:
    """Run what the source gives, so many blocks; `blas`: they need BLAS on one thread."""
    # inside a block all runners are at work already
    helpers = 0 if nested() else min(workers, source.length) - 1
    if blas:
        _ = blas_on_one_thread.libraries  # found on the caller's thread, which is told if none is
    _Job(source, blocks, blas).run(helpers)


def each(
    function: Callable[[int], object],
    count: int,
    workers: int | None = None,
    *,
    blas: bool = False,
) -> None:
    """Call function(k) for each k below `count`, in any order; on one thread in theirs."""
    workers = number_of_workers(workers)
    if count == 1 and not blas:
        function(0)
        return
    chains = [(functools.partial(function, k),) for k in range(count)]
    run(Chains(chains), count, workers, blas)
