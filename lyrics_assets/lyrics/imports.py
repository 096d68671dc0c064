"""Songs out of somebody else's file: CSV, JSON Lines or Parquet, row by row into raw songs.

Nothing is held but the row at hand, so a file may be larger than the memory. A row is taken whole or rejected with a
reason; what a value might have meant is never guessed.
"""

import csv
import datetime as dt
import gzip
import itertools
import json
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from scrapy_project.genres import GENRE_NAMES, find_genres
from scrapy_project.items import RawSong

NEEDED = ("title", "artist", "lyrics", "genre")
ENDINGS = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet")
MAX_FIELD_CHARACTERS = 1_000_000
"""Of a CSV cell. A longer one is a quote that was never closed, which would swallow the rest of the file."""
MAX_LINE_BYTES = 16 * 2**20
"""Of a line of text, unpacked. A longer one is no row: a file of another kind."""
MAX_NAME_CHARACTERS = 300
"""Of a title, an artist or another name. A longer one is another column's text."""

_BATCH_ROWS = 500
_BUFFER_BYTES = 2**20
_MAX_INT64 = 2**63 - 1
_SOURCE = re.compile("[a-z][a-z0-9_]{0,30}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# pandas writes ".0" behind the whole numbers of a column that has gaps; "1.234" may be 1234 or no number at all.
_WHOLE_NUMBER = re.compile(r"([0-9]{1,19})(?:\.0)?")
_TRUTHS = {"true": True, "1": True, "sim": True, "false": False, "0": False, "não": False}

Row = Mapping[str, Any]


class ImportArgumentError(ValueError):
    """What was asked for cannot be done to this file; the message names the argument and what is allowed."""


class ImportFileError(ValueError):
    """The file cannot be read, or holds no usable song; the message names it, and the line where there is one."""


class RowError(ValueError):
    """A row is no usable song."""

    def __init__(self, field: str, reason: str, detail: str = "") -> None:
        super().__init__(f"{field or 'row'}: {reason}" + (f": {detail}" if detail else ""))
        self.field = field
        """Of the raw song; empty if the row as a whole is broken."""
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, kw_only=True)
class ImportRules:
    """How the rows of a file are read."""

    source: str
    columns: Mapping[str, str] = field(default_factory=dict)
    """The file's column for a field of the raw song; a field's own name if it is not here, no column if empty."""
    genre_names: Mapping[str, str] = field(default_factory=dict)
    """One of GENRE_NAMES for what the file calls it, as `_key` writes it."""
    genre: str | None = None
    """The genre of every row, if the file does not say it."""

    def column(self, name: str) -> str:
        """Return the file's column for a field; empty if it is not read."""
        return "" if name == "genre" and self.genre else self.columns.get(name, name)


@dataclass
class Tally:
    """What became of the rows of a file."""

    imported: int = 0
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rows by reason and field."""
    genres: Counter[str] = field(default_factory=Counter)
    """Imported songs by genre."""
    first_reject: str = ""

    @property
    def rows(self) -> int:
        """How many rows were read."""
        return self.imported + self.rejected.total()

    def lines(self) -> list[tuple[str, int]]:
        """Return what there is to tell, most frequent first, with the number of rows."""
        rejects = [(f"  {reason} ({field or 'row'})", n) for (reason, field), n in self.rejected.most_common()]
        genres = [(f"  {genre}", n) for genre, n in self.genres.most_common()]
        total = self.rejected.total()
        return [("rows read", self.rows), ("rejected", total), *rejects, ("songs imported", self.imported), *genres]


def import_rejects_name(source: str, date: str) -> str:
    """Return the lake's name of the rows that the import of a source and a date left out, with the reasons."""
    return f"rejects/{source}/{date}.jsonl"


def parse_rules(
    source: str, columns: str = "", genre_names: str = "", genre: str | None = None, *, taken: Container[str] = ()
) -> ImportRules:
    """Return the rules that the texts of the command line say.

    Raises:
        ImportArgumentError: one is not allowed, or two contradict each other.
    """
    if not _SOURCE.fullmatch(source) or source in taken:
        raise ImportArgumentError(
            f"--source: {source!r} is not allowed; write up to 31 of a-z, 0-9 and _, beginning with a letter, "
            "and no crawled site's name"
        )
    if genre is not None and genre_names:
        raise ImportArgumentError("--genre: gives every row its genre; leave out --genre-names")
    rules = ImportRules(
        source=source,
        columns=_parse_columns(columns),
        genre_names=_parse_genre_names(genre_names),
        genre=None if genre is None else _find_genre("--genre", genre),
    )
    if genre is not None and "genre" in rules.columns:
        raise ImportArgumentError("--genre: gives every row its genre; leave genre out of --columns")
    return rules


def check_file(path: Path, rules: ImportRules) -> None:
    """See that a file is of a kind that can be read and has the columns that the rules need.

    A line of JSON names its own columns: there, only `import_songs` can tell.

    Raises:
        ImportArgumentError: it is not, or has not.
        ImportFileError: its header cannot be read.
    """
    present = _column_names(path)
    if present is None:
        return
    for name in _CONVERTERS:
        column = rules.column(name)
        if column and column not in present and (name in NEEDED or name in rules.columns):
            raise ImportArgumentError(
                f"--columns: {path} has no column {column!r} for {name}; its columns: {', '.join(present)}"
            )


def import_songs(path: Path, rules: ImportRules, songs: IO[str], rejects: IO[str]) -> Tally:
    """Write the usable rows of a file as raw songs, the others as rejects, one JSON object a line each.

    Raises:
        ImportArgumentError: a column that the rules name is in no row.
        ImportFileError: the file cannot be read to its end, or no row is usable.
    """
    tally = Tally()
    unseen = {column for name in rules.columns if (column := rules.column(name))}
    for line, row in read_rows(path):
        try:
            if isinstance(row, RowError):
                raise row
            if unseen:
                unseen.difference_update(row)
            song = to_raw_song(row, rules)
        except RowError as error:
            tally.rejected[error.reason, error.field] += 1
            tally.first_reject = tally.first_reject or f"line {line}: {error}"
            _write(rejects, _describe(line, error, {} if isinstance(row, RowError) else row, rules))
        else:
            tally.imported += 1
            tally.genres[song.genre] += 1
            _write(songs, vars(song))
    if unseen and tally.rows:
        raise ImportArgumentError(f"--columns: no row of {path} has {', '.join(map(repr, sorted(unseen)))}")
    if not tally.rows:
        raise ImportFileError(f"{path}: holds no row")
    if not tally.imported:
        raise ImportFileError(f"{path}: none of {tally.rows} rows is a usable song; the first, {tally.first_reject}")
    return tally


def read_rows(path: Path) -> Iterator[tuple[int, Row | RowError]]:
    """Yield each row with its line number, from 1 (of Parquet: its row number); what is no row, as its error.

    Raises:
        ImportArgumentError: the file's ending is not one of ENDINGS.
        ImportFileError: from there on, nobody can tell where a row begins; the message names the line.
    """
    read = {".csv": _read_csv, ".jsonl": _read_json_lines, ".parquet": _read_parquet}[_kind(path)]
    try:
        yield from read(path)
    except (EOFError, OSError, zlib.error) as error:
        raise ImportFileError(f"{path}: cannot be read: {error}") from error


def to_raw_song(row: Row, rules: ImportRules) -> RawSong:
    """Return the raw song of a row.

    Raises:
        RowError: a needed value is missing, or a value is not what its field allows.
    """
    values: dict[str, Any] = {"source": rules.source, "url": ""}
    for name, convert in _CONVERTERS.items():
        column = rules.column(name)
        value = row.get(column) if column else None
        if not _is_missing(value):
            values[name] = convert(name, value)
        elif name in NEEDED and column:
            raise RowError(name, "missing_field")
    values["genre"] = rules.genre or _known_genre(values["genre"], rules)
    return RawSong(**values)


def _parse_columns(text: str) -> dict[str, str]:
    columns: dict[str, str] = {}
    for part in filter(str.strip, text.split(",")):
        name, equals, column = (piece.strip() for piece in part.partition("="))
        if not equals or name not in _CONVERTERS:
            raise ImportArgumentError(
                f"--columns: {part.strip()!r} is not field=column; the fields: {', '.join(_CONVERTERS)}"
            )
        if name in columns:
            raise ImportArgumentError(f"--columns: {name} stands twice")
        if not column and name in NEEDED:
            raise ImportArgumentError(f"--columns: {name} is needed; only a field that is not may have no column")
        columns[name] = column
    return columns


def _parse_genre_names(text: str) -> dict[str, str]:
    names: dict[str, str] = {}
    for part in filter(str.strip, text.split(",")):
        theirs, equals, ours = part.rpartition("=")
        if not equals or not theirs.strip():
            raise ImportArgumentError(f"--genre-names: {part.strip()!r} is not name=genre; {_allowed_genres()}")
        genre = _find_genre("--genre-names", ours)
        if names.setdefault(_key(theirs), genre) != genre:
            raise ImportArgumentError(f"--genre-names: {theirs.strip()!r} stands twice")
    return names


def _find_genre(option: str, name: str) -> str:
    try:
        (genre,) = find_genres(name)
    except ValueError as error:
        raise ImportArgumentError(f"{option}: {name.strip()!r} is no genre; {_allowed_genres()}") from error
    return genre.name


def _allowed_genres() -> str:
    return f"allowed: {', '.join(GENRE_NAMES)}"


def _kind(path: Path) -> str:
    name = path.name.lower()
    if not name.endswith(ENDINGS):
        raise ImportArgumentError(f"FILE: {path} is of an unknown kind; it must end in {', '.join(ENDINGS)}")
    return "." + name.removesuffix(".gz").rsplit(".", 1)[-1]


def _column_names(path: Path) -> list[str] | None:
    """Return the columns that every row of the file has; None if each row has its own."""
    kind = _kind(path)
    if kind == ".jsonl":
        return None
    try:
        return _open_csv(path)[1] if kind == ".csv" else _parquet_columns(path)
    except (EOFError, OSError, zlib.error) as error:
        raise ImportFileError(f"{path}: cannot be read: {error}") from error


def _text_lines(path: Path) -> Iterator[str]:
    """Yield the lines, with their ends, of a UTF-8 file with or without a byte order mark, packed or not."""
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
        for number in itertools.count(1):
            line = file.readline(MAX_LINE_BYTES + 1)
            if not line:
                return
            if len(line) > MAX_LINE_BYTES:
                raise ImportFileError(f"{path}: line {number}: longer than {MAX_LINE_BYTES} bytes: no row")
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise ImportFileError(
                    f"{path}: line {number}: byte {error.start + 1} is not UTF-8; save the file as UTF-8 first"
                ) from error
            yield text


def _read_csv(path: Path) -> Iterator[tuple[int, Row | RowError]]:
    reader, columns = _open_csv(path)
    while True:
        line = reader.line_num + 1
        cells = _next_record(path, reader)
        if cells is None:
            return
        if cells and len(cells) != len(columns):
            yield line, RowError("", "wrong_number_of_cells", f"{len(cells)} instead of {len(columns)}")
        elif cells:
            yield line, dict(zip(columns, cells, strict=True))


def _open_csv(path: Path) -> tuple[Any, list[str]]:
    """Return a reader that stands behind the header, and the header's columns."""
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    lines = _text_lines(path)
    header = next(lines, "")
    # csv.Sniffer looks at the lyrics too, which are full of commas; the header has nothing but names.
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(itertools.chain([header], lines), delimiter=delimiter, strict=True)
    columns = [name.strip() for name in _next_record(path, reader) or []]
    repeated = sorted(name for name, times in Counter(columns).items() if name and times > 1)
    if repeated:
        raise ImportFileError(f"{path}: line 1: columns that stand twice: {', '.join(repeated)}")
    return reader, columns


def _next_record(path: Path, reader: Any) -> list[str] | None:
    line = reader.line_num + 1
    try:
        record: list[str] | None = next(reader, None)
    except csv.Error as error:
        # Where the next row begins is not known any more: to go on would be to import shreds of lyrics.
        raise ImportFileError(
            f"{path}: line {line}: {error}; a quote inside a quoted cell must be doubled, and every quote closed"
        ) from error
    return record


def _read_json_lines(path: Path) -> Iterator[tuple[int, Row | RowError]]:
    for number, line in enumerate(_text_lines(path), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            yield number, RowError("", "not_json")
            continue
        yield number, value if isinstance(value, dict) else RowError("", "not_an_object")


def _read_parquet(path: Path) -> Iterator[tuple[int, Row | RowError]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    _parquet_columns(path)
    number = 0
    try:
        # Buffered, because else a whole row group, which may be the whole file, is read at once.
        with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
            for batch in file.iter_batches(_BATCH_ROWS, use_threads=False):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise ImportFileError(f"{path}: behind row {number}: {error}") from error


def _parquet_columns(path: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        columns: list[str] = pq.read_schema(path).names
    except pa.ArrowException as error:
        raise ImportFileError(f"{path}: is no Parquet file: {error}") from error
    if len(set(columns)) < len(columns):
        raise ImportFileError(f"{path}: has two columns of one name")
    return columns


def _write(file: IO[str], value: Mapping[str, Any]) -> None:
    file.write(json.dumps(value, ensure_ascii=False) + "\n")


def _describe(line: int, error: RowError, row: Row, rules: ImportRules) -> dict[str, Any]:
    """Return what is kept of a rejected row. Never the lyric, nor what stands where a title should."""
    shown: dict[str, str | None] = {}
    for name in ("title", "artist"):
        try:
            shown[name] = _name(name, row.get(rules.column(name)))
        except RowError:
            shown[name] = None
    return {"line": line, "field": error.field, "reason": error.reason, "detail": error.detail, **shown}


def _is_missing(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip()
    # A gap among numbers is "not a number", which no number equals.
    return value is None or (isinstance(value, float) and value != value)


def _key(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip().casefold())


_OUR_GENRES = {_key(name): name for name in GENRE_NAMES}


def _known_genre(name: str, rules: ImportRules) -> str:
    genre = rules.genre_names.get(_key(name)) or _OUR_GENRES.get(_key(name))
    if genre is None:
        # Short enough for a name, too short for a lyric in the wrong column.
        raise RowError("genre", "unknown_genre", name if len(name) <= 40 else "")
    return genre


def _text(field: str, value: Any) -> str:
    if not isinstance(value, str):
        raise RowError(field, "wrong_type", "text wanted")
    if _SURROGATE.search(value):
        raise RowError(field, "not_unicode")
    return value


def _name(field: str, value: Any) -> str:
    text = _text(field, value).strip()
    if _CONTROL.search(text):
        raise RowError(field, "not_one_line")
    if len(text) > MAX_NAME_CHARACTERS:
        raise RowError(field, "too_long", f"{len(text)} characters")
    return text


def _names(field: str, value: Any) -> list[str]:
    parts = value.split("/") if isinstance(value, str) else value
    if not isinstance(parts, list):
        raise RowError(field, "wrong_type", 'a list, or text parted by "/", wanted')
    return [_name(field, part) for part in parts if not _is_missing(part)]


def _lyrics(field: str, value: Any) -> str:
    return _text(field, value).replace("\r\n", "\n")


def _url(field: str, value: Any) -> str:
    url = _text(field, value).strip()
    if not url.lower().startswith(("http://", "https://")) or _CONTROL.search(url):
        raise RowError(field, "not_an_address")
    return url


def _language(field: str, value: Any) -> str:
    code = _text(field, value).strip().lower()
    if not re.fullmatch("[a-z]{2}", code):
        raise RowError(field, "not_a_language", "an ISO 639-1 code such as pt or en wanted")
    return code


def _truth(field: str, value: Any) -> bool:
    # A number's text is looked up too: JSON's 1, and Parquet's, stand for true.
    known = _TRUTHS.get(_key(str(value))) if isinstance(value, bool | int | str) else None
    if known is None:
        raise RowError(field, "not_a_truth_value", "true, false, 1, 0, sim or não wanted")
    return known


def _whole_number(field: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise RowError(field, "wrong_type", "a whole number wanted")
    if isinstance(value, str):
        found = _WHOLE_NUMBER.fullmatch(value.strip())
        number = int(found.group(1)) if found else None
    else:
        number = int(value) if isinstance(value, int) or value.is_integer() else None
    if number is None:
        raise RowError(field, "not_a_whole_number")
    if not least <= number <= _MAX_INT64:
        raise RowError(field, "out_of_range", f"{least} or more wanted")
    return number


def _rank(field: str, value: Any) -> int:
    return _whole_number(field, value, least=1)


def _views(field: str, value: Any) -> int:
    return _whole_number(field, value, least=0)


def _time(field: str, value: Any) -> str:
    try:
        time = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(_text(field, value).strip())
        if time.tzinfo is None:
            raise RowError(field, "no_time_zone")
        return time.astimezone(dt.UTC).isoformat(timespec="seconds")
    except RowError:
        raise
    except (ValueError, OverflowError) as error:
        raise RowError(field, "not_a_time", "ISO 8601 wanted") from error


_CONVERTERS: dict[str, Callable[[str, Any], Any]] = {
    "title": _name,
    "artist": _name,
    "lyrics": _lyrics,
    "genre": _name,
    "url": _url,
    "rank": _rank,
    "is_translation": _truth,
    "original_language": _language,
    "composers": _names,
    "views": _views,
    "artist_genres": _names,
    "fetched_at": _time,
}
"""What each field of the raw song makes of a value; also the fields' names in the order in which they are told."""
