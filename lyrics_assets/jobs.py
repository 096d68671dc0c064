"""What is run together: the daily extraction, the search for hyperparameters, the training and release."""

import dagster as dg

_DAILY = dg.AssetSelection.groups("extraction", "preparation")
_TRAINING = dg.AssetSelection.groups("training", "serving")
_SEARCH = dg.AssetSelection.assets("best_hyperparameters")

extraction_job = dg.define_asset_job(
    "extraction_job",
    selection=_DAILY,
    description="Crawl both sites for a date, build its dataset, store its features.",
)

tuning_job = dg.define_asset_job(
    "tuning_job",
    selection=dg.AssetSelection.assets("training_set") | _SEARCH,
    description="Search for better hyperparameters on the newest training set.",
)

training_job = dg.define_asset_job(
    "training_job",
    selection=_TRAINING - _SEARCH,
    description="Train on the newest history with the best hyperparameters found, evaluate, release.",
)

release_job = dg.define_asset_job(
    "release_job",
    selection=dg.AssetSelection.groups("serving"),
    description="Build the Bento and the Space of the champion anew, as after a rollback.",
)

monitoring_job = dg.define_asset_job(
    "monitoring_job",
    selection=dg.AssetSelection.groups("monitoring"),
    description="Trends, drift and costs of the newest date; automation asks for the same assets by itself.",
)

jobs = [extraction_job, tuning_job, training_job, release_job, monitoring_job]
