"""How much memory a process has held: the one place that asks the system."""

import resource
import sys
from pathlib import Path


def peak_bytes(process: str) -> int | None:
    """Return the highest resident memory of a process since it began or was reset; None where that is not told.

    Not getrusage's: a child's figure there begins with what its parent had when it started it.

    Args:
        process: its number, or ``self``.
    """
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    kilobytes = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(kilobytes[0]) * 1024 if kilobytes else None


def peak_of_process() -> int:
    """Return the highest resident memory of this process, in bytes, since it began or was reset."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kilobytes, macOS bytes.
    return peak_bytes("self") or (peak if sys.platform == "darwin" else peak * 1024)
