"""When a crawl is complete enough to be published: bounds on what the spider counted, each broken one named."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Stats = Mapping[str, Any]


class Bounds(BaseModel):
    """What a crawl must keep to; shares are of the song pages that were answered."""

    model_config = ConfigDict(frozen=True)

    min_songs_per_genre: int = Field(1, ge=0, description="Songs of each genre asked for")
    max_unparsed_share: float = Field(0.05, ge=0, le=1, description="Pages whose markup was not understood")
    max_no_lyrics_share: float = Field(0.4, ge=0, le=1, description="Pages that hold no lyric")
    max_wrong_song_share: float = Field(0.2, ge=0, le=1, description="Redirects to another song")
    max_failed_share: float = Field(0.02, ge=0, le=1, description="Pages not had: given up, refused, not archived")
    max_exceptions: int = Field(0, ge=0, description="Exceptions raised by the spider")


def broken_bounds(stats: Stats, genres: Sequence[str], bounds: Bounds) -> list[str]:
    """Return a sentence for each bound that a crawl broke, none if it is complete.

    Args:
        stats: Scrapy's stats of the crawl, with the spiders' own ``lyrics/...``.
        genres: the genres that were asked for.
        bounds: what is allowed.
    """
    if stats.get("finish_reason") != "finished":
        return [f"the crawl ended as {stats.get('finish_reason', 'killed')!r}, not 'finished'"]
    problems = []
    counts = {genre: stats.get(f"lyrics/genre/{genre}", 0) for genre in genres}
    if few := [f"{genre} {count}" for genre, count in counts.items() if count < bounds.min_songs_per_genre]:
        problems.append(f"fewer songs than {bounds.min_songs_per_genre} a genre: {', '.join(few)}")
    exceptions = stats.get("spider_exceptions/count", 0)
    if exceptions > bounds.max_exceptions:
        problems.append(f"{exceptions} exceptions in the spider, at most {bounds.max_exceptions} allowed")
    return problems + _broken_shares(stats, bounds)


def _broken_shares(stats: Stats, bounds: Bounds) -> list[str]:
    no_lyrics = sum(count for name, count in stats.items() if name.startswith("lyrics/no_lyrics/"))
    songs, unparsed = stats.get("lyrics/songs", 0), stats.get("lyrics/unparsed", 0)
    wrong, failed = stats.get("lyrics/wrong_song", 0), stats.get("lyrics/failed", 0)
    pages = max(1, songs + no_lyrics + unparsed + wrong)
    shares = [
        ("pages not understood", unparsed / pages, bounds.max_unparsed_share, "unparsed"),
        ("pages without a lyric", no_lyrics / pages, bounds.max_no_lyrics_share, "no_lyrics"),
        ("redirects to another song", wrong / pages, bounds.max_wrong_song_share, "wrong_song"),
        ("pages not had", failed / max(1, stats.get("lyrics/pages_expected", 0)), bounds.max_failed_share, "failed"),
    ]
    return [
        f"{share:.1%} {what}, at most {allowed:.1%} allowed{_examples(stats, kind)}"
        for what, share, allowed, kind in shares
        if share > allowed
    ]


def _examples(stats: Stats, kind: str) -> str:
    prefix = f"lyrics/examples/{kind}"
    examples = [url for name, urls in stats.items() if name.startswith(prefix) for url in urls]
    return f", for example {', '.join(examples[:3])}" if examples else ""


MIN_MATCHES_EXPECTED = 5.0
"""So many pages must be expected to match before none matching is no chance any more (e^-5 is under 1 %)."""


def lost_markup(stats: Stats, before: Stats) -> list[str]:
    """Return a sentence for each selector family that matched on an earlier date and now matches nowhere.

    A family that a parser can do without (composers, an older container) vanishes silently when a site changes its
    markup, so the counts of two dates are compared: ``lyrics/parsed/<kind>`` pages of a kind were parsed, on
    ``lyrics/matched/<kind>/<family>`` of them the family matched.
    """
    prefix = "lyrics/matched/"
    lost = []
    for name, matched in sorted(before.items()):
        if not name.startswith(prefix) or stats.get(name, 0):
            continue
        kind, family = name.removeprefix(prefix).split("/", 1)
        parsed_before, parsed = before.get(f"lyrics/parsed/{kind}", 0), stats.get(f"lyrics/parsed/{kind}", 0)
        if parsed_before and matched / parsed_before * parsed >= MIN_MATCHES_EXPECTED:
            lost.append(
                f"markup of {kind}: {family} matched on {matched} of {parsed_before} pages before, on 0 of {parsed} now"
            )
    return lost
