"""The asset trends_report on a real Delta table and a real lake."""

import json
import re

import dagster as dg
import pytest

from lyrics_assets.assets.monitoring import TrendsConfig, trends_report
from lyrics_assets.resources.feature_store import DeltaFeatureStore
from lyrics_assets.resources.lake import Lake
from lyrics_assets_tests.lyrics.trends.histories import PLANTED, day, lines_told, make_songs, store_table

OLD = make_songs("Samba", 40, seed=1, named="old") + make_songs("Funk", 40, seed=2, named="old")
NEW = make_songs("Samba", 30, seed=3, named="new", plant=PLANTED, share=0.6)
HISTORY = {0: OLD[:70], 5: OLD, 40: OLD[10:] + NEW}


def fill(folder, history):
    store = DeltaFeatureStore(root=str(folder / "store"))
    for number, rows in history.items():
        store.replace_date(store_table(rows, day(number)))
    return {"feature_store": store, "lake": Lake(root=str(folder / "lake"))}


def materialize(resources, **config):
    result = dg.materialize(
        [trends_report],
        resources=resources,
        run_config=dg.RunConfig(ops={"trends_report": TrendsConfig(**config)}),
        selection=[trends_report],
    )
    [event] = result.asset_materializations_for_node("trends_report")
    return event.metadata


@pytest.fixture(scope="module")
def resources(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("trends"), HISTORY)


@pytest.fixture(scope="module")
def metadata(resources):
    return materialize(resources)


def test_the_report_and_its_page_stand_in_the_lake_under_the_newest_date(resources, metadata):
    folder = f"reports/trends/{day(40)}"
    report = resources["lake"].read_json(f"{folder}/report.json")
    assert report["dates"] == [day(number).isoformat() for number in HISTORY]
    assert [row["word"] for row in report["genres"]["Samba"]["compared"]["rising"] if row["beyond_chance"]] == [PLANTED]
    assert report["earlier"] == {"first": day(0).isoformat(), "last": day(5).isoformat(), "dates": 2}
    assert metadata["report"].value == resources["lake"].url(f"{folder}/report.html")
    assert PLANTED in resources["lake"].read_bytes(f"{folder}/report.html").decode()


def test_dagster_is_told_the_key_figures_the_tables_and_the_plots(metadata):
    assert metadata["dates"].value == 3
    assert metadata["songs"].value == 100
    assert (metadata["entered"].value, metadata["left"].value) == (30, 10)
    assert metadata["words_beyond_chance"].value == 1
    assert metadata["themes"].value == "none beyond chance"
    assert PLANTED in metadata["words"].value
    assert "| Samba | 60 | 30 | 30 | 10 | 0 of 60 | 30 (40) |" in metadata["genres"].value
    plots = [name for name in metadata if name.endswith("_plot")]
    assert sorted(plots) == ["distances_plot", "songs_by_date_plot", "themes_plot", "words_plot"]
    assert all("](data:image/png;base64," in metadata[name].value for name in plots)
    assert "note" not in metadata


def test_no_line_of_a_lyric_is_reproduced(resources, metadata):
    songs = [row for rows in HISTORY.values() for row in rows]
    told = json.dumps({name: str(value.value) for name, value in metadata.items()}, ensure_ascii=False)
    folder = f"reports/trends/{day(40)}"
    texts = [told, *(resources["lake"].read_bytes(name).decode() for name in resources["lake"].names(folder))]
    assert len(texts) == 3
    for text in texts:
        assert lines_told(text, songs) == []
        assert lines_told(re.sub(r"<[^>]*>", " ", text), songs) == []


def test_a_window_is_configured_and_the_date_before_it_is_compared_with(resources, tmp_path):
    resources = resources | {"lake": Lake(root=str(tmp_path / "lake"))}
    metadata = materialize(resources, since=day(1).isoformat())
    assert (metadata["from"].value, metadata["to"].value, metadata["dates"].value) == (str(day(5)), str(day(40)), 2)
    report = resources["lake"].read_json(f"reports/trends/{day(40)}/report.json")
    assert report["previous_date"] == day(0).isoformat()
    assert report["total"]["series"][0]["entered"] == 10
    assert materialize(resources, window_days=10)["dates"].value == 1


def test_one_date_is_a_note_and_no_failure(tmp_path):
    metadata = materialize(fill(tmp_path, {0: OLD}))
    assert "a trend needs two" in metadata["note"].value
    assert metadata["songs"].value == 80
    assert "entered" not in metadata


def test_an_empty_store_fails_and_names_what_to_materialize(tmp_path):
    with pytest.raises(dg.Failure, match="it holds no date; materialize lyrics_features") as caught:
        materialize(fill(tmp_path, {}))
    assert caught.value.allow_retries is False
    assert not (tmp_path / "lake").exists()


def test_a_window_after_the_newest_date_fails_and_names_that_date(resources):
    with pytest.raises(dg.Failure, match=f"its dates end on {day(40)}, before {day(50)}"):
        materialize(resources, since=day(50).isoformat())
