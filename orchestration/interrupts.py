"""Ctrl-C and SIGTERM end a run also where a library swallows the exception that they raise.

Python raises it wherever the main thread happens to be: in a finalizer, where it is only printed,
or above a bare `except:`, which takes it for some error of its own. So it is raised again until it
gets through, and whatever error it became on the way counts as the interruption that it was.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN = 2.5  # seconds; dbt, which cancels its statements after the first one, needs less


@contextmanager
def interruptible() -> Iterator[None]:
    """A block that Ctrl-C and SIGTERM end; to be used in the main thread, without effect elsewhere.

    Raises:
        KeyboardInterrupt: with the signal's number, whatever a library made of it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def interrupt(signum: int, frame: FrameType | None) -> None:
        received.extend([signum] if signum != signal.SIGALRM else [])
        signal.setitimer(signal.ITIMER_REAL, AGAIN)
        raise KeyboardInterrupt(received[0])

    before = {each: signal.signal(each, interrupt)
              for each in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}  # fmt: skip
    said_before, sys.unraisablehook = sys.unraisablehook, _hush
    try:
        yield
    except BaseException as error:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if received and not isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(received[0]) from error
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = said_before
        for each, handler in before.items():
            signal.signal(each, handler or signal.SIG_DFL)


def _hush(what: "sys.UnraisableHookArgs") -> None:
    """An interruption that was swallowed comes again: its traceback is of no use to anybody."""
    if not issubclass(what.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(what)
