"""What a site is spared: crawls as processes against a small site on loopback that writes down what it was asked."""

import itertools
import re
import threading
import time
from contextlib import nullcontext
from email.utils import formatdate

import pytest
from scrapy import Request
from scrapy.exceptions import IgnoreRequest
from scrapy.settings import default_settings

from scrapy_project import settings
from scrapy_project.middlewares import CLAIM, SameSite

CHART = "/mais-acessadas/samba/"
SONGS = tuple(f"/trio/{number}/" for number in range(6))
LINES = "<p>O luar caiu no barro<br>e a viola respondeu<br>quem plantou no chão molhado<br>colhe a noite que choveu</p>"
BLOCKED = "<title>Attention Required!</title><div class=g-recaptcha></div>"
SAMBA = ("-a", "genres=Samba")
ONE_AT_A_TIME = (*SAMBA, "-s", "CONCURRENT_REQUESTS=1")
LIVE = {"SCRAPY_PROJECT": "default"}


def chart(*paths):
    rows = "".join(f'<li><a href="{path}"><b>{path}</b><span>Trio</span></a></li>' for path in paths)
    return f'<ol class="top-list_mus --top">{rows}</ol>'


def song(path):
    titles = f'<h1 class="textStyle-primary">{path}</h1><h2 class="textStyle-secondary">Trio</h2>'
    lyric = f'<article id="js-lyric-content">{titles}<div class="lyric-original">{LINES}</div></article>'
    return f'<meta charset=utf-8><link rel="canonical" href="https://www.letras.mus.br{path}">{lyric}'


def show_songs(site, *paths):
    """Show songs and the chart of them."""
    site.show(CHART, chart(*paths))
    for path in paths:
        site.show(path, song(path))


def found(done):
    """Return the paths of the songs that a crawl yielded."""
    return {re.sub(r"^http://[^/]+", "", item["url"]) for item in done.songs}


def test_a_page_that_robots_txt_forbids_is_never_asked_for(crawl, site):
    one, secret, moved, other = SONGS[:4]
    show_songs(site, one, secret, moved, other)
    site.show("/robots.txt", f"User-agent: *\nDisallow: {other}\n\nUser-agent: LyricsClassifier\nDisallow: {secret}")
    site.show(moved, status=302, headers={"Location": secret})
    done = crawl("letras", site.url, *SAMBA)
    assert secret not in site.asked
    assert found(done) == {one, other}  # a site that names this crawler means what it says to it alone
    assert site.asked[0] == "/robots.txt"
    assert done.stats["robotstxt/forbidden"] == done.stats["lyrics/failed"] == 2


@pytest.mark.parametrize(
    ("options", "contact"),
    [(("-s", "CRAWLER_CONTACT=ana@example.org"), "ana@example.org"), ((), "contact not given")],
)
def test_the_user_agent_names_the_project_and_whom_to_write_to(crawl, site, options, contact):
    show_songs(site, SONGS[0])
    crawl("letras", site.url, *SAMBA, *options)
    agents = {site.headers[path]["User-Agent"] for path in ("/robots.txt", CHART, SONGS[0])}
    (agent,) = agents
    assert re.search(rf"LyricsClassifier/[\d.]+ \(research crawler; {contact}\)$", agent)


def later(seconds):
    return formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize("ask_to_wait", [lambda: "1", lambda: later(2)], ids=["seconds", "date"])
def test_a_site_is_left_alone_for_as_long_as_it_asks(crawl, site, ask_to_wait):
    times = []

    def refuse_once(number):
        times.append(time.monotonic())
        return ("", 429, {"Retry-After": ask_to_wait()}) if number == 1 else (song(SONGS[0]),)

    def note(_):
        times.append(time.monotonic())
        return (song(SONGS[1]),)

    show_songs(site, *SONGS[:2])
    site.react(SONGS[0], refuse_once)
    site.react(SONGS[1], note)
    done = crawl("letras", site.url, *ONE_AT_A_TIME, "-s", "RETRY_AFTER_MAX=5")
    assert found(done) == set(SONGS[:2])
    asked_for = done.stats["retry_after/seconds"]
    assert 0.9 < asked_for <= 2
    assert all(when - times[0] > asked_for - 0.05 for when in times[1:])


def test_no_site_can_make_a_crawl_wait_for_longer_than_the_bound(crawl, site):
    show_songs(site, *SONGS[:2])
    for path, wait in zip(SONGS, ("86400", later(86_400)), strict=False):
        site.react(path, lambda n, path=path, wait=wait: ("", 503, {"Retry-After": wait}) if n == 1 else (song(path),))
    done = crawl("letras", site.url, *SAMBA, "-s", "RETRY_AFTER_MAX=0.05")
    assert found(done) == set(SONGS[:2])
    assert (done.stats["retry_after/count"], done.stats["retry_after/seconds"]) == (2, 0.1)


def test_a_real_site_is_asked_once_a_second_at_most_and_no_port_is_opened(crawl, site):
    times = []

    def note(answer):
        return lambda _: times.append(time.monotonic()) or (answer,)

    site.react("/robots.txt", note(""))
    site.react(CHART, note(chart(*SONGS[:2])))
    for path in SONGS[:2]:
        site.react(path, note(song(path)))
    done = crawl("letras", site.url, *SAMBA, **LIVE)
    assert found(done) == set(SONGS[:2])
    assert len(times) == 4
    assert all(second - first > 0.95 for first, second in itertools.pairwise(times))
    (extensions,) = re.findall(r"Enabled extensions:\n(\[.*?\])", done.said, re.DOTALL)
    assert "AutoThrottle" in extensions
    assert not re.search(r"telnet|remote", extensions, re.IGNORECASE)
    assert "X-Sandbox-Date" not in site.headers[CHART]
    assert done.stats["budget/sent"] == 4  # a real site has a budget without being asked


def test_a_real_site_has_two_requests_at_once_at_most(crawl, site):
    at_once, crowd, lock = [0], threading.Event(), threading.Lock()
    peak = []

    def linger(path):
        def answer(_):
            with lock:
                at_once[0] += 1
                peak.append(at_once[0])
                if at_once[0] > 2:
                    crowd.set()
            crowd.wait(0.2)
            with lock:
                at_once[0] -= 1
            return (song(path),)

        return answer

    show_songs(site, *SONGS)
    for path in SONGS:
        site.react(path, linger(path))
    # Without the pauses between requests, which would keep them apart already.
    hurried = ("-s", "DOWNLOAD_DELAY=0", "-s", "AUTOTHROTTLE_ENABLED=False")
    done = crawl("letras", site.url, *SAMBA, *hurried, **LIVE)
    assert found(done) == set(SONGS)
    assert max(peak) == 2


def test_no_cookie_is_kept_or_sent_back(crawl, site):
    show_songs(site, *SONGS[:2])
    site.show(CHART, chart(*SONGS[:2]), headers={"Set-Cookie": "session=1; Path=/"})
    site.show(SONGS[0], song(SONGS[0]), headers={"Set-Cookie": "tracker=2; Path=/"})
    done = crawl("letras", site.url, *ONE_AT_A_TIME)
    assert found(done) == set(SONGS[:2])
    assert not any("Cookie" in headers for headers in site.headers.values())


def test_of_scrapys_own_parts_nothing_else_is_left_out():
    """A part that a newer Scrapy names otherwise would be loaded again."""
    left_out = [
        getattr(default_settings, kind).keys() - getattr(settings, kind).keys()
        for kind in ("EXTENSIONS_BASE", "DOWNLOADER_MIDDLEWARES_BASE")
    ]
    names = [{path.rsplit(".", 1)[1] for path in paths} for paths in left_out]
    assert names == [{"RemoteControl", "TelnetConsole"}, {"CookiesMiddleware"}]


def test_the_settings_of_the_sandbox_are_never_used_on_another_machine(crawl):
    done = crawl("letras", "http://letras.invalid", *SAMBA)
    assert done.code == 1
    assert "base_url: http://letras.invalid is not on this machine" in done.said
    assert "SCRAPY_PROJECT=default" in done.said
    assert "downloader/request_count" not in done.stats


def test_with_the_settings_of_the_sandbox_no_redirect_leads_to_another_machine(crawl, site):
    show_songs(site, *SONGS[:2])
    site.show(SONGS[0], status=302, headers={"Location": "http://letras.invalid/trio/0/"})
    done = crawl("letras", site.url, *SAMBA, "-s", "REQUESTS_PER_DAY=100")
    assert found(done) == {SONGS[1]}
    assert "http://letras.invalid/trio/0/ is not on this machine" in done.said
    assert done.stats["budget/sent"] == len(site.asked) == 4


def test_no_redirect_and_no_link_leads_to_another_host(crawl, site):
    elsewhere = site.url.replace("127.0.0.1", "localhost")
    show_songs(site, *SONGS[:3])
    site.show(SONGS[0], status=302, headers={"Location": f"{elsewhere}/secret"})
    site.show(CHART, chart(SONGS[0], SONGS[1], f"{elsewhere}{SONGS[2]}"))
    done = crawl("letras", site.url, *ONE_AT_A_TIME, "-s", "DOWNLOAD_DELAY=0", **LIVE)
    assert found(done) == {SONGS[1]}
    assert {"/secret", SONGS[2]} & set(site.asked) == set()
    assert f"{elsewhere}/secret is not of the site 127.0.0.1" in done.said


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://www.letras.mus.br/trio/", True),
        ("https://m.letras.mus.br/trio/", True),
        ("https://LETRAS.mus.br/trio/", True),
        ("https://letras.mus.br.evil.example/trio/", False),
        ("https://evil-letras.mus.br/trio/", False),
        ("http://169.254.169.254/latest/meta-data/", False),
        ("file:///etc/passwd", False),
    ],
)
def test_a_site_is_its_domain_and_nothing_that_looks_like_it(url, asked):
    middleware = SameSite("https://www.letras.mus.br")
    with nullcontext() if asked else pytest.raises(IgnoreRequest, match="not of the site"):
        middleware.process_request(Request(url))


def test_a_page_without_an_end_is_given_up(crawl, site):
    show_songs(site, *SONGS[:2])
    site.show(SONGS[0], song(SONGS[0]) + "x" * 17_000_000)
    done = crawl("letras", site.url, *SAMBA)
    assert found(done) == {SONGS[1]}
    assert done.stats["lyrics/failed"] == 1


def test_pages_that_are_refused_are_asked_for_again_by_the_next_crawl(crawl, site):
    refusals = dict(zip(SONGS, (200, 403, 408, 429, 500, 503), strict=True))
    good = "/trio/good/"
    show_songs(site, *refusals, good)
    for path, status in refusals.items():
        site.show(path, BLOCKED, status)
    options = (*SAMBA, "-s", "RETRY_TIMES=0", "-s", "RETRY_AFTER_MAX=0")
    done = crawl("letras", site.url, *options)
    assert found(done) == {good}
    assert done.stats["lyrics/examples/unparsed"] == [site.url + SONGS[0]]  # a status of 200 makes it no lyric
    assert (done.stats["lyrics/unparsed"], done.stats["lyrics/failed"]) == (1, 5)
    assert (done.stats["archive/refused"], done.stats["archive/pages"]) == (6, 3)

    site.asked.clear()
    show_songs(site, *refusals, good)
    again = crawl("letras", site.url, *options)
    assert sorted(site.asked) == sorted(refusals)
    assert found(again) == {*refusals, good}
    assert again.stats["archive/pages"] == 9
    assert again.stats["archive/bytes"] > done.stats["archive/bytes"]


def test_the_budget_of_a_date_is_for_all_its_crawls_together(crawl, site):
    show_songs(site, *SONGS)
    options = (*ONE_AT_A_TIME, "-s", "REQUESTS_PER_DAY=5")
    first = crawl("letras", site.url, *options)
    assert site.asked[:2] == ["/robots.txt", CHART]
    assert len(site.asked) == 5
    assert len(found(first)) == 3
    assert first.stats["finish_reason"] == "budget_spent"
    assert first.stats["budget/refused"] >= 1
    assert first.stats["budget/sent"] == 5
    assert "the budget of 5 requests for 2026-11-20 is spent" in first.said

    second = crawl("letras", site.url, *options)
    assert len(site.asked) == 5
    assert found(second) == found(first)  # what is archived is free
    assert (second.stats["finish_reason"], second.stats["budget/sent"]) == ("budget_spent", 5)

    site.asked.clear()
    new_date = crawl("letras", site.url, *options, date="2026-11-21")
    assert len(site.asked) == 5
    assert found(new_date) == set(SONGS)
    # A budget that is just enough is not overdrawn.
    assert (new_date.stats["finish_reason"], new_date.stats["budget/sent"]) == ("finished", 5)
    assert "budget/refused" not in new_date.stats


def test_only_what_was_sent_counts_with_repetitions(crawl, site):
    show_songs(site, *SONGS[:2])
    site.react(SONGS[0], lambda number: ("", 503) if number < 3 else (song(SONGS[0]),))
    site.show(SONGS[1], status=301, headers={"Location": SONGS[2]})
    done = crawl("letras", site.url, *SAMBA, "-s", "REQUESTS_PER_DAY=100")
    assert done.stats["budget/sent"] == len(site.asked) == done.stats["downloader/request_count"] == 7


def test_a_site_that_only_refuses_is_asked_no_more_than_the_budget(crawl, site):
    site.show(CHART, status=503)
    done = crawl("letras", site.url, *SAMBA, "-s", "REQUESTS_PER_DAY=3", "-s", "RETRY_TIMES=20")
    assert site.asked == ["/robots.txt", CHART, CHART]
    assert (done.code, done.stats["finish_reason"]) == (0, "budget_spent")


def test_a_killed_crawl_has_used_up_what_it_sent(crawl, site):
    show_songs(site, *SONGS)
    reached, release = threading.Event(), threading.Event()

    def hang(number):
        reached.set()
        release.wait(30 if number == 1 else 0)
        return (song(SONGS[3]),)

    site.react(SONGS[3], hang)
    options = (*ONE_AT_A_TIME, "-s", "REQUESTS_PER_DAY=14")
    with crawl.start("letras", site.url, *options) as process:
        assert reached.wait(30)
        process.kill()
        process.communicate()
    release.set()
    sent_before = len(site.asked)
    done = crawl("letras", site.url, *options)
    assert found(done) == set(SONGS)
    assert len(site.asked) <= done.stats["budget/sent"] < len(site.asked) + CLAIM
    assert done.stats["budget/sent"] == CLAIM + len(site.asked) - sent_before


def test_a_budget_below_zero_is_not_allowed(crawl, site):
    done = crawl("letras", site.url, *SAMBA, "-s", "REQUESTS_PER_DAY=-1")
    assert done.code == 1
    assert "REQUESTS_PER_DAY: -1 is not allowed" in done.said
    assert site.asked == []


def test_a_crawl_and_its_replay_need_nothing_but_postgresql(crawl, site, postgres_address):
    show_songs(site, *SONGS[:2])
    crawl.archive_url = postgres_address
    first = crawl("letras", site.url, *SAMBA, "-s", "REQUESTS_PER_DAY=100")
    assert (first.stats["archive/pages"], first.stats["budget/sent"]) == (4, 4)
    asked = list(site.asked)
    replay = crawl("letras", site.url, *SAMBA, "-s", "HTTPCACHE_IGNORE_MISSING=True")
    assert site.asked == asked
    assert sorted(map(str, replay.songs)) == sorted(map(str, first.songs))
    assert replay.stats["httpcache/hit"] == 4
