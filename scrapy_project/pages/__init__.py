"""Pure parsers of the two sites' pages: bytes and an address in, small tuples out; nothing here crawls or does I/O.

Both sites are imitated from public knowledge, so every parser accepts the containers that a site used before, and
whatever bytes it is given it raises nothing but `PageError`.

A parser notes in the set that it is given, also before it raises, which families of selectors matched on the page: a
family that others stand in for, or that a song can lack, would else vanish silently when a site changes its markup.
"""

from typing import TypeVar

_T = TypeVar("_T")


class PageError(ValueError):
    """A page whose markup is not understood. The message names the page and what was looked for in it."""

    def __init__(self, url: str, message: str) -> None:
        super().__init__(f"{url}: {message}")
        self.url = url


def note(matched: set[str] | None, family: str, found: _T) -> _T:
    """Return what a family of selectors found; the family's name goes into the set, if there is one, unless empty."""
    if matched is not None and found:
        matched.add(family)
    return found


class NoLyrics(PageError):
    """A page that is understood and honestly holds no lyric."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, f"no lyric ({reason})")
        self.reason = reason
        """One of ``removed``, ``instrumental``, ``missing``, ``chords``, ``empty`` and ``not_found``."""
