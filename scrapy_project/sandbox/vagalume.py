"""Vagalume.com.br: what it answers to each address. The markup is in `vagalume_pages`."""

from collections import Counter
from collections.abc import Iterable
from datetime import date

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from scrapy_project.genres import GENRE_NAMES, GENRES
from scrapy_project.sandbox import vagalume_pages as pages
from scrapy_project.sandbox.catalogue import Catalogue, Notice, Track, slugify, songs_without_lyrics
from scrapy_project.sandbox.chance import fraction
from scrapy_project.sandbox.charts import Charts
from scrapy_project.sandbox.dates import shown_date
from scrapy_project.sandbox.songbook import Song
from scrapy_project.sandbox.variants import vagalume_title

ROBOTS = "User-agent: *\nDisallow:\n"

_WITHOUT_INDEX = 0.08
_WITH_CHORDS = 0.3
_GENRE_OF_SLUG = {genre.vagalume: genre.name for genre in GENRES}
_KINDS = (Notice.ICON, Notice.IMAGE, Notice.PLACEHOLDER)
_NOTICES = {name: [_KINDS[number % len(_KINDS)]] for number, name in enumerate(GENRE_NAMES)}


def vagalume_app(songs: list[Song], charts: Charts) -> Starlette:
    """Return the site with the songs of the songbook that stand on it."""
    site = _Vagalume([song for song in songs if "vagalume" in song.sites], charts)
    routes = [
        Route("/", site.home, name="home"),
        Route("/robots.txt", site.robots, name="robots"),
        Route("/browse/style/{genre}.html", site.style, name="style"),
        Route("/{artist}/index.js", site.index, name="index_js"),
        Route("/{artist}/{song}-traducao.html", site.translation, name="translation"),
        Route("/{artist}/{song}-cifrada.html", site.chords, name="chords"),
        Route("/{artist}/{song}.html", site.song, name="song"),
        Route("/{artist}/", site.artist, name="artist"),
        Route("/{artist}", site.add_slash, name="without_slash"),
    ]
    app = Starlette(routes=routes, exception_handlers={404: site.not_found})
    # Starlette's own redirect is a 307; the site's is a 301, see add_slash.
    app.router.redirect_slashes = False
    return app


class _Vagalume:
    def __init__(self, songs: list[Song], charts: Charts) -> None:
        self._charts = charts
        added = songs_without_lyrics(songs, "vagalume", _NOTICES)
        titled = [(song, vagalume_title(song), None) for song in songs]
        self._catalogue = Catalogue(
            [*titled, *((song, song.title, notice) for song, notice in added)], lambda song, title: slugify(title)
        )
        self._genres = {slug: _genres(tracks.values()) for slug, tracks in self._catalogue.by_artist.items()}

    async def home(self, request: Request) -> Response:
        return _html(pages.home())

    async def robots(self, request: Request) -> Response:
        return PlainTextResponse(ROBOTS)

    async def not_found(self, request: Request, error: Exception) -> Response:
        return _html(pages.not_found(), 404)

    async def add_slash(self, request: Request) -> Response:
        return RedirectResponse(request.url.path + "/", 301)

    async def style(self, request: Request) -> Response:
        genre = _GENRE_OF_SLUG.get(request.path_params["genre"])
        if genre is None:
            raise HTTPException(404)
        return _html(pages.style(genre, self._artists(genre, shown_date(request))))

    async def artist(self, request: Request) -> Response:
        slug = request.path_params["artist"]
        top, tracks = self._ranked(slug, shown_date(request))
        return _html(pages.artist(top, tracks, self._genres[slug]))

    async def index(self, request: Request) -> Response:
        slug = request.path_params["artist"]
        day = shown_date(request)
        top, tracks = self._ranked(slug, day)
        if fraction("index.js", slug) < _WITHOUT_INDEX:
            raise HTTPException(404)
        related = [(other, name) for other, name in self._artists(self._genres[slug][0], day) if other != slug]
        text = pages.index(top, tracks, self._genres[slug], related)
        return Response(text.encode(), headers={"content-type": "application/javascript"})

    async def song(self, request: Request) -> Response:
        track = self._find(request)
        if track.notice is not None:
            return _html(pages.notice(track))
        return _html(pages.song(track, self._genres[track.artist_slug], has_chords=_has_chords(track)))

    async def translation(self, request: Request) -> Response:
        track = self._find(request)
        if not pages.has_translation(track):
            raise HTTPException(404)
        return _html(pages.translation(track, self._genres[track.artist_slug]))

    async def chords(self, request: Request) -> Response:
        track = self._find(request)
        if not _has_chords(track):
            raise HTTPException(404)
        return _html(pages.chords(track, self._genres[track.artist_slug]))

    def _artists(self, genre: str, day: date) -> list[tuple[str, str]]:
        """Return slug and name of the genre's artists, sorted by name, who have a song on that date."""
        names = {
            track.artist_slug: track.song.artist
            for track in self._catalogue.by_genre.get(genre, [])
            if self._charts.stands(track.song, day)
        }
        return sorted(names.items(), key=lambda artist: (slugify(artist[1]), artist[0]))

    def _ranked(self, artist_slug: str, day: date) -> tuple[list[Track], list[Track]]:
        """Return the artist's tracks by popularity and by title; 404 if there is none on that date."""
        tracks = {track.song: track for track in self._catalogue.by_artist.get(artist_slug, {}).values()}
        ranked = self._charts.ranked(list(tracks), artist_slug, day)
        if not ranked:
            raise HTTPException(404)
        top = [tracks[song] for song in ranked]
        return top, sorted(top, key=lambda track: track.slug)

    def _find(self, request: Request) -> Track:
        track = self._catalogue.find(request.path_params["artist"], request.path_params["song"])
        if track is None or not self._charts.stands(track.song, shown_date(request)):
            raise HTTPException(404)
        return track


def _genres(tracks: Iterable[Track]) -> list[str]:
    """Return an artist's genres: first the one most songs were made in, then the others of the charts."""
    tracks = list(tracks)
    own = Counter(track.song.genre for track in tracks)
    charts = Counter(genre for track in tracks for genre in track.song.genres)
    return [genre for genre, _ in own.most_common()] + [genre for genre in charts if genre not in own]


def _has_chords(track: Track) -> bool:
    return track.notice is None and fraction("chords", track.song.key) < _WITH_CHORDS


def _html(text: str, status: int = 200) -> Response:
    # The site does not say the charset in the header; Starlette would add it to a media type of its own.
    return Response(text.encode(), status, headers={"content-type": "text/html"})
