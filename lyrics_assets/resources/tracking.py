"""Training runs and the model registry: MLflow on SQLite by default, an MLflow server by URL."""

import datetime as dt
import json
import logging
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import dagster as dg
from pydantic import Field

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

    from lyrics_assets.model.scorer import Scorer

CHAMPION, CHALLENGER = "champion", "challenger"
_REQUIREMENTS = ("mlflow", "numpy", "pandas", "pydantic")
_REIGNS = "champions"
"""Tag of the registered model: the versions that were champion, as JSON, the present one last."""
_MOST_REIGNS = 500
_HTTP_LIMITS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1"}
"""MLflow's own would wait for minutes on a server that is down. What the environment says goes before."""
_GC_SECONDS = 120
_MISSING = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


class RegistryError(RuntimeError):
    """The registry does not answer or does not hold what was asked; the message says what to do."""


class RegisteredModel(NamedTuple):
    """A version of the model in the registry."""

    version: int
    run_id: str
    aliases: tuple[str, ...]
    tags: dict[str, str]


class Rollback(NamedTuple):
    """A champion that took the place of a later one."""

    before: int | None
    """The version that was champion until now; None if there was none."""
    after: RegisteredModel


class Tracking(dg.ConfigurableResource):
    """Logs training runs, registers their models, and names one version champion and the newest one challenger.

    A server that asks for a login reads it from MLflow's own variables: MLFLOW_TRACKING_USERNAME and
    MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.
    """

    uri: str = Field(description="MLflow tracking and registry URI: sqlite:///FILE or http(s)://SERVER")
    artifacts: str = Field("", description="Where the runs' files go; empty lets an MLflow server decide")
    experiment: str = Field("lyrics-genre", description="Name of the experiment")
    model_name: str = Field("lyrics-genre", description="Name of the registered model")
    timeout_seconds: int = Field(30, ge=1, description="How long a server may take to answer one request")

    def register(
        self,
        scorer: "Scorer",
        parameters: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        files: Mapping[str, bytes] | None = None,
    ) -> RegisteredModel:
        """Log one training run with its model and register it as the challenger.

        Args:
            scorer: the model.
            parameters: of the run.
            metrics: of the run.
            tags: of the run and of the version; if dataset_digest is among them the run names its dataset as its input.
            files: further files of the run by name, which `read_file` gives back.
        """
        import mlflow

        from lyrics_assets.model import scorer as scorer_module

        with self._run(tags=tags) as run_id, tempfile.TemporaryDirectory() as folder:
            mlflow.log_params(dict(parameters))
            mlflow.log_metrics(dict(metrics))
            _log_dataset(tags)
            _log_files(files or {}, None)
            place = Path(folder) / "scorer"
            scorer.save(place)
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(Path(scorer_module.__file__).with_name("mlflow_model.py")),
                artifacts={"scorer": str(place)},
                signature=mlflow.models.ModelSignature(
                    inputs=mlflow.types.Schema([mlflow.types.ColSpec("string", "lyrics")]),
                    outputs=mlflow.types.Schema([mlflow.types.ColSpec("double", name) for name in scorer.classes]),
                ),
                pip_requirements=list(_REQUIREMENTS),
                registered_model_name=self.model_name,
            )
        client, version = self._client(), str(logged.registered_model_version)
        for key, value in tags.items():
            client.set_model_version_tag(self.model_name, version, key, value)
        client.set_registered_model_alias(self.model_name, CHALLENGER, version)
        return RegisteredModel(int(version), run_id, (CHALLENGER,), dict(tags))

    def log_evaluation(
        self,
        model: RegisteredModel,
        metrics: Mapping[str, float],
        files: Mapping[str, bytes],
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Add the figures and the files of the evaluation report to the model's run, the tags to its version."""
        import mlflow

        client = self._client()
        with self._run(run_id=model.run_id):
            mlflow.log_metrics(dict(metrics))
            _log_files(files, "report")
        for key, value in (tags or {}).items():
            client.set_model_version_tag(self.model_name, str(model.version), key, value)

    def promote(self, model: RegisteredModel, instead_of: int | None = None) -> None:
        """Make the version the champion: what is served from now on.

        Args:
            model: the version.
            instead_of: the champion with which it was compared, None if there was none.

        Raises:
            RegistryError: another version has become champion meanwhile, so that the comparison says nothing.
        """
        champion = self.find(CHAMPION)
        present = champion.version if champion else None
        if present not in (instead_of, model.version):
            raise RegistryError(
                f"version {present} has become champion while version {model.version} was compared with "
                f"{f'version {instead_of}' if instead_of else 'none'}: materialize evaluation_report again"
            )
        reigns = self._reigns(present)
        self._client().set_registered_model_alias(self.model_name, CHAMPION, str(model.version))
        self._write_reigns(reigns if reigns[-1:] == [model.version] else [*reigns, model.version])

    def rollback(self, to: int | None = None) -> Rollback:
        """Make an earlier champion champion again.

        Args:
            to: its version; None for the one before the present champion.

        Raises:
            RegistryError: there is no earlier champion, or that version never was one.
        """
        champion = self.find(CHAMPION)
        present = champion.version if champion else None
        earlier = self._earlier_reigns(present)
        if to is None:
            if not earlier:
                held = f"version {present} is the first champion" if present else "no version was ever champion"
                raise RegistryError(f"nothing to go back to: {held} of {self.model_name}")
            to = earlier[-1]
        elif to == present:
            raise RegistryError(f"version {to} is the champion already")
        elif to not in earlier:
            known = ", ".join(str(version) for version in dict.fromkeys(earlier)) or "none"
            raise RegistryError(f"version {to} never was the champion before this one; earlier champions: {known}")
        model = self.version(to)
        last = len(earlier) - 1 - earlier[::-1].index(to)
        # Before the alias: whatever is interrupted in between, `_reigns` then tells the same as before.
        self._write_reigns([*earlier[:last], to])
        client = self._client()
        client.set_registered_model_alias(self.model_name, CHAMPION, str(to))
        if present is not None:
            now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
            client.set_model_version_tag(self.model_name, str(present), "rolled_back_at", now)
        return Rollback(present, model._replace(aliases=self.version(to).aliases))

    def previous_champion(self) -> int | None:
        """Return the version that `rollback` would bring back; None if there is none."""
        champion = self.find(CHAMPION)
        earlier = self._earlier_reigns(champion.version if champion else None)
        return earlier[-1] if earlier else None

    def remove(self, model: RegisteredModel) -> None:
        """Remove a version, its run and the run's files.

        An MLflow server only marks the run as deleted; its own ``mlflow gc`` frees the room.

        Raises:
            RegistryError: the version carries an alias, so it is in use.
        """
        if present := self.version(model.version).aliases:
            raise RegistryError(f"version {model.version} is {' and '.join(present)}: it cannot be removed")
        client = self._client()
        source = client.get_model_version(self.model_name, str(model.version)).source
        logged = source.removeprefix("models:/") if source.startswith("models:/m-") else None
        client.delete_model_version(self.model_name, str(model.version))
        if logged:
            client.delete_logged_model(logged)
        self.remove_run(model.run_id, logged)

    def abandoned_runs(self, before: dt.datetime) -> list[str]:
        """Return the runs that began before a time and never ended: their process was killed."""
        if not self._exists:
            return []
        client = self._client()
        experiment = client.get_experiment_by_name(self.experiment)
        if experiment is None:
            return []
        began = f"attributes.status = 'RUNNING' and attributes.start_time < {int(before.timestamp() * 1000)}"
        # One page: what is over it goes the next time.
        return [run.info.run_id for run in client.search_runs([experiment.experiment_id], began, max_results=1000)]

    def remove_run(self, run_id: str, logged_model: str | None = None) -> None:
        """Remove a run with its files, and those of its model if that is marked as deleted.

        Raises:
            RegistryError: MLflow could not free the room.
        """
        self._client().delete_run(run_id)
        if not self._database:
            return
        # MLflow's own command is the only public way to free the room of what is marked.
        command = [sys.executable, "-m", "mlflow", "gc", "--backend-store-uri", self.uri, "--tracking-uri", self.uri]
        command += ["--run-ids", run_id, *(["--logged-model-ids", logged_model] if logged_model else [])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GC_SECONDS, check=False)
        if done.returncode:
            raise RegistryError(f"mlflow gc of run {run_id} failed: {done.stderr.strip()[-500:]}")

    def versions(self) -> list[RegisteredModel]:
        """Return all versions, newest first; none if nothing was ever registered."""
        if not self._exists:
            return []
        client = self._client()
        try:
            aliases = client.get_registered_model(self.model_name).aliases
        except Exception as error:
            if _is_missing(error):
                return []
            raise
        found: list[RegisteredModel] = []
        token: str | None = None
        while True:
            page = client.search_model_versions(f"name='{self.model_name}'", max_results=200, page_token=token)
            for version in page:
                # A search does not tell the aliases.
                names = tuple(sorted(name for name, number in aliases.items() if int(number) == int(version.version)))
                found.append(RegisteredModel(int(version.version), version.run_id, names, dict(version.tags)))
            token = page.token
            if not token:
                return sorted(found, key=lambda model: -model.version)

    def find(self, alias: str) -> RegisteredModel | None:
        """Return the version of that alias, None if there is none."""
        if not self._exists:
            return None
        try:
            return self._describe(self._client().get_model_version_by_alias(self.model_name, alias))
        except Exception as error:
            if _is_missing(error):
                return None
            raise

    def get(self, alias: str) -> RegisteredModel:
        """Return the version of that alias.

        Raises:
            RegistryError: there is none.
        """
        model = self.find(alias)
        if model is None:
            raise RegistryError(f"{self._shown_uri}: no {alias} of {self.model_name}: run the training job first")
        return model

    def version(self, number: int) -> RegisteredModel:
        """Return a version by its number.

        Raises:
            RegistryError: there is none.
        """
        try:
            return self._describe(self._client().get_model_version(self.model_name, str(number)))
        except Exception as error:
            if _is_missing(error):
                raise RegistryError(f"{self._shown_uri}: no version {number} of {self.model_name}") from error
            raise

    def read_file(self, model: RegisteredModel, name: str) -> bytes | None:
        """Return a file of the run that made a version; None if it has none of that name."""
        import mlflow

        client = self._client()
        folder = str(Path(name).parent) if "/" in name else None
        if name not in [file.path for file in client.list_artifacts(model.run_id, folder)]:
            return None
        with tempfile.TemporaryDirectory() as place:
            path = mlflow.artifacts.download_artifacts(run_id=model.run_id, artifact_path=name, dst_path=place)
            return Path(path).read_bytes()

    @contextmanager
    def files(self, model: RegisteredModel) -> Iterator[Path]:
        """Yield a folder that holds the scorer's files of a version, for as long as the context lasts."""
        import mlflow

        self._client()
        with tempfile.TemporaryDirectory() as folder:
            address = f"models:/{self.model_name}/{model.version}"
            yield Path(mlflow.artifacts.download_artifacts(address, dst_path=folder)) / "artifacts" / "scorer"

    def load(self, model: RegisteredModel) -> "Scorer":
        """Return the scorer of a version."""
        from lyrics_assets.model.scorer import Scorer

        with self.files(model) as folder:
            return Scorer.load(folder)

    def _reigns(self, present: int | None) -> list[int]:
        """Return the versions that were champion, oldest first, ending with the present one."""
        if not self._exists:
            return []
        try:
            tags = self._client().get_registered_model(self.model_name).tags
        except Exception as error:
            if _is_missing(error):
                return []
            raise
        reigns = [int(version) for version in json.loads(tags.get(_REIGNS, "[]"))]
        # Somebody may have set the alias by hand, or a promotion ended before it was written down.
        return reigns if present is None or reigns[-1:] == [present] else [*reigns, present]

    def _earlier_reigns(self, present: int | None) -> list[int]:
        """Return the versions that were champion before the present one, oldest first."""
        reigns = self._reigns(present)
        return reigns[:-1] if present is not None else reigns

    def _write_reigns(self, reigns: list[int]) -> None:
        self._client().set_registered_model_tag(self.model_name, _REIGNS, json.dumps(reigns[-_MOST_REIGNS:]))

    @property
    def _database(self) -> Path | None:
        """The file of the embedded database; None for a server."""
        return Path(self.uri.removeprefix("sqlite:///")) if self.uri.startswith("sqlite:///") else None

    @property
    def _exists(self) -> bool:
        """Whether there can be something to read: to look must not make a database, which takes seconds."""
        return self._database is None or self._database.exists()

    @property
    def _shown_uri(self) -> str:
        """The URI without a name and a password that may stand in it."""
        parts = urlsplit(self.uri)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if parts.netloc else self.uri

    def _client(self) -> "MlflowClient":
        os.environ.setdefault("DO_NOT_TRACK", "true")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        if self.uri.startswith(("http://", "https://")):
            for name, value in _HTTP_LIMITS.items():
                os.environ.setdefault(name, value)
            os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(self.timeout_seconds))
            self._must_answer()
        import mlflow

        # Its notes on each step of a database or a registration are no news to an operator.
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        if self._database and not self._database.exists():
            _make_database(self._database)
        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        return mlflow.MlflowClient(self.uri, self.uri)

    def _must_answer(self) -> None:
        """Ask the server whether it is there, so that one that is not is told in seconds and by its address.

        Raises:
            RegistryError: nobody answers.
        """
        address = f"{self._shown_uri.rstrip('/')}/health"
        try:
            with urllib.request.urlopen(address, timeout=self.timeout_seconds):  # noqa: S310  http or https, see _client
                return
        except urllib.error.HTTPError:
            return  # an answer: what it refuses, if anything, MLflow's client tells better
        except (urllib.error.URLError, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise RegistryError(f"no MLflow server answers at {self._shown_uri} ({reason}): is it running?") from error

    @contextmanager
    def _run(self, run_id: str | None = None, tags: Mapping[str, str] | None = None) -> Iterator[str]:
        import mlflow

        client = self._client()
        experiment = client.get_experiment_by_name(self.experiment)
        experiment_id = (
            experiment.experiment_id
            if experiment
            else client.create_experiment(self.experiment, artifact_location=self.artifacts or None)
        )
        # MLflow would name the path of the program that runs.
        named = {"mlflow.source.name": "lyrics_assets"} | dict(tags or {}) if run_id is None else None
        with mlflow.start_run(run_id=run_id, experiment_id=experiment_id, tags=named) as run:
            yield run.info.run_id

    @staticmethod
    def _describe(found: "MlflowVersion") -> RegisteredModel:
        return RegisteredModel(int(found.version), found.run_id, tuple(found.aliases), dict(found.tags))


def _make_database(file: Path) -> None:
    """Let MLflow set up its tables in a file aside, and give that its name when it is whole.

    It does so in hundreds of steps. What is left of one that was interrupted, by a full disk or a signal, it would take
    for a database ever after, and fail.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{uuid.uuid4().hex}.part")
    try:
        SqlAlchemyStore(f"sqlite:///{part}", str(file.parent / "artifacts")).engine.dispose()
        with suppress(FileExistsError):  # another process was first, and may have written to its own
            os.link(part, file)
    finally:
        for left in file.parent.glob(f"{part.name}*"):
            left.unlink(missing_ok=True)


def _is_missing(error: Exception) -> bool:
    """Tell whether an error of MLflow says that something does not exist."""
    return getattr(error, "error_code", None) in _MISSING


def _log_dataset(tags: Mapping[str, str]) -> None:
    """Name the training set as the input of the active run: its digest and its facts, none of its rows."""
    import mlflow
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    if "dataset_digest" not in tags:
        return
    names = ("store_version", "first_extraction_date", "last_extraction_date", "rows")
    source = CodeDatasetSource({name: tags[name] for name in names if name in tags})
    dataset = MetaDataset(source, name="training_set", digest=tags["dataset_digest"])
    mlflow.log_input(dataset, context="training")


def _log_files(files: Mapping[str, bytes], folder: str | None) -> None:
    """Add files to the active run."""
    import mlflow

    with tempfile.TemporaryDirectory() as place:
        for name, content in files.items():
            path = Path(place) / name
            path.write_bytes(content)
            mlflow.log_artifact(str(path), folder)
