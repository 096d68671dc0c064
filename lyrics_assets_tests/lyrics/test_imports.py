"""Files of other people's songs: each kind is read, each bad row is named, nothing is guessed."""

import csv
import datetime as dt
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lyrics_assets.lyrics.imports import (
    MAX_FIELD_CHARACTERS,
    MAX_LINE_BYTES,
    ImportArgumentError,
    ImportFileError,
    RowError,
    check_file,
    import_rejects_name,
    import_songs,
    parse_rules,
    read_rows,
    to_raw_song,
)
from lyrics_assets_tests.corpus import VERSE
from scrapy_project.items import RawSong

RULES = parse_rules("kaggle")
ROW = {"title": "Janela", "artist": "Dona Aurora", "lyrics": VERSE, "genre": "Samba"}


def as_csv(rows, delimiter=","):
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0], delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_json_lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_parquet(rows):
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def load(path, rules=RULES):
    """Import a file; return the songs, the rejects and the tally."""
    songs, rejects = io.StringIO(), io.StringIO()
    tally = import_songs(path, rules, songs, rejects)
    return *([json.loads(line) for line in file.getvalue().splitlines()] for file in (songs, rejects)), tally


def problem(rules=RULES, **changed):
    """Return field and reason for which the row, so changed, is rejected."""
    with pytest.raises(RowError) as caught:
        to_raw_song(ROW | changed, rules)
    return caught.value.field, caught.value.reason


def song(rules=RULES, **changed):
    return to_raw_song(ROW | changed, rules)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", as_csv([ROW, ROW])),
        ("A.CSV", as_csv([ROW, ROW])),
        ("a.csv.gz", gzip.compress(as_csv([ROW, ROW]), mtime=0)),
        ("a.jsonl", as_json_lines([ROW, ROW])),
        ("a.jsonl.gz", gzip.compress(as_json_lines([ROW, ROW]), mtime=0)),
        ("a.parquet", as_parquet([ROW, ROW])),
    ],
)
def test_every_kind_of_file_gives_the_same_songs(name, content, write):
    path = write(name, content)
    check_file(path, RULES)
    songs, rejects, tally = load(path)
    wanted = RawSong(source="kaggle", url="", title="Janela", artist="Dona Aurora", lyrics=VERSE, genre="Samba")
    assert songs == [vars(wanted)] * 2
    assert rejects == []
    assert (tally.rows, tally.imported, dict(tally.genres)) == (2, 2, {"Samba": 2})


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found_in_the_header_however_many_others_the_lyrics_hold(delimiter, write):
    row = ROW | {"lyrics": "a,b;c\td,,,,;;;;\t\t\t\t"}
    assert [row for _, row in read_rows(write("a.csv", as_csv([row], delimiter)))] == [row]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_byte_order_mark_is_no_part_of_the_first_column(name, write):
    content = (as_csv if name == "a.csv" else as_json_lines)([ROW])
    path = write(name, b"\xef\xbb\xbf" + content)
    check_file(path, RULES)
    assert [row for _, row in read_rows(path)] == [ROW]


def test_quoted_newlines_stay_and_a_row_is_named_by_the_line_on_which_it_begins(write):
    path = write("a.csv", 'title,lyrics\nUm,"a\n\nb"\n\nDois,"c ""d"" e"\n')
    assert list(read_rows(path)) == [
        (2, {"title": "Um", "lyrics": "a\n\nb"}),
        (6, {"title": "Dois", "lyrics": 'c "d" e'}),
    ]


def test_rows_with_windows_line_ends_are_rows_and_their_lyrics_have_newlines(write):
    content = as_csv([ROW | {"lyrics": "um\r\ndois\r\n\r\ntres"}])
    assert content.count(b"\r\n") == 5
    (found,), _, _ = load(write("a.csv", content))
    assert found["lyrics"] == "um\ndois\n\ntres"


def test_a_backslash_and_an_n_stay_two_characters():
    assert song(lyrics="um\\ndois\r\ntres").lyrics == "um\\ndois\ntres"


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_another_encoding_is_refused_with_the_line(encoding, name, write):
    text = 'title\nAna\nJoão "1"\n' if name == "a.csv" else '{"title": "Ana"}\n{}\n{"title": "João"}\n'
    with pytest.raises(ImportFileError, match=rf"a\.\w+: line {1 if encoding == 'utf-16' else 3}: byte .* not UTF-8"):
        list(read_rows(write(name, text.encode(encoding))))


def test_a_long_cell_is_allowed_up_to_the_bound(write):
    path = write("a.csv", f"title,lyrics\nUm,{'a' * MAX_FIELD_CHARACTERS}\n")
    ((_, row),) = read_rows(path)
    assert len(row["lyrics"]) == MAX_FIELD_CHARACTERS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('title,lyrics\nUm,a\nDois,"b\nc\n', r"line 3: unexpected end of data.*quote"),
        ('title,lyrics\nUm,a\nDois,"b' + "c\n" * MAX_FIELD_CHARACTERS, "line 3: field larger than"),
        ('title,lyrics\nUm,"a \\"b\\" c"\n', "line 2: .*quote inside a quoted cell must be doubled"),
        ("title,lyrics,title\n", "line 1: columns that stand twice: title"),
        ("a" * (MAX_LINE_BYTES + 1), f"line 1: longer than {MAX_LINE_BYTES} bytes"),
    ],
    ids=["unclosed at the end", "unclosed", "not doubled", "repeated column", "endless line"],
)
def test_a_csv_whose_rows_cannot_be_told_apart_is_refused_with_the_line(text, said, write):
    with pytest.raises(ImportFileError, match=said):
        list(read_rows(write("a.csv", text)))


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
@pytest.mark.parametrize(
    "content",
    [b"no gzip", gzip.compress(b"x" * 9999)[:-9], gzip.compress(b"a")[:12] + b"9" * 9],
    ids=["none at all", "cut off", "with another end"],
)
def test_a_broken_gzip_is_refused(name, content, write):
    with pytest.raises(ImportFileError, match=r"gz: cannot be read"):
        list(read_rows(write(name, content)))


def test_what_is_no_parquet_is_refused(write):
    path = write("a.parquet", b"PAR1 not at all PAR1")
    for read in (lambda: list(read_rows(path)), lambda: check_file(path, RULES)):
        with pytest.raises(ImportFileError, match=r"a\.parquet: is no Parquet file"):
            read()


def test_a_parquet_of_many_batches_is_read_in_order(write):
    path = write("a.parquet", as_parquet([ROW | {"rank": n} for n in range(1, 1203)]))
    assert [(number, row["rank"]) for number, row in read_rows(path)] == [(n, n) for n in range(1, 1203)]


def test_an_unknown_ending_names_the_allowed_ones(write):
    with pytest.raises(ImportArgumentError, match=r"a\.xlsx .*\.csv, \.csv\.gz, \.jsonl, \.jsonl\.gz, \.parquet"):
        check_file(write("a.xlsx", b""), RULES)


def test_columns_and_genres_are_read_under_the_names_that_the_file_gives_them():
    rules = parse_rules("kaggle", "title=Título da música, artist=Banda,views=", "Hip-Hop/Rap=hip hop, a=b=Samba")
    row = {"Título da música": "Um", "Banda": "Trio", "lyrics": "a", "views": "muitas"}
    assert to_raw_song(row | {"genre": " HIP-HOP/RAP "}, rules).genre == "Hip Hop"
    read = to_raw_song(row | {"genre": "a=b"}, rules)
    assert (read.title, read.artist, read.genre, read.views) == ("Um", "Trio", "Samba", None)


def test_our_own_names_of_genres_need_no_mapping_whatever_the_case_and_the_accents_form():
    assert song(genre=" samba ").genre == "Samba"
    assert song(genre="forro\u0301").genre == "Forró"


def test_one_genre_for_all_rows_needs_no_column_and_overrules_one():
    rules = parse_rules("kaggle", genre="rock")
    assert song(rules, genre="Polka").genre == "Rock"
    assert song(rules, genre=None).genre == "Rock"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"source": "Kaggle"}, "--source: 'Kaggle'.*a-z"),
        ({"source": "a" * 32}, "--source: .*31"),
        ({"source": "1a"}, "--source"),
        ({"source": "a/../b"}, "--source"),
        ({"source": "a\n"}, "--source"),
        ({"source": "letras", "taken": ["letras"]}, "--source: 'letras'.*site"),
        ({"columns": "titel=a"}, "--columns: 'titel=a'.*title, artist, lyrics, genre"),
        ({"columns": "title"}, "--columns: 'title'"),
        ({"columns": "title=a,title=b"}, "--columns: title stands twice"),
        ({"columns": "title="}, "--columns: title is needed"),
        ({"genre_names": "axé"}, "--genre-names: 'axé' is not name=genre.*Samba"),
        ({"genre_names": "=Samba"}, "--genre-names: '=Samba'"),
        ({"genre_names": "axé=Axé"}, "--genre-names: 'Axé' is no genre.*Samba"),
        ({"genre_names": "axé="}, "--genre-names: '' is no genre"),
        ({"genre_names": "axé=Pop,Axé=Samba"}, "--genre-names: 'Axé' stands twice"),
        ({"genre": "Polka"}, "--genre: 'Polka' is no genre.*Samba"),
        ({"genre": ""}, "--genre: '' is no genre"),
        ({"genre": "Samba", "genre_names": "axé=Pop"}, "--genre: .*--genre-names"),
        ({"genre": "Samba", "columns": "genre=Estilo"}, "--genre: .*--columns"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(arguments, said):
    with pytest.raises(ImportArgumentError, match=f"(?s)^{said}"):
        parse_rules(**{"source": "kaggle"} | arguments)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_column_that_the_file_lacks_is_named_before_a_row_is_read(name, write):
    path = write(name, (as_csv if name == "a.csv" else as_parquet)([ROW]))
    for columns, missing in (("title=Titulo", "'Titulo' for title"), ("views=Viewz", "'Viewz' for views")):
        with pytest.raises(ImportArgumentError, match=rf"--columns: .*{missing}; its columns: title, artist"):
            check_file(path, parse_rules("kaggle", columns))


def test_a_named_column_that_no_line_of_json_has_is_an_error_and_one_that_some_have_is_none(write):
    path = write("a.jsonl", as_json_lines([ROW, ROW | {"Vistas": 7}]))
    with pytest.raises(ImportArgumentError, match=r"--columns: no row of .* has 'Viewz'"):
        load(path, parse_rules("kaggle", "views=Viewz"))
    songs, _, _ = load(path, parse_rules("kaggle", "views=Vistas"))
    assert [found["views"] for found in songs] == [None, 7]


@pytest.mark.parametrize(
    ("field", "given", "kept"),
    [
        ("rank", "3", 3),
        ("rank", " 3.0 ", 3),
        ("rank", 3.0, 3),
        ("rank", float("nan"), None),
        ("rank", "", None),
        ("views", "0", 0),
        ("views", 10**12, 10**12),
        ("is_translation", "Sim", True),
        ("is_translation", "NÃO", False),
        ("is_translation", "na\u0303o", False),
        ("is_translation", "true", True),
        ("is_translation", "False", False),
        ("is_translation", "1", True),
        ("is_translation", 0, False),
        ("is_translation", True, True),
        ("is_translation", None, False),
        ("original_language", "EN", "en"),
        ("composers", "Ana / Bia/ ", ["Ana", "Bia"]),
        ("composers", ["Ana", "Bia/Caio"], ["Ana", "Bia/Caio"]),
        ("composers", None, []),
        ("artist_genres", "Samba/Pagode", ["Samba", "Pagode"]),
        ("url", "https://a.example/b", "https://a.example/b"),
        ("url", None, ""),
        ("fetched_at", "2026-11-24T05:00:00.9-03:00", "2026-11-24T08:00:00+00:00"),
        ("fetched_at", dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC), "2026-11-24T08:00:00+00:00"),
        ("fetched_at", None, ""),
        ("title", "  Janela ", "Janela"),
    ],
)
def test_a_value_is_brought_to_the_type_of_its_field(field, given, kept):
    value = getattr(song(**{field: given}), field)
    assert (type(value), value) == (type(kept), kept)


@pytest.mark.parametrize(
    ("field", "given", "reason"),
    [
        *((field, given, "missing_field") for field in ROW for given in (None, "", " \n ", float("nan"))),
        *((field, 1999, "wrong_type") for field in ROW),
        *((field, "\ud800", "not_unicode") for field in ROW),
        ("title", "um\ndois", "not_one_line"),
        ("artist", "a\x00b", "not_one_line"),
        ("title", "a" * 301, "too_long"),
        ("genre", "Polka", "unknown_genre"),
        ("rank", "1.234", "not_a_whole_number"),
        ("views", "1.234", "not_a_whole_number"),
        ("views", "1.000", "not_a_whole_number"),
        ("views", "1,234", "not_a_whole_number"),
        ("views", "-1", "not_a_whole_number"),
        ("views", "٣", "not_a_whole_number"),
        ("views", 1.5, "not_a_whole_number"),
        ("views", float("inf"), "not_a_whole_number"),
        ("views", -1, "out_of_range"),
        ("views", 2**63, "out_of_range"),
        ("views", str(2**63), "out_of_range"),
        ("rank", "0", "out_of_range"),
        ("rank", True, "wrong_type"),
        ("rank", [3], "wrong_type"),
        ("is_translation", "yes", "not_a_truth_value"),
        ("is_translation", 2, "not_a_truth_value"),
        ("is_translation", [1], "not_a_truth_value"),
        ("original_language", "English", "not_a_language"),
        ("composers", 7, "wrong_type"),
        ("composers", ["Ana", 7], "wrong_type"),
        ("artist_genres", {"a": 1}, "wrong_type"),
        ("url", "javascript:alert(1)", "not_an_address"),
        ("url", "/relative", "not_an_address"),
        ("fetched_at", "ontem", "not_a_time"),
        ("fetched_at", "0001-01-01T00:00:00+14:00", "not_a_time"),
        ("fetched_at", "2026-11-24T08:00:00", "no_time_zone"),
        ("fetched_at", 1_764_000_000, "wrong_type"),
    ],
)
def test_a_value_that_its_field_does_not_allow_rejects_the_row(field, given, reason):
    assert problem(**{field: given}) == (field, reason)


def test_a_field_that_the_row_lacks_is_missing():
    with pytest.raises(RowError, match="lyrics: missing_field"):
        to_raw_song({name: value for name, value in ROW.items() if name != "lyrics"}, RULES)


def test_rejects_name_line_field_and_reason_and_never_hold_the_lyric(write):
    bad = [ROW | {"views": "1.234"}, ROW | {"genre": "Axé"}, ROW | {"title": VERSE}, ROW | {"artist": None}]
    songs, rejects, tally = load(write("a.jsonl", as_json_lines([*bad, ROW]) + b'\n{"title":\n[1]\n'))
    assert len(songs) == 1
    assert [(found["line"], found["field"], found["reason"], found["detail"]) for found in rejects] == [
        (1, "views", "not_a_whole_number", ""),
        (2, "genre", "unknown_genre", "Axé"),
        (3, "title", "not_one_line", ""),
        (4, "artist", "missing_field", ""),
        (7, "", "not_json", ""),
        (8, "", "not_an_object", ""),
    ]
    assert [found["title"] for found in rejects] == ["Janela", "Janela", None, "Janela", None, None]
    assert [found["artist"] for found in rejects] == ["Dona Aurora"] * 3 + [None] * 3
    assert not any(line in json.dumps(rejects, ensure_ascii=False) for line in VERSE.split("\n") if line)
    assert (tally.rows, tally.imported, tally.rejected.total()) == (7, 1, 6)
    assert tally.rejected["missing_field", "artist"] == 1


def test_a_row_with_too_many_or_too_few_cells_is_rejected_by_its_line(write):
    _, rejects, _ = load(write("a.csv", "title,artist,lyrics,genre\na,b,c,Samba\na,b,c\na,b,c,Samba,d\n"))
    assert [(found["line"], found["reason"], found["detail"]) for found in rejects] == [
        (3, "wrong_number_of_cells", "3 instead of 4"),
        (4, "wrong_number_of_cells", "5 instead of 4"),
    ]


@pytest.mark.parametrize("line", ["[" * 100_000, '{"views": ' + "9" * 5000 + "}", "{'a': 1}"])
def test_hostile_json_is_a_rejected_row_and_the_next_one_is_read(line, write):
    songs, rejects, _ = load(write("a.jsonl", f"{line}\n".encode() + as_json_lines([ROW])))
    assert [found["reason"] for found in rejects] == ["not_json"]
    assert len(songs) == 1


def test_a_file_without_a_usable_row_says_what_is_wrong_with_the_first(write):
    with pytest.raises(ImportFileError, match=r"none of 2 rows is a usable song; the first, line 2: genre: unknown"):
        load(write("a.csv", as_csv([ROW | {"genre": "Polka"}] * 2)))
    with pytest.raises(ImportFileError, match="holds no row"):
        load(write("b.csv", "title,artist,lyrics,genre\n"))
    with pytest.raises(ImportFileError, match="holds no row"):
        load(write("a.jsonl", ""))


def test_gaps_in_a_parquet_of_numbers_are_missing_values(write):
    songs, _, _ = load(write("a.parquet", as_parquet([ROW | {"rank": 2.0}, ROW | {"rank": None}])))
    assert [found["rank"] for found in songs] == [2, None]


def test_lists_and_times_of_a_parquet_are_read(write):
    when = dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC)
    ((found,), _, _) = load(write("a.parquet", as_parquet([ROW | {"composers": ["Ana"], "fetched_at": when}])))
    assert (found["composers"], found["fetched_at"]) == (["Ana"], "2026-11-24T08:00:00+00:00")


def test_the_tally_tells_rejects_and_genres_by_how_many(write):
    rows = [ROW, ROW | {"genre": "Rock"}, ROW | {"genre": "Rock"}, ROW | {"artist": ""}, ROW | {"artist": ""}]
    *_, tally = load(write("a.jsonl", as_json_lines([*rows, ROW | {"genre": "Polca"}]) + b"[]\n"))
    first, second, *rejects, imported, rock, samba = tally.lines()
    assert (first, second, imported) == (("rows read", 7), ("rejected", 4), ("songs imported", 3))
    assert (rock, samba) == (("  Rock", 2), ("  Samba", 1))
    assert [count for _, count in rejects] == [2, 1, 1]
    assert all(name.startswith("  ") for name, _ in rejects)
    assert sum(name.endswith("(row)") for name, _ in rejects) == 1


def test_rejects_of_each_source_and_date_have_a_name_of_their_own():
    names = {import_rejects_name(source, date) for source in ("um", "dois") for date in ("2026-11-20", "2026-11-21")}
    assert len(names) == 4


def test_a_file_that_cannot_be_read_is_told_before_its_rows_are(write):
    with pytest.raises(ImportFileError, match=r"a\.csv\.gz: cannot be read"):
        check_file(write("a.csv.gz", gzip.compress(as_csv([ROW]))[:12]), RULES)


def test_a_parquet_with_two_columns_of_one_name_is_refused(write):
    sink = io.BytesIO()
    columns = [pa.array(["Um"]), pa.array(["Dois"])]
    pq.write_table(pa.Table.from_arrays(columns, names=["title", "title"]), sink)
    with pytest.raises(ImportFileError, match="has two columns of one name"):
        check_file(write("a.parquet", sink.getvalue()), RULES)


def test_a_damaged_page_of_a_parquet_is_told(write):
    content = bytearray(as_parquet([ROW]))
    content[4:40] = bytes(36)  # the first page's head; the file's own foot is whole
    path = write("a.parquet", bytes(content))
    check_file(path, RULES)
    with pytest.raises(ImportFileError, match=r"a\.parquet: cannot be read"):
        load(path)


def test_a_parquet_whose_text_is_no_unicode_is_refused_with_the_row_before(write):
    sink = io.BytesIO()
    table = pa.Table.from_pylist([ROW, ROW])
    titles = pa.array([b"Janela", b"\xff\xfe"]).view(pa.string())
    pq.write_table(table.set_column(table.column_names.index("title"), "title", titles), sink)
    with pytest.raises(ImportFileError, match=r"a\.parquet: behind row 0: .*utf-8"):
        load(write("a.parquet", sink.getvalue()))
