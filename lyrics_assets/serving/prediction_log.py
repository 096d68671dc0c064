"""What the service was asked, for monitoring: lengths, language, genre, confidence, share of unknown words, latency.

Never a text, a word, a title or an address. One JSON line an answer, one file a UTC day, appended by every worker.
"""

import datetime as dt
import json
import logging
import os
from pathlib import Path
from typing import Any

_log = logging.getLogger("lyrics_assets.serving")


class PredictionLog:
    """Appends to a folder of daily files; a folder that cannot be written to never fails an answer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._date: dt.date | None = None
        self._file = -1
        self._silent = False

    def write(self, entry: dict[str, Any], now: dt.datetime | None = None) -> None:
        """Append one answer's figures."""
        now = now or dt.datetime.now(dt.UTC)
        line = json.dumps({"at": now.isoformat(timespec="milliseconds"), **entry}, ensure_ascii=False) + "\n"
        try:
            if now.date() != self._date:
                self._open(now.date())
            # One write to a file opened for appending: lines of several workers do not mix.
            os.write(self._file, line.encode())
            self._silent = False
        except OSError as error:
            if not self._silent:
                _log.warning("the prediction log cannot be written: %s", error.strerror)
            self._silent = True

    def close(self) -> None:
        """Close the day's file."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._date = -1, None

    def _open(self, date: dt.date) -> None:
        self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._folder / f"{date}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._date = date
