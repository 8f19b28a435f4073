"""The database of the cloud on this machine: a server that is empty but for its master user, and takes only TLS."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pymysql
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from infra.local import mariadb
from infra.local.layout import HOST, Layout
from infra.local.members import Member

PASSWORD = "Master_9f2c41d6a8"  # no secret of anybody: made up for a server that lives for minutes


def member(master_user: str) -> Member:
    """Return the server as a member of a stack; `authority(layout)` is what its clients must trust."""

    def prepare(layout: Layout) -> None:
        data = layout.data("mariadb")
        data.parent.mkdir(parents=True, exist_ok=True)
        mariadb.prepare(data, layout.directory / "unused.sql", layout.cache, PASSWORD)
        _init_file(layout).write_text(
            f"CREATE OR REPLACE USER {master_user}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON *.* TO {master_user}@'127.0.0.1' WITH GRANT OPTION;\n",
            encoding="utf-8",
        )
        _certify(layout)

    def command(layout: Layout) -> list[str]:
        return [
            *mariadb.command(layout.data("mariadb"), layout.ports["mariadb"], _init_file(layout)),
            f"--ssl-ca={authority(layout)}",
            f"--ssl-cert={layout.directory / 'server.pem'}",
            f"--ssl-key={layout.directory / 'server.key'}",
            "--require-secure-transport=ON",
        ]

    async def ready(layout: Layout) -> None:
        await asyncio.to_thread(lambda: connect(layout, master_user, PASSWORD).close())

    return Member(
        name="mariadb",
        ports=("mariadb",),
        prepare=prepare,
        command=command,
        ready=ready,
        drain=15.0,
    )


def authority(layout: Layout) -> Path:
    """Return the file of the authority that signed the server's certificate."""
    return layout.directory / "authority.pem"


def connect(
    layout: Layout, user: str, password: str, database: str | None = None
) -> "pymysql.Connection[pymysql.cursors.Cursor]":
    """Connect as a client of the cloud does: encrypted, the server's name checked. Raises pymysql.MySQLError."""
    return pymysql.connect(
        host=HOST,
        port=layout.ports["mariadb"],
        user=user,
        password=password,
        database=database,
        connect_timeout=5,
        ssl=ssl.create_default_context(cafile=str(authority(layout))),
    )


def _init_file(layout: Layout) -> Path:
    return layout.directory / "master.sql"


def _certify(layout: Layout) -> None:
    """Write an authority, and a certificate of this host that it signed."""
    root, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the database service")])
    now = datetime.now(UTC)

    def certificate(key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
        )

    authority_of = (
        certificate(root)
        .subject_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(root, hashes.SHA256())
    )
    served = (
        certificate(server)
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)]))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(root, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    authority(layout).write_bytes(authority_of.public_bytes(pem))
    (layout.directory / "server.pem").write_bytes(served.public_bytes(pem))
    key = server.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (layout.directory / "server.key").touch(mode=0o600)
    (layout.directory / "server.key").write_bytes(key)
