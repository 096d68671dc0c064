"""A command on a tether: ``python tether.py COMMAND...`` ends it when its own standard input ends.

Whoever started it holds the other end of that pipe, and lets go of it however it dies, even by SIGKILL; a server that
was only looked at would otherwise stay for ever.
"""

import os
import signal
import subprocess
import sys
import threading
from types import FrameType

PATIENCE_SECONDS = 10


def main() -> None:
    """Run the command of the arguments; end with its exit code."""
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        threading.Thread(target=end, args=(process,), daemon=True).start()

    def wait_for_end_of_input() -> None:
        # Not sys.stdin: at the end of the process its lock would still be held here.
        while os.read(0, 4096):
            continue
        end(process)

    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=wait_for_end_of_input, daemon=True).start()
    sys.exit(process.wait())


def end(process: "subprocess.Popen[bytes]", patience_seconds: float | None = None) -> None:
    """Ask a process to end, kill it if it does not within so many seconds, ten if None, and wait until it has."""
    process.terminate()
    try:
        process.wait(PATIENCE_SECONDS if patience_seconds is None else patience_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
