"""Dagster's daemon for tests: what schedules, sensors and conditions ask for at a moment that the test chooses.

They are the project's own, evaluated by Dagster with cursors and run keys as the daemon keeps them; what they ask for
runs in this process, one run after another.
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

import dagster as dg
import time_machine

from lyrics_assets.definitions import build_defs
from lyrics_assets.partitions import TIMEZONE
from lyrics_assets.settings import Settings

SAO_PAULO = ZoneInfo(TIMEZONE)
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Clockwork:
    """An instance and the daemon's memory of it."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._sensor_cursors: dict[str, str | None] = {}
        self._conditions_cursor = None
        self._run_keys: set[tuple[str, str]] = set()
        self.use(Settings())

    def use(self, settings: Settings, **resources: dg.ConfigurableResource) -> None:
        """Load the code location anew, as after a change of its settings."""
        self._defs = build_defs(settings, **resources)
        self._repository = self._defs.get_repository_def()

    @contextmanager
    def at(self, moment: dt.datetime) -> Iterator[None]:
        """Move the clock of this process for the context; it goes on from there."""
        with time_machine.travel(moment, tick=True):
            yield

    def run(self, job: str, partition: str | None = None, **tags: str) -> bool:
        """Run a job as an operator does; return whether it succeeded."""
        return self._execute(self._defs.resolve_job_def(job), partition, tags)

    def tick_schedule(self, name: str, moment: dt.datetime) -> list[bool] | str:
        """Evaluate a schedule; return how the runs that it asked for ended, or why it asked for none."""
        schedule = self._repository.get_schedule_def(name)
        # Left open, a context closes its instance whenever it is collected, in the midst of anything.
        with dg.build_schedule_context(
            self._instance,
            scheduled_execution_time=moment,
            repository_def=self._repository,
            resources=self._resources(schedule.required_resource_keys),
        ) as context:
            tick = schedule.evaluate_tick(context)
        return [self._request(name, schedule.job_name, request) for request in tick.run_requests] or tick.skip_message

    def tick_sensors(self) -> dict[str, list[bool] | str | None]:
        """Evaluate all sensors but the conditions; return of each how its runs ended, or why it asked for none."""
        return {
            sensor.name: self._tick_sensor(sensor)
            for sensor in self._repository.sensor_defs
            if not isinstance(sensor, dg.AutomationConditionSensorDefinition)
        }

    def tick_conditions(self) -> list[str]:
        """Evaluate the automation conditions and materialize what they ask for; return its keys."""
        result = dg.evaluate_automation_conditions(self._defs, self._instance, cursor=self._conditions_cursor)
        self._conditions_cursor = result.cursor
        graph = self._defs.resolve_asset_graph()
        wanted = [key for key in graph.get_all_asset_keys() if result.get_num_requested(key)]
        if wanted:
            job = self._defs.resolve_implicit_global_asset_job_def()
            job.execute_in_process(
                instance=self._instance, asset_selection=wanted, run_config=_QUIET, raise_on_error=False
            )
        return sorted(key.to_user_string() for key in wanted)

    def _tick_sensor(self, sensor: dg.SensorDefinition) -> list[bool] | str | None:
        with dg.build_sensor_context(
            self._instance,
            cursor=self._sensor_cursors.get(sensor.name),
            repository_def=self._repository,
            sensor_name=sensor.name,
            resources=self._resources(sensor.required_resource_keys),
        ) as context:
            tick = sensor.evaluate_tick(context)
        self._sensor_cursors[sensor.name] = tick.cursor
        job = sensor.job_name if sensor.has_jobs else None
        return [self._request(sensor.name, job, request) for request in tick.run_requests or ()] or tick.skip_message

    def _request(self, asker: str, job: str, request: dg.RunRequest) -> bool:
        """Run what was asked for, unless the same asker has asked for it under that key before."""
        key = (asker, request.run_key)
        if request.run_key and key in self._run_keys:
            return True
        self._run_keys.add(key)
        tags = {**request.tags, **({"dagster/run_key": request.run_key} if request.run_key else {})}
        return self._execute(self._defs.resolve_job_def(job), request.partition_key, tags)

    def _execute(self, job: dg.JobDefinition, partition: str | None, tags: dict[str, str]) -> bool:
        return job.execute_in_process(
            instance=self._instance, partition_key=partition, tags=tags, run_config=_QUIET, raise_on_error=False
        ).success

    def _resources(self, keys: set[str]) -> dict[str, dg.ConfigurableResource]:
        return {key: self._defs.resources[key] for key in keys}
