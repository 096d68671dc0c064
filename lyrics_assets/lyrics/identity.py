"""Which recordings are the same song: the stable id of a song across sites, dates and releases of this project."""

import hashlib
import re

from lyrics_assets.lyrics.text import fold, normalise

# What sites put behind a title or an artist without making it another song, between brackets or after a dash.
# "Part 1" is no guest; "part. 3030" is one.
_NUMBER = r"(?:\d{1,2}|[ivx]+)\b"
_MARK = (
    rf"(?:part(?! {_NUMBER})|participacao|feat|featuring|ft|with|ao vivo|live|unplugged|acustic[oa]|acoustic|remix"
    r"|remaster(?:ed|izad[oa])?|versao|version|radio edit|album edit|extended|estendida|demo|bonus track|faixa bonus"
    r"|karaoke|playback|instrumental|videoclipe|clipe|(?:video|audio) oficial|(?:official|lyric|music) (?:video|audio)"
    r"|sped up|slowed)"
)
_BRACKETED = re.compile(r"[(\[{][^)\]}]*[)\]}]")
_TRAILING_MARK = re.compile(rf"\s+[-–—]\s+(?:[^-–—]*\b)?{_MARK}\b.*$")
_TRAILING_GUEST = re.compile(rf"\s+(?:part\.(?!\s*{_NUMBER}\s*$)|feat\.?|ft\.?|featuring)\s+.*$", re.IGNORECASE)
_TRAILING_LIVE = re.compile(r"(?<=\w)\W+ao vivo\W*$")
_HAS_MARK = re.compile(rf"\b{_MARK}\b")
_NUMBERED_PART = re.compile(rf"\b(?:part|pt)\.?\s*(?={_NUMBER}\W*$)")
_ARTICLES = frozenset({"o", "a", "os", "as", "the"})
# A plural that some write with an apostrophe, which parts it in two.
_PLURALS = {"mcs": "mc s", "djs": "dj s"}


def title_key(title: str) -> str:
    """Return the part of a title by which it is compared: guests, live, remix and remaster marks taken off."""
    folded = fold(title)
    bare = _BRACKETED.sub(lambda found: " " if _HAS_MARK.search(normalise(found.group())) else found.group(), folded)
    bare = _TRAILING_LIVE.sub("", _TRAILING_GUEST.sub("", _TRAILING_MARK.sub("", bare)))
    bare = _NUMBERED_PART.sub("parte ", bare.replace("&", " e "))
    return _one_line(bare) or _one_line(folded) or folded.strip()


def artist_key(artist: str) -> str:
    """Return the part of an artist's name by which it is compared: no guests, no leading article, "&" as "e"."""
    bare = _TRAILING_GUEST.sub("", _BRACKETED.sub(" ", artist)).replace("&", " e ")
    words = normalise(bare).split()
    if len(words) > 1 and words[0] in _ARTICLES:
        words = words[1:]
    key = " ".join("e" if word == "and" else _PLURALS.get(word, word) for word in words)
    return key or normalise(artist) or fold(artist).strip()


def song_id(artist: str, title: str) -> str:
    """Return 32 hexadecimal digits that name the song whatever the site, the date and the spelling."""
    key = f"{artist_key(artist)}\x1f{title_key(title)}"
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest()


def lyrics_hash(lyrics: str) -> str:
    """Return 32 hexadecimal digits, equal for texts that differ in layout, case, accents or punctuation alone."""
    return normalised_hash(normalise(lyrics))


def normalised_hash(normalised: str) -> str:
    """Return `lyrics_hash` of a text that `normalise` has been through."""
    return hashlib.blake2b(normalised.encode(), digest_size=16).hexdigest()


def _one_line(text: str) -> str:
    return normalise(text).replace("\n", " ")
