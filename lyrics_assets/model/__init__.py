"""The classifier: features, pipeline, splits, tuning space, evaluation, scorer, drift. No Dagster here."""
