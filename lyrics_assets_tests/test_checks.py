"""Each check of the graph, on data that keeps the fact and on data that breaks it."""

import datetime as dt

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from lyrics_assets import checks
from lyrics_assets.assets.extraction import raw_name
from lyrics_assets.assets.preparation import lyrics_name, rejects_name
from lyrics_assets.assets.training import (
    LEARNED_SONGS,
    TRAINING_SET,
    TrainingSetConfig,
    evaluation_report,
    training_set,
)
from lyrics_assets.lyrics.schema import SCHEMA
from lyrics_assets.model.promotion import learned_songs
from lyrics_assets.model.splits import assign_splits
from lyrics_assets.resources.feature_store import DeltaFeatureStore
from lyrics_assets.resources.lake import Lake
from lyrics_assets_tests.corpus import dataset, raw_song
from lyrics_assets_tests.corpus import songs as corpus_songs
from lyrics_assets_tests.registry import new_tracking, register

DATE = "2026-11-24"


@pytest.fixture
def lake(tmp_path):
    return Lake(root=str(tmp_path / "lake"))


@pytest.fixture
def songs():
    return dataset("Samba", "Gospel").songs


@pytest.fixture
def context(instance):
    return dg.build_asset_check_context(instance=instance)


def with_column(table, name, values):
    index = table.schema.get_field_index(name)
    return table.set_column(index, name, pa.array(values))


def write_raw(lake, date, n):
    lake.write_bytes(raw_name("letras", date), b"".join(b"{}\n" for _ in range(n)))


@pytest.mark.parametrize(("before", "now", "holds"), [((), 1, True), ((40, 60), 30, True), ((40, 60), 24, False)])
def test_no_sudden_drop_compares_with_the_dates_before(lake, context, before, now, holds):
    for day, n in enumerate(before):
        write_raw(lake, f"2026-11-2{day}", n)
    write_raw(lake, DATE, now)
    (check,) = [check for check in checks.checks if _is(check, "raw/letras", "no_sudden_drop")]
    result = check(context, lake=lake)
    assert result.passed is holds
    assert holds or result.severity == dg.AssetCheckSeverity.WARN


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda table: table, None),
        (lambda table: table.drop_columns(["genre"]), "genre"),
        (lambda table: with_column(table, "n_words", ["many"] * len(table)), "n_words"),
        (lambda table: with_column(table, "title", [None] * len(table)), "title"),
        (lambda table: table.slice(0, 0), "no row"),
    ],
)
def test_schema_names_what_is_broken(lake, context, songs, break_it, said):
    lake.write_table(lyrics_name(DATE), break_it(songs))
    result = checks.schema(context, lake=lake)
    assert result.passed is (said is None)
    assert said is None or said in result.metadata["problem"].value


def test_schema_refuses_rows_of_another_date(lake, context, songs):
    lake.write_table(lyrics_name("2026-11-25"), songs)
    assert not checks.schema(context, lake=lake).passed


def test_song_ids_are_unique_counts_what_is_repeated(lake, context, songs):
    lake.write_table(lyrics_name(DATE), songs)
    assert checks.song_ids_are_unique(context, lake=lake).passed
    lake.write_table(lyrics_name(DATE), pa.concat_tables([songs, songs.slice(0, 2)]))
    result = checks.song_ids_are_unique(context, lake=lake)
    assert not result.passed
    assert result.metadata["repeated"].value == 2


def test_lyrics_are_portuguese_finds_a_few_that_are_not(lake, context, songs):
    lake.write_table(lyrics_name(DATE), songs)
    assert checks.lyrics_are_portuguese(context, lake=lake).passed
    english = ["I walk along the river every morning with the sun upon my face"] * 3
    mixed = with_column(songs, "lyrics", [*songs["lyrics"].to_pylist()[:-3], *english])
    lake.write_table(lyrics_name(DATE), mixed)
    result = checks.lyrics_are_portuguese(context, lake=lake)
    assert not result.passed
    assert (result.metadata["not_portuguese"].value, result.metadata["least_share"].value) == (3, 0.0)


def test_both_sources_present_misses_a_site(lake, context, songs):
    lake.write_table(lyrics_name(DATE), songs)
    assert checks.both_sources_present(context, lake=lake).passed
    lake.write_table(lyrics_name(DATE), with_column(songs, "sources", [["letras"]] * len(songs)))
    result = checks.both_sources_present(context, lake=lake)
    assert not result.passed
    assert result.metadata["songs_by_source"].value["vagalume"] == 0


def test_every_row_was_stored_reads_the_store_back(lake, context, songs, tmp_path):
    store = DeltaFeatureStore(root=str(tmp_path / "store"))
    lake.write_table(lyrics_name(DATE), songs)
    store.replace_date(songs)
    assert checks.every_row_was_stored(context, lake=lake, feature_store=store).passed
    store.replace_date(songs.slice(1))
    result = checks.every_row_was_stored(context, lake=lake, feature_store=store)
    assert (result.passed, result.metadata["missing"].value) == (False, 1)


def test_every_row_was_stored_compares_every_value(lake, context, songs, tmp_path):
    store = DeltaFeatureStore(root=str(tmp_path / "store"))
    lake.write_table(lyrics_name(DATE), songs)
    store.replace_date(with_column(songs, "n_lines", [n + 1 for n in songs["n_lines"].to_pylist()]))
    result = checks.every_row_was_stored(context, lake=lake, feature_store=store)
    assert not result.passed
    assert (result.metadata["missing"].value, result.metadata["differing_columns"].value) == (0, ["n_lines"])


@pytest.mark.parametrize(("rejected", "holds"), [(0, True), (40, True), (41, False)])
def test_most_raw_songs_are_usable_counts_what_was_rejected(lake, context, rejected, holds):
    write_raw(lake, DATE, 100)
    lake.write_table(lyrics_name(DATE), dataset("Samba").songs)
    lake.write_table(rejects_name(DATE), pa.table({"reason": pa.array(["too_short"] * rejected, pa.string())}))
    result = checks.most_raw_songs_are_usable(context, lake=lake)
    assert result.passed is holds
    assert (result.metadata["raw_songs"].value, result.metadata["at_most"].value) == (100, 0.4)
    assert result.metadata["rejected_share"].value == rejected / 100
    assert holds or result.severity == dg.AssetCheckSeverity.WARN


def test_no_leakage_finds_an_artist_a_song_and_a_text_on_both_sides(lake):
    split = corpus_songs("Samba", "Gospel")
    split["split"] = assign_splits(split, 0.3, seed=1)
    lake.write_table(TRAINING_SET, pa.Table.from_pandas(split))
    assert checks.no_leakage_between_splits(lake=lake).passed
    near = split[split["split"] == "test"].head(1)
    near = near.assign(split="train", song_id="f" * 32, artist="Outra", lyrics="Outra letra")
    lake.write_table(TRAINING_SET, pa.Table.from_pandas(pd.concat([split, near])))
    shared = {"song_ids": 0, "artists": 0, "groups": 1, "texts": 0}
    assert checks.no_leakage_between_splits(lake=lake).metadata["shared"].value == shared
    leaked = split[split["split"] == "test"].head(1).assign(split="train", lyrics=lambda row: row["lyrics"].str.upper())
    lake.write_table(TRAINING_SET, pa.Table.from_pandas(pd.concat([split, leaked])))
    result = checks.no_leakage_between_splits(lake=lake)
    assert not result.passed
    assert result.metadata["shared"].value == {"song_ids": 1, "artists": 1, "groups": 1, "texts": 1}
    assert result.metadata["examples"].value == list(leaked["lyrics_group"])


@pytest.mark.parametrize("side", ["train", "test"])
def test_no_leakage_is_not_proven_by_an_empty_side(lake, side):
    split = corpus_songs("Samba").assign(split=side)
    lake.write_table(TRAINING_SET, pa.Table.from_pandas(split))
    result = checks.no_leakage_between_splits(lake=lake)
    assert not result.passed
    assert not any(result.metadata["shared"].value.values())
    assert checks.every_genre_is_represented(lake=lake).metadata["without_train_or_test"].value == ["Samba"]


def test_every_genre_is_represented_names_the_thin_one(lake):
    split = corpus_songs("Samba", "Gospel")
    split["split"] = assign_splits(split, 0.3, seed=1)
    lake.write_table(TRAINING_SET, pa.Table.from_pandas(split))
    assert checks.every_genre_is_represented(lake=lake).passed
    split.loc[split["genre"] == "Gospel", "split"] = "train"
    lake.write_table(TRAINING_SET, pa.Table.from_pandas(split))
    assert checks.every_genre_is_represented(lake=lake).metadata["without_train_or_test"].value == ["Gospel"]


@pytest.mark.parametrize(
    ("macro_f1", "passed", "severity"),
    [
        (0.4, True, dg.AssetCheckSeverity.WARN),
        (0.2, False, dg.AssetCheckSeverity.WARN),
        (0.05, False, dg.AssetCheckSeverity.ERROR),
    ],
)
def test_beats_baseline_stops_a_release_only_when_guessing_is_better(lake, instance, macro_f1, passed, severity):
    baselines = {"majority genre": {"macro_f1": 0.1}, "naive Bayes": {"macro_f1": 0.3}}
    promotion = {"promoted": passed, "reason": "because"}
    report = {"macro_f1": macro_f1, "n_test": 75, "baselines": baselines, "promotion": promotion}
    lake.write_json("r/report.json", report)
    instance.report_runless_asset_event(dg.AssetMaterialization(evaluation_report.key, metadata={"folder": "r"}))
    context = dg.build_asset_check_context(instance=instance)
    result = checks.beats_baseline(context, lake=lake)
    assert (result.passed, result.severity) == (passed, severity)
    assert result.metadata["not_beaten"].value == [name for name in baselines if baselines[name]["macro_f1"] > macro_f1]
    assert result.metadata["songs"].value == 75
    champion = checks.beats_champion(context, lake=lake)
    assert (champion.passed, champion.severity) == (passed, dg.AssetCheckSeverity.WARN)
    assert champion.metadata["reason"].value == "because"


def test_a_version_is_asked_of_the_songs_that_it_learned_from_whatever_was_stored_since(
    lake, tmp_path, tmp_path_factory
):
    store, tracking = (
        DeltaFeatureStore(root=str(tmp_path / "store")),
        new_tracking(tmp_path / "mlflow", tmp_path_factory),
    )

    def train(*genres, date):
        store.replace_date(dataset(*genres, date=date).songs)
        training_set(TrainingSetConfig(window_days=2), lake=lake, feature_store=store)
        stored = lake.read_table(TRAINING_SET).to_pandas()
        taught = stored[stored["split"] == "train"]
        files = {LEARNED_SONGS: learned_songs(taught).to_parquet()}
        return register(tracking, files, last_extraction_date=str(date)), sorted(taught["lyrics"])

    def known(model, store=store):
        songs = checks._known_songs(model, tracking, store, lake)
        return sorted(songs["lyrics"])

    day = dt.date.fromisoformat(DATE)
    first, taught_first = train("Samba", "Gospel", date=day - dt.timedelta(days=9))
    second, taught_second = train("Rock", "Funk", date=day)
    assert known(first) == taught_first
    assert known(second) == taught_second
    assert known(register(tracking)) == taught_second, "of a run that does not say, the training set"
    other = DeltaFeatureStore(root=str(tmp_path / "other"))
    other.replace_date(dataset("Pagode", date=day).songs)
    assert known(first, other) == taught_second, "of a date that is not stored, the training set"


def test_no_drift_repeats_what_the_report_found(lake):
    lake.write_json("reports/drift/newest.json", {"date": DATE, "drifted": []})
    assert checks.no_drift(lake=lake).passed
    lake.write_json("reports/drift/newest.json", {"date": DATE, "drifted": ["vocabulary"]})
    assert checks.no_drift(lake=lake).metadata["drifted"].value == ["vocabulary"]


def test_a_check_of_an_empty_lake_says_what_to_materialize(lake, context):
    with pytest.raises(dg.Failure, match="materialize a date first"):
        checks.schema(context, lake=lake)


def test_the_columns_broken_here_exist():
    assert {"genre", "n_words", "title", "sources", "lyrics"} <= set(SCHEMA.names)
    assert raw_song()["genre"] == "Samba"


def _is(check, asset, name):
    (key,) = check.check_keys
    return (key.asset_key.to_user_string(), key.name) == (asset, name)
