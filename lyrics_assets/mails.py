"""The mails that the project writes: the evaluation report, and what failed. No lyric is ever in one."""

import json

from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.mailer import Mailer


def mail_report(lake: Lake, mailer: Mailer, folder: str) -> str:
    """Mail the evaluation report of a folder, once however often it is asked; return where the mail went."""
    receipt = f"{folder}/mail.json"
    if lake.exists(receipt):
        return str(lake.read_json(receipt)["delivered_to"])
    report = lake.read_json(f"{folder}/report.json")
    low, high = report["macro_f1_interval"]
    verdict = "champion" if report["promotion"]["promoted"] else "challenger"
    text = (
        f"Model version {report['model_version']} is now {verdict}: {report['promotion']['reason']}.\n\n"
        f"macro-F1 {report['macro_f1']:.3f} (95 % interval {low:.3f} to {high:.3f}) on {report['n_test']} songs of "
        f"{report['n_test_artists']} artists that it never saw; trained on {report['n_train']} songs.\n\n"
        f"The whole report: {lake.url(f'{folder}/report.html')}\n"
    )
    delivered_to = mailer.send(
        f"Lyrics classifier: version {report['model_version']}, macro-F1 {report['macro_f1']:.3f}, {verdict}",
        text,
        html=lake.read_bytes(f"{folder}/report.html").decode(),
        attachments={
            "report.json": json.dumps(report, ensure_ascii=False, indent=2).encode(),
            "confusion_matrix.png": lake.read_bytes(f"{folder}/confusion_matrix.png"),
        },
    )
    lake.write_json(receipt, {"delivered_to": delivered_to})
    return delivered_to


def mail_failure(mailer: Mailer, job: str, run_id: str, reason: str) -> str:
    """Mail that a run failed and why; return where the mail went."""
    return mailer.send(f"Lyrics classifier: {job} failed", f"Run {run_id} of {job} failed:\n\n{reason}\n")
