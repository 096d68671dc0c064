"""At most one mail a cause a day. What was mailed, and which repeats were not, is kept in the lake."""

import datetime as dt
from hashlib import sha256
from typing import Any, NamedTuple

from lyrics_assets.resources.lake import Lake

DAYS_LOOKED_BACK = 31
"""A cause that comes back after so many days with mails has its repeats of then forgotten."""


class Due(NamedTuple):
    """A mail that is to be sent."""

    cause: str
    event: str
    """What it tells of, such as a run's id."""
    repeats: int = 0
    """How often the same happened again, after the last mail of it and on that day, which no mail told."""
    day: str = ""
    """The day of that last mail."""


class Receipts:
    """The mails of a day, São Paulo's, and those of the days before: ``mails/<day>/<hash of the cause>.json``."""

    def __init__(self, lake: Lake, day: dt.date) -> None:
        self._lake = lake
        self._day = day.isoformat()
        # What a clock that was far ahead has left must not hush a cause until then.
        self._newest = (day + dt.timedelta(days=1)).isoformat()

    def due(self, cause: str, event: str) -> Due | None:
        """Return the mail that an event asks for; None if one of its cause was sent today, or of the event itself.

        A repeat is counted here, once however often it is asked about.
        """
        name, last = self._last(cause)
        if last is None:
            return Due(cause, event)
        if event in last["events"]:
            return None
        # Of the next day: the clock was set back over midnight.
        if last["day"] >= self._day:
            self._lake.write_json(name, last | {"events": [*last["events"], event]})
            return None
        return Due(cause, event, len(last["events"]) - 1, last["day"])

    def sign(self, due: Due, delivered_to: str) -> None:
        """Note that a mail was delivered."""
        receipt = {"cause": due.cause, "day": self._day, "delivered_to": delivered_to, "events": [due.event]}
        self._lake.write_json(self._name(self._day, due.cause), receipt)

    def _last(self, cause: str) -> tuple[str, dict[str, Any] | None]:
        known = {self._day, *self._lake.folders("mails")}
        days = sorted((day for day in known if day <= self._newest), reverse=True)[:DAYS_LOOKED_BACK]
        names = [self._name(day, cause) for day in days]
        found = next((name for name in names if self._lake.exists(name)), None)
        return found or "", self._lake.read_json(found) if found else None

    @staticmethod
    def _name(day: str, cause: str) -> str:
        return f"mails/{day}/{sha256(cause.encode()).hexdigest()[:24]}.json"
