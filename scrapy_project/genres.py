"""The genres that the project learns, and what each site calls them. How one is added: CONTRIBUTING.md."""

from typing import NamedTuple


class Genre(NamedTuple):
    """A genre's name in this project and its slug on each site (see `pages` for the addresses)."""

    name: str
    letras: str
    vagalume: str


# A new one goes to the end: the sandbox gives each genre its pages without a lyric by its place.
GENRES: tuple[Genre, ...] = (
    Genre("Country", "country", "country"),
    Genre("Forró", "forro", "forro"),
    Genre("Funk", "funk", "funk-carioca"),  # Vagalume's "funk" is the North American one
    Genre("Gospel", "gospelreligioso", "gospel"),
    Genre("Heavy Metal", "heavy-metal", "heavy-metal"),
    Genre("Hip Hop", "hip-hop-rap", "hip-hop"),
    Genre("K-Pop", "k-pop", "k-pop-k-rock"),
    Genre("MPB", "mpb", "mpb"),
    Genre("Pagode", "pagode", "pagode"),
    Genre("Pop", "pop", "pop"),
    Genre("R&B", "rb", "r-n-b"),
    Genre("Reggaeton", "reggaeton", "reggaeton"),
    Genre("Rock", "rock", "rock"),
    Genre("Samba", "samba", "samba"),
    Genre("Sertanejo", "sertanejo", "sertanejo"),
)

GENRE_NAMES: tuple[str, ...] = tuple(genre.name for genre in GENRES)


def find_genres(names: str | None) -> tuple[Genre, ...]:
    """Return the genres named in a comma-separated list; all of them if none is named.

    Raises:
        ValueError: a name is not one of GENRE_NAMES; the message lists what is allowed.
    """
    wanted = [name.strip() for name in (names or "").split(",") if name.strip()]
    if not wanted:
        return GENRES
    by_name = {genre.name.casefold(): genre for genre in GENRES}
    unknown = [name for name in wanted if name.casefold() not in by_name]
    if unknown:
        raise ValueError(f"genres: {', '.join(unknown)} not known; allowed: {', '.join(GENRE_NAMES)}")
    return tuple(dict.fromkeys(by_name[name.casefold()] for name in wanted))
