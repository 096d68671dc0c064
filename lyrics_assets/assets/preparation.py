"""From the raw songs of a date to the dataset and to the feature store."""

import datetime as dt
from typing import TYPE_CHECKING

import dagster as dg

from lyrics_assets.assets.extraction import SOURCES, raw_names
from lyrics_assets.assets.markdown import table
from lyrics_assets.partitions import daily
from lyrics_assets.resources.feature_store import FeatureStore
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.text_index import TextIndexDatabase

if TYPE_CHECKING:
    import pandas as pd

REJECTS_SHOWN = 3
"""Of each reason, in the asset's metadata; the table of rejects holds all."""


def lyrics_name(date: str) -> str:
    """Return the lake's name of the dataset of a date."""
    return f"lyrics/{date}.parquet"


def rejects_name(date: str) -> str:
    """Return the lake's name of the songs that the dataset of a date left out, with the reasons."""
    return f"rejects/{date}.parquet"


@dg.asset(
    group_name="preparation",
    partitions_def=daily,
    deps=[["raw", source] for source in (*SOURCES, "imported")],
    kinds={"pandas", "parquet"},
)
def lyrics(context: dg.AssetExecutionContext, lake: Lake, text_index: TextIndexDatabase) -> dg.MaterializeResult:
    """The songs of a date, one row a song whatever the sites and charts, in Portuguese, with a stable id.

    What is not a usable Portuguese lyric is kept aside in a table of rejects, with the reason.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from lyrics_assets.lyrics.dataset import build_dataset, read_raw

    date = context.partition_key
    names = raw_names(lake, date)
    if not names:
        raise dg.Failure(
            f"no raw songs of {date}: materialize raw/* for that date, or import some, first", allow_retries=False
        )
    rows = (row for name in names for row in read_raw(lake.read_lines(name), name.split("/")[1]))
    with text_index.opened() as index:
        dataset = build_dataset(rows, dt.date.fromisoformat(date), index)
    # Also where no song is left: the rejects say why.
    rejects = lake.write_table(rejects_name(date), pa.Table.from_pandas(dataset.rejects))
    if not dataset.songs.num_rows:
        raise dg.Failure(
            f"none of the {dataset.n_raw} raw songs of {date} is a usable lyric; {rejects} says why. The date's last "
            "good dataset, if there was one, stays.",
            allow_retries=False,
        )
    address = lake.write_table(lyrics_name(date), dataset.songs)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": dataset.songs.num_rows,
            "raw_songs": dataset.n_raw,
            "sources": [name.split("/")[1] for name in names],
            "rejected": {key: int(n) for key, n in dataset.rejects["reason"].value_counts().items()},
            "rejects": dg.MetadataValue.path(rejects),
            "rejects_sample": dg.MetadataValue.md(_sample(dataset.rejects)),
            "mended": dataset.mended,
            "merged_with_conflicts": dataset.conflicts,
            "translated": pc.sum(dataset.songs["is_translation"]).as_py(),
            "nearly_repeated_texts": dataset.songs.num_rows - len(dataset.songs["lyrics_group"].unique()),
            "file": dg.MetadataValue.path(address),
        }
    )


def _sample(rejects: "pd.DataFrame") -> str:
    """Return a few rejects of each reason as a table."""
    columns = ["reason", "detail", "source", "title", "artist"]
    rows = rejects.groupby("reason").head(REJECTS_SHOWN).sort_values("reason", kind="stable")[columns].fillna("")
    return table(rows.to_dict("records")) if len(rows) else "none"


@dg.asset(group_name="preparation", partitions_def=daily, deps=[lyrics], kinds={"deltalake"})
def lyrics_features(
    context: dg.AssetExecutionContext, lake: Lake, feature_store: dg.ResourceParam[FeatureStore]
) -> dg.MaterializeResult:
    """The date's rows in the feature group, which keeps every date: the history that training and trends read."""
    songs = lake.read_table(lyrics_name(context.partition_key))
    feature_store.replace_date(songs)
    commit = feature_store.commits()[0]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": songs.num_rows,
            "dates_stored": len(feature_store.dates()),
            "commit": commit.version,
            "committed_at": dg.MetadataValue.timestamp(commit.committed_at),
        }
    )
