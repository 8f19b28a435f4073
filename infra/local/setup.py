"""Makes this checkout ready to run: `.venv` with the locked packages, and a MariaDB server on the machine.

Run with the system's Python and the standard library alone, before anything is installed. Does nothing, in a fifth
of a second, when nothing is to do; two at once wait for each other. Exit status: 0 ready, 1 an installation failed
(its log is shown), 3 something must be installed by hand (the message says what).
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PROJECT = Path(__file__).resolve().parents[2]
LOCK = PROJECT / "infra" / "local" / "requirements.lock"
VENV = PROJECT / ".venv"
STAMP = VENV / "setup.stamp"
LOGS = PROJECT / ".local" / "logs"
OLDEST, NEWEST = (3, 11), (3, 13)
MARIADB_PACKAGE = "mariadb-server-core"
"""Brings the server's program without a system service: nothing gets started and nothing listens."""
TELL_EVERY = 3.0
ONE_APT = threading.Lock()
"""apt-get waits for another one only in some of its steps."""


class SetupError(Exception):
    """Setting up cannot go on; `status` is the exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def main(arguments: list[str] | None = None) -> int:
    """Set up what is missing and return the exit status."""
    parser = argparse.ArgumentParser(prog="infra/local/setup.py", description=__doc__)
    parser.add_argument("--quiet", action="store_true", help="say nothing when nothing is to do")
    asked = parser.parse_args(arguments)
    try:
        check_python(sys.version_info[:2])
        with only_one_at_a_time():
            did_something = all_of(make_environment, find_or_install_mariadb)
    except SetupError as error:
        say(f"cannot go on: {error}")
        return error.status
    if not any(did_something) and not asked.quiet:
        say("nothing to do: everything is installed")
    return 0


def all_of(*steps: Callable[[], bool]) -> list[bool]:
    """Take the steps, at once where nobody may be asked for a password meanwhile; return what they tell.

    Raises the first SetupError once all have ended.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        return [step() for step in steps]
    with ThreadPoolExecutor(len(steps)) as pool:
        under_way = [pool.submit(step) for step in steps]
    return [each.result() for each in under_way]


def check_python(version: tuple[int, int]) -> None:
    """Raise SetupError unless this Python is one that the project runs on."""
    if not OLDEST <= version <= NEWEST:
        this, oldest, newest = (".".join(map(str, each)) for each in (version, OLDEST, NEWEST))
        raise SetupError(
            f"this is Python {this}, the project runs on {oldest} to {newest}; name one with `make PYTHON=python3.12 ...`",
            3,
        )


class only_one_at_a_time:  # noqa: N801 - reads as the condition it is
    """Holds the checkout's set-up lock; a second set-up waits, and then usually finds nothing to do."""

    def __enter__(self) -> None:
        """Wait for the lock, saying so when somebody else has it."""
        LOGS.mkdir(parents=True, exist_ok=True)
        self._file = (PROJECT / ".local" / "setup.lock").open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up of this checkout is at work; waiting for it")
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        """Give the lock back."""
        self._file.close()


def make_environment() -> bool:
    """Bring `.venv` to what the lock file says; tell whether there was anything to do."""
    digest = hashlib.sha256(LOCK.read_bytes() + (PROJECT / "pyproject.toml").read_bytes() + bytes(VENV)).hexdigest()
    if STAMP.is_file() and STAMP.read_text(encoding="utf-8") == digest and (VENV / "bin" / "python").exists():
        return False
    if not environment_works():
        make_empty_environment()
    STAMP.unlink(missing_ok=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    total = sum(1 for line in LOCK.read_text(encoding="utf-8").splitlines() if line[:1].isalnum())
    say(f"installing {total} Python packages into .venv (first run only, about a minute)")
    run(
        [*pip, "--no-compile", "--progress-bar", "off", "--require-hashes", "--requirement", str(LOCK)],
        what="Python packages",
        log="setup-packages.log",
        progress=lambda lines: (
            f"{count(lines, 'Collecting', 'Processing', 'Requirement', 'Ignoring')} of {total} fetched"
            + (", unpacking" if count(lines, "Installing collected") else "")
        ),
    )
    run(
        [*pip, "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(PROJECT)],
        what="this project",
        log="setup-project.log",
    )
    compile_packages()
    STAMP.write_text(digest, encoding="utf-8")
    return True


def compile_packages() -> None:
    """Compile what is installed, on all processors: pip does it on one, and spends half of its time with it.

    What does not compile is for another Python or a template; pip says nothing of it either.
    """
    began = time.monotonic()
    compiling = [str(VENV / "bin" / "python"), "-m", "compileall", "-qq", "-j", "0", str(VENV / "lib")]
    subprocess.run(compiling, stdin=subprocess.DEVNULL, check=False)
    say(f"  compiled in {time.monotonic() - began:.0f} s")


def environment_works() -> bool:
    """Tell whether `.venv` has a supported Python with pip; an interrupted set-up leaves one without."""
    python = VENV / "bin" / "python"
    if not python.exists():
        return False
    question = f"import sys, pip; sys.exit(not {OLDEST} <= sys.version_info[:2] <= {NEWEST})"
    return subprocess.run([str(python), "-c", question], capture_output=True, check=False).returncode == 0


def make_empty_environment() -> None:
    """Make a new `.venv`, installing Debian's venv package when this Python cannot make one."""
    # Inside the old .venv, the Python to make the new one with is the one it was made with.
    python = getattr(sys, "_base_executable", None) or sys.executable
    if subprocess.run([python, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode != 0:
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        say(f"this Python cannot make virtual environments; installing {package}")
        if not install_debian_package(package):
            raise SetupError(f"install the package {package} (this Python has no `ensurepip`)", 3)
    say(f"making .venv with Python {sys.version_info[0]}.{sys.version_info[1]}")
    run([python, "-m", "venv", "--clear", str(VENV)], what=".venv", log="setup-venv.log")


def find_or_install_mariadb() -> bool:
    """Make sure that there is a MariaDB server to start; tell whether there was anything to do."""
    if os.environ.get("ORDERS_DATABASE__URL"):
        return False
    if has_mariadb():
        return False
    if shutil.which("brew"):
        say("installing MariaDB with Homebrew (first run only, a few minutes); it is not started as a service")
        run(["brew", "install", "mariadb"], what="MariaDB", log="setup-mariadb.log")
    else:
        say(f"installing the Debian package {MARIADB_PACKAGE} (first run only, under a minute); no service is started")
        if not install_debian_package(MARIADB_PACKAGE):
            raise SetupError(
                "there is no MariaDB server on this machine and no way to install one from here.\n"
                f"  Debian, Ubuntu:  sudo apt-get install {MARIADB_PACKAGE}\n"
                "  Mac:             brew install mariadb\n"
                "  Fedora:          sudo dnf install mariadb-server\n"
                "  or set ORDERS_DATABASE__URL=mysql+pymysql://user:password@host:3306/name to use a database you have",
                3,
            )
    if not has_mariadb():
        raise SetupError("MariaDB was installed, but its server program `mariadbd` is not to be found", 3)
    return True


def has_mariadb() -> bool:
    """Tell whether the local stack would find a MariaDB server."""
    sys.path.insert(0, str(PROJECT))
    from infra.local.errors import MissingProgramError  # noqa: PLC0415 - only after the version was checked
    from infra.local.mariadb import server_program  # noqa: PLC0415

    try:
        server_program.cache_clear()
        server_program()
    except MissingProgramError:
        return False
    finally:
        sys.path.remove(str(PROJECT))
    return True


def install_debian_package(package: str) -> bool:
    """Install `package` with apt-get; tell whether that was possible at all. Raises SetupError when it failed."""
    if shutil.which("apt-get") is None:
        return False
    become_root = root_prefix()
    if become_root is None:
        return False
    apt = [*become_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-o", "DPkg::Lock::Timeout=300"]
    with ONE_APT:
        run(
            [*apt, "update"],
            what="package lists",
            log="setup-apt.log",
            progress=lambda lines: f"{count(lines, 'Get:', 'Hit:')} lists",
        )
        run(
            [*apt, "install", "--no-install-recommends", package],
            what=package,
            log="setup-apt.log",
            progress=lambda lines: (
                f"{count(lines, 'Get:')} fetched, {count(lines, 'Unpacking')} unpacked,"
                f" {count(lines, 'Setting up')} set up"
            ),
        )
    return True


def root_prefix() -> list[str] | None:
    """Return what to put before a command that needs root: nothing, sudo, or None when there is no way."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    if subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0:
        return ["sudo", "-n"]
    if sys.stdin.isatty():
        say("sudo will ask for your password")
        return ["sudo"] if subprocess.run(["sudo", "-v"], check=False).returncode == 0 else None
    return None


def run(command: Sequence[str], *, what: str, log: str, progress: Callable[[list[str]], str] | None = None) -> None:
    """Run `command`, logging what it writes and telling every few seconds how far it is. Raises SetupError."""
    began = time.monotonic()
    lines: list[str] = []
    ended = threading.Event()

    def tell() -> None:
        while not ended.wait(TELL_EVERY):
            state = f"{progress(list(lines))}, " if progress else ""
            say(f"  {what}: {state}{time.monotonic() - began:.0f} s")

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        with (LOGS / log).open("a", encoding="utf-8") as file:
            file.write(f"$ {' '.join(command)}\n")
            with subprocess.Popen(
                command,
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process:
                for line in process.stdout or ():
                    lines.append(line.rstrip())
                    file.write(line)
    except OSError as error:
        raise SetupError(f"{command[0]}: {error}", 1) from error
    finally:
        ended.set()
        teller.join()
    if process.returncode != 0:
        end = "\n".join(f"    {line}" for line in lines[-25:])
        raise SetupError(
            f"installing {what} failed (exit status {process.returncode}); the log {LOGS / log} ends:\n{end}", 1
        )
    say(f"  {what}: done in {time.monotonic() - began:.0f} s")


def count(lines: list[str], *beginnings: str) -> int:
    """Count the lines that begin with one of `beginnings`."""
    return sum(1 for line in lines if line.lstrip().startswith(beginnings))


def say(text: str) -> None:
    """Tell a person what happens; at once, also through a pipe."""
    print(f"setup: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
