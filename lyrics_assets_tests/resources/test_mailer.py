"""Outgoing mail: as files that any mail program opens, and to a real mail server on loopback."""

import json
import select
import socket
import threading
import traceback
from base64 import b64encode
from contextlib import suppress
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from itertools import repeat
from pathlib import Path

import dagster as dg
import pytest

from lyrics_assets.definitions import build_resources
from lyrics_assets.resources.mailer import MAX_SUBJECT, MailError, OutboxMailer, Picture, SmtpMailer
from lyrics_assets.settings import Settings, SettingsError
from lyrics_assets_tests.smtp_server import Server, smtp_server, write_certificates

PNG = b"\x89PNG\r\n\x1a\npicture"
LOGIN = ("ana", "cavaquinho-1979")
SECURED = {"security": "starttls", "user": LOGIN[0], "password": LOGIN[1]}
BOTH = ["ana@example.org", "bia@example.org"]


@pytest.fixture
def mailer(tmp_path):
    return OutboxMailer(outbox=str(tmp_path / "outbox"), recipients="ana@example.org, bia@example.org")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return write_certificates(tmp_path_factory.mktemp("certificates"))


def opened(path):
    return message_from_bytes(Path(path).read_bytes(), policy=policy.default)


def outbox(mailer):
    return sorted(Path(mailer.outbox).iterdir()) if Path(mailer.outbox).exists() else []


def to(server=None, **fields):
    """Return a mailer to a server, which never sleeps."""
    common = {"host": "localhost", "port": server and server.port, "security": "none", "pauses": [0.0, 0.0, 0.0]}
    addresses = {"sender": "lyrics@example.org", "recipients": f"{BOTH[0]}, Bia <{BOTH[1]}>"}
    return SmtpMailer(**common | addresses | fields)


def commands(sent):
    """Return the first word of each line that was sent."""
    return [line.split()[0].lower() for line in bytes(sent).splitlines()]


# As a message


def test_a_mail_is_a_file_that_can_be_opened(mailer):
    message = opened(mailer.send("Relatório de avaliação ♥", "Olá,\n\ncoração\n"))
    assert message["Subject"] == "Relatório de avaliação ♥"
    assert message["From"] == "lyrics-classifier@localhost"
    assert [address.addr_spec for address in message["To"].addresses] == ["ana@example.org", "bia@example.org"]
    assert parsedate_to_datetime(message["Date"]).tzinfo is not None
    assert message["Message-ID"].endswith("@localhost>")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content() == "Olá,\n\ncoração\n"


def test_a_mail_is_seven_bit_and_its_lines_are_short_whatever_it_holds(mailer):
    path = mailer.send("Avaliação", "coração " * 500, html="<p>" + "página " * 500, pictures=[Picture("a.png", PNG)])
    assert Path(path).suffix == ".eml"
    assert outbox(mailer) == [Path(path)]
    content = Path(path).read_bytes()
    assert content.isascii()
    assert max(map(len, content.splitlines())) <= 998


def test_a_mail_has_text_beside_a_page_with_its_pictures_and_files_after_both(mailer):
    picture = Picture("matriz.png", PNG)
    page = f'<p>página</p><img src="cid:{picture.cid}">'
    message = opened(mailer.send("S", "texto", page, [picture], {"report.json": b'{"a": 1}'}))
    assert [(part.get_content_type(), part.get_content_disposition()) for part in message.walk()] == [
        ("multipart/mixed", None),
        ("multipart/alternative", None),
        ("text/plain", None),
        ("multipart/related", None),
        ("text/html", None),
        ("image/png", "inline"),
        ("application/json", "attachment"),
    ]
    assert message.get_body(("plain",)).get_content().strip() == "texto"
    assert message.get_body(("html",)).get_content().strip() == page
    related = message.get_body(("related",))
    assert related.get_param("type") == "text/html"
    (shown,) = related.iter_attachments()
    assert (shown["Content-ID"], shown.get_filename(), shown.get_content()) == (f"<{picture.cid}>", "matriz.png", PNG)
    (attached,) = message.iter_attachments()
    assert (attached.get_filename(), json.loads(attached.get_content())) == ("report.json", {"a": 1})


def test_a_mail_without_a_page_is_one_part(mailer):
    message = opened(mailer.send("S", "texto"))
    assert message.get_content_type() == "text/plain"
    assert not message.is_multipart()


def test_pictures_of_one_name_and_other_contents_are_called_otherwise():
    assert Picture("a.png", b"1").cid != Picture("a.png", b"2").cid
    assert Picture("a.png", b"1").cid == Picture("a.png", b"1").cid


def test_no_mail_takes_the_place_of_another_of_the_same_moment(mailer):
    paths = [mailer.send("Falha", str(number)) for number in range(30)]
    assert len(set(paths)) == len(outbox(mailer)) == 30


def test_a_subject_makes_a_file_name_on_every_disk(mailer):
    path = Path(mailer.send('a/b\\c: "d" <e>?* ' + "longo " * 60, "texto"))
    assert path.parent == Path(mailer.outbox)
    assert len(path.name) < 140
    assert not set('/\\:"<>?* ') & set(path.name)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x1e", "\x85", "\u2028", "\0", "\ud800"])
def test_a_subject_cannot_smuggle_a_header(mailer, end):
    message = opened(mailer.send(f"Samba{end}Bcc: eve@example.org{end}{end}corpo", "texto"))
    assert message["Subject"] == "Samba Bcc: eve@example.org corpo"
    assert message["Bcc"] is None
    assert message.get_content().strip() == "texto"


def test_a_long_subject_is_shortened(mailer):
    subject = opened(mailer.send("título " * 100, "texto"))["Subject"]
    assert len(subject) == MAX_SUBJECT
    assert subject.endswith("…")


def test_half_a_character_of_a_file_name_does_not_stop_a_mail(mailer):
    assert opened(mailer.send("S", "caf\udce9")).get_content().strip() == "caf?"


# To a server


def refusal(mailer):
    """Return the error of a mail that must not be delivered."""
    with pytest.raises(MailError) as told:
        mailer.send("S", "texto")
    return told.value


def test_a_mail_is_delivered_with_starttls_and_login(certificates):
    with smtp_server(Server(login=LOGIN), certificates.server) as server:
        mailer = to(server, **SECURED, ca_file=str(certificates.authority))
        assert mailer.send("Avaliação", "coração", "<p>coração</p>") == f"localhost:{server.port}"
    (mail,) = server.mails
    assert mail["Subject"] == "Avaliação"
    assert mail.get_body(("html",)).get_content().strip() == "<p>coração</p>"
    assert server.recipients == [["ana@example.org", "bia@example.org"]]
    assert commands(server.clear) == [b"ehlo", b"starttls"]


def test_a_mail_is_delivered_with_tls_from_the_first_byte(certificates):
    with smtp_server(Server(), certificates.server, tls=True) as server:
        to(server, security="tls", ca_file=str(certificates.authority)).send("S", "texto")
    assert len(server.mails) == 1
    assert not server.clear


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_server_on_this_machine_may_be_logged_into_in_the_clear():
    with smtp_server(Server(login=LOGIN)) as server:
        to(server, user=LOGIN[0], password=LOGIN[1]).send("S", "texto")
    assert len(server.mails) == 1


def test_a_password_is_never_sent_in_the_clear_to_another_machine():
    problem = refusal(SmtpMailer(host="192.0.2.1", security="none", user=LOGIN[0], password=LOGIN[1]))
    assert "LYRICS_SMTP_SECURITY is none: LYRICS_SMTP_PASSWORD would go over the network in the clear" in str(problem)


def test_a_refused_login_is_told_without_the_password_and_not_tried_again(certificates):
    wrong = "tamborim-2001"
    with smtp_server(Server(login=LOGIN), certificates.server) as server:
        mailer = to(server, **SECURED | {"password": wrong}, ca_file=str(certificates.authority))
        problem = refusal(mailer)
    assert "refused the login of ana: LYRICS_SMTP_USER, LYRICS_SMTP_PASSWORD (535 5.7.8 ana *** not acc" in str(problem)
    assert not problem.temporary
    assert server.connections == 1
    told = "".join([*traceback.format_exception(problem), repr(problem)])
    for secret in (wrong, b64encode(wrong.encode()).decode(), b64encode(f"\0ana\0{wrong}".encode()).decode()):
        assert secret not in told


def test_nothing_is_sent_to_a_server_whose_certificate_is_not_trusted(certificates):
    with smtp_server(Server(login=LOGIN), certificates.server) as server:
        problem = refusal(to(server, **SECURED))
    assert "has a certificate that is not trusted" in str(problem)
    assert "LYRICS_SMTP_CA_FILE" in str(problem)
    assert server.connections == 1
    assert commands(server.clear) == [b"ehlo", b"starttls"]


def test_nothing_is_sent_to_a_server_with_the_certificate_of_somebody_else(certificates):
    with smtp_server(Server(login=LOGIN), certificates.other) as server:
        problem = refusal(to(server, **SECURED, ca_file=str(certificates.authority)))
    assert "LYRICS_SMTP_HOST must be the name in it" in str(problem)
    assert commands(server.clear) == [b"ehlo", b"starttls"]


def test_nothing_is_sent_in_the_clear_where_no_starttls_is_offered():
    with smtp_server(Server()) as server:
        problem = refusal(to(server, **SECURED))
    assert "offers no STARTTLS, so nothing was sent: check LYRICS_SMTP_PORT" in str(problem)
    assert server.connections == 1
    assert commands(server.clear) == [b"ehlo"]


def test_a_server_that_offers_no_login_is_told(certificates):
    with smtp_server(Server(), certificates.server) as server:
        problem = refusal(to(server, **SECURED, ca_file=str(certificates.authority)))
    assert "offers no login: check LYRICS_SMTP_PORT" in str(problem)
    assert server.connections == 1


def test_tls_where_none_is_spoken_is_told_with_its_setting():
    with smtp_server(Server()) as server:
        problem = refusal(to(server, security="tls"))
    assert "does not speak TLS as asked" in str(problem)
    assert "LYRICS_SMTP_SECURITY is tls" in str(problem)
    assert server.connections == 1


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), (b"no certificate", "no certificate in PEM")])
def test_an_authority_that_cannot_be_read_is_told_with_its_setting(tmp_path, content, reason):
    file = tmp_path / "authority.pem"
    if content:
        file.write_bytes(content)
    assert f"LYRICS_SMTP_CA_FILE: {file}: {reason}" in str(refusal(SmtpMailer(host="localhost", ca_file=str(file))))


def test_a_greylisted_mail_is_delivered_at_a_later_try():
    with smtp_server(Server(rcpt={name: repeat("450 4.2.0 Greylisted", 1) for name in BOTH})) as server:
        to(server).send("S", "texto")
    assert server.connections == 2
    assert server.recipients == [BOTH]


def test_of_several_recipients_each_gets_a_mail_once_though_one_is_greylisted():
    with smtp_server(Server(rcpt={BOTH[1]: repeat("450 4.2.0 Greylisted", 2)})) as server:
        assert "but not" not in to(server).send("S", "texto")
    assert server.recipients == [[BOTH[0]], [BOTH[1]]]


def test_a_server_that_is_busy_at_the_data_is_tried_again():
    with smtp_server(Server(data=iter(["451 4.3.0 Try later"]))) as server:
        to(server).send("S", "texto")
    assert len(server.mails) == 1


def test_a_server_that_stays_busy_is_given_up_as_temporary():
    with smtp_server(Server(data=repeat("451 4.3.0 Try later"))) as server:
        problem = refusal(to(server))
    assert "refused the mail (451 4.3.0 Try later)" in str(problem)
    assert problem.temporary
    assert server.connections == 4


def test_no_try_is_begun_that_would_end_after_the_time_that_a_delivery_may_take():
    with smtp_server(Server(data=repeat("451 4.3.0 Try later"))) as server:
        refusal(to(server, pauses=[60.0], budget=30.0))
    assert server.connections == 1


def test_a_permanent_refusal_is_not_tried_again():
    with smtp_server(Server(rcpt=dict.fromkeys(BOTH, repeat("550 5.1.1 No such user")))) as server:
        problem = refusal(to(server))
    assert f"refused the recipient {BOTH[0]}: LYRICS_MAIL_TO (550 5.1.1 No such user)" in str(problem)
    assert not problem.temporary
    assert server.connections == 1


def test_a_mail_refused_for_good_is_not_tried_again():
    with smtp_server(Server(data=repeat("552 5.3.4 Too big"))) as server:
        problem = refusal(to(server))
    assert "refused the mail (552 5.3.4 Too big)" in str(problem)
    assert server.connections == 1


def test_who_was_refused_is_told_when_the_others_have_the_mail():
    with smtp_server(Server(rcpt={BOTH[1]: repeat("550 5.1.1 No such user")})) as server:
        words = to(server).send("S", "texto")
    assert f"but not: {to(server).destination} refused the recipient {BOTH[1]}: LYRICS_MAIL_TO (550" in words
    assert server.recipients == [[BOTH[0]]]


@pytest.mark.parametrize("farewell", ["421 Too late", "500 What?"])
def test_a_mail_that_was_taken_is_not_sent_again_whatever_the_farewell(farewell):
    with smtp_server(Server(quit=farewell)) as server:
        to(server).send("S", "texto")
    assert server.connections == len(server.mails) == 1


def test_a_server_that_hangs_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections and never says a word
        problem = refusal(to(port=silent.getsockname()[1], host="127.0.0.1", timeout=0.05, pauses=[0.0]))
    assert "does not answer" in str(problem)
    assert "timed out" in str(problem)
    assert problem.temporary


def test_a_server_that_never_comes_to_the_point_is_cut_off():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        talking = threading.Thread(target=_greet_without_end, args=[listening], daemon=True)
        talking.start()
        port = listening.getsockname()[1]
        assert "does not answer" in str(refusal(to(port=port, timeout=20, budget=0.3, pauses=[])))
        talking.join(timeout=10)
    assert not talking.is_alive()


def _greet_without_end(listening):
    connection, _ = listening.accept()
    with connection, suppress(OSError):
        while not select.select([connection], [], [], 0.01)[0]:
            connection.sendall(b"220-one moment\r\n")


def test_a_refused_connection_is_tried_again_and_told_with_its_settings():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    problem = refusal(to(port=port, host="127.0.0.1"))
    assert "out of reach" in str(problem)
    assert "Connection refused" in str(problem)
    assert "LYRICS_SMTP_HOST, LYRICS_SMTP_PORT" in str(problem)
    assert problem.temporary


def test_a_host_that_does_not_exist_is_told_with_its_setting():
    problem = refusal(SmtpMailer(host="no host", security="none"))
    assert "no host is no known host" in str(problem)
    assert "LYRICS_SMTP_HOST" in str(problem)


def test_a_delivery_ends_well_within_the_minute_that_a_sensor_has():
    fields = SmtpMailer.model_fields
    assert fields["budget"].default + 2 * fields["timeout"].default < 50
    assert sum(fields["pauses"].default) < fields["budget"].default


# By the settings


def test_without_a_host_mails_are_files_in_the_home(tmp_path):
    mailer = build_resources(Settings(home=tmp_path, mail_to="ana@example.org"))["mailer"]
    assert isinstance(mailer, OutboxMailer)
    assert (mailer.destination, mailer.recipients) == (str(tmp_path / "outbox"), "ana@example.org")


def test_a_host_chooses_the_server_and_the_password_stays_a_name(tmp_path):
    settings = Settings(
        home=tmp_path,
        smtp_host="mail.example.org",
        smtp_user="ana",
        smtp_password=LOGIN[1],
        mail_from="Lyrics <lyrics@example.org>",
        mail_to="ana@example.org,bia@example.org",
        ui_url="https://dagster.example.org/",
    )
    mailer = build_resources(settings)["mailer"]
    assert isinstance(mailer, SmtpMailer)
    assert mailer.password == dg.EnvVar("LYRICS_SMTP_PASSWORD")
    assert LOGIN[1] not in f"{mailer!r} {settings!r}"
    assert mailer.destination == "mail.example.org:587"
    assert mailer.run_url("0123") == "https://dagster.example.org/runs/0123"


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_usual_port_follows_from_the_security(security, port):
    assert SmtpMailer(host="localhost", security=security).destination == f"localhost:{port}"


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"smtp_user": "ana", "smtp_password": "x"}, "LYRICS_SMTP_HOST is not set, LYRICS_SMTP_USER is"),
        ({"smtp_host": "m.example.org", "smtp_user": "ana"}, "LYRICS_SMTP_USER is set alone"),
        ({"smtp_host": "m.example.org", "smtp_password": "x"}, "LYRICS_SMTP_PASSWORD is set alone"),
        (
            {"smtp_host": "m.example.org", "smtp_user": "a", "smtp_password": "x", "smtp_security": "none"},
            "LYRICS_SMTP_SECURITY is none",
        ),
        ({"smtp_host": "m.example.org"}, "set LYRICS_MAIL_FROM and LYRICS_MAIL_TO"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_any_mail(tmp_path, changed, named):
    with pytest.raises(SettingsError, match=named):
        build_resources(Settings(home=tmp_path, **changed))


@pytest.mark.parametrize("text", ["nobody", "ana@", "@example.org", "ana@example.org bia@example.org", "a@b\nBcc: c@d"])
def test_an_address_that_is_none_is_refused(text):
    with pytest.raises(SettingsError, match=r"LYRICS_MAIL_TO: .*no mail address"):
        Settings.from_environment({"LYRICS_MAIL_TO": text})
