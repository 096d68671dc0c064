"""Training runs and the model registry: MLflow on SQLite by default, an MLflow server by URL."""

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import dagster as dg
from pydantic import Field

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

    from lyrics_assets.model.scorer import Scorer

CHAMPION, CHALLENGER = "champion", "challenger"
_REQUIREMENTS = ("mlflow", "numpy", "pandas", "pydantic")


class RegistryError(RuntimeError):
    """The registry does not hold what was asked; the message says what to do."""


class RegisteredModel(NamedTuple):
    """A version of the model in the registry."""

    version: int
    run_id: str
    aliases: tuple[str, ...]
    tags: dict[str, str]


class Tracking(dg.ConfigurableResource):
    """Logs training runs, registers their models, and names one version champion and the newest one challenger."""

    uri: str = Field(description="MLflow tracking and registry URI: sqlite:///FILE or http(s)://SERVER")
    artifacts: str = Field("", description="Where the runs' files go; empty lets an MLflow server decide")
    experiment: str = Field("lyrics-genre", description="Name of the experiment")
    model_name: str = Field("lyrics-genre", description="Name of the registered model")

    def register(
        self, scorer: "Scorer", parameters: Mapping[str, Any], metrics: Mapping[str, float], tags: Mapping[str, str]
    ) -> RegisteredModel:
        """Log one training run with its model and register it as the challenger."""
        import mlflow

        from lyrics_assets.model import scorer as scorer_module

        with self._run(tags=tags) as run_id, tempfile.TemporaryDirectory() as folder:
            mlflow.log_params(dict(parameters))
            mlflow.log_metrics(dict(metrics))
            files = Path(folder) / "scorer"
            scorer.save(files)
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(Path(scorer_module.__file__).with_name("mlflow_model.py")),
                artifacts={"scorer": str(files)},
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

    def log_evaluation(self, model: RegisteredModel, metrics: Mapping[str, float], files: Mapping[str, bytes]) -> None:
        """Add the figures and the files of the evaluation report to the model's run and version."""
        import mlflow

        client = self._client()
        with self._run(run_id=model.run_id), tempfile.TemporaryDirectory() as folder:
            mlflow.log_metrics(dict(metrics))
            for name, content in files.items():
                path = Path(folder) / name
                path.write_bytes(content)
                mlflow.log_artifact(str(path), "report")
        for key, value in metrics.items():
            client.set_model_version_tag(self.model_name, str(model.version), key, f"{value:.6f}")

    def promote(self, model: RegisteredModel) -> None:
        """Make the version the champion: what is served from now on."""
        self._client().set_registered_model_alias(self.model_name, CHAMPION, str(model.version))

    def find(self, alias: str) -> RegisteredModel | None:
        """Return the version of that alias, None if there is none."""
        if self._database and not self._database.exists():
            return None
        from mlflow.exceptions import MlflowException

        try:
            return self._describe(self._client().get_model_version_by_alias(self.model_name, alias))
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def get(self, alias: str) -> RegisteredModel:
        """Return the version of that alias.

        Raises:
            RegistryError: there is none.
        """
        model = self.find(alias)
        if model is None:
            raise RegistryError(f"{self.uri}: no {alias} of {self.model_name}: run the training job first")
        return model

    def version(self, number: int) -> RegisteredModel:
        """Return a version by its number."""
        return self._describe(self._client().get_model_version(self.model_name, str(number)))

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

    @property
    def _database(self) -> Path | None:
        """The file of the embedded database; None for a server."""
        return Path(self.uri.removeprefix("sqlite:///")) if self.uri.startswith("sqlite:///") else None

    def _client(self) -> "MlflowClient":
        os.environ.setdefault("DO_NOT_TRACK", "true")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        import mlflow

        # Its notes on each step of a database or a registration are no news to an operator.
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        if self._database:
            self._database.parent.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        return mlflow.MlflowClient(self.uri, self.uri)

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
        with mlflow.start_run(run_id=run_id, experiment_id=experiment_id, tags=dict(tags or {})) as run:
            yield run.info.run_id

    @staticmethod
    def _describe(found: "MlflowVersion") -> RegisteredModel:
        return RegisteredModel(int(found.version), found.run_id, tuple(found.aliases), dict(found.tags))
