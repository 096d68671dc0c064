"""No key and no password anywhere: not in what the UI is told, not in what a failing run writes and prints."""

import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from textwrap import dedent

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap

from lyrics_assets.definitions import build_defs, build_resources
from lyrics_assets.settings import Settings, SettingsError
from lyrics_assets_tests.serving.parts import free_port

SECRETS = [f"LYRICS_{name.upper()}" for name, field in Settings.model_fields.items() if not field.repr]
"""A new one is found by itself: whoever adds a key to the settings says that it is not to be shown."""
OTHERS = ["PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD"]
MARKERS = {name: f"marker{name.replace('_', '').lower()}" + "z9" * 20 for name in SECRETS + OTHERS}


def environment(home):
    """Return the variables of an installation that uses everything, on ports where nobody answers."""
    closed = free_port()
    nobody = f"http://127.0.0.1:{closed}"
    return MARKERS | {
        "LYRICS_HOME": str(home),
        "LYRICS_GENRES": "Samba",
        "LYRICS_LETRAS_URL": nobody,
        "LYRICS_VAGALUME_URL": nobody,
        "LYRICS_ARCHIVE_URL": f"postgresql://lyrics@127.0.0.1:{closed}/lyrics",
        "LYRICS_TEXT_INDEX_URL": f"postgresql://lyrics@127.0.0.1:{closed}/lyrics",
        "LYRICS_LAKE_URL": "s3://bucket/lake",
        "LYRICS_FEATURE_STORE_URL": "s3://bucket/features",
        "LYRICS_TRACKING_URI": nobody,
        "LYRICS_HOPSWORKS_HOST": "127.0.0.1",
        "LYRICS_HOPSWORKS_PORT": str(closed),
        "LYRICS_HOPSWORKS_PROJECT": "lyrics",
        "LYRICS_WANDB_BASE_URL": nobody,
        "LYRICS_SMTP_HOST": "127.0.0.1",
        "LYRICS_SMTP_PORT": str(closed),
        "LYRICS_SMTP_SECURITY": "none",
        "LYRICS_SMTP_USER": "ana",
        "LYRICS_HF_SPACE": "ana/lyrics",
        "LYRICS_HF_ENDPOINT": nobody,
        "AWS_ACCESS_KEY_ID": "ana",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": nobody,
        "AWS_ALLOW_HTTP": "true",
        "MLFLOW_TRACKING_USERNAME": "ana",
    }


def forms(secret):
    """Return a secret as it is, and what base64 makes of it wherever it stands in what is encoded."""
    yield secret.encode()
    for before in range(3):
        encoded = b64encode(b"\0" * before + secret.encode())
        # The first and the last characters depend on what stands before and behind.
        yield encoded[4 if before else 0 : -4]


def found_in(content):
    content = content.encode() if isinstance(content, str) else content
    return [name for name, secret in MARKERS.items() if any(form in content for form in forms(secret))]


@pytest.fixture
def installation(tmp_path, monkeypatch):
    for name, value in environment(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    return Settings.from_environment()


def test_all_keys_and_passwords_are_looked_for():
    assert {"LYRICS_HOPSWORKS_API_KEY", "LYRICS_WANDB_API_KEY", "LYRICS_SMTP_PASSWORD", "LYRICS_HF_TOKEN"} <= set(
        SECRETS
    )
    named = {name for name in Settings.model_fields if name.endswith(("key", "password", "token", "secret"))}
    assert {f"LYRICS_{name.upper()}" for name in named} == set(SECRETS), "a field of that name has no repr=False"


def test_a_form_of_a_secret_is_found_wherever_it_stands():
    secret = MARKERS["PGPASSWORD"]
    for text in (secret, f"x{secret}y"):
        assert found_in(text) == ["PGPASSWORD"]
    for user in ("", "a", "an", "ana", "anna"):
        assert found_in(b64encode(f"{user}:{secret}!".encode())) == ["PGPASSWORD"]


def test_the_ui_is_told_no_secret(installation):
    snapshot = RepositorySnap.from_def(build_defs(installation).get_repository_def())
    told = dg.serialize_value(snapshot)
    assert "LYRICS_WANDB_API_KEY" in told, "the snapshot does not show how resources are configured"
    assert found_in(told) == []


def test_no_resource_and_no_setting_shows_a_secret(installation):
    resources = build_resources(installation)
    for name, resource in resources.items():
        shown = (repr(resource), str(resource), repr(resource.model_dump()), resource.model_dump_json())
        assert found_in("".join(shown)) == [], name
    assert found_in(repr(installation) + str(installation)) == []


def test_a_password_in_the_address_of_mlflow_is_refused_and_not_repeated(tmp_path):
    address = f"http://ana:{MARKERS['MLFLOW_TRACKING_PASSWORD']}@127.0.0.1:9"
    with pytest.raises(SettingsError, match="MLFLOW_TRACKING_PASSWORD") as told:
        Settings.from_environment(environment(tmp_path) | {"LYRICS_TRACKING_URI": address})
    assert found_in(str(told.value)) == []


FAILING_RUN = '''
    """Ask each outside system something, in a step of its own, as one job of Dagster; all steps fail."""
    import tempfile
    from pathlib import Path

    import dagster as dg

    from lyrics_assets.definitions import build_resources
    from lyrics_assets.runs import open_instance
    from lyrics_assets.settings import Settings
    from lyrics_assets_tests.corpus import TWO_GENRES, songs

    settings = Settings.from_environment()
    # What is patient is made impatient, by the resources' own fields.
    hasty = {"space": {"attempts": 1}, "mailer": {"pauses": []}, "feature_store": {"timeout_seconds": 2.0}}
    resources = {
        name: resource.model_copy(update=hasty.get(name, {})) for name, resource in build_resources(settings).items()
    }
    folder = Path(tempfile.mkdtemp())
    (folder / "README.md").write_text("# A Space")

    ACTS = {
        "lake": lambda lake: lake.exists("raw"),
        "text_index": lambda index: index.opened().__enter__(),
        "feature_store": lambda store: store.dates(),
        "tracking": lambda tracking: tracking.versions(),
        "model_mirror": lambda mirror: mirror.publish(folder, 1, {}, {}),
        "tuner": lambda tuner: tuner.search(songs(*TWO_GENRES)),
        "space": lambda space: space.publish(folder, "the model"),
        "mailer": lambda mailer: mailer.send("a subject", "a text", "<p>a page"),
    }

    def step(name, act):
        @dg.op(name=name, required_resource_keys={name})
        def asked(context):
            act(getattr(context.resources, name))

        return asked

    steps = [step(name, act) for name, act in ACTS.items()]

    @dg.job(resource_defs=resources)
    def ask_everybody():
        for asked in steps:
            asked()

    with open_instance(settings.home) as instance:
        result = ask_everybody.execute_in_process(instance=instance, raise_on_error=False)
        failed = [event.step_key for event in result.all_node_events if event.is_step_failure]
        print("failed:", *sorted(failed))
'''


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """Return the home and the output of a run in which nobody answered."""
    home = tmp_path_factory.mktemp("failed") / "home"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LYRICS_")}
    done = subprocess.run(
        [sys.executable, "-c", dedent(FAILING_RUN)],
        env=clean | environment(home),
        capture_output=True,
        timeout=200,
    )
    return home, done.stdout + done.stderr


def test_a_run_that_nobody_answers_fails_in_each_step(failed):
    _, output = failed
    steps = "feature_store lake mailer model_mirror space text_index tracking tuner"
    assert f"failed: {steps}".encode() in output, output.decode()[-3000:]


def test_a_failing_run_leaves_no_secret_in_the_home_and_prints_none(failed):
    home, output = failed
    files = [path for path in home.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in files)
    assert {str(path): found for path in files if (found := found_in(path.read_bytes()))} == {}
    assert found_in(output) == []


def test_a_crawl_that_cannot_reach_its_archive_leaves_no_secret_in_its_log_and_its_mail(tmp_path):
    home = tmp_path / "home"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LYRICS_")}
    # The lake, where the crawl is to be published, is not what fails here.
    here = {name: value for name, value in environment(home).items() if name != "LYRICS_LAKE_URL"}
    done = subprocess.run(
        [Path(sys.executable).with_name("lyrics"), "run"], env=clean | here, capture_output=True, timeout=200
    )
    assert done.returncode == 1
    assert b"raw/letras" in done.stderr
    files = [path for path in home.rglob("*") if path.is_file()]
    assert any(path.suffix == ".log" for path in files)
    assert {str(path): found for path in files if (found := found_in(path.read_bytes()))} == {}
    assert found_in(done.stdout + done.stderr) == []
