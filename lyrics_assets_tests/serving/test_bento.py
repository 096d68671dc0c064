"""The real Bento over HTTP: from the store and from an archive, rolled back, searched for drafts after a load."""

import concurrent.futures
import importlib.metadata
import json
import re
import subprocess
import sys
import venv
from pathlib import Path

import httpx
import psutil
import pytest
from packaging.requirements import Requirement

from lyrics_assets.resources.bento_store import BentoError, BentoStore
from lyrics_assets.serving.client import ClientError, classify
from lyrics_assets.serving.packaging import assemble_space
from lyrics_assets.settings import ROOT
from lyrics_assets_tests.corpus import GENRES, songs
from lyrics_assets_tests.serving.parts import DRAFT, RELEASE, build_bento, clean_environment, scorer, serving

MARKER = "palavraqueninguemescreveria"
FORBIDDEN = ("dagster", "mlflow", "gradio", "sklearn", "pandas", "scrapy", "hopsworks", "wandb")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("bentos")


@pytest.fixture(scope="module")
def store(home):
    """Two Bentos of one model, released as versions 6 and 7."""
    build_bento(home, version=6)
    return build_bento(home, version=7)[0]


@pytest.fixture(scope="module")
def log(home):
    return home / "service.log"


@pytest.fixture(scope="module")
def address(store, home, log):
    """The newest Bento with two workers and a prediction log."""
    settings = {"LYRICS_SERVICE_WORKERS": "2", "LYRICS_SERVICE_PREDICTION_LOG": str(home / "predictions")}
    settings |= {"LYRICS_SERVICE_CORS_ORIGINS": "https://friend.example", "TMPDIR": str(home / "tmp")}
    (home / "tmp").mkdir()
    with serving(store, store.newest(), log, **settings) as port:
        yield f"http://127.0.0.1:{port}"


def test_it_answers_from_its_exact_model(address, store):
    answer = classify(address, DRAFT, explain=True, neighbours=3)
    assert answer["genre"] == answer["explanation"]["genre"] == "Gospel"
    assert answer["probabilities"] == pytest.approx(scorer().probabilities(DRAFT))
    assert len(answer["similar_artists"]) == 3
    assert answer["model"]["version"] == 7
    tag = answer["model"]["model_tag"]
    assert (Path(store.home) / "models" / tag.replace(":", "/") / "scorer.npz").is_file()
    assert httpx.get(f"{address}/model").json() == answer["model"]


def test_the_client_is_told_what_to_do(address):
    with pytest.raises(ClientError, match=r"422: The model tells no such genre. Choose one of: .*Samba.*unknown_genre"):
        classify(address, DRAFT, explain=True, genre="Polka")


def test_bentoml_s_own_client_works(address):
    script = (
        "import bentoml, sys\n"
        "with bentoml.SyncHTTPClient(sys.argv[1]) as client:\n"
        "    print(client.classify(lyrics=sys.argv[2])['genre'])\n"
        "    print(len(client.classify_many(lyrics=[sys.argv[2]] * 2)['answers']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, address, DRAFT],
        capture_output=True,
        text=True,
        timeout=120,
        env=clean_environment(),
    )
    assert done.stdout.split() == ["Gospel", "2"], done.stderr


def test_the_page_and_the_probes_are_there(address):
    page = httpx.get(address)
    assert '<html lang="pt-BR"' in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    for path in ("/livez", "/readyz", "/metrics", "/docs.json", "/schema.json"):
        assert httpx.get(f"{address}{path}").status_code == 200, path


def test_an_origin_that_was_allowed_may_ask_and_no_other(address):
    def ask(origin):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        return httpx.options(f"{address}/classify", headers=headers).headers.get("access-control-allow-origin")

    assert ask("https://friend.example") == "https://friend.example"
    assert ask("https://other.example") is None


def test_it_listens_on_loopback_alone(address):
    port = int(address.rsplit(":", 1)[1])
    listening = {
        connection.laddr.ip
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    }
    assert listening == {"127.0.0.1"}


def test_after_a_load_no_draft_is_in_any_log_or_store_and_the_figures_add_up(address, home, log):
    asked = [{"lyrics": f"{DRAFT}\n{MARKER} {number}", "explain": True, "neighbours": 5} for number in range(60)]
    refused = [
        json.dumps({"lyrics": MARKER * 1000}),
        json.dumps({"lyrics": [MARKER]}),
        json.dumps({MARKER: MARKER}),
        json.dumps({"lyrics": DRAFT, "genre": MARKER}),
        f'{{"lyrics": "{MARKER}',
        MARKER * 10_000,
    ]
    before = figures(address)
    with httpx.Client(base_url=address) as first, concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda body: httpx.post(f"{address}/classify", json=body), asked))
        assert {answer.status_code for answer in answers} == {200}
        batch = first.post("/classify_many", json={"lyrics": [MARKER] * 3})
        assert batch.status_code == 200
        headers = {"Content-Type": "application/json"}
        errors = [first.post("/classify", content=body, headers=headers) for body in refused]
        errors += [first.get(f"/{MARKER}"), first.get(f"/classify?lyrics={MARKER}")]
        errors += [first.post("/classify", content=MARKER, headers={"Content-Type": MARKER})]
    assert [error.status_code for error in errors] == [400, 400, 400, 422, 400, 413, 404, 405, 415]
    assert not [error for error in errors if MARKER in error.text or MARKER in str(error.headers)]
    after = figures(address)
    assert after['lyrics_requests_total{endpoint="/classify",status="200"}'] - before.get(
        'lyrics_requests_total{endpoint="/classify",status="200"}', 0
    ) == len(asked)
    assert MARKER not in httpx.get(f"{address}/metrics").text
    entries = [line for path in (home / "predictions").iterdir() for line in path.read_text().splitlines()]
    assert len(entries) >= len(asked) + 3
    files = [path for path in home.rglob("*") if path.is_file()]
    assert [path for path in files if path.name.startswith("counter_")], "the figures are somewhere else"
    for path in files:
        content = path.read_bytes()
        assert MARKER.encode() not in content, path
        assert b"vazias te louvar" not in content, path
    assert "initialized" in log.read_text()


def figures(address):
    lines = httpx.get(f"{address}/metrics").text.splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}


def test_a_rollback_is_another_tag_which_still_has_its_model(store, tmp_path):
    previous = store.find("previous")
    assert previous != store.newest() == store.find("latest")
    with serving(store, previous, tmp_path / "log") as port:
        assert classify(f"http://127.0.0.1:{port}", DRAFT)["model"]["version"] == 6


def test_a_bento_that_is_not_there_is_named(store, tmp_path):
    with pytest.raises(BentoError, match="there is no Bento nothing; there are, newest first: lyrics_genre:"):
        store.find("nothing")
    with pytest.raises(BentoError, match="materialize lyrics_service first"):
        BentoStore(home=str(tmp_path)).newest()
    version = store.newest().split(":")[1]
    assert store.find(version) == store.newest()


def test_it_holds_the_serving_side_alone_and_no_line_of_a_song(store):
    folder = Path(store.home) / "bentos" / store.newest().replace(":", "/")
    described = (folder / "bento.yaml").read_text()
    for expected in ("model_version: '7'", "alias: champion", "extraction_date: '2026-11-24'", "macro_f1: '0.500'"):
        assert expected in described
    files = [path for path in Path(store.home).rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in (".pkl", ".pickle", ".joblib", ".parquet", ".csv")]
    lines = {line for text in songs(*GENRES)["lyrics"] for line in text.split("\n") if len(line) > 30}
    contents = [path.read_bytes() for path in files]
    assert not [line for line in lines if any(line.encode() in content for content in contents)]
    requirements = (folder / "env" / "python" / "requirements.txt").read_text().split()
    assert {re.split("==", line)[0] for line in requirements if not line.startswith("-")} == {
        "bentoml",
        "lingua-language-detector",
        "numpy",
        "prometheus-client",
        "pydantic",
        "starlette",
    }


def test_an_exported_archive_serves_in_an_empty_store_and_a_clean_environment(store, tmp_path):
    python = clean_python(tmp_path / "clean", requirements_of(store))
    probe = "import importlib.util as u, sys; print([n for n in sys.argv[1:] if u.find_spec(n)])"
    command = [python, "-c", probe, *FORBIDDEN, "lyrics_assets"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert found.stdout.strip() == "[]", found.stderr
    archive = tmp_path / "lyrics.bento"
    bentoml(sys.executable, store, "export", store.newest(), str(archive))
    empty = BentoStore(home=str(tmp_path / "empty"))
    Path(empty.home).mkdir()
    bentoml(python, empty, "import", str(archive))
    with serving(empty, empty.newest(), tmp_path / "log", python=str(python)) as port:
        answer = classify(f"http://127.0.0.1:{port}", DRAFT, explain=True, neighbours=1)
    assert answer["genre"] == "Gospel"
    assert answer["language"]["main"] == "pt"
    assert answer["model"]["version"] == 7


def test_a_space_serves_the_same_from_its_folder(home, tmp_path):
    folder = tmp_path / "space"
    assemble_space(ROOT, folder, home / "model", RELEASE)
    settings = {"LYRICS_SERVICE_FRAME_ANCESTORS": "https://huggingface.co", "BENTOML_HOME": str(tmp_path / "home")}
    name = "lyrics_assets.serving.service:LyricsService"
    with serving(BentoStore(home=str(folder)), name, tmp_path / "log", **settings) as port:
        address = f"http://127.0.0.1:{port}"
        answer = classify(address, DRAFT, explain=True, neighbours=1)
        page = httpx.get(address)
    assert (answer["genre"], answer["model"]["model_tag"]) == ("Gospel", None)
    assert page.headers["content-security-policy"].endswith("frame-ancestors https://huggingface.co")


def bentoml(python, store, *arguments):
    environment = clean_environment(**store.environment())
    done = subprocess.run(
        [python, "-m", "bentoml", *arguments], capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stderr + done.stdout


def requirements_of(store):
    folder = Path(store.home) / "bentos" / store.newest().replace(":", "/")
    lines = (folder / "env" / "python" / "requirements.txt").read_text().splitlines()
    return [line.split("==")[0] for line in lines if "==" in line]


def clean_python(folder, requirements):
    """Make an environment of these packages and what they need, linked to the files of this one; return its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    (target,) = folder.glob("lib/python*/site-packages")
    wanted, seen = list(requirements), set()
    while wanted:
        name = wanted.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in seen:
            continue
        seen.add(key)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:  # needed on other systems only
            continue
        for text in distribution.requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                wanted.append(requirement.name)
        base = Path(str(distribution.locate_file("")))
        for top in {file.parts[0] for file in distribution.files or [] if file.parts[0] not in ("..", "__pycache__")}:
            if (base / top).exists() and not (target / top).exists():
                (target / top).symlink_to(base / top)
    return folder / "bin" / "python"
