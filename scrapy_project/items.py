"""The raw song: what both spiders write, one JSON object a line. Nothing else of the project is described here."""

from dataclasses import dataclass, field


@dataclass(kw_only=True)
class RawSong:
    """A song as a site shows it under one genre, on one extraction date.

    A song that stands in the charts of two genres is two items. Lyrics keep the site's wording: lines end with a
    newline, stanzas are parted by one blank line.
    """

    source: str
    """The site: ``letras`` or ``vagalume``."""
    genre: str
    """One of `genres.GENRE_NAMES`."""
    url: str
    """Address of the song's page; for a translation, still the song's own page."""
    title: str
    artist: str
    lyrics: str
    """The Portuguese text where the site has one, else the original."""
    rank: int | None = None
    """Place in the genre's chart, from 1; None where the site has no chart (Vagalume)."""
    is_translation: bool = False
    """True if `lyrics` is the site's Portuguese translation."""
    original_language: str | None = None
    """ISO 639-1 code of the language that the song was written in; None if unknown."""
    composers: list[str] = field(default_factory=list)
    views: int | None = None
    """How often the page was seen, in all; None where the site does not say."""
    artist_genres: list[str] = field(default_factory=list)
    """Every genre that the site gives the artist, the main one first, in the site's own words."""
    fetched_at: str = ""
    """UTC time of the download, ISO 8601, whole seconds (the download's, also for a page read from the archive)."""
