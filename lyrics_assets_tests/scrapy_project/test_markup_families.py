"""Which families of selectors match on each fixture, and that a crawl counts them for each kind of page."""

import json
from pathlib import Path

import pytest

from lyrics_assets_tests.scrapy_project.test_page_parsers import ALL, PARSERS, answer
from scrapy_project.sandbox.launcher import running_sandbox

SONGBOOK = Path(__file__).parent / "fixtures" / "songbook.jsonl"
FAMILIES = {
    "letras-chart_empty": [],
    "letras-chart_of_earlier_years": ["rows"],
    "letras-chart_today": ["rows"],
    "letras-chart_with_changed_markup": [],
    "letras-chart_with_rows_of_other_kinds": ["rows"],
    "letras-song_before_2023": ["artist", "cnt-letra", "title"],
    "letras-song_empty": ["artist", "canonical", "lyric-original", "title"],
    "letras-song_for_mobile_browsers": ["artist", "canonical", "lyric-content", "title"],
    "letras-song_instrumental": ["artist", "canonical", "cnt-letra", "title"],
    "letras-song_of_mid_2024": ["artist", "canonical", "lyric-original", "title"],
    "letras-song_removed": ["artist", "canonical", "lyric-original", "title"],
    "letras-song_removed_without_container": ["artist", "canonical", "title"],
    "letras-song_that_speaks_like_a_notice": ["artist", "canonical", "lyric-original", "title"],
    "letras-song_today": ["artist", "canonical", "composers", "lyric-original", "title", "views"],
    "letras-song_with_annotation": ["artist", "canonical", "lyric-original", "title"],
    "letras-song_with_changed_markup": ["artist", "canonical", "title"],
    "letras-song_with_control_characters": ["artist", "canonical", "lyric-original", "title"],
    "letras-song_with_romanization": ["artist", "canonical", "lyric-original", "title"],
    "letras-song_with_users_notes": ["artist", "canonical", "lyric-original", "title"],
    "letras-song_without_lyric": ["artist", "canonical", "lyric-original", "title"],
    "letras-song_without_paragraphs": ["artist", "canonical", "lyric-original", "title"],
    "letras-song_without_title": ["canonical", "lyric-original"],
    "letras-translation_alone": ["translation-single"],
    "letras-translation_beside_the_original": ["lyric-translation"],
    "letras-translation_that_is_the_song_itself": [],
    "letras-translation_with_changed_markup": [],
    "vagalume-artist": ["full list", "genres", "top list", "translations"],
    "vagalume-artist_with_changed_markup": [],
    "vagalume-artist_without_songs": ["genres"],
    "vagalume-artist_without_top_songs": ["full list", "genres", "translations"],
    "vagalume-index": ["genres", "songs", "top songs", "translations"],
    "vagalume-index_that_is_a_page": [],
    "vagalume-index_with_single_objects_for_lists": ["genres", "songs", "translations"],
    "vagalume-index_without_songs": ["genres"],
    "vagalume-song": ["langID", "lyrics", "titles"],
    "vagalume-song_as_chords": ["langID", "lyrics", "titles"],
    "vagalume-song_cut_short": ["langID", "lyrics", "titles"],
    "vagalume-song_in_a_language_without_a_known_number": ["langID", "lyrics", "titles"],
    "vagalume-song_instrumental_by_icon": ["langID", "titles"],
    "vagalume-song_instrumental_by_image": ["langID", "lyrics", "titles"],
    "vagalume-song_not_found": [],
    "vagalume-song_placeholder_instrumental": ["langID", "lyrics", "titles"],
    "vagalume-song_placeholder_no_lyric": ["langID", "lyrics", "titles"],
    "vagalume-song_placeholder_without_lyric": ["langID", "lyrics", "titles"],
    "vagalume-song_with_changed_markup": ["langID", "titles"],
    "vagalume-song_with_language_tabs": ["lyrics", "titles"],
    "vagalume-song_with_users_notes": ["langID", "lyrics", "titles"],
    "vagalume-song_without_artist": ["lyrics"],
    "vagalume-style": ["artists"],
    "vagalume-style_empty": [],
    "vagalume-style_with_changed_markup": [],
    "vagalume-translation_alone": ["langID", "plain layout"],
    "vagalume-translation_in_pairs_of_lines": ["pair layout"],
    "vagalume-translation_in_pairs_of_stanzas": ["langID", "pair layout"],
    "vagalume-translation_not_found": [],
    "vagalume-translation_with_changed_markup": ["langID"],
}


@pytest.mark.parametrize("fixture", ALL, ids=lambda fixture: fixture.name)
def test_a_page_notes_the_families_that_match_on_it_even_if_it_is_refused(fixture):
    matched: set[str] = set()
    found = answer(lambda body, url: fixture.parser(body, url, matched), fixture.body, fixture.url)
    assert sorted(matched) == FAMILIES[fixture.name]
    # To note what matched changes nothing of what is found.
    assert repr(found) == repr(answer(fixture.parser, fixture.body, fixture.url))


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: f"{parser.__module__.split('.')[-1]}-{parser.__name__}")
def test_every_family_that_a_parser_tells_of_matches_on_a_fixture(parser):
    matched = {family for fixture in ALL if fixture.parser is parser for family in FAMILIES[fixture.name]}
    told = parser.__doc__.split("Families:")[1].split("\n\n")[0]
    containers = {"lyric-original", "cnt-letra", "lyric-content", "translation-single", "lyric-translation"}
    assert matched - containers == set(told.split("``")[1::2])
    assert bool(matched & containers) is ("by its class" in told)


KINDS = {
    "letras": {"chart": {"rows"}, "song": {"title", "artist", "canonical", "lyric-original", "composers", "views"}},
    "vagalume": {
        "style": {"artists"},
        "index": {"genres", "top songs", "songs", "translations"},
        "song": {"lyrics", "titles", "langID"},
    },
}


@pytest.mark.parametrize("site", KINDS)
def test_a_crawl_counts_pages_and_families_by_the_kind_of_page(crawl, site):
    with running_sandbox(SONGBOOK) as sites:
        stats = crawl(site, sites[site], "-a", "genres=Samba,Rock").stats
    for kind, families in KINDS[site].items():
        pages = stats[f"lyrics/parsed/{site} {kind}"]
        counts = {family: stats.get(f"lyrics/matched/{site} {kind}/{family}", 0) for family in families}
        assert all(0 < count <= pages for count in counts.values()), json.dumps(counts)
    parsed = sum(count for name, count in stats.items() if name.startswith("lyrics/parsed/"))
    assert parsed <= stats["lyrics/pages"]
