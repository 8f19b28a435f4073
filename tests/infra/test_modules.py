"""Every configuration is valid and passes its own tests, on a mocked provider: no account, no network."""

import os
import re
from pathlib import Path

import pytest

from tests.infra.configuration import AWS, folders
from tests.infra.terraform import copied

pytestmark = [pytest.mark.infra, pytest.mark.usefixtures("has_terraform")]

FOLDERS = [folder.relative_to(AWS) for folder in folders()]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("modules")


# Forty plans of the whole system take half a minute on an idle machine, and many times that on a busy one.
@pytest.mark.timeout(700)
@pytest.mark.parametrize("folder", FOLDERS, ids=str)
def test_it_is_valid_and_its_tests_pass(folder: Path, copy: Path) -> None:
    configuration = copied(str(folder), copy)
    configuration.init("-backend=false")
    if not list((AWS / folder / "tests").glob("*.tftest.hcl")):
        configuration.run("validate", seconds=90).ok()
        return
    told = configuration.run("test", seconds=600, env={"AWS_REGION": "eu-west-1"}).ok()
    assert "Success!" in told, told
    assert re.search(r"\b[1-9]\d* passed", told), "tests that test nothing"


def test_nothing_of_it_was_written_into_the_checkout() -> None:
    assert [found for found in AWS.rglob(".terraform") if found.stat().st_uid == os.getuid()] == []
