"""Which recordings are the same song: the stable id of a song across sites, dates and releases of this project."""

import hashlib
import re

from lyrics_assets.lyrics.text import fold, normalise

# What sites put behind a title or an artist without making it another song, between brackets or after a dash.
# "Part 1" is no guest; "part. 3030" is one.
_MARK = (
    r"(?:part(?! (?:\d{1,2}|[ivx]+)\b)|participacao|feat|featuring|ft|with|ao vivo|live|acustic[oa]|acoustic|remix"
    r"|remaster(?:ed|izado)?|versao|version|radio edit)"
)
_BRACKETED = re.compile(r"[(\[{][^)\]}]*[)\]}]")
_TRAILING_MARK = re.compile(rf"\s+[-–—]\s+(?:[^-–—]*\b)?{_MARK}\b.*$", re.IGNORECASE)
_TRAILING_GUEST = re.compile(r"\s+(?:part\.|feat\.?|ft\.?|featuring)\s+.*$", re.IGNORECASE)
_HAS_MARK = re.compile(rf"\b{_MARK}\b")
_ARTICLES = frozenset({"o", "a", "os", "as", "the"})


def title_key(title: str) -> str:
    """Return the part of a title by which it is compared: guests, live, remix and remaster marks taken off."""
    title = fold(title)
    bare = _BRACKETED.sub(lambda found: " " if _HAS_MARK.search(normalise(found.group())) else found.group(), title)
    bare = _TRAILING_GUEST.sub("", _TRAILING_MARK.sub("", bare))
    return normalise(bare).replace("\n", " ") or normalise(title).replace("\n", " ") or title.strip()


def artist_key(artist: str) -> str:
    """Return the part of an artist's name by which it is compared: no guests, no leading article, "&" as "e"."""
    bare = _TRAILING_GUEST.sub("", _BRACKETED.sub(" ", artist)).replace("&", " e ")
    words = normalise(bare).split()
    if len(words) > 1 and words[0] in _ARTICLES:
        words = words[1:]
    return " ".join("e" if word == "and" else word for word in words) or normalise(artist) or fold(artist).strip()


def song_id(artist: str, title: str) -> str:
    """Return 32 hexadecimal digits that name the song whatever the site, the date and the spelling."""
    key = f"{artist_key(artist)}\x1f{title_key(title)}"
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest()


def lyrics_hash(lyrics: str) -> str:
    """Return 32 hexadecimal digits, equal for texts that differ in layout, case, accents or punctuation alone."""
    return hashlib.blake2b(normalise(lyrics).encode(), digest_size=16).hexdigest()
