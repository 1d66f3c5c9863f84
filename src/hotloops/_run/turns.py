"""Python's threads take turns quickly, while blocks run.

A block runs without the GIL, and asks for it again when it ends. Beside a thread of Python code it
then waits for Python's switch interval, 5 ms, which is longer than most blocks take.
"""

import sys
import threading

_INTERVAL = 1e-3  # seconds


class _Turns:
    """From a stay's `enter` to its `leave`, a thread that holds the GIL is asked for it soon.

    The interval is one setting for the process: the first in sets it, the last one out puts back
    what was there, unless somebody else has set it meanwhile.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside: set[object] = set()
        self.before = self.ours = 0.0

    def enter(self, stay: object) -> None:
        """Begin a stay, of any name. A step that Ctrl-C cut short can be repeated."""
        with self.lock:
            if not self.inside:
                self.before = sys.getswitchinterval()
                self.ours = min(self.before, _INTERVAL)
            self.inside.add(stay)
            if self.ours < self.before:
                sys.setswitchinterval(self.ours)

    def leave(self, stay: object) -> None:
        """End a stay, or, once more, nothing."""
        with self.lock:
            if stay not in self.inside:
                return
            if len(self.inside) == 1 and abs(sys.getswitchinterval() - self.ours) < 1e-6:
                sys.setswitchinterval(self.before)
            self.inside.remove(stay)

    def after_fork(self) -> None:
        """End, in a child process, the stays of threads that did not come along."""
        self.lock = threading.Lock()
        for stay in [*self.inside]:
            self.leave(stay)


quick_turns = _Turns()
