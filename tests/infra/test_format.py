"""`terraform fmt` has nothing to do."""

import shutil

import pytest

from tests.infra.terraform import AWS, Configuration


def test_everything_is_formatted() -> None:
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")
    done = Configuration(folder=AWS).run("fmt", "-check", "-recursive", "-diff", seconds=30)
    assert done.status == 0, done.output
