"""Outgoing mail: .eml files in an outbox folder by default, or a server by SMTP."""

import ipaddress
import re
import smtplib
import socket
import ssl
import threading
import time
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from email import policy
from email.message import EmailMessage, MIMEPart
from email.utils import format_datetime, getaddresses, localtime, make_msgid
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, NamedTuple

import dagster as dg
from pydantic import Field

from lyrics_assets.resources.secrets import reveal

PASSWORD = "LYRICS_SMTP_PASSWORD"  # noqa: S105  the name of the variable
OPEN_LOGIN = (
    f"LYRICS_SMTP_SECURITY is none: {PASSWORD} would go over the network in the clear. Use starttls or tls; only a "
    "server on this machine may be logged into without"
)
MAX_SUBJECT = 150
"""Characters of a subject; mail programs show fewer."""

# Seven bits: a server need not take more, and lines stay short whatever a text holds.
_POLICY = policy.default.clone(cte_type="7bit")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_USUAL_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_MAX_ANSWER = 200

Security = Literal["starttls", "tls", "none"]


class MailError(RuntimeError):
    """A mail was not delivered; the message names the setting to look at, and never holds the password."""

    def __init__(self, message: str, *, temporary: bool = False) -> None:
        super().__init__(message)
        self.temporary = temporary
        """Whether the same may succeed a little later."""


class Picture(NamedTuple):
    """A PNG that a mail shows within its HTML."""

    name: str
    """Such as ``calibration.png``."""
    content: bytes

    @property
    def cid(self) -> str:
        """What the HTML calls it: ``<img src="cid:...">``. Other contents have other names, for programs that cache."""
        return f"{sha256(self.content).hexdigest()[:16]}.{self.name}@lyrics-classifier"


class Mailer(dg.ConfigurableResource, ABC):
    """Composes and delivers the project's mails."""

    sender: str = Field("lyrics-classifier@localhost", description="Address in From")
    recipients: str = Field("operator@localhost", description="Addresses in To, parted by commas")
    ui_url: str = Field("http://127.0.0.1:3000", description="Of the Dagster UI, to which mails link")

    @property
    @abstractmethod
    def destination(self) -> str:
        """Where mails go, in words."""

    @abstractmethod
    def deliver(self, message: EmailMessage) -> str:
        """Hand over a complete message; return where it went, in words."""

    def run_url(self, run_id: str) -> str:
        """Return the address of a run in the Dagster UI."""
        return f"{self.ui_url.rstrip('/')}/runs/{run_id}"

    def send(
        self,
        subject: str,
        text: str,
        html: str | None = None,
        pictures: Sequence[Picture] = (),
        attachments: Mapping[str, bytes] | None = None,
    ) -> str:
        """Send a mail in plain text, with the same in HTML beside it, and files attached.

        Args:
            subject: one line; control characters in it become spaces.
            text: the mail for programs, and people, that want no HTML.
            html: the same as a page.
            pictures: what the page shows by ``cid:``.
            attachments: JSON files by name.
        """
        message = EmailMessage(policy=_POLICY)
        message["From"], message["To"], message["Subject"] = self.sender, self.recipients, _one_line(subject)
        domain = self.sender.rpartition("@")[2].strip(" >")
        message["Date"], message["Message-ID"] = format_datetime(localtime()), make_msgid(domain=domain)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence is to answer
        message.set_content(_encodable(text))
        if html:
            message.add_alternative(_encodable(html), subtype="html")
            _add_pictures(message.get_body(("html",)), pictures)
        for name, content in (attachments or {}).items():
            message.add_attachment(content, maintype="application", subtype="json", filename=name)
        return self.deliver(message)


def _add_pictures(page: MIMEPart, pictures: Sequence[Picture]) -> None:
    """Make the part of a page one that brings its pictures along."""
    for picture in pictures:
        cid = f"<{picture.cid}>"
        page.add_related(picture.content, "image", "png", cid=cid, filename=picture.name, disposition="inline")
    if pictures:
        page.set_param("type", "text/html")  # RFC 2387: of the part that shows the others


def _encodable(text: str) -> str:
    """Return a text without halves of characters, which come of names of files."""
    return text.encode(errors="replace").decode()


def _one_line(subject: str) -> str:
    """Return a subject that can hold no further header, whoever wrote the title in it."""
    line = " ".join(_CONTROLS.sub(" ", subject).split())
    return line if len(line) <= MAX_SUBJECT else f"{line[: MAX_SUBJECT - 1]}…"


class OutboxMailer(Mailer):
    """Writes each mail as an .eml file, which any mail program opens."""

    outbox: str = Field(description="Folder of the .eml files")

    @property
    def destination(self) -> str:
        """The folder."""
        return self.outbox

    def deliver(self, message: EmailMessage) -> str:
        """Write the file; its name is the time, the subject and the message's id."""
        folder = Path(self.outbox)
        folder.mkdir(parents=True, exist_ok=True)
        subject = re.sub(r"[^a-z0-9]+", "-", str(message["Subject"]).lower()).strip("-")[:60]
        unique = str(message["Message-ID"]).strip("<>").split("@")[0].replace(".", "-")
        path = folder / f"{localtime():%Y%m%d-%H%M%S}-{subject}-{unique}.eml"
        part = path.with_suffix(".part")
        part.write_bytes(bytes(message))
        part.rename(path)
        return str(path)


class _Clocked(smtplib.SMTP):
    """A connection that is cut off after some seconds: a server may be just quick enough at each of many answers."""

    def __init__(self, host: str, port: int, *, seconds: float, **options: Any) -> None:
        self._clock = threading.Timer(seconds, self._cut)
        self._clock.daemon = True
        self._clock.start()
        try:
            super().__init__(host, port, **options)
        except BaseException:
            self._clock.cancel()
            raise

    def close(self) -> None:
        self._clock.cancel()
        super().close()

    def _cut(self) -> None:
        connection = self.sock
        with suppress(OSError):
            if connection:
                # Not the TLS socket's own: that one would have the waiting thread fail in another way.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _ClockedTls(_Clocked, smtplib.SMTP_SSL):
    """The same with TLS from the first byte."""


class SmtpMailer(Mailer):
    """Hands each mail to a server; tries again while it says that it cannot take the mail just now."""

    host: str = Field(min_length=1, description="Of the server, as its certificate names it")
    port: int = Field(0, ge=0, le=65535, description="0 for the usual one: 587 with STARTTLS, 465 with TLS, 25")
    security: Security = Field("starttls", description="STARTTLS, TLS from the first byte, or none")
    user: str = Field("", description="Name to log in with; empty: no login")
    password: str = Field("", description="Of that user")
    ca_file: str = Field("", description="PEM file of the authority that signed the server; empty: the system's")
    timeout: float = Field(8.0, gt=0, description="Longest wait for a connection or an answer, seconds")
    # Dagster gives the tick of a sensor 60 s.
    budget: float = Field(25.0, gt=0, description="After so many seconds a delivery is given up, retries included")
    pauses: list[float] = Field([1.0, 3.0, 9.0], description="Seconds before each further try")

    @property
    def destination(self) -> str:
        """The server and its port."""
        return f"{self.host}:{self.port or _USUAL_PORTS[self.security]}"

    def deliver(self, message: EmailMessage) -> str:
        """Hand a message over; it counts as delivered once the server has taken it for one recipient.

        Who was refused is named in what is returned, and in the log: the others have the mail.

        Raises:
            MailError: the server took it for nobody.
        """
        outcome: dict[str, MailError | None] = {}
        waiting = [address for _, address in getaddresses([str(message["To"])])]
        end = time.monotonic() + self.budget
        for pause in (*self.pauses, None):
            outcome |= self._hand_over(message, waiting, end)
            waiting = [name for name in waiting if (problem := outcome[name]) and problem.temporary]
            if not waiting or pause is None or time.monotonic() + pause >= end:
                break
            time.sleep(pause)
        problems = [problem for problem in outcome.values() if problem]
        if len(problems) == len(outcome):
            raise problems[0]
        words = "; ".join([self.destination, *(f"but not: {problem}" for problem in problems)])
        if problems:
            dg.get_dagster_logger(__name__).warning("delivered to %s", words)
        return words

    def _hand_over(self, message: EmailMessage, waiting: list[str], end: float) -> dict[str, MailError | None]:
        """Try once; return for each recipient why the server did not take the mail, None where it did."""
        try:
            with self._session(end) as server:
                refused = server.send_message(message, to_addrs=waiting)
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        except MailError as error:
            return dict.fromkeys(waiting, error)
        except OSError as error:  # of which smtplib's and ssl's errors are kinds
            return dict.fromkeys(waiting, self._explain(error))
        return {name: self._refusal(name, *refused[name]) if name in refused else None for name in waiting}

    @contextmanager
    def _session(self, end: float) -> Iterator[smtplib.SMTP]:
        """Yield a connection, secured and logged in, that is cut off at the end of the time."""
        if self.security == "none" and self.user and not on_loopback(self.host):
            raise MailError(OPEN_LOGIN)
        context, left = self._trust(), max(0.1, end - time.monotonic())
        host, port = self.host, self.port or _USUAL_PORTS[self.security]
        limits = {"seconds": left, "timeout": min(self.timeout, left)}
        server = (
            _ClockedTls(host, port, context=context, **limits)
            if self.security == "tls"
            else _Clocked(host, port, **limits)
        )
        try:
            server.ehlo_or_helo_if_needed()
            if self.security == "starttls":
                self._secure(server, context)
            if self.user:
                self._log_in(server)
            yield server
            # The mail is accepted: what the server says to the farewell must not have it sent again.
            with suppress(OSError):
                server.quit()
        finally:
            server.close()

    def _trust(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_file or None)
        except OSError as error:
            reason = "no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
            raise MailError(f"LYRICS_SMTP_CA_FILE: {self.ca_file}: {reason}") from None

    def _secure(self, server: smtplib.SMTP, context: ssl.SSLContext) -> None:
        if not server.has_extn("starttls"):
            raise MailError(
                f"{self.destination} offers no STARTTLS, so nothing was sent: check LYRICS_SMTP_PORT; "
                "LYRICS_SMTP_SECURITY=tls is for a server that speaks TLS from the first byte"
            )
        server.starttls(context=context)
        server.ehlo_or_helo_if_needed()

    def _log_in(self, server: smtplib.SMTP) -> None:
        if not server.has_extn("auth"):
            raise MailError(
                f"{self.destination} offers no login: check LYRICS_SMTP_PORT and LYRICS_SMTP_SECURITY, or unset "
                f"LYRICS_SMTP_USER and {PASSWORD}"
            )
        server.login(self.user, reveal(self.password))

    def _explain(self, error: OSError) -> MailError:
        """Return what went wrong, with the setting to look at."""
        there = self.destination
        match error:
            case smtplib.SMTPAuthenticationError():
                hint = f"refused the login of {self.user}: LYRICS_SMTP_USER, {PASSWORD}"
            case smtplib.SMTPSenderRefused():
                hint = f"refused the sender {self.sender}: LYRICS_MAIL_FROM"
            case smtplib.SMTPDataError():
                hint = "refused the mail"
            case smtplib.SMTPResponseException():
                hint = "refused the connection: LYRICS_SMTP_HOST, LYRICS_SMTP_PORT"
            case smtplib.SMTPException() if not isinstance(error, smtplib.SMTPServerDisconnected):
                return MailError(f"{there} lacks what is asked of it ({error}): LYRICS_SMTP_USER, LYRICS_MAIL_TO")
            case ssl.SSLCertVerificationError():
                return MailError(
                    f"{there} has a certificate that is not trusted ({error.verify_message}), so nothing was sent: "
                    "LYRICS_SMTP_HOST must be the name in it, LYRICS_SMTP_CA_FILE a PEM file of who signed it"
                )
            case ssl.SSLError() if not isinstance(error, ssl.SSLEOFError):
                return MailError(
                    f"{there} does not speak TLS as asked ({error.reason}): LYRICS_SMTP_SECURITY is {self.security}"
                )
            case socket.gaierror() if error.errno != socket.EAI_AGAIN:
                return MailError(f"{self.host} is no known host ({error.strerror}): LYRICS_SMTP_HOST")
            case _:
                return MailError(
                    f"{there} is out of reach or does not answer ({error}): LYRICS_SMTP_HOST, LYRICS_SMTP_PORT, "
                    f"LYRICS_SMTP_SECURITY ({self.security})",
                    temporary=True,
                )
        return self._refused(f"{there} {hint}", error.smtp_code, error.smtp_error)

    def _refusal(self, recipient: str, code: int, answer: bytes | str) -> MailError:
        return self._refused(f"{self.destination} refused the recipient {recipient}: LYRICS_MAIL_TO", code, answer)

    def _secrets(self) -> list[str]:
        """Return the password in each form in which a server may repeat what it was told."""
        if not (password := reveal(self.password)):
            return []
        plain = f"\0{self.user}\0{password}"
        return [*(b64encode(told.encode()).decode() for told in (plain, password)), password]

    def _refused(self, what: str, code: int, answer: bytes | str) -> MailError:
        """Return the error of a server's answer: of 4xx it says that it is temporary (RFC 5321, section 4.2.1)."""
        said = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
        said = " ".join(_CONTROLS.sub(" ", said).split())
        for secret in self._secrets():
            said = said.replace(secret, "***")
        return MailError(f"{what} ({code} {said[:_MAX_ANSWER]})", temporary=400 <= code < 500)


def on_loopback(host: str) -> bool:
    """Tell whether a host is this machine, so that what is sent to it crosses no network."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host.lower() == "localhost"
