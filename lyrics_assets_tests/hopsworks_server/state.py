"""What the imitated Hopsworks holds: one project, its feature groups, views, training datasets, models and files."""

import datetime as dt
import itertools
import json
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

API_KEY = "contract.key-of-the-test-project"
PROJECT, PROJECT_ID, STORE_ID = "lyrics", 119, 67
CONNECTOR = "songs_bucket"
VERSION = "5.2.1"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_MAX_DESCRIPTION = 256

Answer = dict[str, Any]


class Refusal(Exception):
    """The answer is an error, in the shape of Hopsworks' own."""

    def __init__(self, status: int, code: int, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.detail = status, code, message, detail


@dataclass
class Faults:
    """What goes wrong from now on, until it is taken back."""

    failures: int = 0
    """How many further requests get an HTTP 500."""
    fail_method: str = ""
    """Only requests of this method fail; all if empty."""
    fail_path: str = ""
    """Only requests whose path holds this text fail."""
    hang: bool = False
    """Requests are accepted and never answered."""
    hang_queries: bool = False
    """The same, of the Query Service alone."""
    query_service: bool = True
    """Whether the cluster says that it has a Query Service."""
    released: threading.Event = field(default_factory=threading.Event)
    """Ends the silence of those that hang."""


class State:
    """The one project. Every method may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.version = VERSION
        self.faults = Faults()
        self.groups: dict[int, Answer] = {}
        self.commits: dict[int, list[Answer]] = {}
        self.views: dict[tuple[str, int], Answer] = {}
        self.training_datasets: dict[tuple[str, int], list[Answer]] = {}
        self.models: dict[str, Answer] = {}
        self.requests: list[tuple[str, str]] = []
        self.lock = threading.RLock()
        self._ids = itertools.count(1000)
        (self.files / "Models").mkdir(parents=True, exist_ok=True)

    @property
    def files(self) -> Path:
        """Stands for the project's folder in HopsFS."""
        return self.folder / "hopsfs" / "Projects" / PROJECT

    def clear(self) -> None:
        """Forget every feature group, view and commit, and every fault; the files stay."""
        with self.lock:
            self.faults.released.set()
            self.faults, self.version = Faults(), VERSION
            for held in (self.groups, self.commits, self.views, self.training_datasets):
                held.clear()
            self.requests.clear()

    def new_id(self) -> int:
        """Return an identifier that nothing has yet."""
        return next(self._ids)

    def create_group(self, asked: Answer) -> Answer:
        """Register a feature group as the backend does: it knows of the data no more than the folder's address."""
        _check_name(asked["name"])
        _check_description(asked.get("description"))
        for feature in asked["features"]:
            _check_name(feature["name"])
            _check_description(feature.get("description"))
        with self.lock:
            if self.find_group(asked["name"], asked["version"]):
                raise Refusal(400, 270089, "The feature group you are trying to create does already exist.")
            number = self.new_id()
            connector = (asked.get("dataSource") or {}).get("storageConnector") or {}
            location = self._location(number, asked, connector)
            group = asked | {
                "id": number,
                "featurestoreId": STORE_ID,
                "featurestoreName": f"{PROJECT}_featurestore",
                "location": location,
                "created": _now(),
                "creator": {"username": "engineer", "email": "engineer@example.org"},
                "features": [feature | {"featureGroupId": number} for feature in asked["features"]],
                "dataSource": {"path": location, "storageConnector": self.connector() if connector else None},
                "href": f"https://localhost/featuregroups/{number}",
            }
            if not connector:
                del group["dataSource"]
            self.groups[number] = group
            self.commits[number] = []
            return group

    def _location(self, number: int, asked: Answer, connector: Answer) -> str:
        name = f"{asked['name']}_{asked['version']}"
        if not connector:
            return f"hopsfs://rpc.namenode.service.consul:8020/Projects/{PROJECT}/{name}"
        folder = self.folder / "bucket" / str(number) / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        return folder.as_uri()

    def find_group(self, name: str, version: int) -> Answer | None:
        """Return the feature group of that name and version."""
        with self.lock:
            return next((g for g in self.groups.values() if (g["name"], g["version"]) == (name, version)), None)

    def group(self, number: int) -> Answer:
        """Return a feature group by its number."""
        with self.lock:
            if number not in self.groups:
                raise group_not_found()
            return self.groups[number]

    def connector(self) -> Answer:
        """Return the data source, an S3 bucket by its kind and a folder of this machine in truth."""
        return {
            "id": 7,
            "name": CONNECTOR,
            "featurestoreId": STORE_ID,
            "description": "Bucket of the songs",
            "storageConnectorType": "S3",
            "bucket": "songs",
            "type": "featurestoreS3ConnectorDTO",
        }

    def add_commit(self, number: int, commit: Answer) -> Answer:
        """Keep what the client says that it committed, under its time."""
        with self.lock:
            kept = commit | {"commitID": commit["commitTime"]}
            others = [known for known in self.commits[number] if known["commitID"] != kept["commitID"]]
            self.commits[number] = [*others, kept]
            return kept | {"href": f"https://localhost/featuregroups/{number}/commits/{kept['commitID']}"}

    def create_view(self, asked: Answer) -> Answer:
        """Register a feature view over one feature group."""
        _check_name(asked["name"])
        _check_description(asked.get("description"))
        key = (asked["name"], asked["version"])
        with self.lock:
            if key in self.views:
                raise Refusal(400, 270179, "The provided feature view name and version already exists")
            group = self.group(asked["query"]["leftFeatureGroup"]["id"])
            labels = {feature["name"] for feature in asked["features"] if feature.get("label")}
            features = [
                {"name": f["name"], "type": f["type"], "index": i, "label": f["name"] in labels, "featuregroup": group}
                for i, f in enumerate(asked["query"]["leftFeatures"])
            ]
            self.views[key] = asked | {
                "id": self.new_id(),
                "featurestoreId": STORE_ID,
                "featurestoreName": f"{PROJECT}_featurestore",
                "query": asked["query"] | {"leftFeatureGroup": group},
                "features": features,
                "servingKeys": [
                    {"featureName": "song_id", "joinIndex": 0, "prefix": "", "required": True, "featureGroup": group}
                ],
            }
            self.training_datasets[key] = []
            return self.views[key]

    def view(self, name: str, version: int) -> Answer:
        """Return a feature view."""
        with self.lock:
            if (name, version) not in self.views:
                raise Refusal(404, 270181, "Feature view wasn't found.")
            return self.views[name, version]

    def create_training_dataset(self, name: str, version: int, asked: Answer) -> Answer:
        """Register a training dataset under the next number of its feature view."""
        view = self.view(name, version)
        with self.lock:
            known = self.training_datasets[name, version]
            made = asked | {
                "id": self.new_id(),
                "name": f"{name}_{version}",
                "version": len(known) + 1,
                "created": _now(),
                "featurestoreId": STORE_ID,
                "features": [dict(feature, featuregroup=None) for feature in view["features"]],
                "splits": asked.get("splits") or [],
                "statisticsConfig": asked.get("statisticsConfig") or {"enabled": False},
            }
            known.append(made)
            return made

    def batch_query(self, name: str, version: int, start: int | None, end: int | None) -> Answer:
        """Return the view's query over a range of event times, milliseconds: from the first, before the second."""
        view = self.view(name, version)
        group = view["query"]["leftFeatureGroup"]
        event_time = next(f for f in group["features"] if f["name"] == group["eventTime"])
        bounds = [("GREATER_THAN_OR_EQUAL", start), ("LESS_THAN", end)]
        filters = [
            {"feature": event_time, "condition": condition, "value": _as_date(time)}
            for condition, time in bounds
            if time is not None
        ]
        return {
            "featureStoreName": f"{PROJECT}_featurestore",
            "featureStoreId": STORE_ID,
            "leftFeatureGroup": group,
            "leftFeatures": view["query"]["leftFeatures"],
            "joins": [],
            "filter": _all_of(filters),
            "hiveEngine": True,
        }


def group_not_found() -> Refusal:
    """Return the refusal by which the client knows that there is no such feature group."""
    return Refusal(404, 270009, "Featuregroup wasn't found.")


def hqs_payload(state: State, query: Answer) -> str:
    """Return what the Query Service is asked: where the data lie, which columns, which rows."""
    group = state.group(query["leftFeatureGroup"]["id"])
    known = {feature["name"] for feature in group["features"]}
    names = [feature["name"] for feature in query["leftFeatures"]]
    if unknown := set(names) - known:
        raise Refusal(400, 270090, f"Feature: {', '.join(sorted(unknown))} not found in feature group: {group['name']}")
    return json.dumps({"location": group["location"], "columns": names, "filter": query.get("filter")})


def _all_of(filters: list[Answer]) -> Answer | None:
    if len(filters) == 2:
        return {"type": "AND", "leftFilter": filters[0], "rightFilter": filters[1]}
    return {"type": "SINGLE", "leftFilter": filters[0]} if filters else None


def _as_date(milliseconds: int) -> str:
    """A date feature is compared with a date: what the time is beyond midnight counts for nothing."""
    return dt.datetime.fromtimestamp(milliseconds / 1000, tz=dt.UTC).date().isoformat()


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Refusal(400, 270091, "Illegal feature store entity name", name)


def _check_description(description: str | None) -> None:
    if description and len(description) > _MAX_DESCRIPTION:
        raise Refusal(400, 270092, "Illegal featurestore entity description", f"longer than {_MAX_DESCRIPTION}")


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat()
