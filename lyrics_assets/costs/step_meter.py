"""Measures what each step takes, in the process where it runs, and says so in Dagster's event log.

The hook runs in the step's process right after the step, failed ones too; the resource has begun to measure before it.
A process that runs one step after the other measures each by itself.
"""

from collections.abc import Iterable
from typing import Any

import dagster as dg
from dagster._core.definitions.events import HookExecutionResult
from dagster._core.events import EngineEventData
from pydantic import Field, PrivateAttr

from lyrics_assets.costs.meter import Meter, Usage

_PREFIX = "cost/"
_RESOURCE = "step_meter"


class StepMeter(dg.ConfigurableResource):
    """Measures CPU and memory from when the resources of a run are ready, or from the step before, to a step's end.

    In a process that does something else beside the run, such as the command line that shows it, that counts too.
    """

    sample_seconds: float = Field(0.5, gt=0, description="How often the memory of the step's children is looked at")
    _meter: Meter = PrivateAttr()

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Begin to measure."""
        self._meter = Meter(self.sample_seconds)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Stop."""
        self._meter.close()

    def lap(self) -> Usage:
        """Return what was taken since the last time."""
        return self._meter.lap()


def _tell(context: dg.HookContext, events: list[dg.DagsterEvent]) -> HookExecutionResult:
    usage: Usage = getattr(context.resources, _RESOURCE).lap()
    child = f", its largest child's {usage.child_peak_mb:.0f} MB" if usage.child_peak_mb else ""
    context.instance.report_engine_event(
        f"{context.step_key} took {usage.cpu_s:.2f} CPU seconds, {usage.children_cpu_s:.2f} of them in its children; "
        f"peak memory of the {usage.peak_of} {usage.peak_mb:.0f} MB{child}",
        job_name=context.job_name,
        run_id=context.run_id,
        step_key=context.step_key,
        engine_event_data=EngineEventData(
            {f"{_PREFIX}{name}": value for name, value in usage._asdict().items() if value is not None}
        ),
    )
    return HookExecutionResult(hook_name="step_cost")


_STEP_COST = dg.HookDefinition(name="step_cost", hook_fn=_tell, required_resource_keys={_RESOURCE})


def measured(definitions: Iterable[Any]) -> list[Any]:
    """Return the assets and checks, of which each that runs something is measured."""
    return [item.with_hooks({_STEP_COST}) if isinstance(item, dg.AssetsDefinition) else item for item in definitions]


def read_usage(event: dg.DagsterEvent) -> dict[str, Any]:
    """Return the fields of `Usage` that an event tells; none if it tells of something else."""
    data = event.event_specific_data
    if not isinstance(data, EngineEventData):
        return {}
    return {
        name.removeprefix(_PREFIX): value.value for name, value in data.metadata.items() if name.startswith(_PREFIX)
    }
