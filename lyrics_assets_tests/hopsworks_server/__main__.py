"""Run the contract server as a process: `python -m lyrics_assets_tests.hopsworks_server --folder DIR`.

Prints one line of JSON, how to reach it, and serves until it is told to end (SIGTERM, or its stdin is closed).
"""

import argparse
import json
import signal
import sys
from pathlib import Path

from lyrics_assets_tests.hopsworks_server import HopsworksServer


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where it keeps its tables and files")
    folder = parser.parse_args().folder
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with HopsworksServer(folder.absolute()) as server:
        print(json.dumps(server.address._asdict()), flush=True)  # noqa: T201
        sys.stdin.read()


if __name__ == "__main__":
    main()
