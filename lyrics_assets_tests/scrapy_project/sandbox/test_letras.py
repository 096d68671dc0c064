"""What Letras.mus.br answers."""

import re

import pytest
from parsel import Selector

from lyrics_assets_tests.scrapy_project.sandbox.conftest import Sites, chart_paths, page

IPHONE = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Mobile/15E148"}


def a_rock_song(sites: Sites) -> str:
    """The path of a song with a translation."""
    return next(path for path in chart_paths(sites.letras, "rock") if "stone" in path)


def test_a_chart_is_minified_and_root_relative(sites: Sites) -> None:
    text = sites.letras.get("/mais-acessadas/samba/").text
    assert re.search(
        r'<li><a href="/sambista-\d+/roda-viola-\d+/" title="Roda &amp; Viola \d+">'
        r'<b class="font --base --strong --size16">Roda &amp; Viola \d+</b>'
        r'<span class="font --base --size14">Sambista \d+</span></a></li><li>',
        text,
    )
    assert "> <" not in text
    assert "\n" not in text


def test_a_chart_stands_between_fake_rows_and_the_artists_chart(sites: Sites) -> None:
    selector = page(sites.letras, "/mais-acessadas/samba/")
    assert '<a href="/%dns%/%url%/"' in selector.css("script::text").get("")
    assert selector.css("ol.top-list_mus ~ ol.top-list_art > li > a")


def test_a_song_of_two_genres_stands_in_both_charts(sites: Sites) -> None:
    assert "/duas-casas/so-um/" in chart_paths(sites.letras, "samba")
    assert "/duas-casas/so-um/" in chart_paths(sites.letras, "mpb")


def test_a_genre_without_songs_has_an_empty_chart(sites: Sites) -> None:
    assert page(sites.letras, "/mais-acessadas/reggaeton/").css("ol.top-list_mus")
    assert chart_paths(sites.letras, "reggaeton") == []


@pytest.mark.parametrize("path", ["/mais-acessadas/tango/", "/ninguem/nada/", "/ninguem/", "/a/b/c/d/"])
def test_an_unknown_genre_or_artist_is_404(sites: Sites, path: str) -> None:
    response = sites.letras.get(path)
    assert response.status_code == 404
    assert "Página não encontrada" in response.text


def test_some_slugs_are_numbers(letras_songs: dict[str, str]) -> None:
    numeric = [path for path in letras_songs if re.fullmatch(r"/[^/]+/\d+/", path)]
    assert 0.05 < len(numeric) / len(letras_songs) < 0.3


def test_every_layout_of_the_years_occurs(letras_songs: dict[str, str]) -> None:
    text = "".join(letras_songs.values())
    for container in ("lyric-original", "lyric-original font --lyrics --size18", "cnt-letra"):
        assert f'<div class="{container}"><p>' in text
    for selector in map(Selector, letras_songs.values()):
        is_old = bool(selector.css("div.cnt-letra"))
        assert bool(selector.css("h1.head-title")) == is_old
        assert bool(selector.css("h1.textStyle-primary")) == (not is_old)


def test_composers_views_and_annotations_are_there_on_some_pages_only(letras_songs: dict[str, str]) -> None:
    songs = [text for text in letras_songs.values() if "Sambista" in text]
    for mark in ("Composição: Ana Farol / Zé da Ponte. Essa", " exibições</div>", 'class="lyricAnnotation"'):
        assert 0 < sum(mark in text for text in songs) < len(songs), mark


def test_a_control_byte_strays_into_some_pages(letras_songs: dict[str, str]) -> None:
    with_control = [text for text in letras_songs.values() if re.search(r"[\x00-\x1f]", text)]
    assert 0 < len(with_control) < len(letras_songs) / 3


def test_a_lyric_is_stanzas_of_broken_lines(letras_songs: dict[str, str]) -> None:
    text = next(text for path, text in letras_songs.items() if "roda-viola" in path and "Annotation" not in text)
    assert re.search(r"<p>Primeira[\x00-\x1f]? linha \d+, amor<br>segunda &lt; linha</p><p>O refrão", text)
    assert re.search(r"<p>O refrão \d+<br>canta</p></div></article>", text)


def test_the_canonical_link_has_the_address_that_was_asked(sites: Sites) -> None:
    path = a_rock_song(sites)
    selector = page(sites.letras, path)
    assert selector.css("link[rel=canonical]::attr(href)").get() == str(sites.letras.base_url).rstrip("/") + path
    assert '"@type": "MusicRecording", "name": "Stone ' in selector.css("script[type*=ld]::text").get("")


def test_korean_lines_stand_beside_their_romanization(sites: Sites) -> None:
    (path,) = [
        path for path in chart_paths(sites.letras, "k-pop") if path.startswith("/seoul/") and "k-pop" not in path
    ]
    selector = page(sites.letras, path)
    assert selector.css("p")[0].css(".verse > span:first-child::text").getall() == ["안녕 서울", "hello 나의 밤"]
    assert selector.css(".romanization::text").getall() == ["annyeong seoul", "hello naui bam", "dasi annyeong"]


def test_a_translation_stands_beside_the_original(sites: Sites) -> None:
    selector = page(sites.letras, a_rock_song(sites) + "traducao.html")
    verses = selector.css("div.lyric-translation .verse")
    assert re.match(r"A pedra \d+ rola", verses[0].css("span > span:first-child::text").get(""))
    assert re.match(r"The stone \d+ rolls", verses[0].css("span.romanization::text").get(""))
    assert len(verses) == 3


def test_a_cookie_asks_for_the_translation_alone(sites: Sites) -> None:
    selector = page(sites.letras, a_rock_song(sites) + "traducao.html", headers={"Cookie": "translMode=single"})
    assert len(selector.css("div.translation-single > p")) == 2
    assert "The stone" not in selector.get()


@pytest.mark.parametrize(
    ("slug", "mark"), [("samba", "roda-viola"), ("rock", "untranslated")], ids=["Portuguese", "not translated"]
)
def test_a_missing_translation_leads_to_the_song(sites: Sites, slug: str, mark: str) -> None:
    path = next(path for path in chart_paths(sites.letras, slug) if mark in path)
    response = sites.letras.get(path + "traducao.html")
    assert (response.status_code, response.headers["location"]) == (302, path)


def test_a_mobile_browser_gets_other_classes(sites: Sites) -> None:
    path = a_rock_song(sites)
    assert page(sites.letras, path, headers=IPHONE).css("div.lyric-content > p")
    single = {**IPHONE, "Cookie": "translMode=single"}
    assert page(sites.letras, path + "traducao.html", headers=single).css("div.lyric-translation > p")


def test_a_missing_final_slash_redirects(sites: Sites) -> None:
    response = sites.letras.get("/mais-acessadas/samba")
    assert (response.status_code, response.headers["location"].endswith("/mais-acessadas/samba/")) == (301, True)
    assert sites.letras.get(a_rock_song(sites).rstrip("/")).status_code == 301


def test_an_unknown_song_leads_to_another_one_of_the_artist(sites: Sites) -> None:
    response = sites.letras.get("/duas-casas/nunca-gravada/", follow_redirects=True)
    assert response.status_code == 200
    assert response.url.path != "/duas-casas/nunca-gravada/"
    assert response.url.path.startswith("/duas-casas/")
    assert response.history[0].status_code == 302


def test_a_translation_of_an_unknown_song_leads_to_another_one_of_the_artist(sites: Sites) -> None:
    response = sites.letras.get("/duas-casas/nunca-gravada/traducao.html")
    assert response.status_code == 302
    assert re.fullmatch(r"/duas-casas/[^/]+/", response.headers["location"])


def test_the_year_of_a_song_is_told_where_the_songbook_knows_it(sites: Sites) -> None:
    known, unknown = (sites.letras.get(f"/duas-casas/{slug}/").text for slug in ("so-um", "so-dois"))
    assert '"datePublished": "1999"' in known
    assert '"@type": "MusicRecording"' in unknown
    assert "datePublished" not in unknown


def test_every_chart_holds_a_removed_song_and_some_an_instrumental_one(sites: Sites) -> None:
    found = {}
    for slug in ("samba", "rock", "k-pop", "mpb", "pagode"):
        texts = [sites.letras.get(path).text for path in chart_paths(sites.letras, slug)]
        assert sum("removida em razão de solicitação do(s) titular(es) da obra." in text for text in texts) == 1
        found[slug] = sum("não possui letra" in text for text in texts)
    assert set(found.values()) == {0, 1}


def test_robots_and_home_are_there(sites: Sites) -> None:
    robots = sites.letras.get("/robots.txt")
    assert robots.headers["content-type"].startswith("text/plain")
    assert "Disallow: /contribuicoes/\nDisallow: /api/v2/survey/" in robots.text
    assert "Sandbox" in page(sites.letras, "/").css("title::text").get("")
