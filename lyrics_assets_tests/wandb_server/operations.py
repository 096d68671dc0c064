"""What each GraphQL operation answers. They are told apart by name: the client always sends the same text for one."""

import base64
import json
from collections.abc import Callable
from typing import Any

from lyrics_assets_tests.wandb_server.state import ENTITY, Answer, Refusal, Run, State, Sweep

Operation = Callable[[State, Answer], Answer]
_operations: dict[str, Operation] = {}


def _operation(name: str) -> Callable[[Operation], Operation]:
    def register(operation: Operation) -> Operation:
        _operations[name] = operation
        return operation

    return register


def answer(state: State, name: str, variables: Answer) -> Answer:
    """Return the data of an operation.

    Raises:
        Refusal: it is unknown, or the answer is an error.
    """
    if name not in _operations:
        raise Refusal(f"this server does not know the operation {name}")
    return _operations[name](state, variables)


def _edges(nodes: list[Answer]) -> list[Answer]:
    return [{"node": node, "cursor": str(place)} for place, node in enumerate(nodes)]


def _project(name: str) -> Answer:
    return {"id": _id("Project", name), "name": name, "entity": {"id": _id("Entity", ENTITY), "name": ENTITY}}


def _id(kind: str, name: Any) -> str:
    return base64.b64encode(f"{kind}:{name}".encode()).decode()


@_operation("Viewer")
def _viewer(state: State, variables: Answer) -> Answer:
    names = {"id": _id("User", 1), "entity": ENTITY, "username": "singer", "name": "Singer"}
    return {"viewer": {**names, "email": "", "flags": "{}", "admin": False, "teams": {"edges": []}}}


_operations["GetViewer"] = _operations["GetDefaultEntity"] = _viewer


@_operation("ServerFeaturesQuery")
def _features(state: State, variables: Answer) -> Answer:
    return {"serverInfo": {"features": []}}


@_operation("UpsertSweep")
def _upsert_sweep(state: State, variables: Answer) -> Answer:
    sweep = state.create_sweep(variables["projectName"], variables["config"])
    named = {"name": sweep.name, "project": _project(sweep.project)}
    return {"upsertSweep": {"sweep": named, "configValidationWarnings": []}}


@_operation("CreateAgent")
def _create_agent(state: State, variables: Answer) -> Answer:
    name = state.create_agent(variables["sweep"], variables["host"])
    return {"createAgent": {"agent": {"id": name}}}


@_operation("Heartbeat")
def _heartbeat(state: State, variables: Answer) -> Answer:
    running = [name for name, runs in json.loads(variables["runState"]).items() if runs]
    commands = state.next_commands(variables["id"], running)
    return {"agentHeartbeat": {"agent": {"id": variables["id"]}, "commands": json.dumps(commands)}}


@_operation("GetSweep")
def _get_sweep(state: State, variables: Answer) -> Answer:
    found = state.sweeps.get(variables["name"])
    return {"project": {"sweep": found and _sweep(state, found)}}


def _sweep(state: State, sweep: Sweep) -> Answer:
    runs = [run for run in state.runs.values() if run.sweep == sweep.name]
    return {
        "__typename": "Sweep",
        "id": _id("Sweep", sweep.name),
        "name": sweep.name,
        "displayName": None,
        "method": sweep.config["method"],
        "state": sweep.state,
        "description": sweep.config.get("description"),
        "bestLoss": None,
        "config": sweep.yaml,
        "createdAt": _moment(sweep.number),
        "updatedAt": _moment(sweep.number),
        "runCount": len(runs),
        "runCountExpected": sweep.config.get("run_cap"),
    }


@_operation("RunResumeStatus")
def _resume_status(state: State, variables: Answer) -> Answer:
    return {"model": None}


@_operation("UpsertBucket")
def _upsert_bucket(state: State, variables: Answer) -> Answer:
    run, inserted = state.upsert_run(variables["name"], variables.get("project") or "uncategorized", variables)
    return {"upsertBucket": {"bucket": _run(run) | {"project": _project(run.project)}, "inserted": inserted}}


@_operation("CreateRunFiles")
def _create_run_files(state: State, variables: Answer) -> Answer:
    run = variables["run"]
    files = [
        {"name": name, "uploadUrl": f"{state.base_url}/uploads/{run}/{place}"}
        for place, name in enumerate(variables["files"])
    ]
    created = {"runID": run, "uploadHeaders": [], "files": files}
    return {"createRunFiles": created}


@_operation("Runs")
def _runs(state: State, variables: Answer) -> Answer:
    filters = json.loads(variables.get("filters") or "{}")
    sweeps = [condition["sweep"] for condition in filters.get("$and", [filters]) if "sweep" in condition]
    found = [run for run in state.runs.values() if run.project == variables["project"]]
    found = [run for run in found if not sweeps or run.sweep in sweeps]
    first = int(variables.get("cursor") or -1) + 1
    edges = _edges([_run(run) for run in found])
    page = edges[first : first + variables["perPage"]]
    more = first + len(page) < len(edges)
    end = page[-1]["cursor"] if page else None
    listed = {"edges": page, "pageInfo": {"endCursor": end, "hasNextPage": more}}
    return {"project": {"internalId": "1", "runCount": len(found), "readOnly": False, "runs": listed}}


def _run(run: Run) -> Answer:
    return {
        "id": _id("Run", run.name),
        "projectId": "1",
        "name": run.name,
        "displayName": run.name,
        "sweepName": run.sweep or None,
        "state": run.state,
        "config": json.dumps(run.config),
        "group": run.group,
        "jobType": None,
        "tags": [],
        "commit": None,
        "readOnly": False,
        "createdAt": _moment(run.number),
        "heartbeatAt": _moment(run.number),
        "description": None,
        "notes": None,
        "systemMetrics": "{}",
        "summaryMetrics": json.dumps(run.summary),
        "historyLineCount": len(run.history),
        "historyKeys": None,
        "user": {"name": "Singer", "username": "singer"},
    }


def _moment(number: int) -> str:
    return f"2026-11-24T08:{number // 60:02}:{number % 60:02}Z"
