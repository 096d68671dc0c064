"""The spiders as processes: against the sandbox, and against a small site that shows what the sandbox does not."""

import json
import re
import threading
from pathlib import Path

import pytest

from scrapy_project.sandbox.launcher import running_sandbox
from scrapy_project.spiders.letras import LetrasSpider
from scrapy_project.spiders.vagalume import VagalumeSpider

SONGBOOK = Path(__file__).parent / "fixtures" / "songbook.jsonl"
GENRES = "genres=Samba,Pagode,Rock,K-Pop"
SPIDERS = {"letras": LetrasSpider, "vagalume": VagalumeSpider}


def bare_title(title):
    return re.sub(r" \(part\. .*\)$", "", title)


SONGS = {(song["artist"], song["title"]): song for song in map(json.loads, SONGBOOK.read_text().splitlines())}


def of(song):
    """Return the songbook's own entry for a song that a spider yielded."""
    return SONGS[song["artist"], bare_title(song["title"])]


@pytest.fixture(scope="module")
def crawls(tmp_path_factory, crawler_in):
    """Return for each spider a crawl of the sandbox and its replay after the sandbox has ended."""
    crawl = crawler_in(tmp_path_factory.mktemp("sandbox"))
    with running_sandbox(SONGBOOK) as sites:
        first = {name: crawl(name, url, "-a", GENRES) for name, url in sites.items()}
    replay = {
        name: crawl(name, url, "-a", GENRES, "-s", "HTTPCACHE_IGNORE_MISSING=True") for name, url in sites.items()
    }
    return {name: (first[name], replay[name]) for name in sites}


@pytest.mark.parametrize("name", SPIDERS)
def test_nearly_every_song_of_the_songbook_is_got_with_its_text(crawls, name):
    found = crawls[name][0].songs
    expected = [song for song in SONGS.values() if name in song.get("sites", SPIDERS)]
    assert len({(song["artist"], bare_title(song["title"])) for song in found}) >= 0.8 * len(expected)
    for song in found:
        told = of(song)
        assert song["source"] == name
        assert song["genre"] in {told["genre"], *told.get("genres", [])}
        assert song["is_translation"] is ("original" in told and bool(told["lyrics"]))
        # The sandbox says nothing of Korean on the page of a translation alone.
        assert song["original_language"] in (told.get("language", "pt"), None)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", song["fetched_at"])


def test_letras_yields_the_very_text_of_the_songbook_with_ranks(crawls):
    found = crawls["letras"][0].songs
    assert all(song["lyrics"] == (of(song)["lyrics"] or of(song)["original"]) for song in found)
    assert all(song["original_language"] == of(song).get("language", "pt") for song in found)
    ranks = {(song["genre"], song["rank"]) for song in found}
    assert len(ranks) == len(found)
    assert all(rank >= 1 for _, rank in ranks)
    assert any(song["composers"] for song in found)
    assert any(song["views"] for song in found)


def words(text):
    return re.findall(r"\w+", text)


def test_vagalume_yields_the_text_of_the_songbook_but_for_its_users_habits(crawls):
    for song in crawls["vagalume"][0].songs:
        text, told = song["lyrics"], of(song)["lyrics"] or of(song)["original"]
        # Users change punctuation and repeat the chorus at the end.
        assert words(text)[: len(words(told))] == words(told)
        assert not re.search(r"2x|Refrão|\n\n\n", text)
        assert song["rank"] is None
        assert song["artist_genres"][0] == song["genre"]


@pytest.mark.parametrize("name", SPIDERS)
def test_a_replay_never_touches_the_network(crawls, name):
    first, replay = crawls[name]
    assert first.stats["httpcache/firsthand"] > 10
    assert not {"httpcache/miss", "httpcache/ignore", "httpcache/firsthand"} & set(replay.stats)
    assert sorted(map(str, replay.songs)) == sorted(map(str, first.songs))


@pytest.mark.parametrize("name", SPIDERS)
def test_the_stats_agree_with_the_songs(crawls, name):
    done = crawls[name][0]
    assert (done.code, done.stats["finish_reason"]) == (0, "finished")
    assert done.stats["lyrics/songs"] == len(done.songs)
    assert done.stats["lyrics/pages"] == done.stats["lyrics/pages_expected"]
    per_genre = {key: count for key, count in done.stats.items() if key.startswith("lyrics/genre/")}
    assert len(per_genre) == 4
    assert sum(per_genre.values()) == len(done.songs)
    assert not {"lyrics/unparsed", "lyrics/failed", "lyrics/wrong_song", "spider_exceptions/count"} & set(done.stats)


CHART = "/mais-acessadas/samba/"
LINES = "<p>O luar caiu no barro<br>e a viola respondeu<br>quem plantou no chão molhado<br>colhe a noite que choveu</p>"
ENGLISH = "<p>The moon came down upon the clay<br>and someone played the old guitar</p>"


def chart(*paths):
    rows = "".join(f'<li><a href="{path}"><b>{path}</b><span>Trio</span></a></li>' for path in paths)
    return f'<ol class="top-list_mus --top">{rows}</ol>'


def song(path, lyric=LINES, css="lyric-original"):
    head = f'<link rel="canonical" href="https://www.letras.mus.br{path}">'
    titles = f'<h1 class="textStyle-primary">{path}</h1><h2 class="textStyle-secondary">Trio</h2>'
    return (
        f'<meta charset=utf-8>{head}<article id="js-lyric-content">{titles}<div class="{css}">{lyric}</div></article>'
    )


def test_letras_copes_with_what_a_real_site_does(crawl, site):
    lost, moved, busy, foreign, plain, gone, broken = (
        f"/trio/{slug}/" for slug in ("lost", "12345", "busy", "foreign", "plain", "gone", "broken")
    )
    site.show(CHART, chart(lost, moved, busy, foreign, plain, gone, broken, "/trio/beyond-the-quota/"))
    site.show("/mais-acessadas/pagode/", chart(plain))
    site.show(lost, status=302, headers={"Location": plain})  # an unknown song ends on another one
    site.show(moved, status=301, headers={"Location": "/trio/moved/"})
    site.show(
        "/trio/moved/", song("/trio/moved/").replace('textStyle-primary">/trio/moved/', f'textStyle-primary">{moved}')
    )
    site.react(busy, lambda number: ("", 429, {"Retry-After": "1"}) if number == 1 else (song(busy),))
    site.show(foreign, song(foreign, ENGLISH))
    site.show(f"{foreign}traducao.html", song(foreign, LINES, "translation-single"))
    site.show(plain, song(plain, ENGLISH))
    site.show(f"{plain}traducao.html", status=302, headers={"Location": plain})  # there is no translation
    site.show(broken, song(broken, css="brand-new"))

    done = crawl(
        "letras", site.url, "-a", "genres=Samba,Pagode,MPB", "-a", "songs_per_genre=7", "-s", "RETRY_AFTER_MAX=0.05"
    )

    found = {(song["genre"], song["rank"]): song for song in done.songs}
    assert {key: song["url"].removeprefix(site.url) for key, song in found.items()} == {
        ("Samba", 2): moved,
        ("Samba", 3): busy,
        ("Samba", 4): foreign,
        ("Samba", 5): plain,
        ("Pagode", 1): plain,
    }
    translated = found["Samba", 4]
    assert (translated["is_translation"], translated["original_language"]) == (True, "en")
    assert translated["lyrics"].startswith("O luar caiu no barro\n")
    kept = found["Samba", 5]
    assert (kept["is_translation"], kept["original_language"], kept["lyrics"][:8]) == (False, "en", "The moon")
    assert {
        key: done.stats[f"lyrics/{key}"] for key in ("wrong_song", "unparsed", "failed", "no_lyrics/not_found")
    } == {
        "wrong_song": 1,
        "unparsed": 1,
        "failed": 1,  # the chart of MPB
        "no_lyrics/not_found": 1,
    }
    assert (done.stats["retry_after/count"], done.stats["retry_after/seconds"]) == (1, 0.05)
    assert done.stats["lyrics/examples/unparsed"] == [site.url + broken]
    assert done.stats["lyrics/pages"] == done.stats["lyrics/pages_expected"]
    assert site.headers[f"{foreign}traducao.html"]["Cookie"] == "translMode=single"
    assert "Cookie" not in site.headers[foreign]
    assert site.headers[foreign]["X-Sandbox-Date"] == "2026-11-20"
    assert "LyricsClassifier" in site.headers[foreign]["User-Agent"]
    assert "/trio/beyond-the-quota/" not in site.asked

    # The same date again asks only for what could not be kept; ten days later only the charts are new.
    site.asked.clear()
    crawl("letras", site.url, "-a", "genres=Samba,Pagode,MPB", "-a", "songs_per_genre=7")
    assert site.asked == []
    later = crawl("letras", site.url, "-a", "genres=Samba,Pagode", "-a", "songs_per_genre=7", date="2026-11-30")
    assert sorted(site.asked) == ["/mais-acessadas/pagode/", CHART, "/robots.txt"]
    assert len(later.songs) == len(done.songs)


def test_letras_keeps_the_words_of_a_song_whose_translation_is_not_had(crawl, site):
    changed, refused, absent = (f"/trio/{slug}/" for slug in ("changed", "refused", "absent"))
    site.show(CHART, chart(changed, refused, absent))
    for path in (changed, refused, absent):
        site.show(path, song(path, ENGLISH))
    site.show(f"{changed}traducao.html", "<h1>Brand new</h1>")
    site.show(f"{refused}traducao.html", status=403)
    done = crawl("letras", site.url, "-a", "genres=Samba")
    assert [song["lyrics"][:8] for song in done.songs] == ["The moon"] * 3
    assert not any(song["is_translation"] for song in done.songs)
    assert done.stats["lyrics/examples/unparsed"] == [f"{site.url}{changed}traducao.html"]
    assert done.stats["lyrics/examples/failed"] == [f"{site.url}{refused}traducao.html"]
    assert "lyrics/no_lyrics/not_found" not in done.stats


def index(artist, genres, songs, translated=()):
    items = [
        {"desc": song, "url": f"/{artist}/{song}.html"}
        | ({"turl": f"/{artist}/{song}-traducao.html"} if song in translated else {})
        for song in songs
    ]
    tags = [{"name": genre.title(), "url": f"/browse/style/{genre}.html"} for genre in genres]
    return json.dumps({"artist": {"desc": artist.title(), "genre": tags, "lyrics": {"item": items}}})


def vagalume_song(lyric=LINES):
    return f"<meta charset=utf-8><div id=lyricContent><h1>T</h1><h2>A</h2><div id=lyrics>{lyric[3:-4]}</div></div>"


def style(*artists):
    links = "".join(f"<li><a href=/{artist}/>{artist}</a>" for artist in artists)
    return f'<div class="moreNamesContainer h16"><ul>{links}</ul></div>'


def artist_page(artist, *songs):
    tag = "<ul class=subHeaderTags><li><a href=/browse/style/samba.html>Samba</a></ul>"
    rows = "".join(f"<li><a href=/{artist}/{song}.html class=nameMusic>{song}</a>" for song in songs)
    return f"<div id=artHeaderTitle><h1>{artist.title()}</h1></div>{tag}<ol id=alfabetMusicList>{rows}</ol>"


def test_vagalume_takes_main_genres_only_and_stops_at_the_quota(crawl, site):
    site.show("/browse/style/samba.html", style("pagodeiro", "sambista", "sem-indice"))
    site.show("/pagodeiro/index.js", index("pagodeiro", ["pagode", "samba"], ["nunca"]))
    site.show("/sambista/index.js", index("sambista", ["samba"], ["um", "dois", "tres", "quatro"], ["um", "dois"]))
    site.show("/sem-indice/", artist_page("sem-indice", "a", "b"))
    for path in ("/sambista/dois.html", "/sambista/tres.html", "/sem-indice/a.html", "/sem-indice/b.html"):
        site.show(path, vagalume_song())
    pair = "<div class='orig pair'><p>{}</p></div><div class='trad pair'><p>{}</p></div>"
    title, stanza = pair.format("One", "Um"), pair.format(ENGLISH[3:-4], LINES[3:-4])
    site.show("/sambista/um-traducao.html", f"<meta charset=utf-8><div id=lyricsPair>{title}{stanza}</div>")

    options = ("-a", "genres=Samba", "-a", "songs_per_genre=4", "-a", "songs_per_artist=3")
    done = crawl("vagalume", site.url, *options)

    found = {song["url"].removeprefix(site.url): song for song in done.songs}
    assert len(found) == 4
    assert not any("nunca" in path or "quatro" in path for path in site.asked)
    translated = found["/sambista/um.html"]
    assert (translated["is_translation"], translated["original_language"], translated["artist"]) == (
        True,
        "en",
        "Sambista",
    )
    assert "/sambista/um.html" not in site.asked
    assert found["/sambista/dois.html"]["is_translation"] is False  # its translation is a 404
    assert done.stats["lyrics/index_fallbacks"] == 1
    assert "lyrics/failed" not in done.stats
    assert done.stats["lyrics/pages"] == done.stats["lyrics/pages_expected"]


def test_vagalume_copes_with_what_a_real_site_does(crawl, site):
    site.show("/browse/style/samba.html", style("sambista", "lida-na-pagina", "ilegivel", "recusado", "sumido"))
    site.show("/browse/style/pagode.html", "<h1>Brand new</h1>")
    site.show("/browse/style/rock.html", status=403)
    songs = ("mexida", "recusada", "nova", "sumida")
    site.show("/sambista/index.js", index("sambista", ["samba"], songs, translated=("mexida", "recusada")))
    site.show("/sambista/mexida-traducao.html", "<h1>Brand new</h1>")
    site.show("/sambista/recusada-traducao.html", status=403)
    for path in ("/sambista/mexida.html", "/sambista/recusada.html", "/lida-na-pagina/a.html"):
        site.show(path, vagalume_song())
    site.show("/sambista/nova.html", "<h1>Brand new</h1>")
    site.show("/lida-na-pagina/index.js", "<h1>Brand new</h1>")
    site.show("/lida-na-pagina/", artist_page("lida-na-pagina", "a"))
    site.show("/ilegivel/index.js", "<h1>Brand new</h1>")
    site.show("/ilegivel/", "<h1>Brand new</h1>")
    site.show("/recusado/index.js", status=403)

    done = crawl("vagalume", site.url, "-a", "genres=Samba,Pagode,Rock")

    found = {song["url"].removeprefix(site.url): song for song in done.songs}
    assert set(found) == {"/sambista/mexida.html", "/sambista/recusada.html", "/lida-na-pagina/a.html"}
    assert not any(song["is_translation"] for song in found.values())
    counts = ("unparsed", "failed", "no_lyrics/not_found", "index_fallbacks")
    assert {name: done.stats[f"lyrics/{name}"] for name in counts} == {
        "unparsed": 4,  # a style, an artist's page, a translation, a song
        "failed": 4,  # a style, an artist's index, an artist without any page, a translation
        "no_lyrics/not_found": 1,
        "index_fallbacks": 3,
    }
    assert (done.stats["finish_reason"], done.stats["lyrics/pages"]) == (
        "finished",
        done.stats["lyrics/pages_expected"],
    )


def test_a_killed_crawl_resumes_where_it_was(crawl, site):
    paths = [f"/trio/{number}/" for number in range(8)]
    site.show(CHART, chart(*paths))
    for path in paths:
        site.show(path, song(path))
    reached, release = threading.Event(), threading.Event()

    def hang(number):
        reached.set()
        release.wait(30 if number == 1 else 0)
        return (song(paths[4]),)

    site.react(paths[4], hang)
    options = ("-a", "genres=Samba", "-s", "CONCURRENT_REQUESTS=1")
    with crawl.start("letras", site.url, *options) as process:
        assert reached.wait(30)
        process.kill()
        process.communicate()
    release.set()
    before = set(site.asked) - {paths[4]}
    site.asked.clear()
    done = crawl("letras", site.url, *options)
    assert len(done.songs) == 8
    assert len(before) > 2
    assert not before & set(site.asked)


@pytest.mark.parametrize("spider", SPIDERS.values())
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"genres": "Samba,Polca"}, r"genres: Polca not known; allowed: Country, Forró"),
        ({"songs_per_genre": "0"}, r"songs_per_genre: '0' is not allowed; give a whole number from 1"),
        ({"songs_per_genre": "many"}, r"songs_per_genre: 'many' is not allowed"),
        ({"base_url": "localhost:80"}, r"base_url: 'localhost:80' is not allowed; give an http or https address"),
        ({"extraction_date": "20/11/2026"}, r"extraction_date: '20/11/2026' is not allowed; give a date as YYYY-MM-DD"),
        ({"genre": "Samba"}, r"genre: no such argument; allowed: genres, songs_per_genre, base_url, extraction_date"),
    ],
)
def test_a_bad_argument_is_named_with_what_is_allowed(spider, arguments, message):
    with pytest.raises(ValueError, match=message):
        spider(**arguments)


def test_a_crawl_with_a_bad_argument_fails(crawl, site):
    done = crawl("vagalume", site.url, "-a", "songs_per_artist=none")
    assert done.code == 1
    assert "songs_per_artist: 'none' is not allowed" in done.said
    assert site.asked == []
