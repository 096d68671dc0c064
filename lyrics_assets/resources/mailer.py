"""Outgoing mail: .eml files in an outbox folder by default."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid
from pathlib import Path

import dagster as dg
from pydantic import Field


class Mailer(dg.ConfigurableResource, ABC):
    """Composes and delivers the project's mails."""

    sender: str = Field("lyrics-classifier@localhost", description="Address in From")
    recipients: str = Field("operator@localhost", description="Addresses in To, parted by commas")

    @abstractmethod
    def deliver(self, message: EmailMessage) -> str:
        """Hand over a complete message; return where it went, in words."""

    def send(
        self, subject: str, text: str, html: str | None = None, attachments: Mapping[str, bytes] | None = None
    ) -> str:
        """Send a mail in plain text, with the same in HTML beside it and JSON or PNG files attached."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.sender, self.recipients, subject
        message["Date"], message["Message-ID"] = format_datetime(localtime()), make_msgid(domain="lyrics-classifier")
        message.set_content(text)
        if html:
            message.add_alternative(html, subtype="html")
        for name, content in (attachments or {}).items():
            kind = ("image", "png") if name.endswith(".png") else ("application", "json")
            message.add_attachment(content, maintype=kind[0], subtype=kind[1], filename=name)
        return self.deliver(message)


class OutboxMailer(Mailer):
    """Writes each mail as an .eml file, which any mail program opens."""

    outbox: str = Field(description="Folder of the .eml files")

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
