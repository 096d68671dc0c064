"""The HTTP API in this process: answers, refusals of one shape, headers, limits; any text gets an answer or a 400."""

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrics_assets.serving import errors
from lyrics_assets.serving.schemas import Classification, Classifications, Error
from lyrics_assets_tests.corpus import GENRES
from lyrics_assets_tests.serving.parts import DRAFT, RELEASE, api, client, run, scorer

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def http():
    return client()


def refusal(response, status, code):
    assert (response.status_code, response.json().get("error", {}).get("code")) == (status, code), response.text
    error = Error.model_validate_json(response.content, strict=True).error
    assert error.message.endswith(".")
    assert error.message_pt.endswith(".")
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    return error


# Answers


def test_a_lyric_gets_genre_probabilities_language_and_model(http):
    response = http.post("/classify", json={"lyrics": DRAFT})
    answer = response.json()
    Classification.model_validate_json(response.content)
    assert answer["genre"] == next(iter(answer["probabilities"])) == "Gospel"
    assert answer["confidence"] == max(answer["probabilities"].values())
    assert set(answer["probabilities"]) == set(GENRES)
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert list(answer["probabilities"].values()) == sorted(answer["probabilities"].values(), reverse=True)
    assert answer["language"] == {"main": "pt", "portuguese_share": 1.0}
    assert answer["warnings"] == []
    assert answer["explanation"] is None
    assert answer["similar_artists"] == []
    assert answer["model"] == json.loads(RELEASE.model_dump_json())
    assert answer["probabilities"] == pytest.approx(scorer().probabilities(DRAFT))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_the_explanation_points_into_the_text_as_it_was_sent(http, end):
    sent = "🎶 " + DRAFT.replace("\n", end)
    told = http.post("/classify", json={"lyrics": sent, "explain": True}).json()["explanation"]
    assert told["genre"] == "Gospel"
    assert told["logit"] == pytest.approx(told["remainder"] + sum(word["weight"] for word in told["words"]), abs=1e-4)
    words = [sent[word["start"] : word["end"]] for word in told["words"]]
    assert words[:2] == ["Senhor", "eu"]
    assert "alcançou" in words
    lines = [sent[line["start"] : line["end"]] for line in told["lines"]]
    assert lines == DRAFT.split("\n")


def test_any_genre_can_be_explained(http):
    told = {
        genre: http.post("/classify", json={"lyrics": DRAFT, "explain": True, "genre": genre}).json()["explanation"]
        for genre in GENRES
    }
    assert {genre: one["genre"] for genre, one in told.items()} == {genre: genre for genre in GENRES}
    assert max(told, key=lambda genre: told[genre]["logit"]) == "Gospel"


def test_similar_artists_are_named_with_titles_and_never_a_line(http):
    artists = http.post("/classify", json={"lyrics": DRAFT, "neighbours": 3}).json()["similar_artists"]
    assert 0 < len(artists) <= 3
    for artist in artists:
        assert set(artist) == {"artist", "genre", "similarity", "titles"}
        assert 0 < artist["similarity"] <= 1
        assert 1 <= len(artist["titles"]) <= 3


@pytest.mark.parametrize(
    ("lyrics", "code"),
    [
        ("amor", "too_short"),
        ("We will never let it go tonight my love\nand the rain is falling on the street again", "not_portuguese"),
        ("xqzw vbnk trplf gdhjs kkwq zzxv pqrst wvut hgfd mnbv", "unlike_anything_known"),
    ],
)
def test_an_answer_that_is_worth_little_says_so_and_names_no_genre(http, lyrics, code):
    answer = http.post("/classify", json={"lyrics": lyrics}).json()
    assert code in [warning["code"] for warning in answer["warnings"]]
    assert all(warning["message"].endswith(".") for warning in answer["warnings"])
    assert answer["genre"] is None
    assert sum(answer["probabilities"].values()) == pytest.approx(1)


def test_the_language_can_be_left_out():
    answer = client(language=False).post("/classify", json={"lyrics": DRAFT}).json()
    assert answer["language"] is None
    assert answer["genre"] == "Gospel"


def test_a_batch_gives_what_each_lyric_gives(http):
    lyrics = [DRAFT, "amor", "Hoje tem samba na ladeira e o cavaco chora"]
    response = http.post("/classify_many", json={"lyrics": lyrics, "explain": True, "neighbours": 2})
    Classifications.model_validate_json(response.content)
    alone = [http.post("/classify", json={"lyrics": text, "explain": True, "neighbours": 2}).json() for text in lyrics]
    assert [{**answer, "model": response.json()["model"]} for answer in response.json()["answers"]] == alone


def test_the_model_is_described(http):
    assert http.get("/model").json() == json.loads(RELEASE.model_dump_json())
    assert http.head("/model").content == b""


# Refusals


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_json"),
        (b"[", 400, "invalid_json"),
        (b"[" * 100_000, 400, "invalid_json"),
        (b'{"lyrics": "\xff"}', 400, "invalid_json"),
        (rb'{"lyrics": "\ud800"}', 400, "invalid_json"),
        ('{"lyrics": "amor"}'.encode("utf-16"), 400, "invalid_json"),
        (b"null", 400, "invalid_request"),
        (b"[]", 400, "invalid_request"),
        (b"{}", 400, "invalid_request"),
        (b'{"lyrics": null}', 400, "invalid_request"),
        (b'{"lyrics": ["amor"]}', 400, "invalid_request"),
        (b'{"lyrics": 1e999}', 400, "invalid_request"),
        (b'{"lyrics": "amor", "explain": "yes"}', 400, "invalid_request"),
        (b'{"lyrics": "amor", "neighbours": 11}', 400, "invalid_request"),
        (b'{"lyrics": "amor", "neighbours": -1}', 400, "invalid_request"),
        (b'{"lyrics": "amor", "neighbours": NaN}', 400, "invalid_request"),
        (b'{"lyrics": "amor", "neighbors": 1}', 400, "invalid_request"),
        (b'{"lyrics": ""}', 400, "no_words"),
        ('{"lyrics": " \\n ♪ ❤️ "}'.encode(), 400, "no_words"),
        (rb'{"lyrics": "\u0000\u200f\u202e"}', 400, "no_words"),
        (b'{"lyrics": "amor", "genre": "Polka"}', 422, "unknown_genre"),
        (b'{"lyrics": "' + b"a" * 20_001 + b'"}', 400, "too_long"),
        (b'{"lyrics": "' + b"a" * 200_000 + b'"}', 413, "body_too_large"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_read_is_refused_with_what_to_do(http, body, status, code):
    refusal(http.post("/classify", content=body, headers=JSON), status, code)


@pytest.mark.parametrize(
    ("lyrics", "status", "code", "says"),
    [
        ([], 400, "invalid_request", "lyrics"),
        (["amor"] * 65, 400, "invalid_request", "64"),
        ("amor", 400, "invalid_request", "lyrics"),
        (["amor", 1], 400, "invalid_request", "lyrics.1"),
        (["amor", "!"], 400, "no_words", "lyrics[1]"),
        (["amor", "a" * 20_001], 400, "too_long", "lyrics[1]"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_batch_is_refused_as_a_whole_and_the_lyric_named(http, lyrics, status, code, says):
    assert says in refusal(http.post("/classify_many", json={"lyrics": lyrics}), status, code).message


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
    ],
)
def test_a_body_that_is_no_json_is_refused(http, media_type):
    response = http.post("/classify", content=b'{"lyrics": "amor"}', headers={"Content-Type": media_type})
    refusal(response, 415, "unsupported_media_type")


def test_a_compressed_body_is_refused(http):
    refusal(
        http.post("/classify", content=b"x", headers=JSON | {"Content-Encoding": "gzip"}), 415, "unsupported_media_type"
    )


@pytest.mark.parametrize("media_type", [None, "application/json", "Application/JSON; charset=UTF-8"])
def test_json_may_be_named_or_not(http, media_type):
    headers = {"Content-Type": media_type} if media_type else {}
    assert http.post("/classify", content=b'{"lyrics": "amor"}', headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/classify", "POST"),
        ("OPTIONS", "/classify", "POST"),
        ("PUT", "/classify_many", "POST"),
        ("POST", "/model", "GET, HEAD"),
        ("DELETE", "/metrics", "GET, HEAD"),
        ("POST", "/readyz", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(http, method, path, allowed):
    response = http.request(method, path)
    refusal(response, 405, "method_not_allowed")
    assert set(response.headers["allow"].split(", ")) == set(allowed.split(", "))


@pytest.mark.parametrize("path", ["/nothing", "/classify/", "/../service.py", "/%2e%2e/service.py"])
def test_a_path_of_nobody_is_not_found(http, path):
    refusal(http.get(path), 404, "not_found")


def test_a_model_that_is_not_loaded_yet_or_any_more_is_503():
    http = client(with_model=False)
    for response in (http.post("/classify", json={"lyrics": "amor"}), http.get("/model"), http.get("/unready")):
        refusal(response, 503, "not_ready")
        assert int(response.headers["retry-after"]) > 0


# Any text


ODD = {
    "NUL": "amor\0amor",
    "right to left": "\u202eamor\u202c \u200fsaudade",
    "emoji": "amor 👩‍👩‍👧‍👦 🇧🇷 saudade",
    "CRLF": "amor\r\nsaudade\r\n",
    "blank lines": "amor" + "\n" * 10_000 + "saudade",
    "line separators": "amor\u2028saudade\x85samba\x0b",
    "combining marks": "a" + "\u0301" * 5_000,
    "one long word": "a" * 20_000,
    "many words": "a " * 10_000,
    "many lines": "amor\n" * 4_000,
    "astral": "𝖆𝖒𝖔𝖗 " * 4_000,
    "Hangul": "사랑 " * 6_000,
    "BOM": "\ufeffamor",
    "private use": "\ue000 amor \U0010ffff",
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_text_gets_an_answer(http, text):
    response = http.post("/classify", json={"lyrics": text, "explain": True, "neighbours": 10})
    assert response.status_code == 200, response.text[:300]
    answer = response.json()
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    spans = answer["explanation"]["words"] + answer["explanation"]["lines"]
    assert all(0 <= span["start"] < span["end"] <= len(text) for span in spans)


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=200), st.booleans(), st.integers(0, 10))
def test_any_text_gets_an_answer_or_a_400(http, text, explain, neighbours):
    body = json.dumps({"lyrics": text, "explain": explain, "neighbours": neighbours}).encode()
    assert http.post("/classify", content=body, headers=JSON).status_code in (200, 400)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=100))
def test_any_bytes_get_an_answer_or_a_400(http, body):
    assert http.post("/classify", content=body, headers=JSON).status_code in (200, 400)


# Limits


def chunk(body, more=True):
    return {"type": "http.request", "body": body, "more_body": more}


def code_of(sent):
    return sent[0]["status"], json.loads(sent[1]["body"])["error"]["code"]


def test_a_chunked_body_is_cut_off_at_the_limit():
    taken = []

    def messages():
        for number in range(1000):
            taken.append(number)
            yield chunk(b"x" * 10_000)

    assert code_of(run(api(), messages())) == (413, "body_too_large")
    assert len(taken) == errors.MAX_BODY_BYTES // 10_000 + 1


def test_a_body_in_pieces_is_one_body():
    sent = run(api(), [chunk(b'{"lyrics": "am'), chunk(b"or"), chunk(b'"}', more=False)])
    assert sent[0]["status"] == 200


def test_a_body_that_never_ends_is_refused_in_time():
    assert code_of(run(api(timeout_seconds=0.05), [chunk(b'{"lyrics"')])) == (408, "body_too_slow")


def test_nobody_is_answered_who_has_hung_up():
    assert run(api(), [chunk(b'{"lyrics"'), {"type": "http.disconnect"}]) == []


def test_a_batch_that_takes_too_long_is_given_up():
    app = api(timeout_seconds=0.01)
    body = json.dumps({"lyrics": [DRAFT * 10] * 64, "explain": True}).encode()
    assert code_of(run(app, [chunk(body, more=False)], path="/classify_many")) == (504, "timeout")


def test_more_requests_at_once_than_allowed_are_told_to_come_back():
    app = api(concurrency=2)
    app._shared.active = 2
    sent = run(app, [chunk(b'{"lyrics": "amor"}', more=False)])
    assert code_of(sent) == (503, "overloaded")
    assert (b"retry-after", b"1") in sent[0]["headers"]
    app._shared.active = 1
    assert run(app, [chunk(b'{"lyrics": "amor"}', more=False)])[0]["status"] == 200
    assert app._shared.active == 1


def test_a_client_that_asks_too_often_is_told_to_wait():
    http = client(rate_per_minute=3)
    answers = [http.post("/classify", json={"lyrics": "amor"}).status_code for _ in range(3)]
    refused = http.post("/classify", json={"lyrics": "amor"})
    assert answers == [200] * 3
    refusal(refused, 429, "too_many_requests")
    assert 1 <= int(refused.headers["retry-after"]) <= 21
    assert http.get("/model").status_code == 200


def test_a_batch_costs_as_much_as_its_lyrics():
    http = client(rate_per_minute=5)
    assert http.post("/classify_many", json={"lyrics": ["amor"] * 4}).status_code == 200
    assert http.post("/classify_many", json={"lyrics": ["amor"] * 4}).status_code == 429


def test_a_proxy_is_believed_about_its_client_only_if_told_so():
    def ask(http, address):
        return http.post("/classify", json={"lyrics": "amor"}, headers={"X-Forwarded-For": address}).status_code

    trusting, wary = client(rate_per_minute=1, client_header="X-Forwarded-For"), client(rate_per_minute=1)
    assert [ask(trusting, "192.0.2.1"), ask(trusting, "192.0.2.2"), ask(trusting, "192.0.2.1")] == [200, 200, 429]
    # What the client itself claims stands before what the proxy has seen.
    assert ask(trusting, "203.0.113.9, 192.0.2.2") == 429
    assert [ask(wary, "192.0.2.1"), ask(wary, "192.0.2.2")] == [200, 429]


# Headers


def test_the_page_comes_with_its_policy_and_is_asked_for_again(http):
    page = http.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for name in ("referrer-policy", "permissions-policy", "cross-origin-opener-policy", "cross-origin-resource-policy"):
        assert name in page.headers
    assert page.headers["cache-control"] == "no-cache"
    assert http.get("/", headers={"If-None-Match": page.headers["etag"]}).status_code == 304


def test_a_site_may_be_allowed_to_show_the_page_in_a_frame(http):
    assert "frame-ancestors 'none'" in http.get("/").headers["content-security-policy"]
    framed = client(frame_ancestors="https://huggingface.co").get("/")
    assert framed.headers["content-security-policy"].endswith("frame-ancestors https://huggingface.co")


def test_answers_are_kept_by_nobody(http):
    assert http.post("/classify", json={"lyrics": DRAFT}).headers["cache-control"] == "no-store"


def test_other_origins_may_not_ask(http):
    response = http.post("/classify", json={"lyrics": DRAFT}, headers={"Origin": "https://other.example"})
    assert not [name for name in response.headers if name.startswith("access-control")]


# Faults


def test_a_fault_is_a_500_that_tells_and_logs_nothing_of_the_draft(caplog):
    app = api()

    def fail(*_, **__):
        raise KeyError("palavra-que-ninguém-escreveria")

    app._shared.classifier.answer = fail
    sent = run(app, [chunk(b'{"lyrics": "amor"}', more=False)])
    assert code_of(sent) == (500, "internal_error")
    assert "KeyError in fail" in caplog.text
    assert "palavra" not in caplog.text + str(sent)


def test_a_fault_behind_the_api_is_a_500_of_the_same_shape(caplog):
    refusal(client(_failing).get("/fail"), 500, "internal_error")
    assert "palavra" not in caplog.text


async def _failing(scope, receive, send):
    raise RuntimeError("palavra-que-ninguém-escreveria")


def answering(*messages, fault=None):
    """Return an application that sends these messages and then, if it is one, raises the fault."""

    async def app(scope, receive, send):
        for message in messages:
            await send(message)
        if fault is not None:
            raise fault

    return app


def started(status=200, **headers):
    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": lines}


BODY = {"type": "http.response.body", "body": b"of another application"}


def test_how_long_a_page_may_be_kept_is_left_to_who_says_so():
    kept = client(answering(started(cache_control="max-age=60"), BODY)).get("/x").headers
    assert kept["cache-control"] == "max-age=60"
    assert kept["x-content-type-options"] == "nosniff"
    assert client(answering(started(), BODY)).get("/x").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("status", "told", "code"),
    [
        (418, 400, "invalid_request"),
        (413, 400, "invalid_request"),
        (503, 503, "not_ready"),
        (502, 500, "internal_error"),
    ],
)
def test_a_refusal_from_behind_the_api_has_the_shape_of_its_own(status, told, code):
    refusal(client(answering(started(status), BODY)).get("/x"), told, code)


def test_an_answer_that_breaks_off_is_not_ended_as_if_it_were_whole(caplog):
    broken = api(answering(started(), {**BODY, "more_body": True}, fault=RuntimeError(DRAFT)))
    sent = run(broken, [], path="/x", method="GET")
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[-1]["more_body"] is True
    assert "RuntimeError" in caplog.text
    assert DRAFT[:20] not in caplog.text


def test_a_request_that_is_cancelled_is_no_fault(caplog):
    with pytest.raises(asyncio.CancelledError):
        run(api(answering(fault=asyncio.CancelledError())), [], path="/x", method="GET")
    assert caplog.text == ""
