"""The columns of the dataset and of the feature group `lyrics`, in one place.

From COLUMNS are made the Arrow and Delta schema, the features of Hopsworks and the blocking checks. A changed column is
a new VERSION: what is stored stays readable as it was written, and a new feature group begins beside it.
"""

import datetime as dt
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

FEATURE_GROUP = "lyrics"
DESCRIPTION = "Portuguese song lyrics by extraction date: one row a song a date"
VERSION = 2
"""Of the columns. Version 1 had neither lyrics_group nor portuguese_share."""


class Column(NamedTuple):
    """A column, and what each of its values must keep to."""

    name: str
    type: pa.DataType
    description: str
    unit: str = ""
    """What a number counts; empty where the value is no quantity."""
    nullable: bool = False
    at_least: float | None = None
    at_most: float | None = None
    pattern: str | None = None
    """A regular expression that the whole of each value matches."""
    online_type: str | None = None
    """The type in an online store, where the one that follows from `type` is too narrow."""


_HASH = r"^[0-9a-f]{32}$"

COLUMNS = (
    Column(
        "song_id",
        pa.string(),
        "Stable hash of the normalised artist and title, 32 hexadecimal digits",
        pattern=_HASH,
        online_type="varchar(64)",
    ),
    Column("extraction_date", pa.date32(), "Date on which the sites showed the song, in São Paulo; the partition"),
    Column("title", pa.string(), "Title as the chosen site shows it", pattern=r"\S", online_type="text"),
    Column("artist", pa.string(), "Artist as the chosen site shows it", pattern=r"\S", online_type="text"),
    Column("genre", pa.string(), "The genre to learn: most sites agree on it, then best rank", pattern=r"\S"),
    Column("genres", pa.list_(pa.string()), "Every genre in whose charts the song stands, sorted", online_type="text"),
    Column("sources", pa.list_(pa.string()), "Every site that shows the song, sorted", online_type="text"),
    Column("is_translation", pa.bool_(), "True if the text is a site's Portuguese translation"),
    Column(
        "original_language",
        pa.string(),
        "ISO 639-1 code of the language that the song was written in; null if unknown",
        nullable=True,
        pattern=r"^[a-z]{2}$",
    ),
    Column(
        "portuguese_share",
        pa.float64(),
        "Share of the words that stand in passages told to be Portuguese",
        unit="share, 0 to 1",
        at_least=0,
        at_most=1,
    ),
    Column(
        "rank",
        pa.int64(),
        "Best place in the genre's chart, 1 is the top; null without a chart",
        unit="place",
        nullable=True,
        at_least=1,
    ),
    Column(
        "lyrics",
        pa.string(),
        "Portuguese text, lines by newline, stanzas by a blank line",
        pattern=r"\S",
        online_type="text",
    ),
    Column(
        "lyrics_group",
        pa.string(),
        "Shared by texts that nearly repeat each other (covers, live versions): hash of the first one seen",
        pattern=_HASH,
        online_type="varchar(64)",
    ),
    Column("n_lines", pa.int64(), "Lines that are not blank", unit="lines", at_least=1),
    Column("n_words", pa.int64(), "Words of the normalised text", unit="words", at_least=1),
)

SCHEMA = pa.schema(
    [
        pa.field(
            column.name,
            column.type,
            nullable=column.nullable,
            metadata={"description": column.description} | ({"unit": column.unit} if column.unit else {}),
        )
        for column in COLUMNS
    ]
)

KEY = ("song_id", "extraction_date")


class SchemaError(ValueError):
    """A table does not keep the contract of the feature group; the message names every column that breaks it."""


def validate(table: pa.Table, today: dt.date | None = None) -> pa.Table:
    """Return the table in SCHEMA's order and types.

    Args:
        table: the rows of one date.
        today: a date after it is refused; not asked if None.

    Raises:
        SchemaError: a column is missing, unknown, repeated or of another type; a value is null or not allowed; a key
            is repeated; there is more than one extraction date, one in the future, or no row at all.
    """
    if problems := _shape_problems(table):
        raise SchemaError("; ".join(problems))
    table = table.select(SCHEMA.names).cast(pa.schema([field.with_nullable(True) for field in SCHEMA]))
    if table.num_rows == 0:
        raise SchemaError("no row: an empty date is never written")
    problems = [problem for column in COLUMNS for problem in _value_problems(table[column.name], column)]
    if problems := problems + _key_problems(table, today):
        raise SchemaError("; ".join(problems))
    return table.cast(SCHEMA)


def _shape_problems(table: pa.Table) -> list[str]:
    """Return a sentence for each column that is not there as it should be."""
    found = table.column_names
    missing, unknown = sorted(set(SCHEMA.names) - set(found)), sorted(set(found) - set(SCHEMA.names))
    repeated = sorted({name for name in found if found.count(name) > 1})
    if missing or unknown or repeated:
        return [f"columns missing: {missing}, unknown: {unknown}, repeated: {repeated}"]
    return [
        f"{field.name}: {table.schema.field(field.name).type} instead of {field.type}"
        for field in SCHEMA
        if not _fits(table.schema.field(field.name).type, field.type)
    ]


def _value_problems(values: pa.ChunkedArray, column: Column) -> list[str]:
    """Return a sentence for each rule that values of a column break, with how many do."""
    broken = {"null": 0 if column.nullable else values.null_count}
    if column.at_least is not None:
        broken[f"below {column.at_least:g}"] = _count(pc.less(values, column.at_least))
    if column.at_most is not None:
        broken[f"above {column.at_most:g}"] = _count(pc.greater(values, column.at_most))
    if pa.types.is_floating(column.type):
        broken["not a number"] = _count(pc.is_nan(values))
    if column.pattern is not None:
        broken[f"not like {column.pattern}"] = _count(pc.invert(pc.match_substring_regex(values, column.pattern)))
    if pa.types.is_list(column.type):
        broken["empty"] = _count(pc.equal(pc.list_value_length(values), 0))
        broken["holding a null"] = pc.list_flatten(values).null_count
    return [f"{column.name}: {n} values {what}" for what, n in broken.items() if n]


def _key_problems(table: pa.Table, today: dt.date | None) -> list[str]:
    dates = table["extraction_date"].unique().drop_null().to_pylist()
    problems = []
    if len(dates) > 1:
        problems.append(f"extraction_date: more than one date in the table: {len(dates)}")
    if today and dates and max(dates) > today:
        problems.append(f"extraction_date: {max(dates)} is in the future; today is {today}")
    if repeated := table.num_rows - len(table["song_id"].unique()):
        problems.append(f"song_id: {repeated} repeated keys")
    return problems


def _count(flags: pa.ChunkedArray) -> int:
    return int(pc.sum(flags).as_py() or 0)


def _fits(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Tell whether values of a type are of the wanted one but for their layout; numbers are never made of text."""
    if pa.types.is_list(wanted):
        lists = pa.types.is_list(found) or pa.types.is_large_list(found)
        return bool(lists) and _fits(found.value_type, wanted.value_type)
    if pa.types.is_string(wanted):
        return any(
            test(found)
            for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
        )
    if pa.types.is_int64(wanted):
        return any(test(found) for test in (pa.types.is_integer, pa.types.is_null))
    return bool(found == wanted)
