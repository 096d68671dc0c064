"""What is run together: the daily extraction, the search for hyperparameters, the training and release, the pruning."""

import dagster as dg

from lyrics_assets.resources.bento_store import BentoStore
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.tracking import Tracking
from lyrics_assets.retention import Retention, carry_out

_DAILY = dg.AssetSelection.groups("extraction", "preparation")
_TRAINING = dg.AssetSelection.groups("training", "serving")
_SEARCH = dg.AssetSelection.assets("best_hyperparameters")

# They write the same files (the training set, the champion, the Bento): of these, one at a time; see dagster.yaml.
_EXCLUSIVE = {"lyrics/exclusive": "training"}

extraction_job = dg.define_asset_job(
    "extraction_job",
    selection=_DAILY,
    description="Crawl both sites for a date, build its dataset, store its features.",
)

tuning_job = dg.define_asset_job(
    "tuning_job",
    tags=_EXCLUSIVE,
    selection=dg.AssetSelection.assets("training_set") | _SEARCH,
    description="Search for better hyperparameters on the newest training set.",
)

training_job = dg.define_asset_job(
    "training_job",
    tags=_EXCLUSIVE,
    selection=_TRAINING - _SEARCH,
    description="Train on the newest history with the best hyperparameters found, evaluate, release.",
)

release_job = dg.define_asset_job(
    "release_job",
    tags=_EXCLUSIVE,
    selection=dg.AssetSelection.groups("serving"),
    description="Build the Bento and the Space of the champion anew, as after a rollback.",
)

monitoring_job = dg.define_asset_job(
    "monitoring_job",
    selection=dg.AssetSelection.groups("monitoring"),
    description="Trends, drift and costs of the newest date; automation asks for the same assets by itself.",
)


@dg.op(description="Removes what is older than the settings keep; what it removed stands in its log and its metadata.")
def prune(
    context: dg.OpExecutionContext,
    retention: Retention,
    lake: Lake,
    tracking: dg.ResourceParam[Tracking],
    bento_store: BentoStore,
) -> None:
    """Carry out the whole plan; a removal that fails is told, and fails the run only after all others were tried."""
    removals = list(retention.plan(context.instance, lake, tracking, bento_store))
    failures = carry_out(removals, lambda removal: context.log.info("removed %s: %s", removal.kind, removal.name))
    if failures:
        raise dg.Failure("; ".join(failures), allow_retries=False)


@dg.job(description="Remove what is older than the settings keep; `lyrics prune --dry-run` shows what that would be.")
def pruning_job() -> None:
    """One step: what depends on what is decided by the plan itself."""
    prune()


jobs = [extraction_job, tuning_job, training_job, release_job, monitoring_job, pruning_job]
