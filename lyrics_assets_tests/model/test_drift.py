"""What counts as drift of the songs, of the performance and of the ages, and what does not."""

import datetime as dt
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest

from lyrics_assets.model.drift.champion import NOT_KNOWN
from lyrics_assets.model.drift.findings import AGE, MENDED_BY_TRAINING, SONGS, Findings, Options, difference, told
from lyrics_assets.model.drift.quiet import Stratum, distances, draw_units, learn_bounds
from lyrics_assets.model.drift.report import DriftError, add, learned_dates, measure_ages, measure_drift
from lyrics_assets_tests import charts
from lyrics_assets_tests.charts import FIRST, TRAINED_AT, Charts, date_table, train_champion

DATES = 8
OF_ALL = {"genre_mix", "vocabulary", "length", "translations", "portuguese_share"}
OF_UNSEEN = {"unknown_words", "confidence"}
OF_TRANSLATIONS = {"languages"}
SONG_MEASURES = OF_ALL | OF_UNSEEN | OF_TRANSLATIONS


class World(NamedTuple):
    """Charts in which nothing changes, the dates that a champion learned from, and quiet dates after them."""

    charts: Charts
    learned: dict
    quiet: dict
    served: object

    def judge(self, rows, *, date=None, learned=None, served=None, options=None):
        date = date or max(self.quiet)
        tables = self.learned | {date: date_table(rows, date)}
        return measure_drift(
            date, list(learned or self.learned), tables.__getitem__, served or self.served, options or Options()
        )


def make_world(seed, *, turnover=charts.TURNOVER, quiet_days=(1, 2, 9), dates=DATES):
    here = Charts(seed, n_genres=8, songs_a_genre=40, n_words=50, newcomers=0.8)
    days = here.days(turnover)
    learned = [FIRST + dt.timedelta(days=number) for number in range(dates)]
    tables = {date: date_table(next(days), date) for date in learned}
    last, rows = max(tables), {number: next(days) for number in range(1, max(quiet_days) + 1)}
    quiet = {last + dt.timedelta(days=number): rows[number] for number in quiet_days}
    return World(here, tables, quiet, train_champion(tables))


@pytest.fixture(scope="module")
def world():
    return make_world(0)


@pytest.fixture(scope="module")
def newest(world):
    return world.quiet[max(world.quiet)]


@pytest.fixture(scope="module")
def report(world, newest):
    return world.judge(newest)


# Nothing has changed


def test_three_quiet_dates_raise_nothing(world):
    for date, rows in world.quiet.items():
        found = world.judge(rows, date=date)
        assert (found["drifted"], found["warned"], found["not_measured"]) == ([], [], {})
        assert set(found["measures"]) == SONG_MEASURES | {"performance"}


@pytest.mark.parametrize("turnover", [charts.TURNOVER, 1.0])
def test_a_quiet_world_raises_no_alarm_whether_songs_stay_or_all_change(turnover):
    world = make_world(3, turnover=turnover, dates=4)
    assert [world.judge(rows, date=date)["drifted"] for date, rows in world.quiet.items()] == [[], [], []]


def test_a_date_that_was_learned_from_is_no_drift_and_the_report_says_so(world):
    last = max(world.learned)
    found = measure_drift(last, list(world.learned), world.learned.__getitem__, world.served)
    assert found["drifted"] == []
    assert found["new_songs"] == 0
    assert f"The champion learned from {last} itself: no song is newer than what it knows." in found["notes"]


def test_the_order_of_the_songs_is_no_matter(world, newest, report):
    shuffled = [newest[place] for place in np.random.default_rng(0).permutation(len(newest))]
    assert world.judge(shuffled)["measures"] == report["measures"]


def test_a_report_is_repeated_by_its_seed(world, newest, report):
    again = world.judge(newest)
    assert again | {"seconds": 0} == report | {"seconds": 0}
    other = world.judge(newest, options=Options(seed=1))
    assert other["measures"]["vocabulary"]["allowed"] != report["measures"]["vocabulary"]["allowed"]


# Something is planted


@pytest.mark.parametrize(
    ("plant", "share", "named"),
    [
        (charts.other_genre_mix, 0.5, "genre_mix"),
        (charts.other_words, 0.15, "unknown_words"),
        (charts.other_words, 0.15, "vocabulary"),
        (charts.shorter, 0.5, "length"),
        (charts.more_translations, 0.5, "translations"),
        (charts.other_languages, 1.0, "languages"),
        (charts.less_portuguese, 0.15, "portuguese_share"),
        (charts.shuffled_labels, 1.0, "performance"),
    ],
)
def test_planted_drift_is_found_and_named(world, newest, plant, share, named):
    found = world.judge(plant(newest, share, world.charts))
    assert named in found["drifted"]
    measure = found["measures"][named]
    assert measure["beyond"]
    assert measure["n"] > 0


def test_what_moved_is_named_with_its_shares(world, newest):
    found = world.judge(charts.more_translations(newest, 0.5, world.charts))
    moved = found["measures"]["translations"]["moved"]
    assert moved["what"] in ("translated songs", "other songs")
    assert abs(moved["now"] - moved["before"]) > 0.2
    lengths = world.judge(charts.shorter(newest, 0.5, world.charts))["measures"]["length"]["moved"]
    assert lengths["what"].startswith("under ")
    assert lengths["now"] > lengths["before"] + 0.2


def test_words_that_are_new_are_listed_alone_and_by_how_many_sing_them(world, newest, report):
    found = world.judge(charts.other_words(newest, 0.15, world.charts))["words"]["new"]
    assert len(found) == 20
    assert found[0]["songs"] >= found[-1]["songs"] >= 3
    assert all(row["artists"] >= 3 and row["share_before"] == 0 for row in found)
    assert all("w" in row["word"] for row in found)  # only the planted ones have a w
    assert not [row for row in report["words"]["new"] if "w" in row["word"]]


def test_fewer_unknown_words_are_no_drift(world, newest):
    told_by_heart = [charts.with_words(row, [*row["lyrics"].split()[:20]] * 3) for row in newest]
    known = {word for table in world.learned.values() for text in table["lyrics"].to_pylist() for word in text.split()}
    rows = [charts.with_words(row, [word for word in row["lyrics"].split() if word in known]) for row in told_by_heart]
    assert world.judge(rows)["measures"]["unknown_words"]["seen"] == 0


def test_wider_bounds_allow_more(world, newest):
    rows = charts.shorter(newest, 0.5, world.charts)
    found = world.judge(rows, options=Options(floor=0.9))
    assert "length" not in found["drifted"]
    assert found["measures"]["length"]["allowed"] == 0.9


# The performance


def test_the_performance_is_that_on_songs_of_artists_that_taught_nothing(world, newest, report):
    measure = report["measures"]["performance"]
    taught = set(world.served.learned["artist_key"])
    unseen = [row for row in newest if row["artist"].lower() not in taught]
    assert measure["n"] == len(unseen) < len(newest)
    assert measure["n_artists"] == len({row["artist"] for row in unseen})
    assert measure["bound"] == "at least"
    assert measure["seen"] == measure["macro_f1_interval"][1] >= measure["macro_f1"]
    assert measure["allowed"] == float(world.served.tags["macro_f1_low"])
    assert 0 < measure["accuracy"] <= 1


def test_an_interval_that_reaches_the_reports_own_is_no_drift(world, newest, report):
    reached = report["measures"]["performance"]["macro_f1_interval"][1]
    for low, drifted in ((reached - 1e-3, []), (reached + 1e-3, ["performance"])):
        served = world.served._replace(tags=world.served.tags | {"macro_f1_low": str(low), "macro_f1_high": "1"})
        assert world.judge(newest, served=served)["drifted"] == drifted


# What cannot be told


def test_a_champion_whose_songs_are_not_known_is_compared_by_what_all_songs_tell(world, newest):
    found = world.judge(newest, served=world.served._replace(learned=None))
    assert found["drifted"] == []
    assert set(found["measures"]) == SONG_MEASURES - OF_UNSEEN
    assert found["not_measured"] == dict.fromkeys(("unknown_words", "confidence", "performance"), NOT_KNOWN)


def test_a_champion_that_was_never_evaluated_has_no_performance_to_keep(world, newest):
    tags = {name: value for name, value in world.served.tags.items() if not name.startswith("macro_f1")}
    found = world.judge(newest, served=world.served._replace(tags=tags))
    assert "never evaluated" in found["not_measured"]["performance"]
    assert "performance" not in found["measures"]


def test_of_too_few_songs_nothing_is_said(world, newest):
    found = world.judge(newest[:20])
    assert (found["measures"], found["drifted"], found["songs"]) == ({}, [], 20)
    assert "are too few: 30 of 20 are needed" in found["not_measured"]["genre_mix"]
    assert "new to the champion" in found["not_measured"]["confidence"]


def test_one_learned_date_is_enough_and_the_report_says_what_it_lacks(world, newest):
    last = max(world.learned)
    found = world.judge(newest, learned=[last], date=last + dt.timedelta(days=1))
    assert "genre_mix" in found["measures"]
    assert found["drifted"] == []
    assert "The champion learned from 1 stored date: how much quiet dates differ" in found["notes"][0]


def test_one_date_alone_is_compared_with_itself(world):
    (first, *_) = world.learned
    served = train_champion({first: world.learned[first]})
    found = measure_drift(first, [first], world.learned.__getitem__, served)
    assert found["drifted"] == []
    assert {round(found["measures"][name]["seen"], 6) for name in SONG_MEASURES & set(found["measures"])} == {0}


# Which dates


def test_the_dates_of_the_champions_window_are_read_evenly_spaced_up_to_a_bound(world):
    stored = [FIRST + dt.timedelta(days=number) for number in range(-20, 60)]
    assert learned_dates(stored, world.served) == list(world.learned)
    long = world.served._replace(tags=world.served.tags | {"last_extraction_date": str(stored[-1])})
    chosen = learned_dates(stored, long, most=10)
    assert len(chosen) == 10
    assert (chosen[0], chosen[-1]) == (FIRST, stored[-1])
    steps = {(after - before).days for before, after in pairwise(chosen)}
    assert max(steps) - min(steps) <= 1


def test_a_window_that_is_not_known_or_not_stored_is_an_error_that_says_what_to_do(world):
    with pytest.raises(DriftError, match="does not say which dates it learned from: materialize genre_classifier"):
        learned_dates([FIRST], world.served._replace(tags={}))
    with pytest.raises(DriftError, match="of which the feature store holds no date"):
        learned_dates([FIRST + dt.timedelta(days=100)], world.served)


def test_each_date_is_read_once(world, newest):
    asked = []
    date = max(world.quiet)
    tables = world.learned | {date: date_table(newest, date)}

    def read(wanted):
        asked.append(wanted)
        return tables[wanted]

    measure_drift(date, list(world.learned), read, world.served)
    assert sorted(asked) == sorted(tables)


# Ages, and what is done with findings


@pytest.mark.parametrize(("days", "beyond"), [(3, False), (4, True)])
def test_old_data_is_a_warning_not_drift(world, days, beyond):
    now = dt.datetime.fromisoformat(TRAINED_AT)
    found = measure_ages(now.date() - dt.timedelta(days=days), now.date(), now, world.served, Options())
    assert found.measures["data_age"]["seen"] == days
    assert found.measures["data_age"]["beyond"] is beyond
    report = {"measures": {}, "not_measured": {}, "notes": [], "drifted": [], "warned": []}
    add(report, found)
    assert (report["drifted"], report["warned"]) == ([], ["data_age"] if beyond else [])


def test_an_old_champion_is_a_warning_and_one_of_unknown_age_is_told(world):
    now = dt.datetime.fromisoformat(TRAINED_AT) + dt.timedelta(days=31, hours=1)
    found = measure_ages(now.date(), now.date(), now, world.served, Options())
    assert found.measures["model_age"]["seen"] == 31
    assert found.measures["model_age"]["beyond"]
    nameless = measure_ages(now.date(), now.date(), now, world.served._replace(tags={}), Options())
    assert set(nameless.measures) == {"data_age"}
    assert "does not say when it was trained" in nameless.not_measured["model_age"]


def test_what_training_can_mend_is_drift_and_all_else_a_warning():
    report = {"measures": {}, "not_measured": {}, "notes": [], "drifted": [], "warned": []}
    for kind in ("songs", "performance", "traffic", "age"):
        add(report, Findings({kind: told(kind, 2, 1, 10, "of nothing")}, {}))
    assert MENDED_BY_TRAINING == ("songs", "performance")
    assert (report["drifted"], report["warned"]) == (["performance", "songs"], ["age", "traffic"])


def test_a_bound_may_be_reached():
    assert not told(SONGS, 1.0, 1.0, 1, "")["beyond"]
    assert not told(AGE, 1.0, 1.0, None, "", at_least=True)["beyond"]
    assert told(AGE, 0.9, 1.0, None, "", at_least=True)["beyond"]


# The statistics


def test_equal_shares_have_no_distance_and_disjoint_ones_the_distance_one():
    rows = np.array([[1.0, 3.0], [5.0, 0.0], [0.0, 0.0]])
    others = np.array([[10.0, 30.0], [0.0, 3.0], [1.0, 1.0]])
    assert distances(rows, others) == pytest.approx([0, 1, 0], abs=1e-6)


def test_a_distance_by_hand():
    # Shares (1, 0) and (1/2, 1/2): divergence (log2(4/3) + (log2(2/3) + log2(2)) / 2) / 2.
    found = difference(np.array([[3.0, 0.0], [1.0, 0.0]]), np.array([[1.0, 1.0]]), ["a", "b"])
    assert found["seen"] == pytest.approx(0.5579, abs=1e-4)
    assert found["moved"] == {"what": "a", "before": 1.0, "now": 0.5}


def test_only_growth_counts_where_only_growth_is_bad():
    few, many = np.array([[1.0, 9.0]]), np.array([[5.0, 5.0]])
    assert difference(few, many, ["unknown", "known"], grows=0)["seen"] > 0.2
    assert difference(many, few, ["unknown", "known"], grows=0)["seen"] == 0


def test_units_are_drawn_as_often_as_they_weigh_within_their_stratum():
    strata = [Stratum(np.array([0, 2]), np.array([1.0, 3.0]), 40), Stratum(np.array([1]), np.ones(1), 5)]
    drawn = draw_units(strata, 3, 500, np.random.default_rng(0))
    assert set(drawn[:, 1]) == {5}
    assert set(drawn[:, 0] + drawn[:, 2]) == {40}
    assert drawn[:, 0].mean() == pytest.approx(10, abs=0.5)


def test_bounds_hold_in_as_many_draws_as_the_rate_says():
    rng = np.random.default_rng(0)

    def sample(size):
        # Divergences of samples are chi-squared; six measures of one to thirty degrees of freedom.
        return {f"{df}": np.sqrt(rng.chisquare(df, size) * 1e-4) for df in (1, 2, 3, 7, 9, 30)}

    bounds = learn_bounds(sample(1000), {str(df): np.zeros(5) for df in (1, 2, 3, 7, 9, 30)}, 0.05, 0)
    alarms = np.any([found > bounds[name] for name, found in sample(20_000).items()], axis=0)
    assert 0.03 < alarms.mean() < 0.06


def test_dates_that_differ_more_than_samples_do_decide_and_one_odd_date_does_not():
    rng = np.random.default_rng(0)
    quiet = {"length": np.abs(rng.normal(0, 0.02, 1000))}
    weekdays = np.tile([0.1, 0.11, 0.12, 0.11, 0.1, 0.2, 0.21], 4)
    narrow = learn_bounds(quiet, {"length": np.full(28, 0.02)}, 0.01, 0)["length"]
    wide = learn_bounds(quiet, {"length": weekdays}, 0.01, 0)["length"]
    odd = learn_bounds(quiet, {"length": np.array([*[0.02] * 27, 0.9])}, 0.01, 0)["length"]
    assert narrow == odd < 0.1 < wide


def test_the_floor_is_kept():
    assert learn_bounds({"length": np.zeros(9)}, {"length": np.zeros(3)}, 0.01, 0.05) == {"length": 0.05}
