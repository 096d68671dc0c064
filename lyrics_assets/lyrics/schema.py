"""The columns of the dataset and of the feature group `lyrics`, version 1, in one place.

A changed column is a new VERSION: what is stored stays readable as it was written.
"""

import pyarrow as pa

FEATURE_GROUP = "lyrics"
VERSION = 1


def _column(name: str, kind: pa.DataType, description: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": description})


SCHEMA = pa.schema(
    [
        _column("song_id", pa.string(), "Stable hash of the normalised artist and title, 32 hexadecimal digits"),
        _column("extraction_date", pa.date32(), "Date on which the sites showed the song; the partition"),
        _column("title", pa.string(), "Title as the chosen site shows it"),
        _column("artist", pa.string(), "Artist as the chosen site shows it"),
        _column("genre", pa.string(), "The genre to learn: most sites agree on it, then best rank"),
        _column("genres", pa.list_(pa.string()), "Every genre in whose charts the song stands, sorted"),
        _column("sources", pa.list_(pa.string()), "Every site that shows the song, sorted"),
        _column("is_translation", pa.bool_(), "True if the text is a site's Portuguese translation"),
        _column("original_language", pa.string(), "ISO 639-1 of the language it was written in", nullable=True),
        _column("rank", pa.int64(), "Best place in the genre's chart, from 1; null without a chart", nullable=True),
        _column("lyrics", pa.string(), "Portuguese text, lines by newline, stanzas by a blank line"),
        _column("n_lines", pa.int64(), "Lines that are not blank"),
        _column("n_words", pa.int64(), "Words of the normalised text"),
    ]
)

KEY = ("song_id", "extraction_date")


class SchemaError(ValueError):
    """A table does not keep the contract of the feature group."""


def validate(table: pa.Table) -> pa.Table:
    """Return the table in SCHEMA's order and types.

    Raises:
        SchemaError: a column is missing, unknown or of another type, a key is null or repeated, more than one
            extraction date, or no row at all. The message names the column or the key.
    """
    missing, unknown = set(SCHEMA.names) - set(table.column_names), set(table.column_names) - set(SCHEMA.names)
    repeated_names = {name for name in table.column_names if table.column_names.count(name) > 1}
    if missing or unknown or repeated_names:
        raise SchemaError(
            f"columns missing: {sorted(missing)}, unknown: {sorted(unknown)}, repeated: {sorted(repeated_names)}"
        )
    for field in SCHEMA:
        found = table.schema.field(field.name).type
        if not _fits(found, field.type):
            raise SchemaError(f"{field.name}: {found} instead of {field.type}")
    table = table.select(SCHEMA.names).cast(pa.schema([field.with_nullable(True) for field in SCHEMA]))
    if table.num_rows == 0:
        raise SchemaError("no row: an empty date is never written")
    for field in SCHEMA:
        if not field.nullable and table[field.name].null_count:
            raise SchemaError(f"{field.name}: {table[field.name].null_count} null values")
    if len(table["extraction_date"].unique()) != 1:
        raise SchemaError("extraction_date: more than one date in the table")
    repeated = table.num_rows - len(table["song_id"].unique())
    if repeated:
        raise SchemaError(f"song_id: {repeated} repeated keys")
    return table.cast(SCHEMA)


def _fits(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Tell whether values of a type are of the wanted one but for their layout; numbers are never made of text."""
    if pa.types.is_list(wanted):
        return bool(pa.types.is_list(found)) and _fits(found.value_type, wanted.value_type)
    if pa.types.is_string(wanted):
        return any(test(found) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_null))
    if pa.types.is_int64(wanted):
        return any(test(found) for test in (pa.types.is_integer, pa.types.is_null))
    return bool(found == wanted)
