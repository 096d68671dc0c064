"""From the champion to what people reach: the Bento and the Space."""

import tempfile
from pathlib import Path

import dagster as dg

from lyrics_assets.assets.training import evaluation_report, genre_classifier
from lyrics_assets.resources.bento_store import BentoStore
from lyrics_assets.resources.space import Space
from lyrics_assets.resources.tracking import CHAMPION, RegisteredModel, Tracking
from lyrics_assets.serving.release import Release
from lyrics_assets.settings import ROOT


def release_of(model: RegisteredModel, alias: str) -> Release:
    """Return the release file's content for a version of the registry."""
    return Release(
        model_tag=None,
        version=model.version,
        alias=alias,
        extraction_dates=[model.tags["first_extraction_date"], model.tags["last_extraction_date"]],
        macro_f1=float(model.tags["macro_f1"]),
        macro_f1_interval=(float(model.tags["macro_f1_low"]), float(model.tags["macro_f1_high"])),
        n_train=int(model.tags["n_train"]),
        trained_at=model.tags["trained_at"],
    )


@dg.asset(group_name="serving", deps=[genre_classifier, evaluation_report], kinds={"bentoml"})
def lyrics_service(tracking: dg.ResourceParam[Tracking], bento_store: BentoStore) -> dg.MaterializeResult:
    """The Bento of the champion: HTTP endpoint and page, its model pinned by exact tag."""
    champion = tracking.get(CHAMPION)
    with tracking.files(champion) as files:
        bento = bento_store.build(ROOT, files, release_of(champion, CHAMPION))
    return dg.MaterializeResult(
        metadata={
            "bento": bento.tag,
            "model": bento.release.model_tag,
            "model_version": champion.version,
            "macro_f1": bento.release.macro_f1,
        }
    )


@dg.asset(group_name="serving", deps=[genre_classifier, evaluation_report], kinds={"huggingface", "docker"})
def huggingface_space(tracking: dg.ResourceParam[Tracking], space: dg.ResourceParam[Space]) -> dg.MaterializeResult:
    """A Hugging Face Space of the champion, with the service's page and endpoint.

    A folder that is ready to push; with a token for the hub it is pushed.
    """
    from lyrics_assets.serving.packaging import assemble_space

    champion = tracking.get(CHAMPION)
    release = release_of(champion, CHAMPION)
    message = (
        f"Model version {release.version}: lyrics up to {release.extraction_dates[-1]}, macro-F1 {release.macro_f1:.3f}"
    )
    with tracking.files(champion) as files, tempfile.TemporaryDirectory() as folder:
        assemble_space(ROOT, Path(folder), files, release)
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        published = space.publish(Path(folder), message)
    pushed = {"space": dg.MetadataValue.url(published.url), "commit": published.commit} if published.url else {}
    return dg.MaterializeResult(
        metadata={
            "place": published.folder,
            **pushed,
            "model_version": champion.version,
            "size_mb": round(size / 1e6, 2),
        }
    )
