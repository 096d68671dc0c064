"""Pure parsers of the two sites' pages: bytes and an address in, small tuples out; nothing here crawls or does I/O.

Both sites are imitated from public knowledge, so every parser accepts the containers that a site used before, and
whatever bytes it is given it raises nothing but `PageError`.
"""


class PageError(ValueError):
    """A page whose markup is not understood. The message names the page and what was looked for in it."""

    def __init__(self, url: str, message: str) -> None:
        super().__init__(f"{url}: {message}")
        self.url = url


class NoLyrics(PageError):
    """A page that is understood and honestly holds no lyric."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, f"no lyric ({reason})")
        self.reason = reason
        """One of ``removed``, ``instrumental``, ``missing``, ``chords``, ``empty`` and ``not_found``."""
