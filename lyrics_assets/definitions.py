"""The one place where the parts are put together."""

from functools import partial

import dagster as dg

from lyrics_assets.assets.extraction import imported_songs, raw_assets, web_sites
from lyrics_assets.assets.monitoring import drift_report, pipeline_costs, trends_report
from lyrics_assets.assets.preparation import lyrics, lyrics_features
from lyrics_assets.assets.serving import huggingface_space, lyrics_service
from lyrics_assets.assets.training import best_hyperparameters, evaluation_report, genre_classifier, training_set
from lyrics_assets.checks import checks
from lyrics_assets.costs.step_meter import StepMeter, measured
from lyrics_assets.freshness import with_freshness
from lyrics_assets.home_guard import keep_private
from lyrics_assets.jobs import jobs
from lyrics_assets.resources.bento_store import BentoStore
from lyrics_assets.resources.crawler import Crawler
from lyrics_assets.resources.feature_store import DeltaFeatureStore
from lyrics_assets.resources.home import Home
from lyrics_assets.resources.hopsworks import HopsworksFeatureStore, HopsworksModelRegistry
from lyrics_assets.resources.hopsworks_connection import API_KEY, hopsworks_configuration
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.mailer import OPEN_LOGIN, PASSWORD, Mailer, OutboxMailer, SmtpMailer, on_loopback
from lyrics_assets.resources.model_mirror import NoMirror
from lyrics_assets.resources.prediction_history import PredictionHistory
from lyrics_assets.resources.space import TOKEN, HubSpace, Space, SpaceFolder
from lyrics_assets.resources.text_index import TextIndexDatabase
from lyrics_assets.resources.tracking import Tracking
from lyrics_assets.resources.tuning import LocalTuner, Tuner, WandbTuner
from lyrics_assets.retention import Retention
from lyrics_assets.schedules import build_schedules
from lyrics_assets.sensors import build_sensors
from lyrics_assets.settings import ROOT, Settings, SettingsError


def build_resources(settings: Settings) -> dict[str, dg.ConfigurableResource]:
    """Return every outside system, as the settings choose it.

    Raises:
        HopsworksError: some of Hopsworks' settings are given and others that it needs are not.
        SettingsError: the same of W&B's, of the Space's or of the mail server's.
    """
    home = settings.home.absolute()
    return {
        "lake": Lake(root=settings.lake),
        "crawler": Crawler(
            sites=settings.sites,
            addresses=settings.addresses,
            archive_url=settings.archive,
            scratch=str(home / "scratch"),
            songs_per_genre=settings.songs_per_genre,
            genres=settings.genre_names,
            contact=settings.contact,
        ),
        "home": Home(folder=str(home)),
        "step_meter": StepMeter(),
        "retention": _build_retention(settings),
        "text_index": TextIndexDatabase(url=settings.text_index),
        "tracking": _build_tracking(settings),
        "tuner": _build_tuner(settings),
        "bento_store": BentoStore(home=str(home / "bentoml")),
        "prediction_history": PredictionHistory(folder=str(settings.prediction_log)),
        "space": _build_space(settings),
        "mailer": _build_mailer(settings),
        **_build_store(settings),
    }


def _build_retention(settings: Settings) -> Retention:
    """Return how long each kind of file is kept."""
    prefix = "keep_"
    limits = {name.removeprefix(prefix): value for name, value in settings.model_dump().items() if prefix in name}
    return Retention(
        home=str(settings.home.absolute()),
        archive_url=settings.archive,
        predictions=str(settings.prediction_log),
        **limits,
    )


def _build_tracking(settings: Settings) -> Tracking:
    """Return the MLflow server that the settings name, which keeps its files itself, or the one in the home."""
    if settings.tracking_uri:
        return Tracking(uri=settings.tracking_uri)
    home = settings.home.absolute() / "mlflow"
    return Tracking(uri=f"sqlite:///{home / 'mlflow.db'}", artifacts=(home / "artifacts").as_uri())


def _build_tuner(settings: Settings) -> Tuner:
    """Return W&B Sweeps if there is a key for them, else the engine on this machine or a Dask cluster."""
    home = settings.home.absolute()
    search = {"sweep": str(ROOT / "sweep.yaml"), "folder": str(home / "tuning")}
    if settings.wandb_api_key:
        return WandbTuner(
            **search,
            api_key=dg.EnvVar("LYRICS_WANDB_API_KEY"),
            base_url=settings.wandb_base_url,
            entity=settings.wandb_entity,
            project=settings.wandb_project,
            agents=settings.wandb_agents,
        )
    if settings.wandb_entity:
        raise SettingsError("LYRICS_WANDB_ENTITY set, LYRICS_WANDB_API_KEY not: set both to use W&B, or neither")
    offline = str(home / "wandb") if settings.wandb_offline else ""
    return LocalTuner(**search, dask_address=settings.dask_address, wandb_offline=offline)


def _build_mailer(settings: Settings) -> Mailer:
    """Return the mail server that the settings name, or the outbox in the home."""
    common = {"sender": settings.mail_from, "recipients": settings.mail_to, "ui_url": settings.ui_url}
    login = {"LYRICS_SMTP_USER": settings.smtp_user, PASSWORD: settings.smtp_password}
    given = [name for name, value in login.items() if value]
    if given and not settings.smtp_host:
        raise SettingsError(f"LYRICS_SMTP_HOST is not set, {given[0]} is: set it to mail by SMTP, or neither")
    if not settings.smtp_host:
        return OutboxMailer(outbox=str(settings.home.absolute() / "outbox"), **common)
    if len(given) == 1:
        raise SettingsError(f"{given[0]} is set alone: set {' and '.join(login)} to log in, or neither")
    if given and settings.smtp_security == "none" and not on_loopback(settings.smtp_host):
        raise SettingsError(OPEN_LOGIN)
    addresses = {"LYRICS_MAIL_FROM": settings.mail_from, "LYRICS_MAIL_TO": settings.mail_to}
    if any(text.endswith("@localhost") for text in addresses.values()) and not on_loopback(settings.smtp_host):
        raise SettingsError(f"LYRICS_SMTP_HOST is set: set {' and '.join(addresses)} to addresses that it knows")
    return SmtpMailer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=settings.smtp_security,
        user=settings.smtp_user,
        password=dg.EnvVar(PASSWORD) if given else "",
        ca_file=settings.smtp_ca_file,
        **common,
    )


def _build_space(settings: Settings) -> Space:
    """Return the Space on the hub if there is a token for it, else the folder alone."""
    folder = str(settings.home.absolute() / "space")
    given = {TOKEN: settings.hf_token, "LYRICS_HF_SPACE": settings.hf_space}
    missing = [name for name, value in given.items() if not value]
    if len(missing) == len(given):
        return SpaceFolder(folder=folder)
    if missing:
        raise SettingsError(f"{missing[0]} is not set: set {' and '.join(given)} to push the Space, or neither")
    return HubSpace(
        folder=folder,
        repository=settings.hf_space,
        token=dg.EnvVar(TOKEN),
        endpoint=settings.hf_endpoint,
        private=settings.hf_private,
    )


def _build_store(settings: Settings) -> dict[str, dg.ConfigurableResource]:
    """Return the feature store and the registry beside MLflow: both in Hopsworks, or neither."""
    chosen = hopsworks_configuration(settings.hopsworks_host, settings.hopsworks_project, settings.hopsworks_api_key)
    if chosen is None:
        return {"feature_store": DeltaFeatureStore(root=settings.feature_store), "model_mirror": NoMirror()}
    connection = {
        "host": chosen.host,
        "project": chosen.project,
        # By its name: what is written here is shown in the UI.
        "api_key": dg.EnvVar(API_KEY),
        "port": settings.hopsworks_port,
        "ca_file": settings.hopsworks_ca_file,
    }
    return {
        "feature_store": HopsworksFeatureStore(**connection, storage_connector=settings.hopsworks_data_source),
        "model_mirror": HopsworksModelRegistry(**connection),
    }


def build_defs(settings: Settings | None = None, **resource_overrides: dg.ConfigurableResource) -> dg.Definitions:
    """Return the whole project; a resource given by name takes the place of the settings' one."""
    settings = settings or Settings.from_environment()
    return dg.Definitions(
        assets=measured(
            dg.map_asset_specs(
                partial(with_freshness, settings=settings),
                [
                    *web_sites,
                    *raw_assets,
                    imported_songs,
                    lyrics,
                    lyrics_features,
                    training_set,
                    best_hyperparameters,
                    genre_classifier,
                    evaluation_report,
                    lyrics_service,
                    huggingface_space,
                    trends_report,
                    drift_report,
                    pipeline_costs,
                ],
            )
        ),
        asset_checks=measured(checks),
        jobs=jobs,
        schedules=build_schedules(settings),
        sensors=build_sensors(settings),
        resources=build_resources(settings) | resource_overrides,
        executor=dg.multiprocess_executor.configured({"max_concurrent": 2}),
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What `dagster` loads, by workspace.yaml; what its processes write is for their owner alone."""
    keep_private()
    return build_defs()
