"""What steps cost: measured in real runs, collected from real event logs, kept, judged, shown."""

import datetime as dt
import subprocess
import sys
import time

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, DagsterEventType
from pydantic import PrivateAttr

from lyrics_assets.costs import collection, page
from lyrics_assets.costs.collection import collect, read_steps
from lyrics_assets.costs.growth import MIN_RUNS, judge
from lyrics_assets.costs.history import Table
from lyrics_assets.costs.latency import read_latency
from lyrics_assets.costs.report import build_report, grown
from lyrics_assets.costs.step_meter import StepMeter, measured
from lyrics_assets.resources.home import Home
from lyrics_assets.resources.lake import Lake
from lyrics_assets.runs import open_instance

NOW = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
BURN = "import time\nwhile time.process_time() < {seconds}: pass\n"
HOLD = "held = b'1' * {size}\nprint('held', flush=True)\ninput()\n"
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts a peak anew")


def burn(seconds):
    """Use CPU of this process."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


@pytest.fixture
def stored_instance(tmp_path):
    with open_instance(tmp_path / "home") as instance:
        yield instance


@pytest.fixture
def lake(tmp_path):
    return Lake(root=str(tmp_path / "lake"))


@pytest.fixture
def history(lake):
    return Table.of_steps(lake)


def run(instance, *assets, checks=(), **arguments):
    """Run the assets one after the other in this process, measured as build_defs has it."""
    definitions = dg.Definitions(
        assets=measured(assets),
        asset_checks=measured(checks),
        resources={"step_meter": StepMeter(sample_seconds=60)},
        jobs=[dg.define_asset_job("small_job")],
    )
    job = definitions.resolve_job_def("small_job")
    return job.execute_in_process(instance=instance, raise_on_error=False, **arguments)


def costs_of(history):
    return {row["step"]: row for row in history.read()}


# Measured where it runs


def test_a_step_is_charged_for_the_cpu_of_its_child(instance, history):
    @dg.asset
    def burning():
        subprocess.run([sys.executable, "-c", BURN.format(seconds=0.4)], check=True)

    assert run(instance, burning).success
    assert collect(instance, history) == 1
    cost = costs_of(history)["burning"]
    assert cost["children_cpu_s"] >= 0.4
    assert cost["cpu_s"] >= cost["children_cpu_s"]
    assert cost["wall_s"] > 0
    assert (cost["state"], cost["attempts"]) == ("done", 1)


def test_a_child_that_outlives_the_step_is_charged_for_what_it_took_so_far(instance, history):
    size = 150_000_000
    code = BURN.format(seconds=0.4) + HOLD.format(size=size)
    children = []

    @dg.asset
    def starting():
        command = [sys.executable, "-c", code]
        children.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert children[0].stdout.readline() == b"held\n"

    @dg.asset(deps=[starting])
    def following():
        children[0].communicate(b"\n", timeout=30)

    try:
        assert run(instance, starting, following).success
    finally:
        children[0].kill()
        children[0].wait()
    collect(instance, history)
    cost = costs_of(history)
    assert cost["starting"]["children_cpu_s"] >= 0.4
    assert cost["starting"]["child_peak_mb"] >= size / 1e6
    assert cost["following"]["children_cpu_s"] < 0.3


@on_linux
def test_steps_of_one_process_are_not_charged_for_each_other(instance, history):
    @dg.asset
    def large():
        burn(0.4)
        assert len(b"1" * 200_000_000) == 200_000_000

    @dg.asset(deps=[large])
    def small():
        pass

    assert run(instance, large, small).success
    collect(instance, history)
    cost = costs_of(history)
    assert cost["large"]["cpu_s"] >= 0.4
    assert cost["small"]["cpu_s"] < 0.3
    assert cost["large"]["peak_of"] == cost["small"]["peak_of"] == "step"
    assert cost["large"]["peak_mb"] > cost["small"]["peak_mb"] + 150


@dg.asset
def in_a_process_of_its_own():
    """Burn CPU in the step's process and in a child of it."""
    burn(0.2)
    subprocess.run([sys.executable, "-c", BURN.format(seconds=0.2)], check=True)


def make_job():
    """Return a job as a process of its own makes it anew."""
    return dg.Definitions(
        assets=measured([in_a_process_of_its_own]),
        resources={"step_meter": StepMeter()},
        jobs=[dg.define_asset_job("processes_job")],
        executor=dg.multiprocess_executor,
    ).resolve_job_def("processes_job")


def test_a_step_in_a_process_of_its_own_tells_what_it_took(stored_instance, history):
    with dg.execute_job(dg.reconstructable(make_job), stored_instance) as result:
        assert result.success
    collect(stored_instance, history)
    cost = costs_of(history)["in_a_process_of_its_own"]
    assert cost["cpu_s"] >= 0.4
    assert 0.2 <= cost["children_cpu_s"] < cost["cpu_s"]


def test_a_failed_step_costs_too_with_the_pages_it_fetched(instance, history):
    @dg.asset
    def failing():
        burn(0.2)
        raise dg.Failure("refused", metadata={"pages_fetched": 7, "bytes_fetched": 700}, allow_retries=False)

    assert not run(instance, failing).success
    collect(instance, history)
    cost = costs_of(history)["failing"]
    assert (cost["state"], cost["pages_fetched"], cost["bytes_fetched"]) == ("failed", 7, 700)
    assert cost["cpu_s"] >= 0.2
    assert cost["wall_s"] > 0


def test_all_attempts_of_a_step_are_added_up(instance, history):
    tries = []

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
    def unsteady():
        burn(0.2)
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("once")

    assert run(instance, unsteady).success
    collect(instance, history)
    cost = costs_of(history)["unsteady"]
    assert (cost["state"], cost["attempts"]) == ("done", 2)
    assert cost["cpu_s"] >= 0.4


def test_rows_come_from_the_metadata_and_a_check_reads_what_its_asset_wrote(instance, history):
    @dg.asset
    def lyrics():
        return dg.MaterializeResult(metadata={"dagster/row_count": 30, "raw_songs": 40})

    @dg.asset_check(asset=lyrics)
    def schema():
        return dg.AssetCheckResult(passed=True)

    assert run(instance, lyrics, checks=[schema]).success
    collect(instance, history)
    cost = costs_of(history)
    assert (cost["lyrics"]["rows_in"], cost["lyrics"]["rows_out"]) == (40, 30)
    assert (cost["lyrics_schema"]["rows_in"], cost["lyrics_schema"]["rows_out"]) == (30, None)
    assert cost["lyrics_schema"]["cpu_s"] is not None
    assert [(row["name"], row["is_check"]) for row in history.read()] == [("lyrics", 0), ("lyrics: schema", 1)]


# Collected from the log


@dg.asset
def quick():
    """Take no time."""
    return dg.MaterializeResult(metadata={"dagster/row_count": 1})


def begin_run(instance):
    """Make up the log of a run whose one step is under way."""
    run = instance.create_run_for_job(dg.Definitions([quick]).resolve_implicit_global_asset_job_def())
    instance.report_dagster_event(event_of(run, DagsterEventType.RUN_START), run.run_id)
    instance.report_dagster_event(event_of(run, DagsterEventType.STEP_START, "quick"), run.run_id)
    return run


def event_of(run, kind, step=None):
    return DagsterEvent(kind.value, run.job_name, step_key=step)


def test_a_run_that_is_under_way_is_collected_when_it_has_ended_whatever_came_before(instance, history):
    slow = begin_run(instance)
    first = run(instance, quick).run_id
    assert collect(instance, history) == 1
    assert {row["run_id"] for row in history.read()} == {first}
    instance.report_dagster_event(event_of(slow, DagsterEventType.RUN_SUCCESS), slow.run_id)
    assert collect(instance, history) == 1
    assert {row["run_id"] for row in history.read()} == {first, slow.run_id}


def test_a_step_that_was_under_way_when_its_run_ended_is_cut_off(instance, history):
    killed = begin_run(instance)
    instance.report_run_failed(killed)
    collect(instance, history)
    (cost,) = history.read()
    assert (cost["state"], cost["cpu_s"]) == ("cut off", None)
    assert cost["wall_s"] >= 0


def test_only_new_runs_are_read_and_a_second_collection_changes_nothing(instance, history, lake, monkeypatch):
    run(instance, quick)
    assert collect(instance, history) == 1
    (name,) = lake.names("costs/steps")
    before = lake.read_bytes(name)
    read = []
    original = instance.get_records_for_run
    monkeypatch.setattr(
        instance, "get_records_for_run", lambda run_id, *a, **k: (read.append(run_id), original(run_id, *a, **k))[1]
    )
    assert collect(instance, history) == 0
    assert read == []
    assert lake.read_bytes(name) == before
    new = run(instance, quick).run_id
    assert collect(instance, history) == 1
    assert set(read) == {new}


def test_the_history_outlives_its_runs(instance, history):
    runs = [run(instance, quick).run_id for _ in range(2)]
    collect(instance, history)
    for run_id in runs:
        instance.delete_run(run_id)
    runs.append(run(instance, quick).run_id)
    assert collect(instance, history) == 1
    assert {row["run_id"] for row in history.read()} == set(runs)


def test_a_run_that_is_deleted_while_it_is_collected_is_passed_over(stored_instance, history, tmp_path):
    run(stored_instance, quick)
    (record,) = stored_instance.get_run_records()
    stored_instance.delete_run(record.dagster_run.run_id)
    files = set(tmp_path.rglob("*"))
    assert read_steps(stored_instance, record) == []
    assert set(tmp_path.rglob("*")) == files, "to look for a run has made a log of it"
    assert collect(stored_instance, history) == 0
    assert history.read() == []


class FullLake(Lake):
    """A lake whose disk is full after two tables."""

    _written: int = PrivateAttr(0)

    def write_table(self, name, table):
        """Write the table if there is room."""
        if self._written == 2:
            raise OSError(28, "No space left on device")
        self._written += 1
        return super().write_table(name, table)


def test_an_interrupted_collection_is_taken_up_where_it_ended(instance, tmp_path, monkeypatch):
    monkeypatch.setattr(collection, "_RUNS_AT_ONCE", 1)
    runs = [run(instance, quick).run_id for _ in range(3)]
    root = str(tmp_path / "lake")
    with pytest.raises(OSError, match="No space left"):
        collect(instance, Table.of_steps(FullLake(root=root)))
    history = Table.of_steps(Lake(root=root))
    assert [row["run_id"] for row in history.read()] == runs[:2]
    assert collect(instance, history) == 1
    assert [row["run_id"] for row in history.read()] == runs


def test_steps_of_one_run_lie_in_one_month_and_rows_replace_their_like(lake):
    history = Table.of_steps(lake)
    night = dt.datetime(2026, 11, 30, 23, 59, tzinfo=dt.UTC)
    ended = night + dt.timedelta(minutes=5)
    rows = [
        made_up(step=name, started_at=started, run_updated_at=ended, run_id="r")
        for name, started in (("before", night), ("after", ended))
    ]
    history.put(rows)
    history.put([rows[1] | {"wall_s": 5.0}])
    assert lake.names("costs/steps") == ["costs/steps/2026-12.parquet"]
    assert [row["wall_s"] for row in history.read()] == [5.0, 1.0]
    assert history.read(dt.datetime(2027, 1, 1, tzinfo=dt.UTC)) == []


# Judged


def made_up(**columns):
    """Return a row of the history with these columns changed."""
    at = columns.get("started_at", NOW)
    row = dict.fromkeys(Table.of_steps(None)._columns)
    row |= {
        "run_id": f"{at:%Y%m%d%H%M}",
        "step": "lyrics",
        "name": columns.get("step", "lyrics").replace("__", "/"),
        "is_check": 0,
        "job": "extraction_job",
        "partition": f"{at:%Y-%m-%d}",
        "state": "done",
        "started_at": at,
        "ended_at": at + dt.timedelta(seconds=1),
        "run_updated_at": at + dt.timedelta(seconds=2),
        "attempts": 1,
        "wall_s": 1.0,
    }
    return row | columns


def days(*costs, songs=300, **columns):
    """Return a row a day up to today, of so many CPU seconds each."""
    first = NOW - dt.timedelta(days=len(costs) - 1)
    return [
        made_up(started_at=first + dt.timedelta(days=day), cpu_s=cost, rows_out=songs, **columns)
        for day, cost in enumerate(costs)
    ]


QUIET = (9.0, 9.4, 8.8, 9.1, 9.6, 8.9, 9.2, 9.3)


def test_a_planted_growth_is_found_and_a_quiet_history_is_not():
    assert not judge(days(*QUIET)).grown
    cost = judge(days(*QUIET, 18.0))
    assert cost.grown
    assert (cost.measure, cost.unit, cost.runs) == ("cpu", "song", len(QUIET))
    assert cost.norm == pytest.approx(9.15 / 300)
    assert cost.now == 18 / 300


def test_what_costs_more_for_more_songs_has_not_grown():
    assert not judge([*days(*QUIET), *days(17.5, songs=580)]).grown


def test_a_restless_past_allows_more_than_a_steady_one():
    restless = (4.0, 15.0, 6.0, 13.0, 9.0, 5.0, 14.0, 8.0)
    assert not judge(days(*restless, 18.0)).grown
    assert judge(days(*restless, 60.0)).grown


@pytest.mark.parametrize(
    ("rows", "because"),
    [
        (days(*QUIET[: MIN_RUNS - 1], 60.0), "too few earlier runs"),
        (days(*(cost / 100 for cost in QUIET), 0.5), "less than some seconds more"),
        (days(*QUIET, 11.5), "less than half as much again"),
        (days(*(9.0 for _ in QUIET), 9.1), "a past without any spread"),
        ([*days(*QUIET), *days(90.0, songs=3000)], "no earlier run with so many songs"),
    ],
)
def test_no_growth_is_told_for(rows, because):
    assert not judge(rows).grown, because


def test_a_day_without_new_pages_is_neither_the_norm_nor_judged():
    cached = days(*[0.3] * 20, pages_fetched=0, pages_from_archive=300)
    crawled = days(*QUIET, pages_fetched=300)
    assert not judge([*crawled[:-1], *cached, crawled[-1]]).grown
    assert judge([*cached, crawled[-1]]).norm is None
    assert judge([*crawled, *cached]).now == crawled[-1]["cpu_s"] / 300
    assert judge(cached) is None


def test_a_day_with_many_new_pages_is_not_held_against_days_with_few():
    few = days(*QUIET, pages_fetched=60)
    many = days(60.0, pages_fetched=300)
    assert judge([*few, *many]).norm is None


def test_a_failed_run_is_no_norm_and_a_step_without_cpu_is_judged_by_the_clock():
    assert judge([*days(*[0.1] * 9, state="failed"), *days(*QUIET)]).norm == pytest.approx(9.1 / 300, rel=0.02)
    slow = [row | {"cpu_s": None, "rows_out": None, "wall_s": row["cpu_s"]} for row in days(*QUIET, 30.0)]
    cost = judge(slow)
    assert (cost.measure, cost.unit, cost.now, cost.grown) == ("wall", "run", 30.0, True)


# Shown


def store_row(day, store, size, free=8_000_000):
    at = NOW + dt.timedelta(days=day)
    return {"measured_at": at, "store": store, "bytes": size, "disk_free": free, "disk_total": 10_000_000}


def test_the_growth_of_stores_says_when_the_disk_is_full():
    rows = [
        *(store_row(-day, "archive", 1_000_000 - 100_000 * day) for day in range(5)),
        *(store_row(-day, "lake", 500_000) for day in range(5)),
    ]
    report = build_report([], rows, [], NOW, 90)
    assert list(report["stores"]) == ["archive", "lake"]
    assert report["stores"]["archive"]["bytes_a_day"] == 100_000
    assert report["disk"]["days_until_full"] == 80
    alone = build_report([], rows[:1], [], NOW, 90)
    assert (alone["disk"]["bytes_a_day"], alone["disk"]["days_until_full"]) == (None, None)


def test_an_odd_day_does_not_move_the_growth():
    rows = [store_row(-day, "archive", 1_000_000 - 100_000 * day) for day in range(9)]
    rows[4]["bytes"] = 9_000_000
    assert build_report([], rows, [], NOW, 90)["stores"]["archive"]["bytes_a_day"] == pytest.approx(100_000, rel=0.2)


def test_a_date_costs_what_all_steps_of_its_newest_run_took_by_its_songs():
    date = {"partition": "2026-11-26"}
    rows = [
        made_up(run_id="old", cpu_s=50.0, rows_out=100, **date),
        made_up(run_id="new", started_at=NOW + dt.timedelta(hours=1), cpu_s=2.0, rows_out=100, **date),
        made_up(
            run_id="new",
            step="raw__letras",
            started_at=NOW + dt.timedelta(minutes=59),
            cpu_s=4.0,
            pages_fetched=120,
            pages_from_archive=5,
            bytes_fetched=9000,
            **date,
        ),
    ]
    report = build_report(rows, [], [], NOW + dt.timedelta(days=1), 90)
    (found,) = report["dates"]
    assert (found["songs"], found["cpu_s"], found["cpu_ms_a_song"], found["pages_fetched"]) == (100, 6.0, 60.0, 120)
    assert report["crawls"]["raw/letras"][0]["bytes_fetched"] == 9000


def test_the_page_shows_what_grew_what_failed_and_what_is_stored():
    rows = [
        *days(*QUIET, 27.0),
        made_up(step="raw__letras", state="failed", wall_s=77.0, started_at=NOW - dt.timedelta(hours=1)),
    ]
    latency = [{"date": NOW, "model_version": 2, "answers": 10, "p50_ms": 1.25, "p99_ms": 9.0, "max_ms": 11.0}]
    report = build_report(rows, [store_row(0, "archive", 3_000_000)], latency, NOW, 90)
    assert [cost.step for cost in grown(report)] == ["lyrics"]
    shown = page.render_html(report)
    for expected in (
        "lyrics costs 3.0 times its norm",
        "raw/letras",
        "77.0",
        "3.00 MB",
        "9.0 ms",
        "growth not known yet",
    ):
        assert expected in shown
    assert "None" not in shown
    assert set(page.pictures(report)) == {"steps", "cost_a_song", "stores"}
    assert all(picture.startswith(b"\x89PNG") for picture in page.pictures(report).values())


def test_the_page_of_nothing_says_so():
    shown = page.render_html(build_report([], [], [], NOW, 90))
    assert "No run has ended in the last 90 days" in shown
    assert page.pictures(build_report([], [], [], NOW, 90)) == {}


def test_latencies_are_quantiles_a_day_and_version_and_broken_lines_are_passed_over(tmp_path):
    lines = [f'{{"model_version": 1, "milliseconds": {n}}}' for n in range(1, 101)]
    lines += ['{"model_version": 2, "milliseconds": 7}', '{"model_version": 2, "millis', "", "[]"]
    (tmp_path / "2026-11-25.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "2026-11-24.jsonl").write_text(lines[0], encoding="utf-8")
    (tmp_path / "notes.jsonl").write_text(lines[0], encoding="utf-8")
    found = list(read_latency(tmp_path, since=dt.datetime(2026, 11, 25, tzinfo=dt.UTC)))
    assert [(row["model_version"], row["answers"], row["p50_ms"], row["p99_ms"]) for row in found] == [
        (1, 100, 50.0, 99.0),
        (2, 1, 7.0, 7.0),
    ]
    assert len(list(read_latency(tmp_path))) == 3
    assert list(read_latency(tmp_path / "none")) == []


def test_the_home_is_weighed_by_folder(tmp_path):
    home = Home(folder=str(tmp_path / "home"))
    assert home.stores() == {}
    assert home.disk().total > home.disk().free > 0
    for name, size in (("lake/raw/a", 100_000), ("lake/b", 1), ("archive/c", 50_000)):
        path = tmp_path / "home" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1" * size)
    sizes = home.stores()
    assert list(sizes) == ["archive", "lake"]
    assert sizes["lake"] >= 100_001 > sizes["archive"] >= 50_000
