"""Outgoing mail over SMTP."""

import smtplib
from email.message import EmailMessage
from email.utils import localtime

from worker.domain.errors import InvalidInput, ProviderRejected, ProviderUnavailable

TIMEOUT_SECONDS = 10


class SmtpMail:
    """Implements `MailGateway` with one relay."""

    def __init__(self, *, host: str, port: int, sender: str) -> None:
        self._host = host
        self._port = port
        self._sender = sender

    def send(self, *, to: str, subject: str, text: str, message_id: str) -> None:
        """Hand one mail to the relay; the address stands in no error.

        Raises ProviderUnavailable, ProviderRejected when the relay refuses it for good (5xx), InvalidInput.
        """
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
            if _for_good(problem):
                raise ProviderRejected(f"the mail relay refuses the mail: {type(problem).__name__}") from None
            raise ProviderUnavailable(f"the mail relay did not take the mail: {type(problem).__name__}") from None


def _for_good(problem: Exception) -> bool:
    """Tell whether the relay will say the same again (RFC 5321: replies from 500 on)."""
    if isinstance(problem, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in problem.recipients.values())
    if isinstance(problem, smtplib.SMTPAuthenticationError):
        return False  # ours to mend
    return isinstance(problem, smtplib.SMTPNotSupportedError) or (
        isinstance(problem, smtplib.SMTPResponseException) and problem.smtp_code >= 500
    )
