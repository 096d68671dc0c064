"""What counts as drift of what the service is asked, read from a real prediction log."""

import datetime as dt
import itertools

import pytest

from lyrics_assets.model.drift.answers import LoggedAnswer, read_answers
from lyrics_assets.model.drift.findings import Options
from lyrics_assets.model.drift.traffic import measure_traffic, traffic_window
from lyrics_assets_tests.drafts import LAST, Songwriters, write_log

OPTIONS = Options()
DAYS = OPTIONS.traffic_days + OPTIONS.traffic_past_days
WEEK_AGO = LAST - dt.timedelta(days=OPTIONS.traffic_days)
MEASURES = {
    "traffic_length",
    "traffic_languages",
    "traffic_portuguese_share",
    "traffic_genres",
    "traffic_confidence",
    "traffic_unknown_words",
}


def before(seed=0, days=OPTIONS.traffic_past_days, **habits):
    return Songwriters(seed, **habits).days(WEEK_AGO, days)


def lately(seed=1, days=OPTIONS.traffic_days, **habits):
    return Songwriters(seed, **habits).days(LAST, days)


def measure(folder, *answers):
    write_log(folder, itertools.chain(*answers))
    return measure_traffic(read_answers(folder, *traffic_window(LAST, OPTIONS)), LAST, OPTIONS)


def beyond(findings):
    return {name for name, measure in findings.measures.items() if measure["beyond"]}


def test_quiet_weeks_raise_nothing(tmp_path):
    for seed in (0, 10, 20):
        found = measure(tmp_path / str(seed), before(seed), lately(seed + 1))
        assert set(found.measures) == MEASURES
        assert (beyond(found), found.not_measured, found.notes) == (set(), {}, ())


@pytest.mark.parametrize(
    ("habits", "named"),
    [
        ({"length": 20}, "traffic_length"),
        ({"foreign": 0.4}, "traffic_languages"),
        ({"foreign": 0.4}, "traffic_portuguese_share"),
        ({"genres": 3}, "traffic_genres"),
        ({"sure": 0.3}, "traffic_confidence"),
        ({"unknown": 0.25}, "traffic_unknown_words"),
    ],
)
def test_other_drafts_are_found_and_named(tmp_path, habits, named):
    found = measure(tmp_path, before(), lately(**habits))
    assert named in beyond(found)
    told = found.measures[named]
    assert told["kind"] == "traffic"
    assert told["seen"] > told["allowed"]
    assert told["moved"]["before"] != told["moved"]["now"]


def test_fewer_unknown_words_are_no_drift(tmp_path):
    found = measure(tmp_path, before(unknown=0.25), lately(unknown=0.05))
    assert found.measures["traffic_unknown_words"]["seen"] == 0


def test_answers_are_counted_on_both_sides(tmp_path):
    past, recent = list(before()), list(lately())
    found = measure(tmp_path, past, recent)
    assert {(told["n"], told["n_before"]) for told in found.measures.values()} == {(len(recent), len(past))}


def test_another_version_is_compared_by_what_does_not_depend_on_it(tmp_path):
    found = measure(tmp_path, before(), lately(version=8, sure=0.2))
    assert set(found.measures) == {"traffic_length", "traffic_languages", "traffic_portuguese_share"}
    assert set(found.not_measured) == MEASURES - set(found.measures)
    assert found.not_measured["traffic_genres"] == (
        "0 answers of version 8 on 0 days in the 28 days before are too few: 200 on 14 days are needed"
    )


def test_without_a_log_or_with_an_empty_one_the_reason_is_told(tmp_path):
    reason = "0 answers of the service on 0 days in the last 7 days are too few: 200 on 4 days are needed"
    assert measure(tmp_path / "none").not_measured == {"traffic": reason}
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / f"{LAST}.jsonl").touch()
    found = measure(tmp_path / "empty")
    assert (found.measures, found.not_measured, found.notes) == ({}, {"traffic": reason}, ())


@pytest.mark.parametrize(
    ("past_days", "recent_days", "said"),
    [(28, 2, "in the last 7 days"), (10, 7, "on 10 days in the 28 days before are too few: 200 on 14 days")],
)
def test_of_a_few_days_nothing_is_said(tmp_path, past_days, recent_days, said):
    found = measure(tmp_path, before(days=past_days), lately(days=recent_days))
    assert found.measures == {}
    assert said in found.not_measured["traffic"]


def test_a_service_that_does_not_look_at_the_language_is_no_drift(tmp_path):
    blind = {"language": None, "portuguese_share": None}
    found = measure(tmp_path, ((date, figures | blind) for date, figures in itertools.chain(before(), lately())))
    assert found.measures["traffic_languages"]["seen"] == 0
    assert found.not_measured == {"traffic_portuguese_share": "the service was set not to look"}


def test_a_torn_line_is_left_aside_and_told(tmp_path):
    whole = measure(tmp_path, before(), lately())
    with (tmp_path / f"{LAST}.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"at": "2026-04-20T12:00:00.000+00:00", "model_version": 7, "char')
    torn = measure_traffic(read_answers(tmp_path, *traffic_window(LAST, OPTIONS)), LAST, OPTIONS)
    assert torn.measures == whole.measures
    assert torn.notes == ("1 line of the prediction log could not be read and was left aside.",)


def test_a_log_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / f"{LAST}.jsonl").mkdir()
    assert measure(tmp_path).not_measured == {"traffic": "the prediction log cannot be read: Is a directory"}


def test_only_the_days_that_are_asked_for_are_read(tmp_path):
    write_log(tmp_path, Songwriters(0).days(LAST, DAYS + 10))
    first, last = traffic_window(LAST, OPTIONS)
    dates = {date for date, _ in read_answers(tmp_path, first, last)}
    assert (min(dates), max(dates), len(dates)) == (LAST - dt.timedelta(days=DAYS - 1), LAST, DAYS)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"[]\n",
        b"null\n",
        b'{"model_version": 7}\n',
        b'{"model_version": 7, "words": 3, "language": "pt", "portuguese_share": 2, "most_probable": "Samba", '
        b'"confidence": 0.5, "unknown_share": 0.1}\n',
        b'{"model_version": 7, "words": 3, "language": "pt", "portuguese_share": 1, "most_probable": "Samba", '
        b'"confidence": NaN, "unknown_share": 0.1}\n',
        b"\xff\xfe\n",
    ],
)
def test_what_is_no_answer_is_none(tmp_path, line):
    (tmp_path / f"{LAST}.jsonl").write_bytes(line)
    assert list(read_answers(tmp_path, LAST, LAST)) == ([(LAST, None)] if line else [])


def test_an_answer_keeps_the_figures_that_are_compared(tmp_path):
    ((_, figures), *_) = write = list(Songwriters(0).days(LAST, 1))
    write_log(tmp_path, iter(write))
    (date, answer), *_ = read_answers(tmp_path, LAST, LAST)
    assert date == LAST
    assert answer == LoggedAnswer(**figures)
