"""When a crawl is complete enough to be published."""

import pytest
from pydantic import ValidationError

from lyrics_assets.lyrics.completeness import MIN_MATCHES_EXPECTED, Bounds, broken_bounds, lost_markup

GENRES = ("Samba", "MPB")
CLEAN = {
    "finish_reason": "finished",
    "lyrics/genre/Samba": 60,
    "lyrics/genre/MPB": 40,
    "lyrics/songs": 100,
    "lyrics/pages_expected": 100,
}
BOUNDS = Bounds()


def test_a_clean_crawl_breaks_nothing():
    assert broken_bounds(CLEAN, GENRES, BOUNDS) == []


BREACHES = {
    "genre": ({"lyrics/genre/MPB": 0}, "fewer songs than 1 a genre: MPB 0"),
    "exceptions": ({"spider_exceptions/count": 1}, "1 exceptions in the spider, at most 0 allowed"),
    "unparsed": ({"lyrics/unparsed": 25}, "20.0% pages not understood, at most 5.0% allowed"),
    "no lyrics": (
        {"lyrics/no_lyrics/instrumental": 60, "lyrics/no_lyrics/removed": 40},
        "50.0% pages without a lyric, at most 40.0% allowed",
    ),
    "wrong song": ({"lyrics/wrong_song": 100}, "50.0% redirects to another song, at most 20.0% allowed"),
    "failed": ({"lyrics/failed": 3}, "3.0% pages not had, at most 2.0% allowed"),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_each_broken_bound_is_named_and_no_other(breach):
    change, sentence = BREACHES[breach]
    assert broken_bounds(CLEAN | change, GENRES, BOUNDS) == [sentence]


def test_all_broken_bounds_are_named_at_once():
    stats = CLEAN | {name: value for change, _ in BREACHES.values() for name, value in change.items()}
    stats["lyrics/unparsed"] = 100
    stats["lyrics/no_lyrics/removed"] = 500
    stats["lyrics/wrong_song"] = 400
    assert len(broken_bounds(stats, GENRES, BOUNDS)) == len(BREACHES)


@pytest.mark.parametrize(
    "change",
    [
        {"lyrics/genre/MPB": 1},
        {"lyrics/songs": 95, "lyrics/unparsed": 5},
        {"lyrics/songs": 60, "lyrics/no_lyrics/removed": 40},
        {"lyrics/songs": 80, "lyrics/wrong_song": 20},
        {"lyrics/failed": 2},
    ],
    ids=lambda change: " ".join(change),
)
def test_a_crawl_that_stands_on_a_bound_keeps_it(change):
    assert broken_bounds(CLEAN | change, GENRES, BOUNDS) == []


def test_other_bounds_allow_more():
    loose = Bounds(min_songs_per_genre=0, max_unparsed_share=0.5, max_exceptions=9)
    stats = CLEAN | {"lyrics/genre/MPB": 0, "lyrics/unparsed": 25, "spider_exceptions/count": 9}
    assert broken_bounds(stats, GENRES, loose) == []


@pytest.mark.parametrize(("reason", "named"), [("shutdown", "'shutdown'"), ("closespider_errorcount", "errorcount")])
def test_a_crawl_that_did_not_finish_is_told_by_its_end_alone(reason, named):
    (sentence,) = broken_bounds(CLEAN | {"finish_reason": reason, "lyrics/genre/MPB": 0}, GENRES, BOUNDS)
    assert named in sentence


def test_a_crawl_that_reported_nothing_was_killed():
    assert broken_bounds({}, GENRES, BOUNDS) == ["the crawl ended as 'killed', not 'finished'"]


def test_a_crawl_that_found_nothing_lacks_every_genre():
    assert broken_bounds({"finish_reason": "finished"}, GENRES, BOUNDS) == [
        "fewer songs than 1 a genre: Samba 0, MPB 0"
    ]


def test_three_pages_are_shown_as_examples_of_their_own_kind():
    stats = CLEAN | {
        "lyrics/unparsed": 25,
        "lyrics/examples/unparsed": ["/a", "/b", "/c", "/d"],
        "lyrics/examples/failed": ["/z"],
    }
    (sentence,) = broken_bounds(stats, GENRES, BOUNDS)
    assert sentence.endswith("allowed, for example /a, /b, /c")


@pytest.mark.parametrize("field", ["max_unparsed_share", "max_failed_share", "max_no_lyrics_share"])
def test_a_share_above_one_is_no_bound(field):
    with pytest.raises(ValidationError, match=field):
        Bounds(**{field: 1.5})


BEFORE = {
    "lyrics/parsed/letras song": 100,
    "lyrics/matched/letras song/lyric-original": 90,
    "lyrics/matched/letras song/cnt-letra": 4,
    "lyrics/parsed/letras chart": 15,
    "lyrics/matched/letras chart/rows": 15,
    "lyrics/songs": 94,
}


def test_markup_that_matched_on_many_pages_and_now_on_none_is_lost():
    now = BEFORE | {"lyrics/matched/letras song/lyric-original": 0, "lyrics/parsed/letras song": 80}
    assert lost_markup(now, BEFORE) == [
        "markup of letras song: lyric-original matched on 90 of 100 pages before, on 0 of 80 now"
    ]


def test_markup_that_still_matches_somewhere_is_not_lost():
    assert lost_markup(BEFORE | {"lyrics/matched/letras song/lyric-original": 1}, BEFORE) == []


@pytest.mark.parametrize(("pages", "is_lost"), [(9, False), (10, True)])
def test_markup_is_lost_only_where_its_absence_is_no_chance(pages, is_lost):
    """It matched on half of the pages before, so that 10 pages now are just enough."""
    before = {"lyrics/parsed/vagalume song": 40, "lyrics/matched/vagalume song/langID": 20}
    assert (pages / 2 == MIN_MATCHES_EXPECTED) is is_lost
    assert bool(lost_markup({"lyrics/parsed/vagalume song": pages}, before)) is is_lost


@pytest.mark.parametrize("kind", ["letras song", "letras chart"])
def test_nothing_is_lost_of_a_kind_of_page_that_was_not_asked_for(kind):
    now = {name: 0 if kind in name else count for name, count in BEFORE.items()}
    assert lost_markup(now, BEFORE) == []


def test_a_first_crawl_has_lost_nothing():
    assert lost_markup(BEFORE, {}) == []
