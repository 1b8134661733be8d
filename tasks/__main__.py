"""Where the program starts: `aclnet-task`, or `python -m tasks`."""

from __future__ import annotations

import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line; stopped while it is still being imported, it says so in one line."""
    stopped = signal.SIGINT

    def stop(number: int, _: FrameType | None) -> None:
        nonlocal stopped
        stopped = signal.Signals(number)
        raise KeyboardInterrupt

    heard = (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM))
    before = {one: signal.getsignal(one) for one in heard}
    try:
        for one, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(one, stop)
        from tasks.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("error: stopped before anything was done\n")
        sys.exit(128 + stopped)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    run()


if __name__ == "__main__":
    main()
