"""The connection to Temporal: what goes together, and what is refused before anybody connects."""

import pytest

from worker.contract.settings import Secret
from worker.contract.temporal_tls import TemporalConfig, problems_of, tls_pieces

CERTIFICATE = "-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----"
KEY = "-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----"


def config(address: str = "temporal.example:7233", *, tls: bool = True, **more: str) -> TemporalConfig:
    secret = {name: Secret(more[name]) for name in ("api_key", "client_cert", "client_key") if name in more}
    return TemporalConfig(
        address=address,
        namespace="default",
        tls=tls,
        api_key=secret.get("api_key"),
        client_cert=secret.get("client_cert"),
        client_key=secret.get("client_key"),
        server_ca=more.get("server_ca"),
        server_name=more.get("server_name"),
    )


@pytest.mark.parametrize(
    "sound",
    [
        config(tls=False),
        config(),
        config(api_key="key"),
        config(client_cert=CERTIFICATE, client_key=KEY, server_ca=CERTIFICATE, server_name="temporal.internal"),
        config("[::1]:7233", tls=False),
        config(api_key="", client_cert="", client_key=""),
    ],
)
def test_what_goes_together(sound: TemporalConfig) -> None:
    assert problems_of(sound) == []


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (config("temporal.example"), "temporal.address"),
        (config(tls=False, api_key="sk-never-shown"), "temporal.api_key"),
        (config(tls=False, client_cert=CERTIFICATE, client_key=KEY), "temporal.client_cert"),
        (config(tls=False, server_name="other"), "temporal.server_name"),
        (config(client_cert=CERTIFICATE), "mTLS needs both"),
        (config(client_cert="sk-never-shown", client_key=KEY), "temporal.client_cert: is no PEM"),
        (config(client_cert=CERTIFICATE, client_key="sk-never-shown"), "temporal.client_key: is no PEM"),
        (config(server_ca="/etc/ssl/ca.pem"), "temporal.server_ca"),
        (config(api_key="sk-never-shown", client_cert=CERTIFICATE, client_key=KEY), "choose one"),
    ],
)
def test_what_does_not_go_together_is_named_without_being_shown(wrong: TemporalConfig, named: str) -> None:
    told = "\n".join(problems_of(wrong))
    assert named in told
    assert "sk-never-shown" not in told


def test_a_connection_without_tls_has_no_pieces() -> None:
    assert tls_pieces(config(tls=False)) is None


def test_line_ends_may_be_written() -> None:
    pieces = tls_pieces(config(client_cert=CERTIFICATE, client_key=KEY))
    assert pieces is not None
    assert pieces.client_cert == b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
    assert pieces.client_private_key == KEY.replace("\\n", "\n").encode()
    assert (pieces.server_root_ca_cert, pieces.domain) == (None, None)
