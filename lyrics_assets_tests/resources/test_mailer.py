"""Outgoing mail as files that any mail program opens, and the mails that the project writes."""

import json
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from lyrics_assets.mails import mail_failure, mail_report
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.mailer import OutboxMailer

PNG = b"\x89PNG\r\n\x1a\npicture"
REPORT = {
    "model_version": 7,
    "macro_f1": 0.61234,
    "macro_f1_interval": [0.55, 0.67],
    "n_test": 80,
    "n_test_artists": 24,
    "n_train": 240,
    "promotion": {"promoted": True, "reason": "the first model that beats guessing"},
}


@pytest.fixture
def mailer(tmp_path):
    return OutboxMailer(outbox=str(tmp_path / "outbox"), recipients="ana@example.org, bia@example.org")


@pytest.fixture
def lake(tmp_path):
    lake = Lake(root=str(tmp_path / "lake"))
    lake.write_json("reports/r1/report.json", REPORT)
    lake.write_bytes("reports/r1/report.html", "<p>Relatório</p>".encode())
    lake.write_bytes("reports/r1/confusion_matrix.png", PNG)
    return lake


def opened(path):
    return message_from_bytes(Path(path).read_bytes(), policy=policy.default)


def outbox(mailer):
    return sorted(Path(mailer.outbox).iterdir()) if Path(mailer.outbox).exists() else []


def test_a_mail_is_a_file_that_can_be_opened(mailer):
    message = opened(mailer.send("Relatório de avaliação ♥", "Olá,\n\ncoração\n"))
    assert message["Subject"] == "Relatório de avaliação ♥"
    assert message["From"] == "lyrics-classifier@localhost"
    assert [address.addr_spec for address in message["To"].addresses] == ["ana@example.org", "bia@example.org"]
    assert parsedate_to_datetime(message["Date"]).tzinfo is not None
    assert message["Message-ID"].endswith("@lyrics-classifier>")
    assert message.get_content() == "Olá,\n\ncoração\n"


def test_a_mail_on_disk_is_seven_bit_and_whole(mailer):
    path = mailer.send("Avaliação", "coração")
    assert Path(path).suffix == ".eml"
    assert outbox(mailer) == [Path(path)]
    headers = Path(path).read_bytes().split(b"\n\n")[0]
    assert headers.isascii()


def test_the_same_is_said_in_html_and_files_are_attached(mailer):
    files = {"report.json": b'{"a": 1}', "matriz.png": PNG}
    message = opened(mailer.send("S", "texto", html="<p>página</p>", attachments=files))
    assert message.get_body(("plain",)).get_content().strip() == "texto"
    assert message.get_body(("html",)).get_content().strip() == "<p>página</p>"
    attached = {
        part.get_filename(): (part.get_content_type(), part.get_content()) for part in message.iter_attachments()
    }
    assert attached == {
        "report.json": ("application/json", files["report.json"]),
        "matriz.png": ("image/png", PNG),
    }


def test_no_mail_takes_the_place_of_another_of_the_same_moment(mailer):
    paths = [mailer.send("Falha", str(number)) for number in range(30)]
    assert len(set(paths)) == len(outbox(mailer)) == 30


def test_a_subject_makes_a_file_name_on_every_disk(mailer):
    path = Path(mailer.send('a/b\\c: "d" <e>?* ' + "longo " * 60, "texto"))
    assert path.parent == Path(mailer.outbox)
    assert len(path.name) < 140
    assert not set('/\\:"<>?* ') & set(path.name)


def test_a_subject_cannot_smuggle_a_header(mailer):
    with pytest.raises(ValueError, match=r"linefeed|newline"):
        mailer.send("S\nBcc: eve@example.org", "texto")
    assert outbox(mailer) == []


def test_the_report_is_mailed_with_its_figures_and_files(lake, mailer):
    message = opened(mail_report(lake, mailer, "reports/r1"))
    assert message["Subject"] == "Lyrics classifier: version 7, macro-F1 0.612, champion"
    text = message.get_body(("plain",)).get_content()
    assert "version 7 is now champion: the first model that beats guessing." in text
    assert "macro-F1 0.612 (95 % interval 0.550 to 0.670) on 80 songs of 24 artists" in " ".join(text.split())
    assert lake.url("reports/r1/report.html") in text
    assert "Relatório" in message.get_body(("html",)).get_content()
    attached = {part.get_filename(): part.get_content() for part in message.iter_attachments()}
    assert json.loads(attached["report.json"]) == REPORT
    assert attached["confusion_matrix.png"] == PNG


def test_a_report_is_mailed_once_however_often_it_is_asked(lake, mailer):
    first = mail_report(lake, mailer, "reports/r1")
    assert mail_report(lake, mailer, "reports/r1") == first
    assert outbox(mailer) == [Path(first)]


def test_each_report_has_its_own_mail(lake, mailer):
    for name in ("report.json", "report.html", "confusion_matrix.png"):
        lake.write_bytes(f"reports/r2/{name}", lake.read_bytes(f"reports/r1/{name}"))
    assert mail_report(lake, mailer, "reports/r1") != mail_report(lake, mailer, "reports/r2")
    assert len(outbox(mailer)) == 2


def test_a_refused_model_is_mailed_as_challenger(lake, mailer):
    refused = {"promoted": False, "reason": "worse than the champion"}
    lake.write_json("reports/r1/report.json", REPORT | {"promotion": refused})
    assert opened(mail_report(lake, mailer, "reports/r1"))["Subject"].endswith("challenger")


def test_a_mail_that_could_not_be_sent_is_sent_at_the_next_try(lake, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        mail_report(lake, OutboxMailer(outbox=str(tmp_path / "file")), "reports/r1")
    working = OutboxMailer(outbox=str(tmp_path / "outbox"))
    mail_report(lake, working, "reports/r1")
    assert len(outbox(working)) == 1


def test_a_failure_is_mailed_with_its_reason(mailer):
    message = opened(mail_failure(mailer, "training_job", "0123", "Não há músicas"))
    assert message["Subject"] == "Lyrics classifier: training_job failed"
    assert message.get_content() == "Run 0123 of training_job failed:\n\nNão há músicas\n"
