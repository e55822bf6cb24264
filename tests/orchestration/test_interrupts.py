"""Ctrl-C and SIGTERM get through, also where a library swallows what they raise."""

import os
import signal
import threading
import time
import weakref

import pytest

from orchestration import interrupts
from orchestration.interrupts import interruptible


@pytest.fixture(autouse=True)
def _soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "AGAIN", 0.2)


def send_and_wait(signum: signal.Signals = signal.SIGTERM) -> None:
    os.kill(os.getpid(), signum)
    time.sleep(5)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_block_and_says_which_it_was(signum: signal.Signals) -> None:
    before = signal.getsignal(signum)
    with pytest.raises(KeyboardInterrupt) as caught, interruptible():
        send_and_wait(signum)
    assert caught.value.args == (signum,)
    assert signal.getsignal(signum) == before
    time.sleep(0.4)  # and it does not come again


def test_one_that_a_finalizer_swallowed_comes_again_and_leaves_no_traceback(
    capfd: pytest.CaptureFixture[str],
) -> None:
    class Thing:
        pass

    with pytest.raises(KeyboardInterrupt), interruptible():
        thing = Thing()
        weakref.finalize(thing, send_and_wait)
        del thing
        time.sleep(5)
        raise AssertionError("it was lost")
    assert "Traceback" not in capfd.readouterr().err


def test_one_that_a_library_took_for_another_error_is_still_an_interruption() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, interruptible():
        try:
            send_and_wait()
        except:  # noqa: E722 - as in code that mashumaro writes
            raise ValueError("some field is wrong") from None
    assert caught.value.args == (signal.SIGTERM,)


def test_an_error_without_a_signal_stays_what_it_is() -> None:
    with pytest.raises(ValueError, match="wrong"), interruptible():
        raise ValueError("some field is wrong")


def test_outside_the_main_thread_it_changes_nothing() -> None:
    done = []

    def block() -> None:
        with interruptible():
            done.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=block)
    thread.start()
    thread.join()
    assert done == [before]
