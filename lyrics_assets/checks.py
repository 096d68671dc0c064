"""What must hold of each asset, as facts with numbers. Checks that need the fitted model or the crawl live with it."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from lyrics_assets.assets.extraction import SOURCES, raw_name, raw_names
from lyrics_assets.assets.monitoring import drift_report, pipeline_costs
from lyrics_assets.assets.preparation import lyrics, lyrics_features, lyrics_name, rejects_name
from lyrics_assets.assets.serving import lyrics_service
from lyrics_assets.assets.training import TRAINING_SET, evaluation_report, read_learned_songs, training_set
from lyrics_assets.resources.bento_store import BentoStore
from lyrics_assets.resources.feature_store import FeatureStore
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.tracking import CHAMPION, RegisteredModel, Tracking

if TYPE_CHECKING:
    import pandas as pd

MAX_DROP = 0.5
"""A source may lose this share of its songs against the mean of the dates before."""
DATES_COMPARED = 3
MAX_REJECTED_SHARE = 0.4
"""Of raw songs; foreign songs that no site has translated are the most."""


def _result(passed: bool, *, warn: bool = False, **metadata: Any) -> dg.AssetCheckResult:
    severity = dg.AssetCheckSeverity.WARN if warn else dg.AssetCheckSeverity.ERROR
    return dg.AssetCheckResult(passed=bool(passed), severity=severity, metadata=metadata)


def _no_sudden_drop(source: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=["raw", source],
        name="no_sudden_drop",
        description=f"At least {1 - MAX_DROP:.0%} of the mean number of songs of the {DATES_COMPARED} dates before.",
    )
    def no_sudden_drop(context: dg.AssetCheckExecutionContext, lake: Lake) -> dg.AssetCheckResult:
        name = raw_name(source, _date(context, lake, f"raw/{source}"))
        earlier = [other for other in lake.names(f"raw/{source}") if other < name][-DATES_COMPARED:]
        if not earlier:
            return _result(True, note="the first date: nothing to compare with")
        counts = [lake.read_bytes(other).count(b"\n") for other in earlier]
        seen, allowed = lake.read_bytes(name).count(b"\n"), (1 - MAX_DROP) * sum(counts) / len(counts)
        return _result(seen >= allowed, warn=True, songs=seen, at_least=allowed, songs_before=counts)

    return no_sudden_drop


def _date(context: dg.AssetCheckExecutionContext, lake: Lake, folder: str) -> str:
    """Return the run's partition; the newest published date where a check is run by itself."""
    if context.has_partition_key:
        return context.partition_key
    names = lake.names(folder)
    if not names:
        raise dg.Failure(f"{lake.url(folder)} is empty: materialize a date first", allow_retries=False)
    return names[-1].rsplit("/", 1)[-1].split(".")[0]


def _songs(lake: Lake, date: str) -> "pd.DataFrame":
    return lake.read_table(lyrics_name(date)).to_pandas()


@dg.asset_check(asset=lyrics, blocking=True)
def schema(context: dg.AssetCheckExecutionContext, lake: Lake) -> dg.AssetCheckResult:
    """The dataset keeps the feature group's columns, types, non-null values and one date."""
    from lyrics_assets.lyrics.schema import SchemaError, validate

    wanted = _date(context, lake, "lyrics")
    try:
        table = validate(lake.read_table(lyrics_name(wanted)))
    except SchemaError as error:
        return _result(False, problem=str(error))
    found = table["extraction_date"][0].as_py().isoformat()
    return _result(found == wanted, rows=table.num_rows, date=found, partition=wanted)


@dg.asset_check(asset=lyrics, blocking=True)
def song_ids_are_unique(context: dg.AssetCheckExecutionContext, lake: Lake) -> dg.AssetCheckResult:
    """Each song id stands once."""
    ids = _songs(lake, _date(context, lake, "lyrics"))["song_id"]
    repeated = ids[ids.duplicated()].unique()
    return _result(len(repeated) == 0, songs=len(ids), repeated=len(repeated), examples=list(repeated[:3]))


@dg.asset_check(asset=lyrics, blocking=True)
def lyrics_are_portuguese(context: dg.AssetCheckExecutionContext, lake: Lake) -> dg.AssetCheckResult:
    """Each text is told to be Portuguese for the most part when asked again."""
    from lyrics_assets.lyrics.language import MIN_PORTUGUESE_SHARE, detect_languages

    songs = _songs(lake, _date(context, lake, "lyrics"))
    shares = [languages.portuguese_share for languages in detect_languages(list(songs["lyrics"]))]
    foreign = songs["song_id"][[share < MIN_PORTUGUESE_SHARE for share in shares]]
    return _result(
        foreign.empty and len(songs) > 0,
        songs=len(songs),
        not_portuguese=len(foreign),
        least_share=min(shares, default=0.0),
        at_least=MIN_PORTUGUESE_SHARE,
        examples=list(foreign[:3]),
    )


@dg.asset_check(asset=lyrics)
def both_sources_present(context: dg.AssetCheckExecutionContext, lake: Lake) -> dg.AssetCheckResult:
    """Every site gave songs to the date."""
    listed = _songs(lake, _date(context, lake, "lyrics"))["sources"].explode().value_counts()
    counts = {source: int(listed.get(source, 0)) for source in SOURCES}
    return _result(all(counts.values()), warn=True, songs_by_source=counts)


@dg.asset_check(asset=lyrics)
def most_raw_songs_are_usable(context: dg.AssetCheckExecutionContext, lake: Lake) -> dg.AssetCheckResult:
    """Not too many raw songs were rejected; a parser that broke, or a site that changed, shows here first."""
    date = _date(context, lake, "lyrics")
    reasons = lake.read_table(rejects_name(date))["reason"].to_pylist()
    raw = sum(1 for name in raw_names(lake, date) for _ in lake.read_lines(name))
    share = len(reasons) / max(1, raw)
    return _result(
        share <= MAX_REJECTED_SHARE,
        warn=True,
        raw_songs=raw,
        rejected_share=share,
        at_most=MAX_REJECTED_SHARE,
        rejected=dict(Counter(reasons)),
    )


@dg.asset_check(asset=lyrics_features, blocking=True)
def every_row_was_stored(
    context: dg.AssetCheckExecutionContext, lake: Lake, feature_store: dg.ResourceParam[FeatureStore]
) -> dg.AssetCheckResult:
    """The feature store, read back, holds exactly the rows of the date's dataset, value by value."""
    date = _date(context, lake, "lyrics")
    wanted = lake.read_table(lyrics_name(date)).sort_by("song_id")
    stored = feature_store.read_date(dt.date.fromisoformat(date)).sort_by("song_id")
    wanted_ids, stored_ids = set(wanted["song_id"].to_pylist()), set(stored["song_id"].to_pylist())
    missing, extra = wanted_ids - stored_ids, stored_ids - wanted_ids
    differing = [name for name in wanted.column_names if not stored[name].equals(wanted[name])]
    return _result(
        not differing and stored.num_rows == wanted.num_rows,
        wanted=wanted.num_rows,
        stored=stored.num_rows,
        missing=len(missing),
        extra=len(extra),
        differing_columns=differing,
    )


@dg.asset_check(asset=training_set, blocking=True)
def no_leakage_between_splits(lake: Lake) -> dg.AssetCheckResult:
    """No song id, artist, text or group of near-duplicates stands on both sides."""
    from lyrics_assets.lyrics.identity import artist_key, lyrics_hash

    songs = lake.read_table(TRAINING_SET).to_pandas()
    train, test = songs[songs["split"] == "train"], songs[songs["split"] == "test"]
    shared = {
        "song_ids": len(set(train["song_id"]) & set(test["song_id"])),
        "artists": len(set(train["artist"].map(artist_key)) & set(test["artist"].map(artist_key))),
        "groups": len(set(train["lyrics_group"]) & set(test["lyrics_group"])),
        "texts": len(set(train["lyrics"].map(lyrics_hash)) & set(test["lyrics"].map(lyrics_hash))),
    }
    # Of an empty side nothing leaks, but nothing is proven either.
    return _result(
        not any(shared.values()) and len(train) > 0 and len(test) > 0,
        shared=shared,
        train=len(train),
        test=len(test),
        left_out=len(songs) - len(train) - len(test),
        examples=sorted(set(train["lyrics_group"]) & set(test["lyrics_group"]))[:3],
    )


@dg.asset_check(asset=training_set)
def every_genre_is_represented(lake: Lake) -> dg.AssetCheckResult:
    """Each genre has songs on both sides."""
    songs = lake.read_table(TRAINING_SET).to_pandas()
    counts = songs.groupby(["genre", "split"]).size().unstack(fill_value=0)
    thin = [genre for genre, row in counts.iterrows() if not row.get("train", 0) or not row.get("test", 0)]
    fewest = {side: int(counts[side].min()) if side in counts else 0 for side in ("train", "test")}
    return _result(not thin, warn=True, genres=len(counts), without_train_or_test=thin, fewest_songs=fewest)


def _newest_report(context: dg.AssetCheckExecutionContext, lake: Lake) -> Mapping[str, Any]:
    event = context.instance.get_latest_materialization_event(evaluation_report.key)
    if event is None or event.asset_materialization is None:
        raise dg.Failure("evaluation_report was never materialized", allow_retries=False)
    folder = event.asset_materialization.metadata["folder"].value
    report: Mapping[str, Any] = lake.read_json(f"{folder}/report.json")
    return report


@dg.asset_check(asset=evaluation_report, blocking=True)
def beats_baseline(context: dg.AssetCheckExecutionContext, lake: Lake) -> dg.AssetCheckResult:
    """The challenger's macro-F1 is above each plain method's; only losing to blind guessing stops what follows.

    The plain methods are those of `model.baselines`, on the same songs: guessing, naive Bayes, the original script.
    """
    report = _newest_report(context, lake)
    others = {name: figures["macro_f1"] for name, figures in report["baselines"].items()}
    seen = report["macro_f1"]
    beats_guessing = seen > others["majority genre"]
    return _result(
        seen > max(others.values()),
        warn=beats_guessing,
        macro_f1=seen,
        baselines=others,
        not_beaten=sorted(name for name, macro_f1 in others.items() if macro_f1 >= seen),
        songs=report["n_test"],
    )


@dg.asset_check(asset=evaluation_report)
def beats_champion(context: dg.AssetCheckExecutionContext, lake: Lake) -> dg.AssetCheckResult:
    """The challenger is shown to be no worse than the champion on the same songs, and has taken its place."""
    promotion = _newest_report(context, lake)["promotion"]
    return _result(promotion["promoted"], warn=True, reason=promotion["reason"])


@dg.asset_check(asset=lyrics_service, blocking=True)
def answers_a_known_song(
    lake: Lake,
    bento_store: BentoStore,
    tracking: dg.ResourceParam[Tracking],
    feature_store: dg.ResourceParam[FeatureStore],
) -> dg.AssetCheckResult:
    """The newest Bento, started for real, answers over HTTP and tells the genre of a song that it learned from.

    Its explanation adds up, and it names the song's own artist as the most similar one.
    """
    from lyrics_assets.serving.client import classify
    from lyrics_assets.serving.errors import MAX_CHARACTERS

    tag = bento_store.newest()
    version = bento_store.version_of(tag)
    model = tracking.get(CHAMPION) if version is None else tracking.version(version)
    known = _known_songs(model, tracking, feature_store, lake)
    song = known[known["lyrics"].str.len() <= MAX_CHARACTERS].sort_values("n_words").iloc[-1]
    with bento_store.serving(tag) as address:
        answer = classify(address, song["lyrics"], explain=True, neighbours=1)
    told = answer["explanation"]
    missing = told["logit"] - told["remainder"] - sum(word["weight"] for word in told["words"])
    artists = [artist["artist"] for artist in answer["similar_artists"]]
    return _result(
        # Each weight is rounded to six digits.
        answer["genre"] == song["genre"]
        and abs(missing) < 1e-6 * (len(told["words"]) + 1)
        and song["artist"] in artists,
        bento=tag,
        expected=song["genre"],
        answered=answer["genre"],
        confidence=answer["confidence"],
        explanation_lacks=missing,
        artist=song["artist"],
        similar_artists=artists,
    )


def _known_songs(model: RegisteredModel, tracking: Tracking, feature_store: FeatureStore, lake: Lake) -> "pd.DataFrame":
    """Return songs that a version learned from, as they stood on its last date: artist, genre, lyrics, n_words.

    A champion that stays, or comes back, has not learned the songs of a later training, and may well mistake them. Of a
    version whose run does not say what it learned from, or whose date is not stored, it is asked nevertheless.
    """
    columns = ["artist", "genre", "lyrics", "n_words"]
    if (learned := read_learned_songs(tracking, model)) is not None:
        date = dt.date.fromisoformat(model.tags["last_extraction_date"])
        songs = feature_store.read_date(date, ["song_id", *columns]).to_pandas()
        known = songs[songs["song_id"].isin(learned["song_id"])]
        if len(known):
            return known[columns]
    songs = lake.read_table(TRAINING_SET).to_pandas()
    return songs.loc[songs["split"] == "train", columns]


@dg.asset_check(asset=drift_report)
def no_drift(lake: Lake) -> dg.AssetCheckResult:
    """The newest date's songs, and how well the champion tells them, are within the bounds of quiet dates.

    What training would not mend, such as other traffic or an old champion, is told as warned and fails nothing.
    """
    report = lake.read_json("reports/drift/newest.json")
    told = {name: report[name] for name in ("date", "drifted", "warned", "not_measured") if name in report}
    return _result(not report["drifted"], warn=True, **told)


@dg.asset_check(asset=pipeline_costs)
def no_step_costs_more(lake: Lake) -> dg.AssetCheckResult:
    """No step costs clearly more a song, or a run, than its earlier runs that were like the newest one."""
    from lyrics_assets.costs.accounts import REPORT
    from lyrics_assets.costs.page import grown_sentences

    report = lake.read_json(REPORT)
    verdicts = [step["cost"] for step in report["steps"].values() if step["cost"]]
    grown = [cost["step"] for cost in verdicts if cost["grown"]]
    return _result(
        not grown,
        warn=True,
        grown=grown,
        compared=sum(cost["norm"] is not None for cost in verdicts),
        without_enough_runs=sum(cost["norm"] is None for cost in verdicts),
        **({"because": " ".join(grown_sentences(report))} if grown else {}),
    )


checks = [
    *(_no_sudden_drop(source) for source in SOURCES),
    schema,
    song_ids_are_unique,
    lyrics_are_portuguese,
    both_sources_present,
    most_raw_songs_are_usable,
    every_row_was_stored,
    no_leakage_between_splits,
    every_genre_is_represented,
    beats_baseline,
    beats_champion,
    answers_a_known_song,
    no_drift,
    no_step_costs_more,
]
