"""What both sites' parsers share: bytes to text, elements to lines, lines to a clean lyric, addresses."""

import re
import unicodedata
from urllib.parse import urljoin, urlsplit

from parsel import Selector
from w3lib.encoding import html_body_declared_encoding

from scrapy_project.pages import NoLyrics

NOTICE_CHARACTERS = 80
"""A text that looks like a notice is one only below this length; a longer one is a lyric that speaks of such things."""

_SPACING = "\t\n\r\f\x85"
# Control bytes, zero-width marks, and the lone surrogates that JSON escapes can make.
_INVISIBLE = ("Cc", "Cf", "Cs")


class _Visible(dict[int, int | None]):
    """What `str.translate` makes of each character, worked out once: None for an invisible one, which removes it."""

    def __missing__(self, code: int) -> int | None:
        char = chr(code)
        self[code] = code if char in _SPACING or unicodedata.category(char) not in _INVISIBLE else None
        return self[code]


_VISIBLE = _Visible()

_ENCODINGS = frozenset({"utf-8", "cp1252", "iso8859-1", "iso8859-15"})

_NOTICES = (
    ("removed", re.compile(r"foi (removid|retirad)[ao]", re.I)),
    ("instrumental", re.compile(r"^\W*((esta|essa|m[uú]sica|faixa|[eé]) )*instrumental\b.{0,30}$", re.I)),
    ("missing", re.compile(r"n[aã]o (possui|tem|h[aá]) letra|sem letra|letra (n[aã]o |in)dispon[ií]vel", re.I)),
)

_REPEAT = r"(?:\d{1,2}\s*[xX×]|[xX×]\s*\d{1,2}|bis(?:\s*\d{1,2}\s*[xX×])?|\d{1,2}\s*vezes)"
_REPEAT_MARK = re.compile(rf"\s*[(\[{{]\s*{_REPEAT}\s*[)\]}}]", re.I)
_REPEAT_TAIL = re.compile(r"(?:^|\s+)(?:\d{1,2}\s?[xX×]|[xX×]\s?\d{1,2})$|^bis$", re.I)

# A bare word is a label only when it names a part that singers repeat; in brackets any part of a song is one.
_PARTS = r"(?:pr[eé][ -]?)?refr[aã]o|coro|estribilho"
_MORE_PARTS = (
    _PARTS
    + r"|(?:pre[ -]?)?chorus|hook|intro(?:du[cç][aã]o)?|verso|verse|ponte|bridge|solo|interl[uú]dio|outro|final|parte"
    r"|instrumental"
)
_NUMBER = r"(?:\s*(?:\d{1,2}|[IVX]{1,4}|final))?"
_LABEL = re.compile(
    rf"^(?:(?:repe(?:te|tir)\s+(?:o\s+)?)?(?:{_PARTS}){_NUMBER}\s*:?"
    rf"|[(\[{{]\s*(?:repe(?:te|tir)\s+(?:o\s+)?)?(?:{_MORE_PARTS}){_NUMBER}\s*:?\s*[)\]}}]\s*:?)$",
    re.I,
)

_CHORD = re.compile(
    r"^\(?[A-G][#b]?(?:m|M|maj|dim|aug|sus|add|º|°|\+){0,2}\d{0,2}(?:[(/+-][#b]?\d{1,2}\)?){0,3}(?:/[A-G][#b]?)?\)?$"
)
_SURE_CHORD = re.compile(r"[\d#/º°]")

_SIGNATURE = re.compile(
    r"^[-–—~*\s]*(?:"
    r"(?:letra\s+)?(?:enviad|postad|transcrit|corrigid|revisad|traduzid|legendad)[ao]\s+por\b.*"
    r"|(?:colabora[cç][aã]o|contribui[cç][aã]o|transcri[cç][aã]o|tradu[cç][aã]o|corre[cç][aã]o|by|por|fonte|contato|e-?mail)"
    r"\s*:.*"
    r"|.*\S+@\S+\.\w{2,}.*"
    r"|.*(?:https?://|www\.)\S+.*"
    r")$",
    re.I,
)


def to_text(html: bytes) -> str:
    """Return a page's text: by the charset that its own meta tag declares, else UTF-8; undecodable bytes are replaced.

    The HTTP header is not asked, since Vagalume sends none, and Latin-1 is never guessed, since both sites are UTF-8.
    """
    declared = html_body_declared_encoding(html[:4096])
    return html.decode(declared if declared in _ENCODINGS else "utf-8", "replace").removeprefix("\ufeff")


def parse_html(html: bytes) -> Selector:
    """Return the root selector of a page, however broken its markup."""
    return Selector(text=to_text(html), type="html")


def class_is(*tokens: str) -> str:
    """Return the XPath condition that an element's class attribute holds one of the tokens, whatever else it holds."""
    return " or ".join(f"contains(concat(' ', normalize-space(@class), ' '), ' {token} ')" for token in tokens)


def one_line(text: str) -> str:
    """Return the text on one line: NFC, whitespace collapsed, control and invisible characters removed."""
    kept = text if text.isprintable() else text.translate(_VISIBLE)
    return unicodedata.normalize("NFC", " ".join(kept.split()))


def text_of(node: Selector) -> str:
    """Return all the text below a node on one line."""
    return one_line("".join(node.xpath(".//text()[not(ancestor::script or ancestor::style)]").getall()))


def lines_of(node: Selector, leave_out: tuple[str, ...] = ()) -> str:
    """Return the text below a node with a newline for each ``<br>``; elements of the classes to leave out are skipped.

    ``span.verse`` (how Letras marks lines in other scripts) is a line of its own, with or without ``<br>`` beside it.
    """
    unseen = "ancestor::script or ancestor::style or ancestor::button"
    if leave_out:
        unseen += f" or ancestor::*[{class_is(*leave_out)}]"
    is_verse = class_is("verse")
    found = [part.root for part in node.xpath(f".//text()[not({unseen})] | .//br[not({unseen})] | .//span[{is_verse}]")]
    text = "".join(re.sub(r"[\r\n]+", " ", part) if isinstance(part, str) else "\n" for part in found)
    if any(not isinstance(part, str) and part.tag == "span" for part in found):
        text = re.sub(r"\s*\n\s*", "\n", text)
    return text.strip()


def notice_reason(text: str) -> str | None:
    """Return why there is no lyric, if that is all that a text says: a reason of `NoLyrics`; else None."""
    line = one_line(text)
    if len(line) >= NOTICE_CHARACTERS:
        return None
    return next((reason for reason, pattern in _NOTICES if pattern.search(line)), None)


def clean_lyrics(text: str) -> str:
    """Return a lyric with the users' notes removed: lines by a newline, stanzas by one blank line.

    Removed are: repeat marks ("(2x)", "[bis]", "3x" at the end of a line), lines that only name a part ("Refrão",
    "[Verso 2]"), lines of chords, and signatures in the last lines ("Enviada por ...", addresses).
    """
    lines = [line for raw in text.split("\n") if (line := _lyric_line(one_line(raw))) is not None]
    while lines and (not lines[-1] or _is_signature(lines[-1])):
        lines.pop()
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def _lyric_line(line: str) -> str | None:
    """Return the line without its repeat marks; None if it is no lyric, and then does not part a stanza either."""
    bare = _REPEAT_TAIL.sub("", _REPEAT_MARK.sub("", line)).strip()
    if (line and not bare) or _LABEL.match(bare) or _is_chords(bare):
        return None
    return bare


def _is_chords(line: str) -> bool:
    # "A" and "E" are also Portuguese words: plain letters count as chords only when two different ones make the line.
    words = line.split()
    if not words or not all(_CHORD.match(word) for word in words):
        return False
    return len(set(words)) > 1 or bool(_SURE_CHORD.search(line))


def _is_signature(line: str) -> bool:
    return len(line) < NOTICE_CHARACTERS and bool(_SIGNATURE.match(line))


def read_lyrics(text: str, url: str) -> str:
    """Return the clean lyric of a page.

    Raises:
        NoLyrics: the text is a notice, or nothing is left of it.
    """
    if reason := notice_reason(text):
        raise NoLyrics(url, reason)
    lyrics = clean_lyrics(text)
    if not lyrics:
        raise NoLyrics(url, "empty")
    return lyrics


def parse_number(text: str) -> int | None:
    """Return the whole number in a text that parts thousands by dots ("1.234.567"); None if there is none."""
    found = re.search(r"[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]{1,18}", text)
    return int(found.group().replace(".", "")) if found else None


def same_site_url(page_url: str, href: str) -> str | None:
    """Return the absolute address of a link without query and fragment; None if it is broken or leaves the site."""
    try:
        base, link = urlsplit(page_url), urlsplit(urljoin(page_url, href.strip()))
        link.geturl().encode()  # a lone surrogate cannot be asked for
    except ValueError:
        return None
    if link.scheme != base.scheme or link.netloc != base.netloc:
        return None
    return link._replace(query="", fragment="").geturl()


def path_of(url: str) -> str:
    """Return an address's path without slashes at its ends; "" if the address is broken."""
    try:
        return urlsplit(url).path.strip("/")
    except ValueError:
        return ""
