"""The functions' bundle of this machine's kind, built and unpacked once for all tests that run it."""

import sys
import zipfile
from pathlib import Path

import pytest

from infra.bundle.build import Bundle, build
from infra.bundle.errors import BundleError
from infra.bundle.target import ARCHITECTURES, Target, running_python
from infra.local.layout import CACHE, PROJECT

BUNDLE_CACHE = CACHE / "bundle"


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Build the bundle that runs on this machine; there is none but on Linux."""
    for architecture in ARCHITECTURES:
        target = Target(architecture=architecture, python=running_python())
        if target.is_ours:
            return build(PROJECT, target, output=tmp_path_factory.mktemp("bundle"), cache=BUNDLE_CACHE)
    if sys.platform == "linux":
        raise BundleError("this machine is of no architecture that Lambda has")
    pytest.skip("bundles run on Linux")


@pytest.fixture(scope="session")
def task_root(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which the bundle is unpacked, and nothing else is."""
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(bundle.path) as archive:
        archive.extractall(folder)
    return folder
