"""Where everything of one stack is: folders, ports, secrets, addresses. Members are written against this."""

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path

from infra.local import mariadb
from infra.local.credentials import Credentials

PROJECT = Path(__file__).resolve().parents[2]
CACHE = PROJECT / ".local" / "cache"
HOST = "127.0.0.1"

OWN_DATABASE = "ORDERS_DATABASE__URL"
"""Set in the outer environment, it names the database to use: then no MariaDB is started."""


@dataclass(kw_only=True)
class Layout:
    """The places of one stack. Ports are drawn before anything starts, so that members can name each other."""

    directory: Path
    credentials: Credentials
    cache: Path = CACHE
    extra_env: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    """By the name that a member gave them: `temporal`, `temporal_ui`, `mariadb`, ..."""
    proxied: dict[str, int] = field(default_factory=dict)
    """Ports of fault proxies, by target: `mariadb`, `temporal`, `provider`."""
    given_database_url: str | None = None

    def data(self, member: str) -> Path:
        """Return the folder in which `member` keeps its data."""
        return self.directory / "data" / member

    def log(self, member: str) -> Path:
        """Return the log file of `member`."""
        return self.directory / "logs" / f"{member}.log"

    def port(self, name: str, target: str | None = None) -> int:
        """Return the port to connect to for `name`: the fault proxy's for `target` (default: `name`) when there is one."""
        return self.proxied.get(target or name, self.ports[name])

    @property
    def temporal_address(self) -> str:
        """`host:port` of the Temporal server (or of its fault proxy)."""
        return f"{HOST}:{self.port('temporal')}"

    @property
    def codec_endpoint(self) -> str | None:
        """Where the Temporal UI has payloads opened; None in a stack without a codec server."""
        if "codec" not in self.ports:
            return None
        return f"http://{HOST}:{self.ports['codec']}/{self.credentials.codec_token}"

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the database (or of its fault proxy)."""
        if self.given_database_url is not None:
            return self.given_database_url
        return mariadb.url(self.port("mariadb"), self.credentials.database_password)

    @property
    def store(self) -> Path:
        """The object store's folder: statements and reports."""
        return self.directory / "data" / "store"

    @property
    def spans(self) -> Path:
        """The file that all processes write their spans to."""
        return self.directory / "spans.jsonl"

    def direct(self) -> "Layout":
        """Return the same layout without fault proxies: probes ask the members themselves."""
        return dataclasses.replace(self, proxied={})

    def urls(self) -> dict[str, str]:
        """Return the addresses a person or a test may want, by member; those of started members only."""
        addresses = {
            name: f"http://{HOST}:{port}"
            for name, port in self.ports.items()
            if name not in {"temporal", "mariadb", "smtp"}
        }
        if "temporal" in self.ports:
            addresses["temporal"] = self.temporal_address
        if "mariadb" in self.ports or self.given_database_url is not None:
            addresses["database"] = self.database_url
        return addresses

    def urls_to_show(self) -> dict[str, str]:
        """Return `urls` without the database's user and password: fit for a screen that may be shared."""
        shown = self.urls()
        if "database" in shown:
            shown["database"] = shown["database"].rpartition("@")[2].partition("?")[0]
        return shown


def outer_database_url() -> str | None:
    """Return the database that the outer environment wants to be used, if any."""
    return os.environ.get(OWN_DATABASE) or None
