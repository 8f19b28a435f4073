"""The connection to Temporal as settings tell it: one object for Temporal Cloud, a cluster of one's own, a dev server.

Who we are is proven by an API key or by a client certificate (mTLS), or not at all; who the server is, by its
certificate: of a public authority, or of `server_ca`. A key or a certificate without TLS is refused, as both would
travel where others read.
"""

from dataclasses import dataclass

from worker.contract.settings import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalConfig:
    r"""How to reach the Temporal server. Certificates and keys are PEM texts, whose line ends may be written `\n`.

    `server_name` is the name that the server's certificate must have, where it is another than the address's.
    """

    address: str
    namespace: str
    tls: bool
    api_key: Secret | None = None
    client_cert: Secret | None = None
    client_key: Secret | None = None
    server_ca: str | None = None
    server_name: str | None = None
    ui_url: str = ""
    """Where people look at workflows; commands print links to it. Empty: none is printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsPieces:
    """What a client's TLS is made of; None is the library's default."""

    server_root_ca_cert: bytes | None
    domain: str | None
    client_cert: bytes | None
    client_private_key: bytes | None


def tls_pieces(config: TemporalConfig) -> TlsPieces | None:
    """Return what the TLS of a connection is made of, None for a connection without. Assumes no `problems_of`."""
    if not config.tls:
        return None
    return TlsPieces(
        server_root_ca_cert=_pem(config.server_ca),
        domain=config.server_name or None,
        client_cert=_pem(_revealed(config.client_cert)),
        client_private_key=_pem(_revealed(config.client_key)),
    )


def problems_of(config: TemporalConfig) -> list[str]:
    """Return what does not go together in a connection's settings; empty when all does. Shows no secret."""
    key, certificate = _revealed(config.client_key), _revealed(config.client_cert)
    problems: list[str] = []
    host, _, port = config.address.rpartition(":")
    if not host or not port.isdecimal():
        problems.append("temporal.address: must read host:port")
    if bool(key) != bool(certificate):
        problems.append("temporal.client_cert and temporal.client_key: one without the other; mTLS needs both")
    if certificate and "BEGIN CERTIFICATE" not in certificate:
        problems.append("temporal.client_cert: is no PEM certificate")
    if key and "PRIVATE KEY" not in key:
        problems.append("temporal.client_key: is no PEM private key")
    if config.server_ca and "BEGIN CERTIFICATE" not in config.server_ca:
        problems.append("temporal.server_ca: is no PEM certificate")
    if certificate and _revealed(config.api_key):
        problems.append("temporal.api_key and temporal.client_cert: choose one way to say who we are")
    if not config.tls:
        problems.extend(
            f"temporal.{name}: needs temporal.tls = true"
            for name, value in (
                ("api_key", _revealed(config.api_key)),
                ("client_cert", certificate),
                ("server_ca", config.server_ca),
                ("server_name", config.server_name),
            )
            if value
        )
    return problems


def _revealed(secret: Secret | None) -> str:
    return secret.reveal() if secret is not None else ""


def _pem(text: str | None) -> bytes | None:
    return text.replace("\\n", "\n").encode() if text else None
