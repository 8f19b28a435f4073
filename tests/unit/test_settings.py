"""Settings are strict: every key has a field and every field a line; secrets come from outside and never show."""

import dataclasses
import os
import re
import tomllib
import types
import typing
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import functions.config
import worker.app
import worker.config
import worker.deployment
from worker.contract.settings import ENVIRONMENTS, ROOT, ConfigurationError, Secret, build, raw_settings
from worker.domain.matching.rules import PLAIN, Compared, Reference, Side
from worker.services.translation import shopify, stripe, warehouse

TEXT = (ROOT / "settings.toml").read_text(encoding="utf-8")
FILE: dict[str, dict[str, Any]] = tomllib.loads(TEXT)
SECRETS = {
    "ORDERS_DATABASE__URL": "mysql+pymysql://orders:pw-visible-1@127.0.0.1:3306/orders?charset=utf8mb4",
    "ORDERS_USERS__TOKEN_KEY": "tk-visible-2",
    "ORDERS_PROVIDER__API_KEY": "sk_test_visible_3",
    "ORDERS_SHOP__ACCESS_TOKEN": "shpat_visible_4",
    "ORDERS_WAREHOUSE__SECRET": "whsec_dmlzaWJsZTU=",
    "ORDERS_WAREHOUSE__TOKEN": "wh-visible-6",
    "ORDERS_ENCRYPTION__KEYS": '[{"id": "k1", "key": "dmlzaWJsZS1rZXktb2YtdGhpcnR5LXR3by1ieXRlcyE="}]',
}
FUNCTION_SECRETS = {
    "ORDERS_API__KEYS": '{"client": "' + "ab" * 32 + '"}',
    "ORDERS_WEBHOOKS__SHOPIFY__SECRETS": '["visible-7"]',
    "ORDERS_WEBHOOKS__STRIPE__SECRETS": '["whsec_visible-8"]',
    "ORDERS_WEBHOOKS__WAREHOUSE__SECRETS": '["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]',
}
CONFIGS = (worker.config.WorkerConfig, functions.config.FunctionsConfig, worker.deployment.DeployConfig)


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which both deployables load; nothing of the outer one shines through."""
    for name in list(os.environ):
        if name.startswith("ORDERS_"):
            monkeypatch.delenv(name)
    for name, value in {"ORDERS_ENV": "test", **SECRETS, **FUNCTION_SECRETS}.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize("dialect", [shopify, stripe, warehouse], ids=lambda each: each.__name__.rpartition(".")[2])
def test_every_topic_that_is_understood_is_taken_in(dialect: types.ModuleType) -> None:
    """A lapsed authorisation was told of by an event that was translated, and dropped at the door."""
    source = dialect.__name__.rpartition(".")[2]
    assert set(FILE["default"]["webhooks"][source]["topics"]) == dialect.TOPICS


def problems() -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        worker.config.load()
    assert caught.value.exit_code == 3
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return caught.value.problems


def fields_of(section: type[Any], path: str = "") -> Iterator[tuple[str, Any, bool]]:
    """Yield path, type and whether it may be left out, for each leaf; `*` stands for a name in a table of tables."""
    hints = typing.get_type_hints(section)
    for field in dataclasses.fields(section):
        hint = hints[field.name]
        at = f"{path}.{field.name}" if path else field.name
        optional = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        inner = typing.get_args(hint)[1] if typing.get_origin(hint) is dict else hint
        if dataclasses.is_dataclass(inner) and inner is not Secret:
            yield from fields_of(typing.cast("type[Any]", inner), f"{at}.*" if inner is not hint else at)
        else:
            yield at, hint, optional


def holds_secrets(hint: Any) -> bool:
    parts = typing.get_type_hints(hint).values() if dataclasses.is_dataclass(hint) else typing.get_args(hint)
    return hint is Secret or any(holds_secrets(part) for part in parts)


def tables_of(path: str) -> list[dict[str, Any]]:
    """Return the tables of settings.toml's default environment that `path` (without its last part) names."""
    found = [FILE["default"]]
    for part in path.split(".")[:-1]:
        found = [
            item
            for table in found
            for item in (table.values() if part == "*" else [table[part]] if part in table else [])
        ]
    return found


def test_every_field_has_a_line_or_is_a_secret_or_optional() -> None:
    leaves = [leaf for config in CONFIGS for leaf in fields_of(config)]
    assert len(leaves) > 60
    silent = [
        path
        for path, hint, optional in leaves
        if not (optional or hint is Secret)
        and not (tables_of(path) and all(path.rpartition(".")[2] in table for table in tables_of(path)))
    ]
    assert silent == []


def test_no_secret_stands_in_the_file_but_each_is_named_there() -> None:
    for config in CONFIGS:
        for path, hint, _ in fields_of(config):
            name = path.rpartition(".")[2]
            if not holds_secrets(hint):
                continue
            assert all(not table.get(name) for table in tables_of(path)), path
            in_comment = re.search(rf"^# {name}: secret", TEXT, re.MULTILINE)
            assert in_comment or all(name in table for table in tables_of(path)), path


def test_every_key_of_every_environment_has_a_field() -> None:
    """Also keys that no environment of this test run loads."""
    known = {path for config in CONFIGS for path, _, _ in fields_of(config)}
    patterns = [re.compile(re.escape(path).replace(r"\*", "[^.]+") + r"(\..+)?") for path in known]

    def keys(table: dict[str, Any], path: str) -> Iterator[str]:
        for name, value in table.items():
            at = f"{path}{name}"
            if isinstance(value, dict) and value:
                yield from keys(value, f"{at}.")
            else:
                yield at

    unknown = [
        f"[{environment}] {key}"
        for environment, tables in FILE.items()
        for key in keys(tables, "")
        if not any(pattern.fullmatch(key) for pattern in patterns)
        and not any(path.startswith(f"{key}.*.") for path in known)  # a table of tables that is empty by default
    ]
    assert unknown == []
    assert set(FILE) - {"default"} <= set(ENVIRONMENTS)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_each_environment_loads_for_both_given_the_secrets(variables: pytest.MonkeyPatch, environment: str) -> None:
    variables.setenv("ORDERS_ENV", environment)
    config = worker.config.load()
    edge = functions.config.load()
    assert config.provider.api_key.reveal() == "sk_test_visible_3"
    assert (config.temporal.tls, config.database.tls, edge.temporal.tls) == (environment == "production",) * 3
    assert config.logging.json is (environment != "local")
    assert {name: one.mode for name, one in config.schedules.items()} == {
        "main_stripe": "full",
        "main_stripe_light": "light",
        "main_stripe_close": "close",
    }
    assert set(edge.webhooks) == {"shopify", "stripe", "warehouse"}


def test_the_environment_is_local_unless_told(variables: pytest.MonkeyPatch) -> None:
    variables.delenv("ORDERS_ENV")
    assert worker.config.load().reconciliation.payment_grace_seconds == 5


@pytest.mark.parametrize("typo", ["", "prod", "Production", "local ", "default"])
def test_an_environment_nobody_knows_is_refused_instead_of_read_as_another(
    variables: pytest.MonkeyPatch, typo: str
) -> None:
    variables.setenv("ORDERS_ENV", typo)
    (problem,) = problems()
    assert problem == f"ORDERS_ENV is {typo!r}; use one of local, test, production"


def test_everything_wrong_is_told_at_once(variables: pytest.MonkeyPatch) -> None:
    for name in ("ORDERS_DATABASE__URL", "ORDERS_WAREHOUSE__TOKEN"):
        variables.delenv(name)
    variables.setenv("ORDERS_WORKER__GRACE_SECOND", "1")
    variables.setenv("ORDERS_DATABASEE__POOL_SIZE", "1")
    variables.setenv("ORDERS_ORDERS__PAYMENT_WINDOW_SECONDS", "soon")
    variables.setenv("ORDERS_TEMPORAL__TLS", "1")
    variables.setenv("ORDERS_DATABASE__POOL_SIZE", "true")
    variables.setenv("ORDERS_WORKER__QUEUES", "orders")
    variables.setenv("ORDERS_USERS__REMINDER_SECONDS", '[60, "later"]')
    variables.setenv("ORDERS_MAIL", "relay")
    variables.setenv("ORDERS_SCHEDULES__MAIN_STRIPE__INTERVAL", "60")
    assert problems() == [
        "database.pool_size: expected int, got bool",
        "database.url: missing (set it in settings.toml or as ORDERS_DATABASE__URL)",
        "databasee: unknown setting",
        "mail: expected a table, got str",
        "orders.payment_window_seconds: expected int, got str",
        "schedules.main_stripe.interval: unknown setting",
        "temporal.tls: expected bool, got int",
        "users.reminder_seconds[1]: expected int, got str",
        "warehouse.token: missing (set it in settings.toml or as ORDERS_WAREHOUSE__TOKEN)",
        "worker.grace_second: unknown setting",
        "worker.queues: expected a list, got str",
    ]


def test_the_values_of_variables_are_not_told(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("ORDERS_DATABASE__URL", '["visible-9"]')
    variables.setenv("ORDERS_MAIL", "visible-10")
    assert "visible" not in "\n".join(problems())


def test_rules_of_a_provider_become_rules(variables: pytest.MonkeyPatch) -> None:
    at = "ORDERS_RECONCILIATION__RULES__STRIPE"
    variables.setenv(f"{at}__REFERENCES", '["order_id", "source_id"]')
    variables.setenv(f"{at}__TOLERANCES", '{"EUR": {"absolute_minor": 2, "relative_bp": 10}}')
    variables.setenv(f"{at}__GRACES", '[{"method": "sepa_debit", "external_seconds": 432000}]')
    variables.setenv(f"{at}__FEES", '[{"method": "card", "basis_points": 150, "fixed_minor": 25, "variance_minor": 1}]')
    variables.setenv(f"{at}__MANY_TO_ONE", "true")
    rules = worker.app.rules_of(worker.config.load().reconciliation.rules)["stripe"]
    assert rules.many_to_one
    assert rules.provider == "stripe"
    assert rules.references == (Reference.ORDER, Reference.SOURCE)
    assert rules.tolerates("EUR", 10_000, 2)
    assert not rules.tolerates("EUR", 10_000, 3)
    assert rules.grace(Side.EXTERNAL, ["sepa_debit"], timedelta(0)) == timedelta(days=5)
    assert rules.grace(Side.INTERNAL, ["sepa_debit"], timedelta(0)) == timedelta(0)
    schedule = rules.schedule("card", "DE", "EUR")
    assert schedule is not None
    assert schedule.expected(10_000, 1) == 175


def test_the_rules_of_the_file_are_those_of_a_provider_without_any(variables: pytest.MonkeyPatch) -> None:
    rules = worker.app.rules_of(worker.config.load().reconciliation.rules)
    own = dataclasses.replace(PLAIN, provider="shopify_payments", compared=Compared.SETTLEMENT, bank_names=("shopify",))
    assert rules == {"stripe": dataclasses.replace(PLAIN, provider="stripe"), "shopify_payments": own}


def test_rules_that_mean_nothing_are_told_by_provider(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("ORDERS_RECONCILIATION__RULES__STRIPE__COMPARED", "mine")
    variables.setenv("ORDERS_RECONCILIATION__RULES__ADYEN__DATE_WINDOW_SECONDS", "-1")
    with pytest.raises(ConfigurationError) as caught:
        worker.app.rules_of(worker.config.load().reconciliation.rules)
    assert caught.value.problems == [
        "reconciliation.rules.stripe: 'mine' is not a valid Compared",
        "reconciliation.rules.adyen: a date window, lookback or grace must not be negative",
    ]


def test_lists_replace_and_tables_merge(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("ORDERS_WORKER__QUEUES", '["orders"]')
    variables.setenv("ORDERS_DATABASE__POOL_SIZE", "3")
    config = worker.config.load()
    assert config.worker.queues == ("orders",), "a shorter list must not grow by the default's"
    assert config.database.pool_size == 3
    assert config.database.connect_timeout_seconds == 5
    variables.setenv("ORDERS_ENV", "local")
    assert worker.config.load().users.reminder_seconds == (3600,)


def test_later_layers_win(variables: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(TEXT.replace("port = 25\n", "port = 26\n"), encoding="utf-8")
    assert worker.config.load(root=tmp_path).mail.port == 26
    (tmp_path / ".secrets.toml").write_text('[default.mail]\nport = 27\nhost = "a"\n[test.mail]\nport = 28\n', "utf-8")
    config = worker.config.load(root=tmp_path)
    assert (config.mail.port, config.mail.host) == (28, "a")
    variables.setenv("ORDERS_MAIL__PORT", "29")
    assert worker.config.load(root=tmp_path).mail.port == 29
    assert worker.config.load().mail.port == 29


def test_without_a_file_everything_required_is_missing(variables: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        worker.config.load(root=tmp_path)
    assert {problem.partition(":")[0] for problem in caught.value.problems} >= {"temporal", "schedules", "orders"}


def test_no_secret_is_ever_shown(variables: pytest.MonkeyPatch) -> None:
    shown = f"{worker.config.load()!r} {worker.config.load()} {functions.config.load()!r}"
    assert "visible" not in shown
    assert "MfKQ9r8GK" not in shown
    assert "abab" not in shown
    assert "Secret(***)" in shown
    secret = Secret("visible")
    assert "visible" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "visible"


@pytest.mark.parametrize(
    "text",
    [
        *("0", "007", "123456", "+49", "1e5", "1.10", "1_000", "0x1F", "0b1", "inf", "nan"),
        *("true", "True", "no", "2026-11-22", "2026-11-22T10:00:00Z", "-", "=", "a=b", "a#b", "a, b", "{x", "p{w}"),
    ],
)
def test_a_secret_is_the_text_that_was_given(variables: pytest.MonkeyPatch, text: str) -> None:
    """The loader reads variables as TOML; a password that looks like a number must not become another one."""
    variables.setenv("ORDERS_WAREHOUSE__TOKEN", text)
    assert worker.config.load().warehouse.token.reveal() == text


def test_a_secret_in_the_file_must_be_a_text(variables: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(TEXT, encoding="utf-8")
    (tmp_path / ".secrets.toml").write_text("[default.warehouse]\ntoken = 1e5\n", encoding="utf-8")
    variables.delenv("ORDERS_WAREHOUSE__TOKEN")
    with pytest.raises(ConfigurationError) as caught:
        worker.config.load(root=tmp_path)
    assert caught.value.problems == ["warehouse.token: expected a text, got float"]


def test_variables_of_other_programs_are_not_read(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("ORDERSX_MAIL__PORT", "1")
    variables.setenv("MAIL__PORT", "1")
    assert worker.config.load().mail.port == 25


def test_keys_are_lower_case_however_they_came(variables: pytest.MonkeyPatch) -> None:
    raw = raw_settings()
    assert raw["warehouse"]["token"] == "wh-visible-6"

    def all_keys(table: dict[str, Any]) -> Iterator[str]:
        for name, value in table.items():
            yield name
            if isinstance(value, dict):
                yield from all_keys(value)

    assert [key for key in all_keys(raw) if key != key.lower()] == []


def test_each_deployable_reads_its_own_tables_only(variables: pytest.MonkeyPatch) -> None:
    both = {field.name for field in dataclasses.fields(CONFIGS[0])} & {
        field.name for field in dataclasses.fields(CONFIGS[1])
    }
    assert both == {"temporal", "encryption", "tracing", "logging"}
    of_worker = {field.name for field in dataclasses.fields(CONFIGS[0])}
    of_functions = {field.name for field in dataclasses.fields(CONFIGS[1])}
    assert (of_worker - both) | {"deploy"} == functions.config.WORKER_ONLY
    assert (of_functions - both) | {"deploy"} == worker.config.NOT_THE_WORKERS
    variables.setenv("ORDERS_API__DEADLINE_MS", "not the worker's concern")
    worker.config.load()


def test_sections_are_frozen() -> None:
    seen: list[type[Any]] = []

    def visit(section: type[Any]) -> None:
        seen.append(section)
        for hint in typing.get_type_hints(section).values():
            for part in (hint, *typing.get_args(hint)):
                if dataclasses.is_dataclass(part) and not isinstance(part, types.GenericAlias):
                    visit(typing.cast("type[Any]", part))

    for config in CONFIGS:
        visit(config)
    assert all(section.__dataclass_params__.frozen for section in seen)


def test_the_builder_names_what_it_wanted() -> None:
    with pytest.raises(ConfigurationError) as caught:
        build(worker.config.MailConfig, {"host": 1, "port": "25"})
    assert caught.value.problems == [
        "host: expected str, got int",
        "port: expected int, got str",
        "sender: missing (set it in settings.toml or as ORDERS_SENDER)",
    ]
