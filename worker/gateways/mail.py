"""Outgoing mail over SMTP."""

import smtplib
from email.message import EmailMessage
from email.utils import localtime

from worker.domain.errors import InvalidInput, ProviderUnavailable

TIMEOUT_SECONDS = 10


class SmtpMail:
    """Implements `MailGateway` with one relay."""

    def __init__(self, *, host: str, port: int, sender: str) -> None:
        self._host = host
        self._port = port
        self._sender = sender

    def send(self, *, to: str, subject: str, text: str, message_id: str) -> None:
        """Hand one mail to the relay. Raises ProviderUnavailable or InvalidInput; the address stands in no error."""
        message = EmailMessage()
        message["From"] = self._sender
        try:
            message["To"] = to
        except ValueError:
            raise InvalidInput("the mail's address holds line breaks") from None
        message["Subject"] = subject
        message["Date"] = localtime()
        message["Message-ID"] = message_id
        message.set_content(text)
        try:
            with smtplib.SMTP(self._host, self._port, timeout=TIMEOUT_SECONDS) as relay:
                relay.send_message(message)
        except (OSError, smtplib.SMTPException) as problem:
            raise ProviderUnavailable(f"the mail relay did not take the mail: {type(problem).__name__}") from None
