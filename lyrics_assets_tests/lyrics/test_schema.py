"""The contract of the feature group."""

import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pytest

from lyrics_assets.lyrics.dataset import build_dataset
from lyrics_assets.lyrics.schema import COLUMNS, KEY, SCHEMA, VERSION, SchemaError, validate
from lyrics_assets_tests.corpus import DATE, raw_song

REQUIRED = [field.name for field in SCHEMA if not field.nullable]
OPTIONAL = [field.name for field in SCHEMA if field.nullable]


@pytest.fixture
def good():
    return build_dataset([raw_song(), raw_song(title="Porta")], DATE).songs


def replaced(table, name, values):
    return table.set_column(table.schema.get_field_index(name), name, values)


def nulls(name):
    return pa.nulls(2, SCHEMA.field(name).type)


def test_a_good_table_comes_back_equal(good):
    assert validate(good).equals(good)


def test_columns_come_back_in_order_and_in_the_types_of_the_schema(good):
    loose = good.select(sorted(good.column_names)[::-1]).cast(
        pa.schema(
            [
                pa.field(name, pa.large_string() if SCHEMA.field(name).type == pa.string() else SCHEMA.field(name).type)
                for name in sorted(good.column_names)[::-1]
            ]
        )
    )
    checked = validate(replaced(loose, "n_words", loose["n_words"].cast(pa.int32())))
    assert checked.schema.equals(SCHEMA, check_metadata=True)
    assert checked.equals(good)


@pytest.mark.parametrize("name", SCHEMA.names)
def test_a_missing_column_is_named(good, name):
    with pytest.raises(SchemaError, match=rf"missing: \['{name}'\]"):
        validate(good.drop_columns([name]))


def test_an_unknown_column_is_named(good):
    with pytest.raises(SchemaError, match=r"unknown: \['mood'\]"):
        validate(good.append_column("mood", pa.array(["sad", "glad"])))


@pytest.mark.parametrize("name", REQUIRED)
def test_a_null_in_a_required_column_is_named(good, name):
    with pytest.raises(SchemaError, match=name):
        validate(replaced(good, name, nulls(name)))


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_column_may_be_null(good, name):
    assert validate(replaced(good, name, nulls(name)))[name].null_count == 2


WRONG = {
    "lyrics": pa.array([{"a": 1}, {"a": 2}]),
    "extraction_date": pa.array(["soon", "later"]),
    "genres": pa.array(["Samba", "MPB"]),
    "rank": pa.array([2.5, 1.0]),
    "n_words": pa.array(["many", "few"]),
    "is_translation": pa.array(["perhaps", "no"]),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_column_that_cannot_have_its_type_is_refused(good, name):
    with pytest.raises(SchemaError):
        validate(replaced(good, name, WRONG[name]))


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_column_that_cannot_have_its_type_is_named(good, name):
    with pytest.raises(SchemaError, match=name):
        validate(replaced(good, name, WRONG[name]))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("lyrics", pa.array([1, 2])),
        ("title", pa.array([True, False])),
        ("rank", pa.array(["1", "2"])),
        ("is_translation", pa.array([3, 0])),
        ("genres", pa.array([[1], [2]])),
    ],
)
def test_a_column_of_another_type_is_refused_not_cast(good, name, values):
    with pytest.raises(SchemaError, match=name):
        validate(replaced(good, name, values))


def test_a_column_that_stands_twice_is_named(good):
    with pytest.raises(SchemaError, match="title"):
        validate(good.append_column("title", good["title"]))


def test_an_empty_table_is_refused(good):
    with pytest.raises(SchemaError, match="no row"):
        validate(good.slice(0, 0))


def test_two_dates_in_one_table_are_refused(good):
    dates = pa.array([DATE, DATE + dt.timedelta(days=1)])
    with pytest.raises(SchemaError, match="extraction_date: more than one date"):
        validate(replaced(good, "extraction_date", dates))


def test_a_repeated_key_is_named(good):
    with pytest.raises(SchemaError, match="song_id: 2 repeated keys"):
        validate(pa.concat_tables([good, good]))


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("song_id", ["a" * 32, "A" * 32], "song_id: 1 values not like"),
        ("lyrics_group", ["", "a" * 31], "lyrics_group: 2 values not like"),
        ("title", ["Janela", " "], "title: 1 values not like"),
        ("original_language", ["pt", "pt-BR"], "original_language: 1 values not like"),
        ("portuguese_share", [0.5, 1.5], "portuguese_share: 1 values above 1"),
        ("portuguese_share", [-0.1, 1.0], "portuguese_share: 1 values below 0"),
        ("portuguese_share", [float("nan"), 1.0], "portuguese_share: 1 values not a number"),
        ("rank", [0, 1], "rank: 1 values below 1"),
        ("n_words", [0, -1], "n_words: 2 values below 1"),
        ("genres", [[], ["Samba"]], "genres: 1 values empty"),
        ("sources", [["letras"], [None]], "sources: 1 values holding a null"),
    ],
)
def test_a_value_that_is_not_allowed_is_counted(good, name, values, said):
    with pytest.raises(SchemaError, match=said):
        validate(replaced(good, name, pa.array(values, SCHEMA.field(name).type)))


def test_all_that_is_wrong_is_told_at_once(good):
    broken = replaced(good, "rank", pa.array([0, 0]))
    with pytest.raises(SchemaError, match=r"rank: 2 values below 1; n_lines: 2 values null"):
        validate(replaced(broken, "n_lines", nulls("n_lines")))


def test_a_date_in_the_future_is_refused(good):
    assert validate(good, today=DATE).equals(good)
    with pytest.raises(SchemaError, match=f"extraction_date: {DATE} is in the future"):
        validate(good, today=DATE - dt.timedelta(days=1))


def test_columns_change_with_the_version_only():
    """What is stored under a version was written with its columns.

    If this fails, raise VERSION and add its columns to the file: a feature group of its own begins beside the old one.
    """
    recorded = json.loads(Path(__file__).with_name("schema_versions.json").read_text(encoding="utf-8"))
    assert recorded[str(VERSION)] == {
        column.name: [str(column.type), "null" if column.nullable else "not null"] for column in COLUMNS
    }
    assert max(map(int, recorded)) == VERSION


def test_a_number_says_what_it_counts():
    numbers = [column for column in COLUMNS if pa.types.is_integer(column.type) or pa.types.is_floating(column.type)]
    assert [column.name for column in numbers if not column.unit] == []
    assert all(SCHEMA.field(column.name).metadata[b"unit"] == column.unit.encode() for column in numbers)


def test_every_column_says_what_it_holds():
    assert all(field.metadata[b"description"] for field in SCHEMA)
    assert set(KEY) <= set(REQUIRED)
