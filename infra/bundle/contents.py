"""What goes into a bundle, and why the rest does not.

Of the libraries: what Python imports, and the papers that must travel with it (licences, names and versions for
scanners). Of this project: the functions, the contract, the settings merged for the environments that a cloud has; and
the waker (infra/waker), which is made of the same parts, so that a release stays one zip.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

IMPORTED = frozenset({".py", ".so"})

SUPERFLUOUS = {
    "bin": "programs",
    "dynaconf": "settings are frozen at build",
    "vendor_licenses": "dynaconf's",
    "cffi": "makes extensions; running one needs _cffi_backend alone",
    "pycparser": "cffi's, for the same work",
    "google-stubs": "types",
    "temporalio/contrib": "integrations, none of them used",
    "temporalio/testing": "starts test servers",
}
"""Folders that pip installs and the functions never import; a test imports everything else they do."""

_UNPACKED_ONLY = ("dynaconf-", "cffi-", "pycparser-", "types_protobuf-")
"""Packages left out whole, with their papers."""

ENVIRONMENTS = ("production", "test")
"""Without `local`: a function deployed without ORDERS_ENV must refuse to start, not trust local settings."""

_SERVED_ONLY = frozenset(
    {
        *("gunicorn.conf.py", "gunicorn_worker.py", "connection.py", "refusals.py", "greenlets.py", "wsgi_on_loop.py"),
        "metrics.py",
    }
)
"""What serves the functions with gunicorn; its libraries are in no bundle."""


def wanted_of_libraries(path: PurePosixPath) -> bool:
    """Tell whether the file at `path`, relative to where pip installed, belongs into a bundle."""
    top = path.parts[0]
    if any(path.is_relative_to(folder) for folder in SUPERFLUOUS) or top.startswith(_UNPACKED_ONLY):
        return False
    if top.endswith(".dist-info"):
        return path.name == "METADATA" or "licenses" in path.parts or path.name.startswith(("LICENSE", "NOTICE"))
    return path.suffix in IMPORTED


def own_files(project: Path) -> Iterator[PurePosixPath]:
    """Yield this project's files for a bundle, relative to `project`."""
    yield PurePosixPath("LICENSE")
    yield PurePosixPath("worker/__init__.py")
    yield PurePosixPath("infra/__init__.py")
    for folder, pattern in (
        ("functions", "**/*.py"),
        ("functions", "*.json"),
        ("worker/contract", "**/*.py"),
        ("infra/waker", "**/*.py"),
    ):
        for file in (project / folder).glob(pattern):
            if file.name not in _SERVED_ONLY:
                yield PurePosixPath(file.relative_to(project).as_posix())
