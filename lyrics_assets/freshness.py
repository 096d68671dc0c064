"""How old an asset may be before it counts as stale: Dagster's freshness policies by group, and which ones are stale.

The UI shows the policies; `stale_mail` mails what is stale, `lyrics status` prints it.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import dagster as dg

from lyrics_assets.settings import Settings

_TUNING = dg.AssetKey("best_hyperparameters")
_UNEXPECTED = {dg.AssetKey(["web", "letras"]), dg.AssetKey(["web", "vagalume"]), dg.AssetKey(["raw", "imported"])}
"""What no schedule brings: the sites themselves, and what somebody imports by hand."""


class Stale(NamedTuple):
    """An asset that was last materialized too long ago."""

    asset: str
    last: dt.datetime
    """UTC."""
    allowed: dt.timedelta


def max_age(spec: dg.AssetSpec, settings: Settings) -> dt.timedelta | None:
    """Return how old an asset may be; None for one that nobody expects at any time."""
    if spec.key in _UNEXPECTED:
        return None
    if spec.key == _TUNING:
        return dt.timedelta(days=settings.tuning_stale_after_days)
    if spec.group_name in ("training", "serving"):
        return dt.timedelta(days=settings.model_stale_after_days)
    return dt.timedelta(hours=settings.stale_after_hours)


def with_freshness(spec: dg.AssetSpec, settings: Settings) -> dg.AssetSpec:
    """Return the spec with its policy, which warns at three quarters of what is allowed."""
    allowed = max_age(spec, settings)
    if allowed is None:
        return spec
    return spec.replace_attributes(freshness_policy=dg.FreshnessPolicy.time_window(allowed, allowed * 3 / 4))


def find_stale(
    specs: Iterable[dg.AssetSpec], instance: dg.DagsterInstance, settings: Settings, now: dt.datetime
) -> Iterator[Stale]:
    """Yield the assets that are stale now; one that never was materialized is new, not stale."""
    for spec in specs:
        allowed = max_age(spec, settings)
        event = instance.get_latest_materialization_event(spec.key) if allowed else None
        if event is None:
            continue
        last = dt.datetime.fromtimestamp(event.timestamp, dt.UTC)
        if allowed and now - last > allowed:
            yield Stale(spec.key.to_user_string(), last, allowed)
