"""A home whose disk is full or cannot be written to: one clear error, nothing half-written, completed later."""

import os
import subprocess
from typing import NamedTuple

import pytest

from lyrics_assets.definitions import build_defs, build_resources
from lyrics_assets.home_guard import HomeError, telling_of_a_full_disk
from lyrics_assets.partitions import today
from lyrics_assets.runs import open_instance, run_job
from lyrics_assets.settings import Settings
from lyrics_assets_tests.conftest import SMALL, Finished, run_lyrics
from lyrics_assets_tests.extraction import extracted
from scrapy_project.sandbox.launcher import running_sandbox
from scrapy_project.sandbox.songbook import PACKAGED_SONGBOOK

TOO_SMALL = ("300k", "2m")
"""For Dagster's own databases; for MLflow's."""
DATE = today()


def mount(folder, *options):
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0


class Disturbed(NamedTuple):
    """A home on a small disk, how the runs ended that it was too small for, and the one that was given room."""

    home: object
    failed: list[Finished]
    half_written: list[str]
    completed: Finished


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory):
    disk = tmp_path_factory.mktemp("disk")
    if not mount(disk, f"size={TOO_SMALL[0]}"):
        pytest.skip("mounting a small disk needs root")
    try:
        home, failed = disk / "home", []
        for size in TOO_SMALL:
            mount(disk, "remount", f"size={size}")
            failed.append(run_lyrics("run", "--home", home, **SMALL))
        half_written = [str(path) for path in home.rglob("*.part*") if "dagster" not in path.parts]
        mount(disk, "remount", "size=32m")
        yield Disturbed(home, failed, half_written, run_lyrics("run", "--home", home, **SMALL))
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.timeout(400)
def test_a_run_on_a_full_disk_names_the_disk_and_what_to_do_and_leaves_nothing_half_written(disturbed):
    for finished in disturbed.failed:
        assert finished.code == 1
        assert f"the disk of {disturbed.home} is full" in finished.err
        for advice in ("make room", "lyrics prune", "--home", "run the same command again", "What failed: "):
            assert advice in finished.err
        assert "Traceback" not in finished.err
    assert disturbed.half_written == []


def test_with_more_room_the_next_run_completes_with_the_results_of_one_that_nothing_disturbed(disturbed, tmp_path):
    assert disturbed.completed.code == 0, disturbed.completed.err
    with running_sandbox(PACKAGED_SONGBOOK) as addresses:
        urls = {f"{name}_url": address for name, address in addresses.items()}
        undisturbed = Settings(home=tmp_path / "home", genres=SMALL["LYRICS_GENRES"], songs_per_genre=15, **urls)
        with open_instance(undisturbed.home) as instance:
            run_job(build_defs(undisturbed), "extraction_job", instance, lambda progress: None, DATE.isoformat())
    settings = Settings(home=disturbed.home)
    assert extracted(settings, DATE) == extracted(undisturbed, DATE)
    resources = build_resources(settings)
    assert [model.version for model in resources["tracking"].versions()][-1:] == [1]
    assert resources["tracking"].get("champion")
    assert resources["bento_store"].newest()


@pytest.fixture
def read_only(disturbed, tmp_path):
    """Return the home as another mount shows it, by which nothing can be written."""
    shown = tmp_path / "shown"
    shown.mkdir()
    subprocess.run(["mount", "--bind", disturbed.home.parent, shown], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", shown], check=True)
        yield shown / "home"
    finally:
        subprocess.run(["umount", "--lazy", shown], check=True)


def test_a_read_only_home_is_one_clear_line_and_can_still_be_looked_at(read_only):
    for command in ("run", "demo", "ui", "serve", "prune"):
        finished = run_lyrics(command, "--home", read_only, **SMALL)
        assert finished.code == 1, command
        (line,) = finished.err.strip().splitlines()
        assert line.startswith(f"Error: {read_only} cannot be written to: make it writable"), command
        assert "--home" in line
    told = run_lyrics("status", "--home", read_only, **SMALL)
    assert "cannot be read" not in told.out
    assert str(DATE) in told.out
    assert told.err == ""


def test_a_home_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").touch()
    home = tmp_path / "file" / "home"
    for command in ("run", "ui", "prune"):
        finished = run_lyrics(command, "--home", home, **SMALL)
        assert finished.code == 1, command
        (line,) = finished.err.strip().splitlines()
        assert f"{home} cannot be made (Not a directory): name another home by --home" in line


def test_an_error_of_another_kind_is_left_as_it_is(tmp_path):
    with pytest.raises(ValueError, match="no such genre"), telling_of_a_full_disk(tmp_path):
        raise ValueError("no such genre")


@pytest.mark.parametrize("said", ["IO error: No space left on device (os error 28)", "database or disk is full"])
def test_an_error_that_only_its_cause_tells_of_a_full_disk_is_told_as_one(tmp_path, said):
    with pytest.raises(HomeError, match="make room"), telling_of_a_full_disk(tmp_path):
        raise RuntimeError("step failed") from OSError(said)
