"""The way to AWS (infra/docs/deploying.md) names what there is: variables, outputs, services, secrets, options of our own tool."""

import re
from pathlib import Path

import click
import pytest

from infra.deploy.__main__ import _parser
from tests.infra.configuration import AWS, PROJECT, blocks
from worker.cli.main import cli
from worker.cli.secrets import CONTENTS

WAY = (PROJECT / "infra" / "docs" / "deploying.md").read_text("utf-8")
BOOTSTRAP, DEV, PROD = AWS / "bootstrap", AWS / "examples" / "dev", AWS / "examples" / "prod"


def names(folder: Path, kind: str) -> set[str]:
    return {block.name for block in blocks(folder) if block.kind == kind}


def test_the_outputs_that_are_read_are_there() -> None:
    assert set(re.findall(r"bootstrap output -raw (\w+)", WAY)) <= names(BOOTSTRAP, "output")
    assert set(re.findall(r"terraform output -raw (\w+)", WAY)) <= names(DEV, "output") & names(PROD, "output")
    shown = set(re.findall(r'^(\w+) = "', WAY, re.MULTILINE))
    assert {"url", "webhook_url", "artifact_bucket", "state_bucket", "worker_repository_url"} <= shown
    assert shown <= names(DEV, "output") | names(BOOTSTRAP, "output")


def test_the_variables_that_are_set_are_there() -> None:
    given = {
        name for line in WAY.splitlines() if "bootstrap apply" in line for name in re.findall(r"-var (\w+)=", line)
    }
    assert given == {"region", "force_destroy"}
    assert given <= names(BOOTSTRAP, "variable")
    assert {"release", "deletion_protection", "snapshot_identifier"} <= names(PROD, "variable")
    assert {"release", "snapshot_identifier"} <= names(DEV, "variable")
    assert "deletion_protection" in (DEV / "main.tf").read_text("utf-8")


def test_the_files_that_are_copied_are_there() -> None:
    for folder in (DEV, PROD):
        example = (folder / "terraform.tfvars.example").read_text("utf-8")
        required = {
            block.name for block in blocks(folder) if block.kind == "variable" and "default" not in block.attributes
        }
        assert required <= set(re.findall(r"^(\w+)\s*=", example, re.MULTILINE))


def test_the_service_that_is_named_is_one_of_dev() -> None:
    services = set(re.findall(r"--service ([\w-]+)", WAY))
    main = (DEV / "main.tf").read_text("utf-8")
    groups = re.findall(r"worker_groups = \{\s*(\w+) = \{", main)
    assert services == {f"orders-dev-{group}" for group in groups}
    assert set(re.findall(r"--cluster ([\w-]+)", WAY)) == {"orders-dev"}
    assert 'name        = "orders"' in main
    assert 'environment = "dev"' in main


def test_every_secret_of_an_environment_is_put() -> None:
    loop = re.search(r"for key in ([A-Z_ ]+); do\n\s+orders secrets put (\S+) ORDERS_\$key", WAY)
    assert loop is not None
    put = {(loop[2], f"ORDERS_{key}") for key in loop[1].split()}
    put |= set(re.findall(r"orders secrets put (/orders/dev/\w+) (ORDERS_\w+)", WAY)) - {(loop[2], "ORDERS_")}
    by_kind = {kind: {key for secret, key in put if secret.endswith(f"/{kind}")} for kind in CONTENTS}
    # Only who sends webhooks has a secret to sign them with; the page of settings tells of it.
    assert by_kind["worker"] == set(CONTENTS["worker"]) - {"ORDERS_OUTBOUND__<SOURCE>__SECRETS"}
    assert by_kind["api"] == set(CONTENTS["api"])
    assert by_kind["temporal"] < set(CONTENTS["temporal"])
    assert by_kind["database"] == set(), "the deploy task writes it"
    assert "orders keys add /orders/dev/encryption" in WAY, "a key that is drawn is not put"
    assert by_kind["webhooks"] == {f"ORDERS_WEBHOOKS__{name}__SECRETS" for name in ("SHOPIFY", "STRIPE", "WAREHOUSE")}


@pytest.mark.parametrize("command", sorted(set(re.findall(r"python -m infra\.deploy ([^`\n|]+)", WAY))))
def test_our_tool_takes_what_is_typed(command: str) -> None:
    orders = _parser().parse_args(command.split()).command
    nouns = cli.get_command(click.Context(cli), orders[1])
    assert isinstance(nouns, click.Group)
    assert nouns.get_command(click.Context(nouns), orders[2]) is not None


def test_what_publish_says_is_what_it_says() -> None:
    source = (PROJECT / "infra" / "deploy" / "publish.py").read_text("utf-8")
    said = next(line for line in WAY.splitlines() if "is published" in line)
    assert said.removeprefix("deploy: 2026.7.1 ").replace("2026.7.1", "{name}") in source


def typed(text: str) -> list[tuple[str, str, list[str]]]:
    """Return the `orders` commands of a text: group, verb, options."""
    found = re.findall(r"(?:^|[`$|] ?)\s*orders ([a-z]+) ([a-z][a-z-]*)\b([^`\n#]*)", text, re.MULTILINE)
    return [(group, verb, re.findall(r"(?<!\S)--[a-z-]+", rest)) for group, verb, rest in found]


def test_every_secret_that_is_made_is_told_of() -> None:
    secrets = AWS / "modules" / "secrets"
    (containers,) = (each for each in blocks(secrets) if each.kind == "variable" and each.name == "containers")
    made = re.findall(r"^\s+(\w+)\s*=", containers.attributes["default"], re.MULTILINE)
    told = re.findall(r"^\| `<name>/<environment>/(\w+)`", (secrets / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(told) == sorted(made) == sorted(CONTENTS)


def test_every_state_is_kept_under_the_key_of_the_bootstrap() -> None:
    """A backend that is told the bucket alone asks S3 for S3's own key, whatever the bucket says."""
    for page in (WAY, *((folder / "README.md").read_text("utf-8") for folder in (BOOTSTRAP, DEV, PROD))):
        told = set(re.findall(r"terraform init[^`\n]* -backend-config=(\S+?)`?(?=[\s,]|$)", page))
        assert told, page[:60]
        assert {Path(each).name for each in told} == {"s3.tfbackend"}
        assert re.search(r"output -raw backend_config > \S+/s3\.tfbackend", page)


PAGES = [
    PROJECT / "README.md",
    # The page of commands is rendered from the commands; tests/docs holds every other page to click's own parser as well.
    *sorted(
        file
        for file in (PROJECT / "infra").rglob("*.md")
        if ".terraform" not in file.parts and file.name != "commands.md"
    ),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_the_commands_on_every_page_are_commands(page: Path) -> None:
    for group, verb, options in typed(page.read_text("utf-8")):
        nouns = cli.get_command(click.Context(cli), group)
        assert isinstance(nouns, click.Group), f"orders {group}"
        command = nouns.get_command(click.Context(nouns), verb)
        assert command is not None, f"orders {group} {verb}"
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert set(options) <= known, f"orders {group} {verb}"


def test_pages_are_read_as_they_are_written() -> None:
    text = "`orders secrets put a B`\n   $ orders secrets check x --api-key\n   orders reconcile run --shop main # --no"
    assert typed(text) == [
        ("secrets", "put", []),
        ("secrets", "check", ["--api-key"]),
        ("reconcile", "run", ["--shop"]),
    ]
    assert any(typed(page.read_text("utf-8")) for page in PAGES[1:])
