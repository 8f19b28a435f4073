"""What settings say about repairs and alerts becomes the domain's rules, or is refused with every problem at once."""

import os
from datetime import timedelta

import pytest

from tests.unit.test_settings import SECRETS
from worker import config as settings
from worker.contract.settings import ConfigurationError
from worker.domain.alert import AlertTrigger
from worker.domain.finding import FindingKind, Repair
from worker.domain.repair_policy import RepairMode
from worker.domain.stock import Unknown
from worker.gateways.mail import SmtpMail
from worker.policies import alert_rules_of, notifier_of, repair_policies_of, stocked_of

MAIL = SmtpMail(host="127.0.0.1", port=25, sender="orders@shop.example")


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        if name.startswith("ORDERS_"):
            monkeypatch.delenv(name)
    for name, value in {"ORDERS_ENV": "production", **SECRETS}.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_committed_settings_have_a_policy_for_every_repair_and_tell_nobody_yet(
    variables: pytest.MonkeyPatch,
) -> None:
    config = settings.load()
    policies = repair_policies_of(config)
    assert set(config.reconciliation.repairs) == {str(repair) for repair in Repair} - {"none"}
    assert set(policies) == set(Repair) - {Repair.NONE}
    assert policies[Repair.DELIVER_DISPUTE].most_attempts == 6
    assert policies[Repair.START_ORDER].ladder[:2] == (timedelta(minutes=5), timedelta(hours=1))
    rules = alert_rules_of(config)
    assert {rule.when for rule in rules} == set(AlertTrigger)
    assert all(rule.to == () for rule in rules)


def test_amounts_are_by_currency_and_lists_by_name(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("ORDERS_RECONCILIATION__REPAIRS__DELIVER_REFUND__MODE", "dry")
    variables.setenv("ORDERS_RECONCILIATION__REPAIRS__DELIVER_REFUND__LIMITS__EUR", "50000")
    variables.setenv("ORDERS_ALERTING__ENDPOINTS", '{"ops": {"mail": "ops@shop.example"}}')
    variables.setenv("ORDERS_ALERTS__OPEN_BREAKS__TO", '["ops"]')
    variables.setenv("ORDERS_ALERTS__OPEN_BREAKS__KINDS", '["disputed"]')
    variables.setenv("ORDERS_ALERTS__OPEN_BREAKS__MIN_AT_RISK__EUR", "100")
    config = settings.load()
    policy = repair_policies_of(config)[Repair.DELIVER_REFUND]
    assert (policy.mode, dict(policy.limits)) == (RepairMode.DRY, {"EUR": 50000})
    rule = next(rule for rule in alert_rules_of(config) if rule.name == "open_breaks")
    assert (rule.to, rule.kinds, dict(rule.min_at_risk)) == (("ops",), frozenset({FindingKind.DISPUTED}), {"EUR": 100})
    notifier_of(config, MAIL)


def test_stock_is_kept_where_the_settings_say_so_and_nowhere_else(variables: pytest.MonkeyPatch) -> None:
    assert stocked_of(settings.load()) == {}
    variables.setenv("ORDERS_STOCK__MAIN", "refuse")
    variables.setenv("ORDERS_STOCK__OUTLET", "unlimited")
    assert stocked_of(settings.load()) == {"main": Unknown.REFUSE, "outlet": Unknown.UNLIMITED}
    variables.setenv("ORDERS_STOCK__OUTLET", "perhaps")
    with pytest.raises(ConfigurationError, match=r"stock\.outlet: 'perhaps' is none of refuse, unlimited"):
        stocked_of(settings.load())


def test_every_problem_is_told_at_once(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("ORDERS_RECONCILIATION__REPAIRS__MAKE_COFFEE__MODE", "on")
    variables.setenv("ORDERS_RECONCILIATION__REPAIRS__START_ORDER__MODE", "maybe")
    variables.setenv("ORDERS_RECONCILIATION__REPAIRS__DELIVER_REFUND__LIMITS__EURO", "5")
    variables.setenv("ORDERS_RECONCILIATION__REPAIRS__DELIVER_PAYMENT__MOST_ATTEMPTS", "0")
    variables.setenv("ORDERS_RECONCILIATION__REPAIRS__DELIVER_SHIPMENT__LADDER_SECONDS", "[]")
    with pytest.raises(ConfigurationError) as caught:
        repair_policies_of(settings.load())
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "reconciliation.repairs.deliver_payment",
        "reconciliation.repairs.deliver_refund.limits.euro",
        "reconciliation.repairs.deliver_shipment",
        "reconciliation.repairs.make_coffee",
        "reconciliation.repairs.start_order.mode",
    ]


def test_an_alert_to_nobody_known_is_refused(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("ORDERS_ALERTS__OPEN_BREAKS__TO", '["ops"]')
    variables.setenv("ORDERS_ALERTS__OPEN_BREAKS__WHEN", "tuesday")
    variables.setenv("ORDERS_ALERTS__INCOMPLETE_RUN__PERIOD_SECONDS", "0")
    with pytest.raises(ConfigurationError) as caught:
        alert_rules_of(settings.load())
    assert len(caught.value.problems) == 3
    assert "there is no [alerting.endpoints.ops]" in str(caught.value)


@pytest.mark.parametrize(
    "endpoint",
    [
        "{}",
        '{"url": "https://a.example"}',
        '{"url": "https://a.example", "secrets": ["whsec_eA=="], "mail": "a@b.example"}',
    ],
)
def test_an_endpoint_that_leads_nowhere_or_twice_is_refused(variables: pytest.MonkeyPatch, endpoint: str) -> None:
    variables.setenv("ORDERS_ALERTING__ENDPOINTS", f'{{"ops": {endpoint}}}')
    with pytest.raises(ConfigurationError, match=r"alerting\.endpoints\.ops"):
        notifier_of(settings.load(), MAIL)
