"""The Space as a folder, and pushed by the real client to a hub on loopback."""

import logging
import socket

import pytest

from lyrics_assets.assets.serving import huggingface_space
from lyrics_assets.definitions import build_resources
from lyrics_assets.resources.secrets import reveal
from lyrics_assets.resources.space import HubSpace, Published, SpaceError, SpaceFolder
from lyrics_assets.settings import Settings, SettingsError
from lyrics_assets_tests.hub_server import READ_TOKEN, WRITE_TOKEN, Faults, HubServer
from lyrics_assets_tests.registry import new_tracking, register
from lyrics_assets_tests.serving.parts import free_port

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # the client's own upload

MODEL = bytes(range(256)) * 500
FILES = {
    "README.md": b"---\ntitle: Que g\xc3\xaanero\nsdk: docker\napp_port: 7860\n---\n",
    "Dockerfile": b"FROM scratch\n",
    "empty/__init__.py": b"",
    "lyrics_assets/serving/service.py": b"# the service\n",
    "model/scorer.npz": MODEL,
}
UNNEEDED = "lyrics_assets/__pycache__/service.pyc"
MESSAGE = "Model version 7: lyrics up to 2026-11-24, macro-F1 0.500"


@pytest.fixture
def space(tmp_path):
    return SpaceFolder(folder=str(tmp_path / "published" / "space"))


@pytest.fixture
def hub():
    with HubServer() as hub:
        yield hub


def write(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def read(path):
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def hub_space(hub, tmp_path, **changes):
    fields = {"folder": str(tmp_path / "published" / "space"), "repository": "ana/letras", "token": WRITE_TOKEN}
    return HubSpace(**fields | {"endpoint": hub.address, "wait_seconds": 0, "timeout_seconds": 30} | changes)


def pushed(hub):
    """Return the files of the Space on the hub, without the one that the hub itself puts there."""
    return {name: content for name, content in hub.spaces["ana/letras"].files.items() if name != ".gitattributes"}


def test_a_space_is_the_folder_that_was_given(space, tmp_path):
    given = write(tmp_path / "given", FILES)
    assert space.publish(given, MESSAGE) == Published(space.folder)
    assert read(tmp_path / "published" / "space") == read(given) == FILES


def test_a_new_space_takes_the_place_of_the_last_one_whole(space, tmp_path):
    space.publish(write(tmp_path / "one", {"old": b"1", "both": b"1"}), MESSAGE)
    space.publish(write(tmp_path / "two", {"new": b"2", "both": b"2"}), MESSAGE)
    assert read(tmp_path / "published" / "space") == {"new": b"2", "both": b"2"}
    assert [path.name for path in (tmp_path / "published").iterdir()] == ["space"]


def test_a_folder_that_does_not_exist_leaves_the_last_space(space, tmp_path):
    space.publish(write(tmp_path / "one", {"old": b"1"}), MESSAGE)
    with pytest.raises(FileNotFoundError):
        space.publish(tmp_path / "no such folder", MESSAGE)
    assert read(tmp_path / "published" / "space") == {"old": b"1"}


def test_what_is_pushed_is_the_folder_byte_for_byte_in_one_commit(hub, tmp_path):
    space = hub_space(hub, tmp_path)
    published = space.publish(write(tmp_path / "given", FILES | {UNNEEDED: b"bytecode"}), MESSAGE)
    assert pushed(hub) == FILES
    assert read(tmp_path / "published" / "space") == FILES | {UNNEEDED: b"bytecode"}
    repository = hub.spaces["ana/letras"]
    assert published == Published(space.folder, f"{hub.address}/spaces/ana/letras", repository.sha)
    ((message, operations),) = repository.commits
    assert message == MESSAGE
    assert sorted(operations) == sorted(f"{'lfsFile' if name.endswith('.npz') else 'file'} {name}" for name in FILES)
    assert repository.private


def test_a_large_file_goes_by_its_own_way(hub, tmp_path):
    hub.large_bytes = 1000
    large = {"model/terms.json": b"[" + b"1," * 5000 + b"1]"}
    hub_space(hub, tmp_path, private=False).publish(write(tmp_path / "given", FILES | large), MESSAGE)
    assert pushed(hub) == FILES | large
    assert set(hub.objects.values()) == {MODEL, *large.values()}
    assert len([request for request in hub.requests if request.startswith("PUT /objects/")]) == 2
    assert not hub.spaces["ana/letras"].private


def test_a_second_push_sends_what_changed_and_removes_what_is_gone(hub, tmp_path):
    space = hub_space(hub, tmp_path)
    space.publish(write(tmp_path / "one", FILES), MESSAGE)
    changed = {name: content for name, content in FILES.items() if name != "empty/__init__.py"}
    changed["Dockerfile"] = b"FROM python\n"
    hub.requests.clear()
    space.publish(write(tmp_path / "two", changed), "Model version 8")
    assert pushed(hub) == changed
    message, operations = hub.spaces["ana/letras"].commits[-1]
    assert (message, sorted(operations)) == ("Model version 8", ["deletedFile empty/__init__.py", "file Dockerfile"])
    assert not [request for request in hub.requests if request.startswith("PUT")]


def test_the_same_push_again_commits_nothing(hub, tmp_path):
    space, given = hub_space(hub, tmp_path), write(tmp_path / "given", FILES)
    assert space.publish(given, MESSAGE) == space.publish(given, MESSAGE)
    assert len(hub.spaces["ana/letras"].commits) == 1


@pytest.mark.parametrize("path", ["/api/repos/create", "/tree/main", "/api/validate-yaml", "/commit/main", "/objects/"])
@pytest.mark.parametrize("status", [0, 429, 502])
def test_a_hub_that_fails_twice_gets_the_whole_space(hub, tmp_path, monkeypatch, path, status):
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)  # the client's own retries
    hub.faults = Faults(path=path, failures=2, status=status)
    hub_space(hub, tmp_path).publish(write(tmp_path / "given", FILES), MESSAGE)
    assert hub.faults.failures == 0
    assert pushed(hub) == FILES
    assert len(hub.spaces["ana/letras"].commits) == 1


def test_a_hub_that_stays_down_is_told_after_so_many_attempts(hub, tmp_path):
    hub.faults = Faults(path="/commit/", failures=1000)
    with pytest.raises(SpaceError, match=r"did not take the Space ana/letras, 3 times \(503\): .*Out of order"):
        hub_space(hub, tmp_path, attempts=3).publish(write(tmp_path / "given", FILES), MESSAGE)
    assert hub.faults.failures == 997
    assert read(tmp_path / "published" / "space") == FILES
    assert pushed(hub) == {}


def test_a_hub_that_is_not_there_is_told_and_the_folder_stands(tmp_path):
    endpoint = f"http://127.0.0.1:{free_port()}/"
    space = HubSpace(
        folder=str(tmp_path / "space"), repository="ana/letras", token=WRITE_TOKEN, endpoint=endpoint, wait_seconds=0
    )
    with pytest.raises(SpaceError, match=r"5 times: ConnectError.*The folder is ready at .*space: materialize"):
        space.publish(write(tmp_path / "given", FILES), MESSAGE)
    assert read(tmp_path / "space") == FILES


def test_a_hub_that_never_answers_is_told_in_the_time_that_is_set(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        space = HubSpace(
            folder=str(tmp_path / "space"),
            repository="ana/letras",
            token=WRITE_TOKEN,
            endpoint=endpoint,
            attempts=1,
            timeout_seconds=0.3,
        )
        with pytest.raises(SpaceError, match="did not take the Space ana/letras, 1 times: ReadTimeout"):
            space.publish(write(tmp_path / "given", FILES), MESSAGE)


@pytest.mark.parametrize("headers", [{"Retry-After": "3600"}, {"RateLimit": '"api";r=0;t=3600'}])
@pytest.mark.parametrize("path", ["/preupload/", "/objects/"])
def test_a_hub_that_asks_for_an_hour_is_not_waited_for(hub, tmp_path, path, headers):
    hub.faults = Faults(path=path, failures=1, status=429, headers=headers)
    with pytest.raises(SpaceError, match="asks to wait for 3600 s"):
        hub_space(hub, tmp_path).publish(write(tmp_path / "given", FILES), MESSAGE)


@pytest.mark.parametrize("repeat_token", [False, True])
def test_a_wrong_token_is_told_at_once_and_never_shown(hub, tmp_path, caplog, repeat_token):
    wrong = "hf_nobody_knows_this"
    hub.faults = Faults(repeat_token=repeat_token)
    space = hub_space(hub, tmp_path, token=wrong)
    with caplog.at_level(logging.DEBUG), pytest.raises(SpaceError, match=r"token in LYRICS_HF_TOKEN \(401\)") as told:
        space.publish(write(tmp_path / "given", FILES), MESSAGE)
    assert len(hub.requests) == 1
    assert wrong not in str(told.value) + caplog.text
    assert told.value.__context__ is None
    assert read(tmp_path / "published" / "space") == FILES


@pytest.mark.parametrize("exists", [False, True])
def test_a_token_that_may_only_read_is_told_at_once_and_never_shown(hub, tmp_path, exists):
    given = write(tmp_path / "given", FILES)
    if exists:
        hub_space(hub, tmp_path).publish(given, MESSAGE)
    hub.faults = Faults(repeat_token=True)
    with pytest.raises(SpaceError, match=r"may not write to the Space ana/letras \(403: .*\*\*\*\)") as told:
        hub_space(hub, tmp_path, token=READ_TOKEN).publish(given, MESSAGE)
    assert READ_TOKEN not in str(told.value)


def test_a_token_repeated_by_a_failing_hub_is_never_shown(hub, tmp_path):
    hub.faults = Faults(path="/commit/", failures=9, repeat_token=True)
    with pytest.raises(SpaceError, match=r"Out of order\. \*\*\*") as told:
        hub_space(hub, tmp_path, attempts=2).publish(write(tmp_path / "given", FILES), MESSAGE)
    assert WRITE_TOKEN not in str(told.value)


def test_a_readme_that_the_hub_does_not_understand_is_told(hub, tmp_path):
    wrong = FILES | {"README.md": b"---\ntitle: x\n---\n"}
    with pytest.raises(SpaceError, match=r'\(400\): Invalid metadata in README.md "sdk" is required'):
        hub_space(hub, tmp_path).publish(write(tmp_path / "given", wrong), MESSAGE)


def test_the_hub_is_told_nothing_of_the_machine(hub, tmp_path):
    hub_space(hub, tmp_path).publish(write(tmp_path / "given", FILES), MESSAGE)
    told = {part.split("/")[0] for agent in hub.agents for part in agent.split("; ")}
    assert told <= {"lyrics-classifier", "hf_hub", "python", "python-httpx2"}


def test_the_asset_pushes_the_champion_s_whole_space(hub, tmp_path, tmp_path_factory):
    tracking = new_tracking(tmp_path / "mlflow", tmp_path_factory)
    figures = {"macro_f1": "0.5", "macro_f1_low": "0.4", "macro_f1_high": "0.6"}
    tracking.promote(register(tracking, **figures, trained_at="2026-11-24T08:00:00+00:00"))
    result = huggingface_space(tracking=tracking, space=hub_space(hub, tmp_path))
    assert pushed(hub) == read(tmp_path / "published" / "space")
    assert {"README.md", "Dockerfile", "release.json", "model/scorer.npz"} <= set(pushed(hub))
    ((message, _),) = hub.spaces["ana/letras"].commits
    assert message == "Model version 1: lyrics up to 2026-11-24, macro-F1 0.500"
    assert result.metadata["space"].url == f"{hub.address}/spaces/ana/letras"
    assert result.metadata["commit"] == hub.spaces["ana/letras"].sha


def test_a_token_and_a_space_choose_the_hub_and_the_token_is_shown_nowhere(tmp_path, monkeypatch):
    monkeypatch.setenv("LYRICS_HF_TOKEN", WRITE_TOKEN)
    monkeypatch.setenv("LYRICS_HF_SPACE", "ana/letras")
    monkeypatch.setenv("LYRICS_HF_PRIVATE", "false")
    settings = Settings.from_environment()
    space = build_resources(settings)["space"]
    assert (type(space), space.repository, space.private) == (HubSpace, "ana/letras", False)
    assert WRITE_TOKEN not in repr(space) + repr(settings)
    assert reveal(space.token) == WRITE_TOKEN


@pytest.mark.parametrize("given", [{"hf_token": "x"}, {"hf_space": "ana/letras"}])
def test_a_token_without_a_space_or_a_space_without_a_token_is_refused(given):
    with pytest.raises(SettingsError, match="is not set: set LYRICS_HF_TOKEN and LYRICS_HF_SPACE"):
        build_resources(Settings(**given))
    with pytest.raises(SettingsError, match="LYRICS_HF_SPACE: 'letras'"):
        Settings.from_environment({"LYRICS_HF_SPACE": "letras"})
