"""The mail of what is stale: the newest date, the model or a report of them is older than the settings allow."""

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from lyrics_assets.freshness import Stale
from lyrics_assets.mails.receipts import Receipts
from lyrics_assets.mails.rendering import render
from lyrics_assets.partitions import TIMEZONE
from lyrics_assets.resources.mailer import Mailer


def mail_stale(mailer: Mailer, receipts: Receipts, stale: Sequence[Stale], now: dt.datetime) -> str | None:
    """Mail all that is stale, once a day; nothing if nothing is, or if it was told today.

    Args:
        mailer: who delivers.
        receipts: of the mails of today.
        stale: the assets, in any order.
        now: UTC.

    Returns:
        where the mail went; None if there was nothing to tell.
    """
    if not stale:
        return None
    oldest = sorted(stale, key=lambda asset: asset.last)
    due = receipts.due("stale", now.isoformat(timespec="hours"))
    if due is None:
        return None
    rows = [
        {
            "asset": asset.asset,
            "last": f"{asset.last.astimezone(ZoneInfo(TIMEZONE)):%Y-%m-%d %H:%M}",
            "age": _span(now - asset.last),
            "allowed": _span(asset.allowed),
        }
        for asset in oldest
    ]
    bodies = render("staleness", rows=rows, home=mailer.ui_url)
    others = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    delivered_to = mailer.send(f"Lyrics classifier: {rows[0]['asset']}{others} not made for too long", *bodies)
    receipts.sign(due, delivered_to)
    return delivered_to


def _span(span: dt.timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"
