"""What a mail relay says decides whether saying it again helps."""

import smtplib
from typing import Self

import pytest

from worker.domain.errors import OrdersError, ProviderRejected, ProviderUnavailable
from worker.gateways.mail import SmtpMail

ADDRESS = "someone@shop.example"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (smtplib.SMTPRecipientsRefused({ADDRESS: (550, b"no such user")}), ProviderRejected),
        (smtplib.SMTPRecipientsRefused({ADDRESS: (450, b"greylisted")}), ProviderUnavailable),
        (smtplib.SMTPDataError(554, b"refused"), ProviderRejected),
        (smtplib.SMTPDataError(451, b"later"), ProviderUnavailable),
        (smtplib.SMTPSenderRefused(421, b"busy", "orders@shop.example"), ProviderUnavailable),
        (smtplib.SMTPAuthenticationError(535, b"wrong password"), ProviderUnavailable),
        (smtplib.SMTPNotSupportedError("SMTPUTF8"), ProviderRejected),
        (smtplib.SMTPServerDisconnected("gone"), ProviderUnavailable),
        (ConnectionRefusedError(), ProviderUnavailable),
    ],
)
def test_only_a_refusal_for_good_is_final(
    monkeypatch: pytest.MonkeyPatch, said: Exception, meant: type[OrdersError]
) -> None:
    class Relay:
        def __init__(self, host: str, port: int, timeout: int) -> None:
            pass

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def send_message(self, message: object) -> None:
            raise said

    monkeypatch.setattr(smtplib, "SMTP", Relay)
    mail = SmtpMail(host="relay.example", port=25, sender="orders@shop.example")
    with pytest.raises(meant) as refused:
        mail.send(to=ADDRESS, subject="s", text="t", message_id="<m@orders>")
    assert type(refused.value) is meant
    assert ADDRESS not in str(refused.value)
