"""The provider's plugin is found where Terraform's users put it; without one the reason is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra import terraform


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A machine without any mirror."""
    for name in ("TF_PLUGIN_DIR", "TF_CLI_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(terraform, "_IMPLIED", ())
    monkeypatch.setattr(terraform, "_ADDED", tmp_path / "added")
    monkeypatch.setattr(terraform, "_registry_answers", lambda: False)
    terraform.mirror.cache_clear()
    terraform.why_not.cache_clear()
    yield
    terraform.mirror.cache_clear()
    terraform.why_not.cache_clear()


def mirror_in(folder: Path) -> Path:
    (folder / terraform.PROVIDER).mkdir(parents=True)
    return folder


def test_named_by_a_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TF_PLUGIN_DIR", str(mirror_in(tmp_path / "mine")))
    assert terraform.mirror() == tmp_path / "mine"


def test_named_by_terraform_s_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mirror_in(tmp_path / "configured")
    file = tmp_path / "rc"
    file.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{tmp_path}/configured"\n  }}\n}}\n')
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(file))
    assert terraform.mirror() == tmp_path / "configured"


@pytest.mark.parametrize("place", ["home/.terraform.d/plugins", "added/plugins-of-somebody"])
def test_in_its_usual_places(tmp_path: Path, place: str) -> None:
    mirror_in(tmp_path / place)
    assert terraform.mirror() == tmp_path / place


def test_a_configuration_that_is_named_and_missing_is_no_mirror(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(tmp_path / "nowhere"))
    assert terraform.mirror() is None


def test_without_any_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/terraform")
    assert "TF_PLUGIN_DIR" in (terraform.why_not() or "")
    terraform.why_not.cache_clear()
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert terraform.why_not() == "terraform is not installed"


def test_with_the_registry_no_mirror_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/terraform")
    monkeypatch.setattr(terraform, "_registry_answers", lambda: True)
    assert terraform.why_not() is None
