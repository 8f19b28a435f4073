"""A private MariaDB: own data directory, own port, own socket; the system's server and its files are never touched.

The data directory is a copy of a template that is made once per server version and cached. It is made by feeding
the server its own system tables: `mariadb-install-db` needs a program of the client package and, as root, changes
the owner of the system-wide PAM helper. The application's user and database are created at every start by an init
file, so the template holds no password.
"""

import fcntl
import functools
import getpass
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from infra.local.errors import MissingProgramError, StackError

DATABASE = "orders"
USER = "orders"
PLACES = ("/usr/sbin", "/usr/libexec", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin", "/opt/homebrew/sbin")
_SCRIPTS = ("system_tables", "performance_tables", "system_tables_data", "add_gis_sp_bootstrap")
_LOG_SIZE = "--innodb-log-file-size=32M"


@functools.cache
def server_program() -> Path:
    """Return the MariaDB server's program. Raises MissingProgramError when there is none."""
    for name in ("mariadbd", "mysqld"):
        places = [shutil.which(name), *(f"{place}/{name}" for place in PLACES)]
        for found in (Path(place) for place in places if place):
            if found.is_file() and os.access(found, os.X_OK) and "MariaDB" in _version(found):
                return found
    raise MissingProgramError(
        "no MariaDB server found: install it (Debian: apt-get install mariadb-server-core, Mac: brew install mariadb),"
        " or set ORDERS_DATABASE__URL to a MySQL database that may be used",
    )


def command(data: Path, port: int, init_file: Path) -> list[str]:
    """Return the command line that serves `data` on 127.0.0.1:`port`."""
    return [
        str(server_program()),
        "--no-defaults",
        *_as_root(),
        f"--datadir={data}",
        f"--init-file={init_file}",
        "--bind-address=127.0.0.1",
        f"--port={port}",
        # Relative to the data directory, into which the server changes: an absolute path may exceed the 107 characters
        # that the name of a socket may have.
        "--socket=mariadb.sock",
        "--pid-file=mariadb.pid",
        f"--tmpdir={data}",
        "--skip-name-resolve",
        "--skip-log-bin",
        "--performance-schema=OFF",
        "--innodb-buffer-pool-size=64M",
        _LOG_SIZE,
        # Durable at every commit, as a production server for money must be: a weaker setting would hide our mistakes.
        "--innodb-flush-log-at-trx-commit=1",
        "--max-connections=200",
        "--table-open-cache=400",
        "--character-set-server=utf8mb4",
        "--collation-server=utf8mb4_unicode_ci",
        "--default-time-zone=+00:00",
        "--log-warnings=1",
    ]


def url(port: int, password: str, database: str = DATABASE) -> str:
    """Return the SQLAlchemy URL of the application's user."""
    return f"mysql+pymysql://{USER}:{password}@127.0.0.1:{port}/{database}?charset=utf8mb4"


def prepare(data: Path, init_file: Path, cache: Path, password: str) -> None:
    """Make `data` from the template unless it exists, and write the init file. Blocking: about 0.2 s, 1 s the first time."""
    if not (data / "mysql").is_dir():
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(_template(cache), data)
    # `orders%`: tests may make databases of their own next to the application's.
    init_file.write_text(
        f"CREATE DATABASE IF NOT EXISTS {DATABASE} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;\n"
        f"CREATE OR REPLACE USER {USER}@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        f"GRANT ALL ON `{DATABASE}%`.* TO {USER}@'127.0.0.1';\n",
        encoding="utf-8",
    )
    init_file.chmod(0o600)


def _template(cache: Path) -> Path:
    """Return the cached template directory, making it when this server version has none; safe in parallel."""
    program = server_program()
    key = hashlib.sha256(f"2 {program} {_version(program)} {getpass.getuser()}".encode()).hexdigest()[:12]
    template = cache / f"mariadb-{key}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "mariadb.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.is_dir():
            with tempfile.TemporaryDirectory(dir=cache, prefix="mariadb-new-") as made:
                _initialise(program, Path(made) / "data")
                (Path(made) / "data").rename(template)
    return template


def _initialise(program: Path, data: Path) -> None:
    """Make an empty data directory whose only account is root, by its socket."""
    data.mkdir(mode=0o700)
    share = _share(program)
    scripts = [
        script
        for name in _SCRIPTS
        for prefix in ("mariadb", "mysql", "maria")
        if (script := share / f"{prefix}_{name}.sql").is_file()
    ]
    if len(scripts) != len(_SCRIPTS):
        raise StackError(f"the system tables of {program} were looked for in {share} and not found")
    statements = [
        "CREATE DATABASE IF NOT EXISTS mysql;",
        "USE mysql;",
        f"SET @auth_root_socket='{getpass.getuser()}';",
        *(script.read_text(encoding="utf-8") for script in scripts),
    ]
    done = subprocess.run(
        [
            str(program),
            "--no-defaults",
            "--bootstrap",
            "--silent-startup",
            *_as_root(),
            f"--datadir={data}",
            _LOG_SIZE,
            "--log-warnings=0",
            "--enforce-storage-engine=",
            "--max-allowed-packet=8M",
        ],
        input="\n".join(statements),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise StackError(f"{program} could not make its system tables:\n{done.stderr[-2000:]}")


def _share(program: Path) -> Path:
    """Return where the server keeps its SQL scripts: beside the character sets that it names itself."""
    told = subprocess.run(
        [str(program), "--no-defaults", *_as_root(), "--verbose", "--help"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    ).stdout
    for line in told.splitlines():
        name, _, value = line.partition(" ")
        if name == "character-sets-dir":
            return Path(value.strip()).parent
    raise StackError(f"{program} does not say where its character sets are")


@functools.cache
def _version(program: Path) -> str:
    asked = subprocess.run(
        [str(program), "--no-defaults", "--version"], capture_output=True, text=True, timeout=30, check=False
    )
    return asked.stdout.strip()


def _as_root() -> list[str]:
    """The server refuses to run as root unless told so."""
    return ["--user=root"] if os.geteuid() == 0 else []
