"""What a model came from."""

import subprocess
from importlib.metadata import version

import pandas as pd
import pytest

from lyrics_assets.model import provenance
from lyrics_assets.model.provenance import TrainingSetFacts, code_version, digest
from lyrics_assets.settings import ROOT

RELEASED = version("lyrics-classifier")


@pytest.fixture
def songs():
    return pd.DataFrame(
        {
            "song_id": ["a", "b", "c"],
            "extraction_date": ["2026-11-20", "2026-11-22", "2026-11-21"],
            "split": ["train", "test", "left_out"],
            "lyrics": ["Um\nsamba", "Um forró", "um rock"],
            "title": ["T", "T", "T"],
        }
    )


def test_the_digest_is_the_same_in_any_order_and_for_ever(songs):
    assert digest(songs) == digest(songs.sample(frac=1, random_state=0)) == "5c2c4d1059d440f3c2b5581c59c1a50b"


@pytest.mark.parametrize(
    ("column", "value"), [("song_id", "z"), ("extraction_date", "2026-11-24"), ("split", "train"), ("lyrics", "outra")]
)
def test_the_digest_changes_with_a_song_its_date_its_side_and_its_text(songs, column, value):
    before = digest(songs)
    songs.loc[1, column] = value
    assert digest(songs) != before


def test_the_digest_ignores_layout_and_what_teaches_nothing(songs):
    before = digest(songs)
    songs.loc[0, "lyrics"] = "UM  \n\nSamba!"
    songs["title"] = "outro"
    assert digest(songs) == before


def test_facts_travel_with_the_table_and_become_tags(songs):
    facts = TrainingSetFacts.of(songs, store_version="commit 7", window_days=30)
    assert (facts.rows, facts.n_train, facts.n_test) == (3, 1, 1)
    assert (facts.first_extraction_date, facts.last_extraction_date) == ("2026-11-20", "2026-11-22")
    metadata = {b"pandas": b"{}"} | facts.to_metadata()
    assert TrainingSetFacts.read(metadata, songs) == facts
    tags = facts.to_tags()
    assert (tags["dataset_digest"], tags["store_version"], tags["window_days"]) == (digest(songs), "commit 7", "30")
    assert "split_seed" not in tags
    assert all(isinstance(value, str) for value in tags.values())


def test_a_table_without_facts_tells_what_its_songs_tell(songs):
    for metadata in (None, {b"pandas": b"{}"}):
        facts = TrainingSetFacts.read(metadata, songs)
        assert (facts.digest, facts.store_version) == (digest(songs), "unknown")


def git(folder, *arguments):
    settings = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *settings, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path):
    git(tmp_path, "init")
    (tmp_path / "file.py").write_text("1")
    git(tmp_path, "add", "file.py")
    git(tmp_path, "commit", "-m", "first")
    return tmp_path


def test_a_checkout_is_named_by_its_commit(checkout):
    found = code_version(checkout)
    assert found.startswith(f"{RELEASED}+g")
    assert len(found) == len(f"{RELEASED}+g") + 12
    assert str(checkout) not in found


@pytest.mark.parametrize("changed", ["file.py", "new.py"])
def test_a_checkout_with_changed_files_is_dirty(checkout, changed):
    clean = code_version(checkout)
    (checkout / changed).write_text("2")
    assert code_version(checkout) == f"{clean}.dirty"


def test_a_folder_of_its_own_or_of_another_checkout_is_named_by_the_release(checkout, tmp_path_factory):
    inside = checkout / "site-packages"
    inside.mkdir()
    assert code_version(inside) == RELEASED
    assert code_version(tmp_path_factory.mktemp("no checkout")) == RELEASED


def test_without_git_the_release_is_told(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert code_version(checkout) == RELEASED


def test_a_git_that_cannot_be_run_is_no_git(checkout, tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("bin")
    (folder / "git").write_bytes(b"\0")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    assert code_version(checkout) == RELEASED


def test_a_package_that_was_never_installed_is_release_0(checkout, monkeypatch):
    monkeypatch.setattr(provenance, "_PACKAGE", "a-package-of-nobody")
    assert code_version(checkout).startswith("0+g")


def test_the_project_itself_has_a_version_without_a_path():
    assert code_version(ROOT).startswith(RELEASED)
    assert "/" not in code_version(ROOT)
