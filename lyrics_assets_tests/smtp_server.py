"""A real mail server on loopback, which keeps what it is given and can be told how to answer."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from lyrics_assets_tests.hopsworks_server.certificates import make_certificates


@dataclass
class Server:
    """What the server has seen, and what it is to answer."""

    port: int = 0
    login: tuple[str, str] | None = None
    rcpt: dict[str, Iterator[str]] = field(default_factory=dict)
    """Answers to RCPT by address, one a try; then, and to all others, it says yes."""
    data: Iterator[str] = field(default_factory=lambda: iter(()))
    """Answers to DATA, one a try; then it takes the mail."""
    quit: str = ""
    """Its answer to QUIT, if not the usual one."""
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    """Of each mail."""
    connections: int = 0
    clear: bytearray = field(default_factory=bytearray)
    """All that clients sent before any encryption."""

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [line for line in responses if self.login or "AUTH" not in line]

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = next(self.rcpt.get(address, iter(())), "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = next(self.data, "250 OK")
        if answer.startswith("250"):
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
            self.recipients.append(list(envelope.rcpt_tos))
        return answer

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        return self.quit or "221 Bye"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        given = (data.login.decode(), data.password.decode())
        # As servers exist that repeat what they were told.
        refusal = f"535 5.7.8 {given[0]} {given[1]} not accepted"
        return AuthResult(success=given == self.login, handled=False, message=refusal)


class _Listener(SMTP):
    """The protocol, with an ear for what comes in the clear."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.event_handler.connections += self.session is None
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self.transport.get_extra_info("sslcontext") is None:
            self.event_handler.clear += data
        super().data_received(data)


@contextlib.contextmanager
def smtp_server(server: Server, certificate: Path | None = None, *, tls: bool = False) -> Iterator[Server]:
    """Serve on a free port of 127.0.0.1 until the context ends.

    Args:
        server: how to answer; what is seen is put there too.
        certificate: PEM file of a certificate and its key, with which STARTTLS is offered, and needed for a login.
        tls: speak TLS from the first byte instead.
    """
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    def protocol() -> SMTP:
        return _Listener(
            server,
            hostname="localhost",
            tls_context=None if tls else context,
            authenticator=server.authenticate,
            auth_require_tls=bool(context) and not tls,
        )

    loop = asyncio.new_event_loop()
    # Errors of connections that clients break off are what the tests are about.
    loop.set_exception_handler(lambda *_: None)
    listening = loop.run_until_complete(loop.create_server(protocol, "127.0.0.1", 0, ssl=context if tls else None))
    server.port = listening.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, name="smtp", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(_close(listening), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()


async def _close(listening: asyncio.Server) -> None:
    listening.close()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class Certificates(NamedTuple):
    """PEM files."""

    server: Path
    """Of localhost, with its key."""
    other: Path
    """Of somebody else whom the same authority signed, with the key."""
    authority: Path


def write_certificates(folder: Path) -> Certificates:
    """Write an authority's certificate and two that it signed."""
    made = make_certificates()
    files = Certificates(folder / "server.pem", folder / "other.pem", folder / "authority.pem")
    files.server.write_bytes(made.server.key + made.server.certificate)
    files.other.write_bytes(made.user.key + made.user.certificate)
    files.authority.write_bytes(made.authority)
    return files
