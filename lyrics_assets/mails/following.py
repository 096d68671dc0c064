"""Events taken one by one from Dagster's log, so that none is passed over while its mail cannot be delivered.

Dagster's sensors of assets look at the newest materialization only, and its sensors of run failures go on behind an
event whose handling has raised.
"""

import json
import time
from collections.abc import Callable, Mapping

import dagster as dg

TICK_SECONDS = 15.0
"""After so long a tick takes no further event: with a delivery under way it must end within the 60 s of Dagster."""

Fetch = Callable[..., dg.EventRecordsResult]
Tell = Callable[[dg.EventLogRecord], str | None]


def follow(
    context: dg.SensorEvaluationContext, streams: Mapping[str, Fetch], tell: Tell, *, newest: bool
) -> dg.SensorResult:
    """Tell of each event behind the sensor's cursor, oldest first; if that raises, the cursor stays where it was.

    Args:
        context: of the tick.
        streams: by name what fetches events of one kind, as the instance's `fetch_materializations` does.
        tell: returns where a mail went, None if there was nothing to mail. Must bear to be asked twice.
        newest: whether the first tick tells of the newest event; if not, it only marks where to begin.
    """
    end = time.monotonic() + TICK_SECONDS
    cursors = _read_cursors(context.cursor)
    told: list[str | None] = []
    for name, fetch in streams.items():
        if name not in cursors:
            first = fetch(limit=1)
            cursors[name] = first.cursor
            told += [tell(record) for record in first.records if newest]
        while time.monotonic() < end and (found := fetch(limit=1, cursor=cursors[name], ascending=True)).records:
            told.append(tell(found.records[0]))
            cursors[name] = found.cursor
    mailed = [f"mailed to {place}" for place in told if place]
    return dg.SensorResult(
        skip_reason=dg.SkipReason("; ".join(mailed) or "nothing to mail"), cursor=json.dumps(cursors)
    )


def _read_cursors(cursor: str | None) -> dict[str, str]:
    """Return the place in each stream; none if the cursor is not of this kind."""
    cursors = json.loads(cursor) if cursor else {}
    return cursors if isinstance(cursors, dict) else {}
