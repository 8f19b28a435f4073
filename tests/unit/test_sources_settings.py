"""What is wrong with a source stops the start, by the name of its key, and without any secret."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.config import load
from functions.source_settings import MAX_BODY_BYTES
from tests.unit.source_settings_text import SETTINGS, only_these_variables, settings_with
from worker.contract.settings import ConfigurationError


@pytest.fixture(scope="module")
def variables() -> Iterator[pytest.MonkeyPatch]:
    with only_these_variables() as patch:
        yield patch


class TestSettings:
    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ("secrets = []", ".secrets: a source needs at least one secret"),
            ('secrets = [""]', ".secrets[0]: must not be empty"),
            ("secrets = [7]", ".secrets[0].value: expected a text"),
            ('secrets = [{ value = "s3cr3t", until = "x" }]', ".secrets[0].until: unknown setting"),
            ('secrets = [{ name = "a" }]', ".secrets[0].value: missing"),
            ('secrets = [{ value = "s3cr3t", name = "a b" }]', ".secrets[0].name: is up to"),
            ('secrets = [{ value = "s3cr3t", not_after = "soon" }]', ".secrets[0].not_after: is no time"),
            (
                'secrets = [{ value = "s3cr3t", not_after = 2026-12-01T00:00:00 }]',
                ".secrets[0].not_after: expected a time",
            ),
            ('secrets = [{ value = "s3cr3t", not_after = 2026-01-01T00:00:00Z }]', ".secrets: every one is past"),
            ('scheme = "strype"', ".scheme: unknown"),
            ('scheme = "hmac"', ".hmac: this scheme needs a table"),
            ('scheme = "unsigned"', ".scheme: an unsigned source exists in the local"),
            ('hmac = { header = "x-sign" }', ".hmac: is for scheme hmac only"),
            ('scheme = "hmac"\nhmac = { header = "x-sign", algorithm = "md5" }', ".hmac.algorithm: use one of"),
            ("tolerance_seconds = 0", ".tolerance_seconds: must be"),
            ("topics = []", ".topics: name the types"),
            ('event_id_from = "query:id"', ".event_id_from: must be header"),
            ('topic_from = "header:X-Type"', ".topic_from: must be header"),
            ('event_id_from = "fixed:one"', ".event_id_from: one id for all"),
            ("max_body_bytes = 100", ".max_body_bytes: must be from"),
            (f"max_body_bytes = {MAX_BODY_BYTES + 1}", ".max_body_bytes: must be from"),
            ("rate = { per_minute = 0, burst = 1 }", ".rate: per_minute"),
            ("rate = { per_minute = 10 }", ".rate.burst: missing"),
            ('networks = ["203.0.113.9/24"]', ".networks[0]: is no network"),
            ('networks = ["example.com"]', ".networks[0]: is no network"),
            ("trusted_proxies = -1", ".trusted_proxies: must not be"),
            ("trusted_proxies = 1", ".trusted_proxies: means nothing without"),
        ],
    )
    def test_a_source_that_is_not_sound(
        self, variables: pytest.MonkeyPatch, tmp_path: Path, changes: str, told: str
    ) -> None:
        keys = {
            "scheme": '"github"',
            "dialect": '"github"',
            "shop": '"main"',
            "secrets": '["s3cr3t"]',
            "tolerance_seconds": "300",
            "topics": '["push"]',
        }
        changed = {line.split(" = ")[0] for line in changes.splitlines()}
        kept = "\n".join(f"{key} = {value}" for key, value in keys.items() if key not in changed)
        added = f"\n[default.webhooks.acme]\n{kept}\n{changes}\n"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ORDERS_ENV", "test")
            with pytest.raises(ConfigurationError) as caught:
                load(root=settings_with(tmp_path, added))
        assert [problem for problem in caught.value.problems if problem.startswith(f"webhooks.acme{told}")]
        assert "s3cr3t" not in str(caught.value)

    def test_an_unsigned_source_takes_no_secrets(self, variables: pytest.MonkeyPatch, tmp_path: Path) -> None:
        with_secret = SETTINGS[SETTINGS.index("[local.webhooks.bench]") :].replace("[]", '["s"]')
        with pytest.raises(ConfigurationError, match=r"webhooks\.bench\.secrets: an unsigned source has none"):
            load(root=settings_with(tmp_path, with_secret))

    def test_no_body_may_be_larger_than_temporal_takes(self, variables: pytest.MonkeyPatch) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ORDERS_API__MAX_BODY_BYTES", str(MAX_BODY_BYTES + 1))
            with pytest.raises(ConfigurationError) as caught:
                load()
        assert caught.value.problems == [f"api.max_body_bytes: must be at most {MAX_BODY_BYTES}"]
