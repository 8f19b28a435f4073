"""Setting up: a copy of this project's set-up works on a tiny project, with real environments and without a network."""

import base64
import contextlib
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import threading
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra.local import clean, mariadb, setup, statefile
from infra.local.layout import PROJECT
from tests.pressure import Stopwatch

pytestmark = pytest.mark.timeout(600)  # the first makes an environment: minutes on a busy machine

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "tiny"
version = "1"
"""
# Builds the wheel of an editable install with the standard library alone.
BACKEND = """
import pathlib, zipfile
def build_editable(directory, config_settings=None, metadata_directory=None):
    name = "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(directory) / name, "w") as wheel:
        wheel.writestr("tiny.pth", str(pathlib.Path(__file__).parent))
        wheel.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n")
        wheel.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("tiny-1.dist-info/RECORD", "")
    return name
"""


class Clone:
    """A tiny project with this project's set-up, and a folder of wheels to install from."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "infra" / "local").mkdir(parents=True)
        for name in ("infra/__init__.py", "infra/local/__init__.py", "infra/local/errors.py", "infra/local/mariadb.py"):
            shutil.copy(PROJECT / name, directory / name)
        shutil.copy(PROJECT / "infra" / "local" / "setup.py", directory / "infra" / "local" / "setup.py")
        shutil.copy(PROJECT / "Makefile", directory / "Makefile")
        (directory / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
        (directory / "backend.py").write_text(BACKEND, encoding="utf-8")

    def lock(self, version: str, digest: str | None = None) -> None:
        """Lock `dependency` at `version`, whose wheel is made as well."""
        wheel = self.directory / "wheels" / f"dependency-{version}-py3-none-any.whl"
        wheel.parent.mkdir(exist_ok=True)
        info = f"dependency-{version}.dist-info"
        files = {
            "dependency.py": f"VERSION = {version!r}\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: dependency\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        with zipfile.ZipFile(wheel, "w") as archive:
            record = []
            for name, text in files.items():
                archive.writestr(name, text)
                sha = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
                record.append(f"{name},sha256={sha},{len(text)}")
            archive.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,\n"]))
        digest = digest or hashlib.sha256(wheel.read_bytes()).hexdigest()
        text = f"dependency=={version} \\\n    --hash=sha256:{digest}\n"
        (self.directory / "infra" / "local" / "requirements.lock").write_text(text, encoding="utf-8")

    def start(self) -> "subprocess.Popen[str]":
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.directory / "wheels"), "PIP_CONFIG_FILE": os.devnull}
        return subprocess.Popen(
            [sys.executable, "infra/local/setup.py"],
            cwd=self.directory,
            env={name: value for name, value in os.environ.items() if not name.startswith("PIP_")} | offline,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def setup(self) -> tuple[int, str]:
        with self.start() as process:
            said, _ = process.communicate(timeout=280)
        return process.returncode, said

    def installed(self) -> str:
        """Return which version of the dependency the environment has, through the editable install's path."""
        question = "import backend, dependency; print(dependency.VERSION)"
        python = str(self.directory / ".venv" / "bin" / "python")
        return subprocess.run(
            [python, "-c", question], capture_output=True, text=True, check=True, cwd="/"
        ).stdout.strip()


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clone, list[str]]:
    """A clone whose set-up was interrupted once, and that two at once have then set up; with what each of them said.

    Making an environment takes seconds, so all tests share one.
    """
    made = Clone(tmp_path_factory.mktemp("clone"))
    made.lock("1.0")
    venv.create(made.directory / ".venv", with_pip=False)
    with made.start() as one, made.start() as other:
        said = [process.communicate(timeout=280)[0] for process in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), said
    return made, said


def test_two_at_once_make_one_environment(clone: tuple[Clone, list[str]]) -> None:
    made, said = clone
    for told in ("another set-up of this checkout is at work", "nothing to do", "installing 1 Python packages"):
        assert sum(told in each for each in said) == 1
    compiled = list((made.directory / ".venv" / "lib").rglob("dependency.*.pyc"))
    assert len(compiled) == 1, "before anybody has imported it"
    assert made.installed() == "1.0"


def test_an_environment_that_an_interrupted_setup_left_is_made_anew(clone: tuple[Clone, list[str]]) -> None:
    assert sum("making .venv" in each for each in clone[1]) == 1


def test_once_it_is_installed_there_is_nothing_to_do(clone: tuple[Clone, list[str]]) -> None:
    watch = Stopwatch()
    assert clone[0].setup() == (0, "setup: nothing to do: everything is installed\n")
    assert watch.seconds < 3, "0.2 s on an idle machine"


def test_a_wrong_hash_is_refused_and_a_changed_lock_is_followed(clone: tuple[Clone, list[str]]) -> None:
    made, _ = clone
    made.lock("3.0", digest="0" * 64)
    for _ in range(2):
        status, said = made.setup()
        assert status == 1, "it does not take a failed installation for a finished one"
        assert "THESE PACKAGES DO NOT MATCH THE HASHES" in said
    assert made.installed() == "1.0"
    made.lock("2.0")
    assert made.setup()[0] == 0
    assert made.installed() == "2.0"


@pytest.mark.parametrize("asks", [False, True], ids=["nobody there", "a terminal"])
def test_what_takes_long_is_done_at_once_unless_somebody_may_be_asked_something(
    monkeypatch: pytest.MonkeyPatch, asks: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: asks))
    other = threading.Barrier(2)

    def step() -> bool:
        with contextlib.suppress(threading.BrokenBarrierError):
            return other.wait(0.2 if asks else 60) >= 0
        return False

    assert setup.all_of(step, step) == [not asks] * 2

    def fails() -> bool:
        raise setup.SetupError("no network", 1)

    with pytest.raises(setup.SetupError, match="no network"):
        setup.all_of(fails, lambda: True)


@pytest.mark.parametrize("version", [(3, 10), (3, 14)])
def test_a_python_that_is_too_old_or_too_new_is_named(version: tuple[int, int]) -> None:
    with pytest.raises(
        setup.SetupError, match=rf"this is Python 3\.{version[1]}, the project runs on 3\.11 to 3\.13"
    ) as caught:
        setup.check_python(version)
    assert caught.value.status == 3


def program(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine without MariaDB; returns the only folder in which programs are found."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "env").symlink_to("/usr/bin/env")
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("ORDERS_DATABASE__URL", raising=False)
    monkeypatch.setattr(mariadb, "PLACES", ())
    monkeypatch.setattr(setup, "LOGS", tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    mariadb.server_program.cache_clear()
    yield programs
    mariadb.server_program.cache_clear()


def fake_apt(programs: Path) -> Path:
    """Put an apt-get there that notes how it is called and installs a server."""
    calls = programs / "calls"
    server = "#!/bin/sh\\necho mariadbd Ver 10.11-MariaDB\\n"
    install = f"printf '{server}' > {programs}/mariadbd; /bin/chmod +x {programs}/mariadbd"
    program(programs, "apt-get", f'echo "$DEBIAN_FRONTEND $@" >> {calls}\ncase "$*" in *install*) {install};; esac')
    return calls


def test_without_a_way_to_install_mariadb_it_says_what_to_do(bare_machine: Path) -> None:
    with pytest.raises(
        setup.SetupError, match=r"apt-get install mariadb-server-core(.|\n)*ORDERS_DATABASE__URL"
    ) as caught:
        setup.find_or_install_mariadb()
    assert caught.value.status == 3


def test_a_given_database_makes_mariadb_unnecessary(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_DATABASE__URL", "mysql+pymysql://user:password@db/orders")
    assert not setup.find_or_install_mariadb()


def test_debians_server_package_is_installed_without_its_service(bare_machine: Path) -> None:
    calls = fake_apt(bare_machine)
    assert setup.find_or_install_mariadb()
    assert setup.find_or_install_mariadb() is False
    update, install = calls.read_text(encoding="utf-8").splitlines()
    assert update.startswith("noninteractive")
    assert update.endswith("update")
    assert install.endswith("install --no-install-recommends mariadb-server-core")


def test_an_ordinary_user_installs_through_sudo_that_asks_nothing(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    calls = fake_apt(bare_machine)
    program(bare_machine, "sudo", f'echo "sudo $@" >> {calls}; [ "$1" = -n ] || exit 1; shift; [ "$1" = true ] || "$@"')
    assert setup.find_or_install_mariadb()
    assert "sudo -n true" in calls.read_text(encoding="utf-8")


def test_a_failed_installation_shows_the_end_of_its_log(bare_machine: Path) -> None:
    program(bare_machine, "apt-get", "echo E: no space left on the moon; exit 100")
    with pytest.raises(setup.SetupError, match="no space left on the moon") as caught:
        setup.find_or_install_mariadb()
    assert caught.value.status == 1


def make(clone_directory: Path, path: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["/usr/bin/make", *arguments],
        cwd=clone_directory,
        env={"PATH": f"{path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_takes_the_first_python_that_really_runs(tmp_path: Path) -> None:
    shutil.copy(PROJECT / "Makefile", tmp_path / "Makefile")
    programs = tmp_path / "bin"
    programs.mkdir()
    program(programs, "python3.13", "exit 127")
    program(programs, "python3.12", f'exec {sys.executable} "$@"')
    assert "\npython3.12 infra/local/setup.py" in make(tmp_path, programs, "--dry-run", "setup").stdout
    refused = make(tmp_path, programs, "setup", "PYTHON=")
    assert refused.returncode != 0
    assert "no Python 3.11, 3.12 or 3.13 found" in refused.stderr


def test_make_help_names_every_target(tmp_path: Path) -> None:
    shown = make(PROJECT, tmp_path).stdout
    for target in ("setup", "demo", "dev", "test", "bench", "lint", "lock", "clean"):
        assert f"make {target} " in shown


def test_clean_refuses_while_a_stack_runs_and_keeps_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(clean, "PROJECT", tmp_path)
    stack, kept, cached = (
        tmp_path / ".local" / "dev",
        tmp_path / ".venv" / "__pycache__",
        tmp_path / "worker" / "__pycache__",
    )
    for folder in (stack, kept, cached):
        folder.mkdir(parents=True)
    with statefile.take(stack):
        assert clean.main([]) == 5
        assert "a stack runs in .local/dev" in capsys.readouterr().out
        assert cached.is_dir()
    assert clean.main([]) == 0
    assert (stack.exists(), cached.exists(), kept.exists()) == (False, False, True)
