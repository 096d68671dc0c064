"""Letras.mus.br: what it answers to each address. The markup is in `letras_pages`."""

from datetime import date

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from scrapy_project.genres import GENRE_NAMES, GENRES
from scrapy_project.sandbox import letras_pages as pages
from scrapy_project.sandbox.catalogue import Catalogue, Notice, Track, slugify, songs_without_lyrics
from scrapy_project.sandbox.chance import fraction, pick
from scrapy_project.sandbox.charts import Charts
from scrapy_project.sandbox.dates import shown_date
from scrapy_project.sandbox.songbook import Song

ROBOTS = "User-agent: *\nDisallow: /contribuicoes/\nDisallow: /api/v2/survey/\n"
LONGEST_CHART = 1000
"""Rows. The real site shows no more."""

_NUMERIC_SLUGS = 0.15
_GENRE_OF_SLUG = {genre.letras: genre.name for genre in GENRES}
_NOTICES = {name: [Notice.REMOVED, Notice.NO_LYRICS][: 1 + number % 2] for number, name in enumerate(GENRE_NAMES)}


def letras_app(songs: list[Song], charts: Charts) -> Starlette:
    """Return the site with the songs of the songbook that stand on it."""
    site = _Letras([song for song in songs if "letras" in song.sites], charts)
    routes = [
        Route("/", site.home, name="home"),
        Route("/robots.txt", site.robots, name="robots"),
        Route("/mais-acessadas/{genre}/", site.chart, name="chart"),
        Route("/mais-acessadas/{genre}", site.add_slash, name="without_slash"),
        Route("/{artist}/{song}/traducao.html", site.translation, name="translation"),
        Route("/{artist}/{song}/", site.song, name="song"),
        Route("/{artist}/{song}", site.add_slash, name="without_slash"),
        Route("/{artist}/", site.artist, name="artist"),
        Route("/{artist}", site.add_slash, name="without_slash"),
    ]
    app = Starlette(routes=routes, exception_handlers={404: site.not_found})
    # Starlette's own redirect is a 307; the site's is a 301, see add_slash.
    app.router.redirect_slashes = False
    return app


class _Letras:
    def __init__(self, songs: list[Song], charts: Charts) -> None:
        self._charts = charts
        added = songs_without_lyrics(songs, "letras", _NOTICES)
        titled = [(song, song.title, None) for song in songs] + [(song, song.title, notice) for song, notice in added]
        self._catalogue = Catalogue(titled, _slug)
        self._tracks = {
            genre: {track.song: track for track in tracks} for genre, tracks in self._catalogue.by_genre.items()
        }

    async def home(self, request: Request) -> Response:
        return HTMLResponse(pages.home())

    async def robots(self, request: Request) -> Response:
        return PlainTextResponse(ROBOTS)

    async def not_found(self, request: Request, error: Exception) -> Response:
        return HTMLResponse(pages.not_found(), 404)

    async def add_slash(self, request: Request) -> Response:
        return RedirectResponse(request.url.path + "/", 301)

    async def chart(self, request: Request) -> Response:
        genre = _GENRE_OF_SLUG.get(request.path_params["genre"])
        if genre is None:
            raise HTTPException(404)
        tracks = self._tracks.get(genre, {})
        ranked = self._charts.ranked(list(tracks), genre, shown_date(request))
        return HTMLResponse(pages.chart(genre, [tracks[song] for song in ranked[:LONGEST_CHART]]))

    async def artist(self, request: Request) -> Response:
        tracks = self._standing(request.path_params["artist"], shown_date(request))
        if not tracks:
            raise HTTPException(404)
        return HTMLResponse(pages.artist(tracks))

    async def song(self, request: Request) -> Response:
        day = shown_date(request)
        track = self._find(request, day)
        if track is None:
            return self._another_song(request, day)
        frame = _frame(request)
        if track.notice is not None:
            return HTMLResponse(pages.notice(track, frame))
        return HTMLResponse(pages.song(track, self._charts.views(track.song, day), frame))

    async def translation(self, request: Request) -> Response:
        day = shown_date(request)
        track = self._find(request, day)
        if track is None:
            return self._another_song(request, day)
        if track.song.language == "pt" or not track.song.lyrics:
            return RedirectResponse(pages.address(track), 302)
        if request.cookies.get("translMode") == "single":
            return HTMLResponse(pages.single_translation(track, _frame(request)))
        return HTMLResponse(pages.paired_translation(track, _frame(request)))

    def _standing(self, artist_slug: str, day: date) -> list[Track]:
        tracks = self._catalogue.by_artist.get(artist_slug, {}).values()
        return [track for track in tracks if self._charts.stands(track.song, day)]

    def _find(self, request: Request, day: date) -> Track | None:
        track = self._catalogue.find(request.path_params["artist"], request.path_params["song"])
        return track if track is not None and self._charts.stands(track.song, day) else None

    def _another_song(self, request: Request, day: date) -> Response:
        """Send an unknown song of a known artist to some other song of that artist, as the real site does."""
        tracks = self._standing(request.path_params["artist"], day)
        if not tracks:
            raise HTTPException(404)
        return RedirectResponse(pages.address(pick(tracks, "another", request.path_params["song"])), 302)


def _frame(request: Request) -> pages.Frame:
    agent = request.headers.get("user-agent", "")
    return pages.Frame(request.headers.get("host", ""), is_mobile="Mobile" in agent or "Android" in agent)


def _slug(song: Song, title: str) -> str:
    number = fraction("numeric slug", song.key)
    return str(10_000 + int(number * 10**7)) if number < _NUMERIC_SLUGS else slugify(title)
