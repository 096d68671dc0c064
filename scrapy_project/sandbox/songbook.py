"""The songbook: the songs that the sandbox shows, read from JSON Lines and checked field by field.

What the fields mean stands in ``songbook/README.md``.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scrapy_project.genres import GENRE_NAMES

PACKAGED_SONGBOOK = Path(__file__).parent / "songbook"
SITES = ("letras", "vagalume")
FIELDS = ("title", "artist", "genre", "genres", "lyrics", "language", "original", "composers", "sites", "year")


class SongbookError(ValueError):
    """A songbook cannot be used; the message names file, line, field and what is allowed, on one line."""


# Two songs are never the same object to the sandbox even if their fields agree, and hashing whole lyrics is slow.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Song:
    """One line of the songbook. Texts have lines ended by a newline and stanzas parted by a blank line."""

    title: str
    artist: str
    genre: str
    genres: tuple[str, ...]
    """Every genre in whose chart the song stands, its own first."""
    lyrics: str
    """The Portuguese text; empty for a foreign song that nobody translated."""
    language: str = "pt"
    original: str = ""
    """The text in `language`; empty for a Portuguese song."""
    composers: tuple[str, ...] = ()
    sites: tuple[str, ...] = SITES
    year: int | None = None

    @property
    def key(self) -> str:
        """The song's name among all songs: artist and title."""
        return f"{self.artist} - {self.title}"


def stanzas(text: str) -> list[list[str]]:
    """Return the lines of each stanza of `text`."""
    return [stanza.split("\n") for stanza in re.split(r"\n\s*\n", text.strip())] if text.strip() else []


def load_songbook(path: Path) -> list[Song]:
    """Read the songs of one JSON Lines file, or of all ``*.jsonl`` files of a folder in the order of their names.

    Raises:
        SongbookError: nothing to read, or a line that breaks the format.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise SongbookError(f"{path}: no *.jsonl file in this folder")
    songs: list[Song] = []
    seen: dict[str, str] = {}
    for file in files:
        for place, line in _lines(file):
            song = _parse(line, place)
            first = seen.setdefault(song.key.casefold(), place)
            if first != place:
                raise SongbookError(f"{place}: title: {song.title!r} by {song.artist!r} stands already in {first}")
            songs.append(song)
    if not songs:
        raise SongbookError(f"{path}: no song in it")
    return songs


def _lines(file: Path) -> Iterator[tuple[str, str]]:
    """Yield the place (file:number) and the text of each line that is not blank."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise SongbookError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SongbookError(f"{file}: byte {error.start} is not UTF-8") from error
    # Not splitlines(): only a newline ends a line of JSON Lines.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"{file}:{number}", line


def _parse(line: str, place: str) -> Song:
    try:
        fields = json.loads(line)
    except json.JSONDecodeError as error:
        raise SongbookError(f"{place}: not JSON: {error.msg} at column {error.colno}") from error
    if not isinstance(fields, dict):
        raise SongbookError(f"{place}: must be a JSON object with the fields {', '.join(FIELDS)}")
    return _Line(place, fields).song()


@dataclass(frozen=True, slots=True)
class _Line:
    """The fields of one line, checked as they are taken."""

    place: str
    fields: dict[str, Any]

    def song(self) -> Song:
        """Return the song of this line."""
        for name in self.fields:
            if name not in FIELDS:
                raise self._error(name, "is not a field", f"the fields are {', '.join(FIELDS)}")
        language = self._language()
        genre = self._choice("genre", self._name("genre"), GENRE_NAMES)
        return Song(
            title=self._name("title"),
            artist=self._name("artist"),
            genre=genre,
            genres=self._genres(genre),
            lyrics=self._text("lyrics", needed=language == "pt"),
            language=language,
            original=self._original(language),
            composers=tuple(self._names("composers")),
            sites=self._sites(),
            year=self._year(),
        )

    def _error(self, name: str, problem: str, allowed: str) -> SongbookError:
        return SongbookError(f"{self.place}: {name}: {problem}; {allowed}")

    def _take(self, name: str, is_right: Callable[[Any], bool], allowed: str, default: object = None) -> Any:
        if name not in self.fields and default is not None:
            return default
        if name not in self.fields:
            raise self._error(name, "missing", allowed)
        value = self.fields[name]
        if not is_right(value):
            raise self._error(name, f"{json.dumps(value, ensure_ascii=False)[:60]} is not allowed", allowed)
        return value

    def _name(self, name: str) -> str:
        return str(self._take(name, _is_name, "must be text on one line, not empty"))

    def _names(self, name: str) -> list[str]:
        allowed = "must be a list of texts, each on one line and not empty"
        return list(self._take(name, lambda value: isinstance(value, list) and all(map(_is_name, value)), allowed, []))

    def _choice(self, name: str, value: str, options: tuple[str, ...]) -> str:
        if value not in options:
            raise self._error(name, f"{value!r} is not allowed", f"allowed: {', '.join(options)}")
        return value

    def _text(self, name: str, *, needed: bool) -> str:
        default = None if needed else ""
        text = str(self._take(name, lambda value: isinstance(value, str), "must be text", default)).strip()
        if needed and not text:
            raise self._error(name, "is empty", "must be text")
        return text

    def _language(self) -> str:
        allowed = "must be an ISO 639-1 code such as pt, en, es or ko"
        return str(self._take("language", lambda value: bool(re.fullmatch("[a-z]{2}", str(value))), allowed, "pt"))

    def _original(self, language: str) -> str:
        if language != "pt":
            return self._text("original", needed=True)
        if "original" in self.fields:
            raise self._error("original", "stands in a Portuguese song", "allowed only if language is not pt")
        return ""

    def _genres(self, genre: str) -> tuple[str, ...]:
        named = [self._choice("genres", name, GENRE_NAMES) for name in self._names("genres")]
        if named and genre not in named:
            raise self._error("genres", f"lacks {genre!r}", "must include the song's genre")
        return tuple(dict.fromkeys([genre, *named]))

    def _sites(self) -> tuple[str, ...]:
        named = [self._choice("sites", name, SITES) for name in self._names("sites")]
        if "sites" in self.fields and not named:
            raise self._error("sites", "is empty", f"allowed: {', '.join(SITES)}")
        return tuple(site for site in SITES if site in named) or SITES

    def _year(self) -> int | None:
        if "year" not in self.fields:
            return None
        # JSON's true is an int to Python.
        return int(self._take("year", lambda value: type(value) is int and 1500 <= value <= 2999, "must be a year"))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()
