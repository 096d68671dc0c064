"""The dataset of a date and its way into the feature store, as Dagster runs them."""

import json

import dagster as dg
import pytest

from lyrics_assets.assets.extraction import raw_name
from lyrics_assets.assets.preparation import lyrics, lyrics_features, lyrics_name, rejects_name
from lyrics_assets.lyrics.schema import validate
from lyrics_assets.resources.feature_store import DeltaFeatureStore
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.text_index import TextIndexDatabase
from lyrics_assets_tests.corpus import raw_song, raw_songs

DATE = "2026-11-20"
NEXT = "2026-11-21"


class Project:
    """The preparation assets on a lake, an index and a store of their own."""

    def __init__(self, folder, instance):
        self.lake = Lake(root=str(folder / "lake"))
        self.store = DeltaFeatureStore(root=str(folder / "store"))
        self.index = TextIndexDatabase(url=f"sqlite:///{folder / 'texts.sqlite'}")
        self.instance = instance

    def write_raw(self, rows, source="letras", date=DATE):
        lines = "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)
        self.lake.write_bytes(raw_name(source, date), lines.encode())

    def materialize(self, *assets, date=DATE):
        resources = {"lake": self.lake, "feature_store": self.store, "text_index": self.index}
        return dg.materialize(
            [*assets],
            selection=[*assets],
            partition_key=date,
            resources=resources,
            instance=self.instance,
            raise_on_error=False,
        )

    def stored(self):
        (date,) = self.store.dates()
        return self.store.read_date(date)

    def metadata(self, result, asset):
        (event,) = result.asset_materializations_for_node(asset)
        return {name: value.value for name, value in event.metadata.items()}


@pytest.fixture
def project(tmp_path):
    with dg.DagsterInstance.ephemeral() as instance:
        yield Project(tmp_path, instance)


def test_what_was_left_out_mended_and_merged_is_told(project):
    project.write_raw([*raw_songs("Samba"), raw_song(title=""), raw_song(lyrics="la la"), "{broken\n"])
    project.write_raw([raw_song(source="museu", title="Outra\x07", genre="MPB")], source="museu")
    result = project.materialize(lyrics)
    told = project.metadata(result, "lyrics")
    table = project.lake.read_table(lyrics_name(DATE))
    assert validate(table).num_rows == told["dagster/row_count"]
    assert told["raw_songs"] == len(raw_songs("Samba")) + 4
    assert told["rejected"] == {"missing_field": 1, "too_short": 1, "not_json": 1}
    assert told["mended"] == {"control_characters": 1}
    assert told["sources"] == ["letras", "museu"]
    assert set(told["merged_with_conflicts"]) >= {"several_genres", "sites_share_no_genre", "several_texts"}


def test_the_rejects_can_be_opened_and_hold_no_lyric(project):
    project.write_raw([raw_song(), raw_song(title="Curta", lyrics="chora cavaquinho")])
    told = project.metadata(project.materialize(lyrics), "lyrics")
    rejects = project.lake.read_table(rejects_name(DATE)).to_pandas()
    assert told["rejects"] == project.lake.url(rejects_name(DATE))
    assert rejects[["title", "reason", "detail"]].to_numpy().tolist() == [["Curta", "too_short", "2 words"]]
    assert "cavaquinho" not in rejects.to_csv()
    assert "| Curta |" in told["rejects_sample"]
    assert "cavaquinho" not in str(told)


@pytest.mark.parametrize(
    "rows", [[], ["{broken\n"], [raw_song(lyrics="x" * 1_000_000)]], ids=["no row", "broken", "a megabyte"]
)
def test_a_date_without_a_usable_song_fails_and_leaves_the_last_good_one(project, rows):
    project.write_raw(raw_songs("Samba"))
    assert project.materialize(lyrics, lyrics_features).success
    good, stored = project.lake.read_table(lyrics_name(DATE)), project.store.commits()
    project.write_raw(rows)
    result = project.materialize(lyrics, lyrics_features)
    assert not result.success
    failure = result.failure_data_for_node("lyrics").user_failure_data.description
    assert "is a usable lyric" in failure
    assert rejects_name(DATE) in failure
    assert project.lake.read_table(lyrics_name(DATE)).equals(good)
    assert project.store.commits() == stored


def test_a_date_without_raw_songs_says_what_to_do(project):
    result = project.materialize(lyrics)
    failure = result.failure_data_for_node("lyrics").user_failure_data.description
    assert failure == f"no raw songs of {DATE}: materialize raw/* for that date, or import some, first"


def test_materializing_twice_gives_the_same_files_and_rows(project):
    project.write_raw(raw_songs("Samba", "Gospel"))
    tables = []
    for _ in range(2):
        assert project.materialize(lyrics, lyrics_features).success
        tables.append((project.lake.read_table(lyrics_name(DATE)), project.stored()))
    assert tables[0][0].equals(tables[1][0])
    assert tables[0][1].sort_by("song_id").equals(tables[1][1].sort_by("song_id"))


def test_a_song_has_one_group_on_all_dates_and_sites(project):
    project.write_raw([raw_song()])
    cover = raw_song(artist="Seu Cravo", title="Janela (Ao Vivo)", lyrics=raw_song()["lyrics"] + "\nObrigado")
    project.write_raw([cover], date=NEXT)
    for date in (NEXT, DATE):
        assert project.materialize(lyrics, date=date).success
    groups = [project.lake.read_table(lyrics_name(date))["lyrics_group"].to_pylist() for date in (DATE, NEXT)]
    assert groups[0] == groups[1]


def test_the_store_holds_what_the_dataset_holds(project):
    project.write_raw(raw_songs("Samba"))
    result = project.materialize(lyrics, lyrics_features)
    told = project.metadata(result, "lyrics_features")
    table = project.lake.read_table(lyrics_name(DATE))
    assert project.stored().sort_by("song_id").equals(table)
    assert (told["dagster/row_count"], told["dates_stored"]) == (table.num_rows, 1)
