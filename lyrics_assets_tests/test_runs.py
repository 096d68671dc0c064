"""Runs whose process is gone: who ends them, and when."""

import socket

import dagster as dg
import psutil
import pytest

from lyrics_assets.runs import end_dead_runs

TAG = "lyrics/process"


@pytest.fixture
def instance():
    with dg.instance_for_test() as instance:
        yield instance


def started(instance, **tags):
    @dg.job(name="some_job")
    def some_job():
        pass

    return instance.create_run_for_job(some_job, status=dg.DagsterRunStatus.STARTED, tags=tags)


def status(instance, run):
    return instance.get_run_by_id(run.run_id).status


def name(pid, created):
    return f"{socket.gethostname()}/{pid}/{created:.2f}"


def test_a_command_that_lives_keeps_its_run_and_one_that_is_gone_does_not(instance):
    me = psutil.Process()
    alive = started(instance, **{TAG: name(me.pid, me.create_time())})
    reused = started(instance, **{TAG: name(me.pid, me.create_time() - 60)})
    elsewhere = started(instance, **{TAG: "another-machine/1/0.00"})
    end_dead_runs(instance)
    assert [status(instance, run).value for run in (alive, reused, elsewhere)] == ["STARTED", "FAILURE", "STARTED"]


@pytest.mark.parametrize(("launched_too", "ends"), [(False, "STARTED"), (True, "FAILURE")])
def test_a_run_of_a_daemon_is_ended_by_who_knows_that_there_is_none(instance, launched_too, ends):
    run = started(instance)
    end_dead_runs(instance, launched_too=launched_too)
    assert status(instance, run).value == ends


def test_a_dead_run_gives_its_pools_back(instance):
    storage = instance.event_log_storage
    storage.set_concurrency_slots("site_letras", 1)
    run = started(instance)
    assert storage.claim_concurrency_slot("site_letras", run.run_id, "raw__letras").is_claimed
    assert storage.get_concurrency_info("site_letras").active_slot_count == 1
    end_dead_runs(instance, launched_too=True)
    assert storage.get_concurrency_info("site_letras").active_slot_count == 0
    assert storage.claim_concurrency_slot("site_letras", "another", "raw__letras").is_claimed
