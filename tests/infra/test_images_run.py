"""The images' entry points, run from an unpacked tree as another user who can write nothing."""

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from infra.local import freeports
from tests.infra.container_files import PROJECT, carry_out
from tests.infra.image_process import ImageProcess, public_folder, unpacked
from tests.infra.test_images import FUNCTIONS, WORKER

SECRETS = {
    "ORDERS_WEBHOOKS__SHOPIFY__SECRETS": '["made-up"]',
    "ORDERS_WEBHOOKS__STRIPE__SECRETS": '["made-up"]',
    "ORDERS_WEBHOOKS__WAREHOUSE__SECRETS": '["whsec_bWFkZS11cC1tYWRlLXVwLW1hZGUtdXAtbWFkZS11"]',
    "ORDERS_ENCRYPTION__KEYS": '[{"id": "made-up", "key": "bWFkZS11cC1tYWRlLXVwLW1hZGUtdXAtbWFkZS11cCE="}]',
}


@pytest.fixture(scope="module")
def worker() -> Iterator[ImageProcess]:
    with public_folder() as folder:
        yield unpacked(WORKER, carry_out(WORKER, folder))


@pytest.fixture(scope="module")
def functions() -> Iterator[ImageProcess]:
    with public_folder() as folder:
        yield unpacked(FUNCTIONS, carry_out(FUNCTIONS, folder))


def orders(image: ImageProcess, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return image.run(*image.command([*WORKER.last["ENTRYPOINT"].list, *arguments]))


def test_the_command_explains_itself(worker: ImageProcess) -> None:
    done = orders(worker, "--help")
    assert done.returncode == 0, done.stderr
    assert "worker" in done.stdout
    assert orders(worker, "--version").stdout.startswith("orders, version ")


def test_every_command_of_the_image_can_be_loaded(worker: ImageProcess) -> None:
    question = (
        "import click; from worker.cli.main import COMMANDS, cli;"
        "print([cli.get_command(click.Context(cli), name).name for name in COMMANDS])"
    )
    done = worker.run(worker.interpreter, "-c", question)
    assert done.returncode == 0, done.stderr


def test_the_worker_without_settings_names_what_is_missing(worker: ImageProcess) -> None:
    done = orders(worker, *WORKER.last["CMD"].list)
    assert done.returncode == 3
    assert "ORDERS_DATABASE__URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_worker_comes_from_the_unpacked_tree_and_writes_nothing_to_it(worker: ImageProcess) -> None:
    question = "import worker.app, worker.process, pathlib; print(worker.app.__file__); pathlib.Path('new').touch()"
    done = worker.run(worker.interpreter, "-c", question)
    assert done.stdout.strip() == str(worker.app / "worker" / "app.py"), done.stderr
    if worker.user:
        assert "PermissionError" in done.stderr
        assert not (worker.app / "new").exists()
    assert list(worker.app.rglob("__pycache__")) == []


def test_the_functions_serve_and_end_when_told(functions: ImageProcess) -> None:
    port = freeports.free_port()
    command = functions.command(FUNCTIONS.last["ENTRYPOINT"].list)
    with functions.started(*command, GUNICORN_BIND=f"127.0.0.1:{port}", **SECRETS) as process:
        status, answer = answered(f"http://127.0.0.1:{port}/health/live", process)
        assert status == 200, answer
        assert json.loads(answer)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=20)[0]
    assert process.returncode == 0, said
    assert "Traceback" not in said


def test_the_functions_without_secrets_name_what_is_missing(functions: ImageProcess) -> None:
    done = functions.run(*functions.command(FUNCTIONS.last["ENTRYPOINT"].list), GUNICORN_BIND="127.0.0.1:1")
    assert done.returncode == 3
    assert "ORDERS_WEBHOOKS__STRIPE__SECRETS" in done.stdout + done.stderr


def test_the_health_checks_ask_where_the_programs_answer(functions: ImageProcess) -> None:
    """The shipped probe itself, against the shipped server, on a port of the test's."""
    port = freeports.free_port()
    probe = json.loads(FUNCTIONS.last["HEALTHCHECK"].value.removeprefix("CMD "))
    assert ":8080/" in probe[2]
    asked = [functions.interpreter, *(word.replace(":8080/", f":{port}/") for word in probe[1:])]
    assert functions.run(*asked).returncode != 0, "nobody listens yet"
    command = functions.command(FUNCTIONS.last["ENTRYPOINT"].list)
    with functions.started(*command, GUNICORN_BIND=f"127.0.0.1:{port}", **SECRETS) as process:
        answered(f"http://127.0.0.1:{port}/health/live", process)
        assert functions.run(*asked).returncode == 0
    assert FUNCTIONS.environment["GUNICORN_BIND"].endswith(":8080")
    settings = (PROJECT / "settings.toml").read_text("utf-8")
    assert "health_port = 9400" in settings
    assert ":9400/health/live" in WORKER.last["HEALTHCHECK"].value


def answered(url: str, process: "subprocess.Popen[str]") -> tuple[int, str]:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - http, on loopback
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            time.sleep(0.05)
    process.kill()
    return 0, process.communicate()[0]


def test_the_proof_itself_runs_as_another_user_where_it_can(worker: ImageProcess) -> None:
    if worker.user is None:
        pytest.skip("LIMIT: not root, or no Python that other users may run: the entry points ran as ourselves")
    done = worker.run(worker.interpreter, "-c", "import os; print(os.getuid(), os.getgid())")
    assert done.stdout.split() == ["10001", "10001"]
