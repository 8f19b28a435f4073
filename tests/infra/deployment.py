"""One environment from nothing: the bootstrap, the secrets, a release, `terraform apply`; what an engineer would type.

Everything that AWS would run is real: the deploy task is our program on a real database, and the temporal server, the
provider, the shop and the warehouse are those of the local stack. The only differences to an account are in
`proof_override.tf.json` (state on disk, no retries), and in the addresses of Deployment.instead.
"""

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local import freeports
from infra.local.blocking import BlockingStack
from infra.local.layout import HOST
from infra.local.stack import Stack
from tests.infra import cloud_database
from tests.infra.configuration import AWS, PROJECT
from tests.infra.fake import FakeAws, running
from tests.infra.fake_aws.containers import REGION
from tests.infra.terraform import Configuration, Done, clean_environ, copied

NAME, ENVIRONMENT = "orders", "dev"
PREFIX = f"{NAME}-{ENVIRONMENT}"
FIRST, SECOND = "r1", "r2"
_APPLYING = 420
_PLANNING = 120


@dataclass(kw_only=True)
class Deployment:
    """An environment that is being made, changed, destroyed."""

    folder: Path
    stack: BlockingStack
    fake: FakeAws
    bootstrap: Configuration
    dev: Configuration
    gateway_port: int
    health_port: int
    outputs: dict[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    """Everything that Terraform printed."""

    @property
    def secrets(self) -> dict[str, dict[str, str]]:
        """What a person puts into the secret containers, by container."""
        env = self.stack.env
        wanted = {
            "api": ["ORDERS_API__KEYS"],
            "encryption": ["ORDERS_ENCRYPTION__KEYS"],
            "webhooks": [name for name in env if re.fullmatch(r"ORDERS_WEBHOOKS__\w+__SECRETS", name)],
            "worker": [
                "ORDERS_USERS__TOKEN_KEY",
                "ORDERS_PROVIDER__API_KEY",
                "ORDERS_SHOP__ACCESS_TOKEN",
                "ORDERS_WAREHOUSE__SECRET",
                "ORDERS_WAREHOUSE__TOKEN",
            ],
        }
        return {container: {name: env[name] for name in names} for container, names in wanted.items()}

    def make_bootstrap(self) -> None:
        """Apply the bootstrap: buckets, registries, empty secrets, the roles of the pipeline."""
        variables = {"region": REGION, "github_repository": "example/orders", "environments": [ENVIRONMENT]}
        _override(self.bootstrap, {}, variables)
        self.bootstrap.init()
        self.said.append(self.bootstrap.run(*_APPLY, seconds=_APPLYING).ok())

    def put_secrets(self) -> None:
        """Fill the secret containers, as a person does: by the command line, the value through its input."""
        for container, values in self.secrets.items():
            for name, value in values.items():
                self.orders("secrets", "put", f"/{NAME}/{ENVIRONMENT}/{container}", name, given=value)
        self.orders("secrets", "check", f"/{NAME}/{ENVIRONMENT}")

    def orders(self, *arguments: str, given: str = "") -> None:
        """Run the `orders` command as an administrator; it must succeed."""
        self._run("worker", *arguments, given=given)

    def _run(self, module: str, *arguments: str, given: str = "") -> None:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=PROJECT,
            env={**clean_environ(), **self.fake.administrator},
            input=given,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        self.said.append(done.stdout + done.stderr)
        assert done.returncode == 0, done.stdout + done.stderr

    def publish(self, release: str) -> None:
        """Publish the functions of this checkout as a release, built for this machine instead of Lambda's."""
        platform = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[os.uname().machine]
        options = ("--release", release, "--platform", platform, "--only", "functions")
        self._run("infra.deploy", "publish", *options, "--bootstrap", str(self.bootstrap.folder))

    def configure(self, release: str, *, alarm_email: str | None = None, **switches: Any) -> None:
        """Write what the engineer would write into terraform.tfvars, for a release, and `switches` into main.tf."""
        simulator = self.stack.url("simulator")
        given = self.bootstrap.json("output", "-json")
        variables = {
            "region": REGION,
            "release": release,
            "alarm_email": alarm_email,
            "artifact_bucket": given["artifact_bucket"]["value"],
            "worker_repository_url": given["worker_repository_url"]["value"],
            "temporal": {"address": self.stack.url("temporal"), "namespace": "default", "auth": "none"},
            "worker_settings": {
                "ORDERS_PROVIDER__API_BASE": f"{simulator}/stripe",
                "ORDERS_SHOP__API_BASE": f"{simulator}/shopify",
                "ORDERS_WAREHOUSE__API_BASE": f"{simulator}/warehouse",
                "ORDERS_MAIL__HOST": HOST,
                "ORDERS_MAIL__PORT": str(self.stack.stack.layout.ports["smtp"]),
                "ORDERS_USERS__CONFIRM_URL": f"http://{HOST}:{self.gateway_port}/users/{{user_id}}/confirm",
                "ORDERS_RECONCILIATION__PAYMENT_GRACE_SECONDS": "5",
                "ORDERS_RECONCILIATION__SHIPMENT_GRACE_SECONDS": "20",
                "ORDERS_RECONCILIATION__ORDER_GRACE_SECONDS": "5",
            },
        }
        _override(self.dev, {"module": {"orders": {"python": sys.executable, **switches}}}, variables)

    def apply(self) -> Done:
        """Apply the environment."""
        done = self.dev.run(*_APPLY, seconds=_APPLYING)
        self.said.append(done.output)
        return done

    def planned(self, *options: str) -> dict[str, Any]:
        """Return a plan as JSON."""
        self.said.append(self.dev.run("plan", "-input=false", "-out=plan", *options, seconds=_PLANNING).ok())
        plan: dict[str, Any] = self.dev.json("show", "-json", "plan")
        return plan

    def read_outputs(self) -> None:
        """Read what the environment tells of itself."""
        self.outputs = {name: each["value"] for name, each in self.dev.json("output", "-json").items()}

    def control(self, path: str) -> Any:
        """Ask the simulated outside world."""
        with urllib.request.urlopen(f"{self.stack.url('simulator')}/_sim{path}", timeout=10) as answer:  # noqa: S310 - http
            return json.load(answer)

    def instead(self) -> dict[str, str]:
        """Return the variables of a task that are others on this machine: where things are, not what they are."""
        layout = self.stack.stack.layout
        return {
            "ORDERS_DEPLOY__DATABASE_HOST": HOST,
            "ORDERS_DEPLOY__DATABASE_PORT": str(layout.ports["mariadb"]),
            "ORDERS_DATABASE__CA_FILE": str(cloud_database.authority(layout)),
            "ORDERS_WORKER__HEALTH_PORT": str(self.health_port),
        }


_APPLY = ("apply", "-input=false", "-auto-approve", "-parallelism=20")


@contextmanager
def prepared(folder: Path) -> Iterator[Deployment]:
    """Start what surrounds an environment, with nothing applied yet; end it when the block ends."""
    with ExitStack() as ending:
        stack = ending.enter_context(
            BlockingStack(
                Stack(folder / "stack", members=[cloud_database.member(master_user()), "temporal", "simulator"])
            )
        )
        fake = ending.enter_context(
            running(
                folder / "fake",
                program=[sys.executable, "-m", "worker"],
                environment={},
                master_password=cloud_database.PASSWORD,
            )
        )
        copy = folder / "checkout"
        gateway_port = freeports.free_port()
        deployment = Deployment(
            folder=folder,
            stack=stack,
            fake=fake,
            bootstrap=copied("bootstrap", copy, fake.administrator),
            dev=copied("examples/dev", copy, fake.administrator),
            gateway_port=gateway_port,
            health_port=freeports.free_port(frozenset({gateway_port})),
        )
        fake.instead(**deployment.instead())
        yield deployment


def master_user() -> str:
    """Return the name that the database module gives the master user."""
    text = "\n".join(file.read_text("utf-8") for file in sorted((AWS / "modules" / "database").glob("*.tf")))
    names: list[str] = re.findall(r'\b(?:master_)?username\s*=\s*"(\w+)"', text)
    (name,) = set(names)
    return name


def _override(configuration: Configuration, content: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
    """Write the two files that make a root one of the proof: the state on disk, errors told soon."""
    override = {"terraform": {"backend": {"local": {}}}, "provider": {"aws": {"max_retries": 4}}, **content}
    folder = configuration.folder
    (folder / "proof_override.tf.json").write_text(json.dumps(override, indent=2), encoding="utf-8")
    (folder / "proof.auto.tfvars.json").write_text(json.dumps(dict(variables), indent=2), encoding="utf-8")
