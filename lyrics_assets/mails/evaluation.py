"""The mail of an evaluation report: the verdict, its figures and its pictures."""

import json
from collections.abc import Iterator
from typing import Any

from lyrics_assets.mails.rendering import render
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.mailer import Mailer, Picture

MISTAKES_SHOWN = 8


def mail_report(lake: Lake, mailer: Mailer, folder: str) -> str:
    """Mail the evaluation report of a folder, once however often it is asked; return where the mail went."""
    receipt = f"{folder}/mail.json"
    if lake.exists(receipt):
        return str(lake.read_json(receipt)["delivered_to"])
    report = lake.read_json(f"{folder}/report.json")
    pictures = list(_pictures(report, lake.read_bytes(f"{folder}/confusion_matrix.png")))
    verdict = "champion" if report["promotion"]["promoted"] else "challenger"
    bodies = render(
        "evaluation",
        report=report,
        verdict=verdict,
        rivals=list(_rivals(report)),
        mistakes=report["mistakes"][:MISTAKES_SHOWN],
        cids={picture.name: picture.cid for picture in pictures},
        address=lake.url(f"{folder}/report.html"),
        run=mailer.run_url(report["run_id"]),
    )
    delivered_to = mailer.send(
        f"Lyrics classifier: version {report['model_version']}, macro-F1 {report['macro_f1']:.3f}, {verdict}",
        bodies.text,
        bodies.html,
        pictures,
        {"report.json": json.dumps(report, ensure_ascii=False, indent=2).encode()},
    )
    lake.write_json(receipt, {"delivered_to": delivered_to})
    return delivered_to


def _pictures(report: dict[str, Any], matrix: bytes) -> Iterator[Picture]:
    from lyrics_assets.model.figures import calibration_picture, learning_curve_picture

    yield Picture("confusion_matrix.png", matrix)
    yield Picture("calibration.png", calibration_picture(report["calibration_curve"]))
    if points := report["learning_curve"]["points"]:
        yield Picture("learning_curve.png", learning_curve_picture(points))


def _rivals(report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield who was measured beside the model: the champion so far, if it could be, and each baseline."""
    champion = report["champion"]
    if champion and champion["gain"] is not None:
        version = f", version {champion['version']}" if champion["version"] else ""
        songs = f" (on {champion['n_compared']} songs new to it)" if champion["n_known_to_champion"] else ""
        yield champion | {"name": f"champion so far{version}{songs}"}
    for name, figures in report["baselines"].items():
        yield {"name": name, **figures, **figures["gain_over_it"]}
