"""From the raw songs of a date to the dataset and to the feature store."""

import datetime as dt

import dagster as dg

from lyrics_assets.assets.extraction import SOURCES, raw_name
from lyrics_assets.partitions import daily
from lyrics_assets.resources.feature_store import FeatureStore
from lyrics_assets.resources.lake import Lake


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
def lyrics(context: dg.AssetExecutionContext, lake: Lake) -> dg.MaterializeResult:
    """The songs of a date, one row a song whatever the sites and charts, in Portuguese, with a stable id.

    What is not a usable Portuguese lyric is kept aside in a table of rejects, with the reason.
    """
    import pyarrow as pa

    from lyrics_assets.lyrics.dataset import build_dataset

    date = context.partition_key
    # Not SOURCES: a file that was imported is a source too, under a name of its own.
    names = [raw_name(source, date) for source in lake.folders("raw") if lake.exists(raw_name(source, date))]
    if not names:
        raise dg.Failure(
            f"no raw songs of {date}: materialize raw/* for that date, or import some, first", allow_retries=False
        )
    rows = [row for name in names for row in lake.read_json_lines(name)]
    dataset = build_dataset(rows, dt.date.fromisoformat(date))
    if not dataset.songs.num_rows:
        raise dg.Failure(f"none of the {len(rows)} raw songs of {date} is a usable lyric", allow_retries=False)
    lake.write_table(rejects_name(date), pa.Table.from_pandas(dataset.rejects))
    address = lake.write_table(lyrics_name(date), dataset.songs)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": dataset.songs.num_rows,
            "raw_songs": len(rows),
            "sources": [name.split("/")[1] for name in names],
            "rejected": {key: int(n) for key, n in dataset.rejects["reason"].value_counts().items()},
            "merged_with_conflicts": dataset.conflicts,
            "file": dg.MetadataValue.path(address),
        }
    )


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
            "commit": commit["version"],
            "committed_at": dg.MetadataValue.timestamp(commit["committed_at"]),
        }
    )
