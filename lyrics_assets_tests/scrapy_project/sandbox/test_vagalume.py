"""What Vagalume.com.br answers."""

import json
import re
from typing import Any

import httpx
import pytest
from parsel import Selector

from lyrics_assets_tests.scrapy_project.sandbox.conftest import Sites, artist_paths, page


def song_text(text: str) -> str:
    """The lyrics of a page, one line of text a line."""
    inner = re.search(r"<div id=lyrics>(.*?)</div>", text)
    return inner[1].replace("<br>", "\n").replace("&lt;", "<") if inner else ""


def test_no_page_says_its_charset_in_the_header(sites: Sites) -> None:
    for path in ("/", "/browse/style/mpb.html", "/duas-casas/", "/duas-casas/so-um.html", "/nada/"):
        response = sites.vagalume.get(path)
        assert response.headers["content-type"] == "text/html"
        assert b"<meta charset=utf-8>" in response.content


def test_a_style_page_lists_artists_in_two_columns_before_a_decoy(sites: Sites) -> None:
    containers = page(sites.vagalume, "/browse/style/samba.html").css(".moreNamesContainer")
    columns = [column.css("a::text").getall() for column in containers[0].css("ul.namesColumn")]
    assert len(columns) == 2
    names = columns[0] + columns[1]
    assert len(names) == 25
    assert names == sorted(names, key=lambda name: name.lower().replace(" ", "-"))
    assert not [path for path in containers[1].css("a::attr(href)").getall() if not path.startswith("/browse/")]


def test_markup_is_minified(sites: Sites) -> None:
    text = sites.vagalume.get("/browse/style/mpb.html").text
    assert "<ul class=namesColumn><li><a href=/duas-casas/>Duas Casas</a></ul>" in text
    assert "</li>" not in text
    assert "<body" not in text
    assert "<a href=/browse/style/r-n-b.html>R&B</a>" in text


def test_an_artist_of_two_genres_stands_in_both_styles_main_first(sites: Sites) -> None:
    tags = page(sites.vagalume, "/duas-casas/").css("ul.subHeaderTags.h14 > li > a::text").getall()
    assert tags[0] == "MPB"
    assert set(tags) == {"MPB", "Samba", "Pagode"}
    for style in ("mpb", "samba", "pagode"):
        assert "/duas-casas/" in artist_paths(sites.vagalume, style)


def test_a_small_artist_has_no_top_songs(sites: Sites) -> None:
    # Pagode's page without lyrics may be hers: then she has two songs.
    for path in artist_paths(sites.vagalume, "pagode"):
        selector = page(sites.vagalume, path)
        every = selector.css("ol#alfabetMusicList a.nameMusic::attr(href)").getall()
        top = selector.css("ol#topMusicList a.nameMusic::attr(href)").getall()
        assert sorted(top) == (sorted(every) if len(every) >= 2 else [])


def test_an_artist_page_links_to_play_and_to_a_translation_where_there_is_one(sites: Sites) -> None:
    selector = page(sites.vagalume, "/band-0/")
    links = selector.css("#topMusicList a.translateWrapper::attr(href)").getall()
    assert len(links) == 2
    assert not [link for link in links if "untranslated" in link]
    assert selector.css("#topMusicList a[href$='#play']")
    assert [sites.vagalume.get(link).status_code for link in links] == [200, 200]
    assert sites.vagalume.get("/band-0/untranslated-traducao.html").status_code == 404


def test_index_js_tells_what_the_artist_page_tells(sites: Sites, vagalume_artists: dict[str, str]) -> None:
    answers = {path: sites.vagalume.get(path + "index.js") for path in vagalume_artists}
    statuses = [answer.status_code for answer in answers.values()]
    assert 0 < statuses.count(404) < len(statuses) / 3
    for path, answer in answers.items():
        if answer.status_code == 200:
            assert_same_songs(answer, Selector(vagalume_artists[path]))


def assert_same_songs(answer: httpx.Response, artist_page: Selector) -> None:
    artist: dict[str, Any] = json.loads(answer.content)["artist"]
    assert [genre["name"] for genre in artist["genre"]] == artist_page.css("ul.subHeaderTags a::text").getall()
    rows = artist_page.css("#alfabetMusicList")
    assert [song["url"] for song in artist["lyrics"]["item"]] == rows.css("a.nameMusic::attr(href)").getall()
    translated = [song["turl"] for song in artist["lyrics"]["item"] if "turl" in song]
    assert translated == rows.css("a.translateWrapper::attr(href)").getall()


def test_a_song_is_bare_text_between_breaks(sites: Sites) -> None:
    text = sites.vagalume.get("/miuda/sozinha.html").text
    assert re.search(r"<h1>Sozinha</h1><h2><a href=/miuda/>Miúda</a></h2>", text)
    assert "Uma<br>só" in text
    assert "window.vData=" in text
    assert '"langID":"1"' in text
    assert "songTab" not in text


def test_a_foreign_song_has_tabs(vagalume_songs: dict[str, str]) -> None:
    text = next(text for path, text in vagalume_songs.items() if "/stone-" in path)
    assert '<i class="lang langBg-eng">' in text
    assert '"langID":"2"' in text
    assert "The stone" in song_text(text)


def test_both_layouts_of_a_translation_occur(sites: Sites, vagalume_songs: dict[str, str]) -> None:
    paths = [path.replace(".html", "-traducao.html") for path in vagalume_songs if "/stone-" in path]
    pages = [page(sites.vagalume, path) for path in paths]
    alone = [selector for selector in pages if selector.css("#lyrics")]
    paired = [selector for selector in pages if selector.css("#lyricsPair")]
    assert alone
    assert paired
    assert len(alone) + len(paired) == len(pages)
    assert "A pedra" in alone[0].css("#lyrics").get("")
    rows = paired[0].css("#lyricsPair > .orig.pair")
    assert rows[0].css("p::text").get("").startswith("Stone")
    assert "The stone" in rows[1].get()
    assert "A pedra" in paired[0].css("#lyricsPair > .trad.pair")[1].get()


def test_a_song_of_both_sites_differs_a_little(vagalume_songs: dict[str, str]) -> None:
    sambas = {path: text for path, text in vagalume_songs.items() if "/roda-viola-" in path}
    assert any("(part. " in text for text in sambas.values())
    lyrics = [song_text(text) for text in sambas.values()]
    assert any("(2x)" in text for text in lyrics)
    assert any(text.count("O refrão") == 3 for text in lyrics)
    assert any("amor" not in text.split("\n")[0] or ", amor" not in text for text in lyrics)
    assert all("Primeira linha" in text for text in lyrics)


def test_users_typed_labels_and_blank_lines(vagalume_songs: dict[str, str]) -> None:
    lyrics = [song_text(text) for text in vagalume_songs.values()]
    assert any(re.search(r"^\[Refrão\]$", text, re.MULTILINE) for text in lyrics)
    assert any(re.search(r"^Refrão$", text, re.MULTILINE) for text in lyrics)
    assert any("\n\n\n\n" in text for text in lyrics)


def test_every_kind_of_page_without_lyrics_occurs(vagalume_songs: dict[str, str]) -> None:
    text = "".join(vagalume_songs.values())
    assert "<div class=instrumental-icon>" in text
    assert "<div id=lyrics>Instrumental<br><img src=/img/etc/instrumental.png></div>" in text
    assert "<div id=lyrics>[música não tem letra]</div>" in text


def test_some_songs_have_a_page_of_chords(sites: Sites, vagalume_songs: dict[str, str]) -> None:
    with_chords = [path for path, text in vagalume_songs.items() if "-cifrada.html>" in text]
    assert 0 < len(with_chords) < len(vagalume_songs)
    assert page(sites.vagalume, with_chords[0].replace(".html", "-cifrada.html")).css("#lyrics.cifra b")
    without = next(path for path in vagalume_songs if path not in with_chords)
    assert sites.vagalume.get(without.replace(".html", "-cifrada.html")).status_code == 404


@pytest.mark.parametrize("path", ["/browse/style/funk.html", "/ninguem/", "/miuda/nada.html", "/ninguem/index.js"])
def test_an_unknown_address_is_a_404_with_an_error_box(sites: Sites, path: str) -> None:
    response = sites.vagalume.get(path)
    assert response.status_code == 404
    assert Selector(response.content.decode()).css("div.errorContentBg > div.errorContent")


def test_a_missing_final_slash_redirects(sites: Sites) -> None:
    assert sites.vagalume.get("/miuda").status_code == 301


def test_robots_and_home_are_there(sites: Sites) -> None:
    assert sites.vagalume.get("/robots.txt").text.startswith("User-agent: *")
    assert "Sandbox" in page(sites.vagalume, "/").css("title::text").get("")
