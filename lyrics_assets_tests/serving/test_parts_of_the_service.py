"""The pieces behind the API: limits, settings, the prediction log, figures, the client, languages."""

import datetime as dt
import http.server
import json
import threading

import pytest

from lyrics_assets.lyrics.language import detect_languages, detect_languages_of
from lyrics_assets.model import uncertainty
from lyrics_assets.serving.client import ClientError, classify
from lyrics_assets.serving.languages import is_evidently_portuguese, tell_languages
from lyrics_assets.serving.limits import MAX_CLIENTS, RateLimiter, client_of
from lyrics_assets.serving.prediction_log import PredictionLog
from lyrics_assets.serving.settings import ServiceSettings, ServiceSettingsError
from lyrics_assets_tests.corpus import VERSE, songbook
from lyrics_assets_tests.serving.parts import DRAFT, classifier, client

MARKER = "palavraqueninguemescreveria"


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_client_has_its_burst_and_then_its_rate():
    clock = Clock()
    limiter = RateLimiter(60, clock)
    assert [limiter.take("a") for _ in range(60)] == [0.0] * 60
    assert limiter.take("a") == pytest.approx(1)
    assert limiter.take("b") == 0.0
    clock.now = 1.0
    assert limiter.take("a") == 0.0
    assert limiter.take("a") > 0
    clock.now = 100.0
    assert [limiter.take("a") for _ in range(60)] == [0.0] * 60


def test_a_batch_larger_than_the_rate_is_let_through_alone():
    limiter = RateLimiter(10, Clock())
    assert limiter.take("a", 64) == 0.0
    assert limiter.take("a") > 0


def test_the_memory_of_clients_is_bounded():
    clock = Clock()
    limiter = RateLimiter(1, clock)
    for number in range(MAX_CLIENTS * 3):
        clock.now = number / 1000
        limiter.take(str(number))
    assert len(limiter._due) <= MAX_CLIENTS
    assert limiter.take(str(MAX_CLIENTS * 3 - 1)) > 0


def test_of_full_memory_those_who_may_ask_at_will_again_are_forgotten_first():
    clock = Clock()
    limiter = RateLimiter(1, clock)
    for number in range(MAX_CLIENTS - 1):
        limiter.take(str(number))
    clock.now = 59.0
    limiter.take("late")
    clock.now = 61.0
    limiter.take("later")
    assert set(limiter._due) == {"late", "later"}
    assert limiter.take("late") > 0


@pytest.mark.parametrize(
    ("peer", "forwarded", "name"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "198.51.100.7"),
        ("192.0.2.1", "10.0.0.1, 198.51.100.7", "198.51.100.7"),
        ("192.0.2.1", "unknown", "192.0.2.1"),
        ("2001:db8::1", None, "2001:db8::/64"),
        ("2001:db8::ffff:2", None, "2001:db8::/64"),
        ("testclient", None, "testclient"),
    ],
)
def test_clients_are_told_apart_by_address(peer, forwarded, name):
    assert client_of(peer, forwarded) == name


def test_the_settings_come_from_the_environment():
    settings = ServiceSettings.from_environment(
        {
            "LYRICS_SERVICE_WORKERS": "2",
            "LYRICS_SERVICE_CORS_ORIGINS": "https://a.example, https://b.example",
            "PATH": "x",
        }
    )
    assert (settings.workers, settings.host, settings.rate_per_minute) == (2, "127.0.0.1", 0)
    assert settings.origins == ["https://a.example", "https://b.example"]
    assert ServiceSettings.from_environment({"LYRICS_SERVICE_PREDICTION_LOG": ""}).prediction_log is None


@pytest.mark.parametrize(("name", "value"), [("WORKERS", "0"), ("TIMEOUT_SECONDS", "soon"), ("PORT", "99999")])
def test_a_wrong_setting_is_named(name, value):
    with pytest.raises(ServiceSettingsError, match=f"LYRICS_SERVICE_{name}: '{value}'"):
        ServiceSettings.from_environment({f"LYRICS_SERVICE_{name}": value})


def test_the_prediction_log_holds_figures_and_no_word(tmp_path):
    log = PredictionLog(tmp_path / "log")
    asked = client(log=log)
    asked.post("/classify", json={"lyrics": f"{DRAFT}\n{MARKER}", "explain": True, "neighbours": 5})
    asked.post("/classify_many", json={"lyrics": [MARKER, MARKER]})
    asked.post("/classify", json={"lyrics": MARKER * 2000})
    log.close()
    (path,) = (tmp_path / "log").iterdir()
    assert path.name == f"{dt.datetime.now(dt.UTC).date()}.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(entries) == 3
    assert entries[0]["genre"] == "Gospel"
    assert entries[0]["characters"] == len(DRAFT) + 1 + len(MARKER)
    assert entries[0]["words"] == 29
    assert 0 < entries[0]["unknown_share"] < 1 == entries[1]["unknown_share"]
    assert entries[0]["milliseconds"] > 0
    assert (entries[0]["language"], entries[0]["model_version"]) == ("pt", 7)
    assert entries[1]["genre"] is None
    # Nothing but figures, codes of languages, genres and warnings.
    values = {str(value) for entry in entries for value in entry.values()}
    assert not [value for value in values if MARKER in value or "altar" in value]


def test_each_day_has_its_file_and_several_workers_append(tmp_path):
    first, second = PredictionLog(tmp_path), PredictionLog(tmp_path)
    for log, day in ((first, 1), (second, 1), (first, 2)):
        log.write({"genre": "Samba"}, dt.datetime(2026, 11, day, tzinfo=dt.UTC))
    first.close()
    second.close()
    assert {path.name: len(path.read_text().splitlines()) for path in tmp_path.iterdir()} == {
        "2026-11-01.jsonl": 2,
        "2026-11-02.jsonl": 1,
    }


def test_a_log_that_cannot_be_written_fails_no_answer_and_is_told_once(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    asked = client(log=PredictionLog(tmp_path / "file"))
    assert [asked.post("/classify", json={"lyrics": DRAFT}).status_code for _ in range(3)] == [200] * 3
    assert caplog.text.count("the prediction log cannot be written") == 1


def test_the_figures_are_by_endpoint_status_genre_and_code_and_by_no_path():
    asked = client()
    asked.post("/classify", json={"lyrics": DRAFT})
    asked.post("/classify", json={"lyrics": "!"})
    asked.get(f"/{MARKER}")
    asked.get("/")
    text = asked.get("/metrics").text
    for line in (
        'lyrics_requests_total{endpoint="/classify",status="200"} 1.0',
        'lyrics_requests_total{endpoint="/classify",status="400"} 1.0',
        'lyrics_requests_total{endpoint="other",status="404"} 1.0',
        'lyrics_requests_total{endpoint="other",status="200"} 1.0',
        'lyrics_refusals_total{code="no_words"} 1.0',
        'lyrics_answers_total{genre="Gospel"} 1.0',
        'lyrics_request_seconds_count{endpoint="/classify"} 2.0',
    ):
        assert line in text
    assert MARKER not in text


def test_every_warning_of_the_model_is_told_in_portuguese():
    codes = {value for name, value in vars(uncertainty).items() if name.isupper() and isinstance(value, str)}
    one = classifier()
    judged = one.scorer.judge(DRAFT)
    messages = {code: one._warn(code, judged) for code in codes}
    assert len(set(messages.values())) == len(codes) == 4
    assert one._warn("a_new_one", judged) not in messages.values()


def test_a_text_alone_is_told_as_in_a_batch():
    texts = [VERSE, "", "123", *(song.lyrics or song.original for song in songbook()[:40])]
    assert [detect_languages_of(text) for text in texts] == detect_languages(texts)


def test_what_is_evidently_portuguese_the_detector_tells_so_too_and_it_is_most():
    portuguese = [song.lyrics or song.original for song in songbook() if song.language == "pt" or song.lyrics]
    foreign = [song.original for song in songbook() if song.language != "pt" and song.original]
    passages = [passage for text in portuguese for passage in text.split("\n\n")]
    evident = [passage for passage in passages if is_evidently_portuguese(passage)]
    assert len(evident) > 0.75 * len(passages)
    assert {detect_languages_of(passage).main for passage in evident} == {"pt"}
    assert len(foreign) > 20
    assert not [text for text in foreign for passage in text.split("\n") if is_evidently_portuguese(passage)]


@pytest.mark.parametrize(
    "text",
    [
        "Quiero ver el sol nacer de nuevo en la ventana, mi corazón no sabe más esperar por ti, te quiero con el alma",
        "Voglio vedere il sole nascere, il mio cuore non sa più aspettare, sono qui con te, come sempre, o mia bella",
        "Je veux voir le soleil se lever à la fenêtre, mon coeur ne sait plus attendre, tu es là, à moi, la nuit",
        "Oh no no na na na, do it again, we can do it all night, come on and say eu te amo",
        "Ich bin um die Welt, da war das Licht, na und, wir tanzen in der Nacht",
    ],
)
def test_another_language_is_not_evidently_portuguese(text):
    assert not is_evidently_portuguese(text)
    assert tell_languages(text).main != "pt"


def test_of_a_long_text_passages_from_everywhere_are_told():
    english = "\n".join(f"We will never let it go tonight my love number {number}" for number in range(200))
    portuguese = "\n".join(f"A gente vai cantar até o dia clarear na rua {number}" for number in range(200))
    half = tell_languages(f"{english}\n{portuguese}")
    assert half.portuguese_share == pytest.approx(0.5, abs=0.1)


# The client


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def server():
    with http.server.HTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.status, server.content = 200, b"{}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "content", "says"),
    [
        (
            400,
            b'{"error": {"code": "no_words", "message": "Send one.", "message_pt": "."}}',
            r"400: Send one. \(no_words\)",
        ),
        (502, b"<html>Bad Gateway</html>", "502: <html>Bad Gateway</html>"),
        (404, b"[]", r"404: \[\]"),
        (200, b"<html>hello</html>", "is it the address of the service"),
    ],
)
def test_the_client_tells_the_reason(server, status, content, says):
    server.status, server.content = status, content
    with pytest.raises(ClientError, match=says):
        classify(f"http://127.0.0.1:{server.server_port}/", DRAFT)


def test_the_client_tells_that_nobody_answers():
    with pytest.raises(ClientError, match="does not answer"):
        classify("http://127.0.0.1:9", DRAFT)
