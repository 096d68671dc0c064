"""An evaluation report, a mail server that is away, and how a mail is read."""

import socket
from email import message_from_bytes, policy
from html.parser import HTMLParser
from pathlib import Path

from lyrics_assets.model.figures import confusion_picture
from lyrics_assets.resources.mailer import SmtpMailer

GENRES = ["Axé", "R&B", "Samba"]


def figures(macro_f1, **others):
    return {"macro_f1": macro_f1, "macro_f1_interval": [macro_f1 - 0.1, macro_f1 + 0.1], "accuracy": 0.4} | others


GAIN = {"gain": 0.2, "gain_interval": [0.1, 0.3]}
REPORT = {
    "model_version": 7,
    "run_id": "0123-run",
    **figures(0.61234, accuracy=0.5, accuracy_interval=[0.4, 0.6]),
    "expected_calibration_error": 0.123,
    "expected_calibration_error_interval": [0.1, 0.2],
    "n_test": 80,
    "n_test_artists": 24,
    "n_train": 240,
    "promotion": {"promoted": True, "reason": "not worse than the champion on the same songs"},
    "champion": figures(0.55, version=6, n_compared=78, n_known_to_champion=2, **GAIN),
    "baselines": {"majority genre": figures(0.02, gain_over_it=GAIN)},
    "per_genre": {
        genre: {"precision": 0.5, "recall": 0.25, "f1": f1, "f1_interval": ends, "support": 9, "artists": 3}
        for genre, f1, ends in zip(GENRES, (0.0, 0.333, 1.0), (None, [0.2, 0.5], [0.9, 1.0]), strict=True)
    },
    "confusion_matrix": {"genres": GENRES, "rows_are_truth": [[4, 1, 0], [0, 6, 0], [2, 0, 3]]},
    "calibration_curve": [
        {"from": 0.4, "to": 0.5, "n": 5, "confidence": 0.45, "accuracy": 0.6, "accuracy_interval": [0.2, 0.8]},
        {"from": 0.9, "to": 1.0, "n": 50, "confidence": 0.95, "accuracy": 0.9, "accuracy_interval": [0.8, 1.0]},
    ],
    "learning_curve": {
        "points": [
            {"n_train": songs, "share": 1, "macro_f1": f1, "macro_f1_interval": [f1 - 0.1, f1 + 0.1]}
            for songs, f1 in ((120, 0.4), (240, 0.6))
        ]
    },
    "mistakes": [
        {
            "title": f"Canção <b>{number}</b>",
            "artist": "Ana & Beto",
            "genre": "Samba",
            "guess": "R&B",
            "confidence": 0.97,
            "charts_agree_with_guess": number == 0,
        }
        for number in range(12)
    ],
}


def store_report(lake, name, report):
    lake.write_json(f"reports/{name}/report.json", report)
    lake.write_bytes(f"reports/{name}/report.html", b"<p>the page</p>")
    lake.write_bytes(f"reports/{name}/confusion_matrix.png", confusion_picture(report))


def opened(path):
    return message_from_bytes(Path(path).read_bytes(), policy=policy.default)


def said(message):
    """Return the words of the plain text, and those that the page shows."""
    words = []
    parser = HTMLParser()
    parser.handle_data = words.append
    parser.feed(message.get_body(("html",)).get_content())
    return tuple(" ".join(text.split()) for text in (message.get_body(("plain",)).get_content(), " ".join(words)))


def mailer_out_of_reach():
    """Return a mailer to a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return SmtpMailer(host="127.0.0.1", port=port, security="none", pauses=[])
