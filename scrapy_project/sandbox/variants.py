"""How Vagalume's version of a song differs: its texts are typed in by users, so no two sites have the same bytes.

What happens to a song depends on the song alone; it stays the same song to a reader.
"""

from collections import Counter
from collections.abc import Callable

from scrapy_project.sandbox.chance import fraction, fractions, pick
from scrapy_project.sandbox.songbook import SITES, Song, stanzas

_GUESTS = ("Duda Ventania", "Léo Marimbondo", "MC Candeia", "Tia Zuleica", "Bento Cascata", "Nina Aroeira")
_LABELS = ("Refrão", "[Refrão]")
_WITH_USER_TEXT = 0.3


def vagalume_title(song: Song) -> str:
    """Return the song's title on Vagalume."""
    if "(part." in _differences(song):
        return f"{song.title} (part. {pick(_GUESTS, 'guest', song.key)})"
    return song.title


def vagalume_text(text: str, song: Song) -> str:
    """Return `text`, a text of this song, as Vagalume has it; the stanzas may be parted by more than one blank line."""
    parts = stanzas(text)
    if not parts:
        return text
    for difference in _differences(song):
        parts = _CHANGES[difference](parts)
    user_text, triple, _, _ = fractions("user text", song.key)
    if user_text < _WITH_USER_TEXT:
        chorus = parts.index(_chorus(parts))
        parts[chorus] = [pick(_LABELS, "label", song.key), *parts[chorus]]
    gap = "\n\n\n\n" if triple < _WITH_USER_TEXT else "\n\n"
    # Only the first gap is wide: users type one by mistake.
    return gap.join(["\n".join(parts[0]), "\n\n".join("\n".join(part) for part in parts[1:])]).rstrip("\n")


def _differences(song: Song) -> list[str]:
    """Return one or two differences for a song of both sites, none for another."""
    if song.sites != SITES:
        return []
    one, two, _, _ = fractions("differences", song.key)
    names = list(_CHANGES)
    return sorted({names[int(one * len(names))], names[int(two * len(names))]})


def _chorus(parts: list[list[str]]) -> list[str]:
    """Return the stanza that is sung most often; the second one (the only one) where none is repeated."""
    times = Counter(map(tuple, parts))
    best, count = times.most_common(1)[0]
    return list(best) if count > 1 else parts[min(1, len(parts) - 1)]


def _repeat_chorus(parts: list[list[str]]) -> list[list[str]]:
    return [*parts, list(_chorus(parts))]


def _mark_twice(parts: list[list[str]]) -> list[list[str]]:
    chorus = _chorus(parts)
    return [[*part[:-1], f"{part[-1]} (2x)"] if part == chorus else part for part in parts]


def _change_punctuation(parts: list[list[str]]) -> list[list[str]]:
    return [[_end_differently(line) for line in part] for part in parts]


def _end_differently(line: str) -> str:
    bare = line.replace(",", "").rstrip(".;!")
    return bare + pick(("", ".", ",", "!", "..."), "line end", line) if fraction("bare", line) < 0.7 else bare


_CHANGES: dict[str, Callable[[list[list[str]]], list[list[str]]]] = {
    "punctuation": _change_punctuation,
    "(part.": lambda parts: parts,
    "repeated chorus": _repeat_chorus,
    "(2x)": _mark_twice,
}
