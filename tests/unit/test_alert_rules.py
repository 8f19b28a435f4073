"""Alert rules and dashboard as they are written: each rule is complete, readable, and wakes when it should.

That every metric and label really exists is tests/e2e/test_seen_live.py's business.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml  # type: ignore[import-untyped]

from infra.docs.markdown import anchor
from infra.observability.rules import DASHBOARD, RULES, kebab, rules

ROOT = Path(__file__).resolve().parents[2]
CLOUDWATCH = (ROOT / "infra/aws/modules/observability/alarms.tf").read_text("utf-8")
ALERTS = {rule["alert"]: rule for rule in rules()}
HEADINGS = re.findall(r"^### (\S+)$", (ROOT / "infra/docs/runbook.md").read_text("utf-8"), re.MULTILINE)
PROMTOOL = shutil.which("promtool")

ONLY_CLOUDWATCH = {"database-cpu", "database-connections", "database-capacity", "database-storage", "waker"}
"""AWS measures its database itself; elsewhere, so does whoever runs it. Only there may a worker sleep and be woken."""
ONLY_PROMETHEUS = {
    *("DeliveriesRefused", "EventsWaiting", "FiguresStale", "OrdersNeedAttention", "RunIncomplete", "SecretEnds"),
    "UpkeepFails",
}
"""What CloudWatch has no figures of."""


def cloudwatch_names() -> set[str]:
    """Return the alarms' names without what makes several of one: a function, a queue, a shop."""
    # From the right end on: `backlog-${queue}` is "backlog", `function-${name}-errors` is "function-errors".
    written = re.findall(r"^    ([a-z0-9-]+) = \{\n      description", CLOUDWATCH, re.MULTILINE)
    written += re.findall(r'=> "|"([a-z-]+-\$\{\w+\}[a-z-]*)" => \{', CLOUDWATCH)
    written += re.findall(r'alarm_name += "\$\{var\.prefix\}-([a-z-]+(?:\$\{each\.key\})?)"', CLOUDWATCH)
    return {re.sub(r"-\$\{[\w.]+\}", "", name) for name in written if name}


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_says_how_bad_it_is_what_it_means_and_what_to_do(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    told = rule["annotations"]
    assert set(told) == {"summary", "meaning", "runbook_url"}
    assert all(len(told[key]) > 20 for key in told)
    page, _, entry = told["runbook_url"].partition("#")
    (heading,) = [heading for heading in HEADINGS if re.sub(r"-\{\w+\}", "", heading) == kebab(name)]
    assert (page, entry) == ("infra/docs/runbook.md", anchor(heading))
    ours = set(re.findall(r"\$labels\.(\w+)", told["summary"]))
    assert ours <= set(re.findall(r"\w+", rule["expr"])), "a label that the expression does not keep"


def test_names_are_unique_and_those_of_cloudwatch() -> None:
    assert len(ALERTS) == len(list(rules()))
    theirs = cloudwatch_names()
    assert {"backlog", "function-errors", "tasks", "database-storage", "api-5xx"} <= theirs
    assert {kebab(name) for name in ALERTS if name not in ONLY_PROMETHEUS} == theirs - ONLY_CLOUDWATCH


@pytest.mark.parametrize("name", ALERTS)
def test_every_rule_can_be_read(name: str) -> None:
    promql_parser.parse(ALERTS[name]["expr"])


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & places, panel["title"]
        assert max(x for x, _ in cells) < 24
        places |= cells
        if panel["type"] != "row":
            assert panel["description"].endswith(".")
            for target in panel["targets"]:
                promql_parser.parse(target["expr"].replace("$shop", ".*"))


HOUR = 3600
NOW = 30 * 60
"""When the stories are judged, in seconds since their beginning; the clock of promtool begins at 0."""

HEALTHY = {
    'functions_requests_total{route="/orders",source="",result="accepted",reason=""}': "0+9x60",
    'functions_requests_total{route="/orders",source="",result="unavailable",reason="temporal_unavailable"}': "0+1x60",
    'functions_request_seconds_bucket{route="/orders",le="0.1"}': "0+9x60",
    'functions_request_seconds_bucket{route="/orders",le="3.0"}': "0+9x60",
    'functions_request_seconds_bucket{route="/orders",le="+Inf"}': "0+9x60",
    "functions_shed_total": "0x60",
    'functions_secret_end_timestamp_seconds{source="shopify",secret="new"}': f"{90 * 24 * HOUR}x60",
    'orders_queue_backlog_oldest_seconds{queue="orders",kind="workflow"}': "3x60",
    'orders_queue_pollers{queue="orders",kind="workflow"}': "2x60",
    'orders_queue_pollers{queue="orders",kind="activity"}': "2x60",
    "orders_events_oldest_waiting_seconds": "60x60",
    'orders_dead_events{outcome="unmatched"}': "0x60",
    "orders_failing_workflows": "0x60",
    'orders_in_state{shop="main",state="paid"}': "7x60",
    'orders_in_state{shop="main",state="needs_attention"}': "0x60",
    "orders_books_sampled_timestamp_seconds": "0+60x60",
    'orders_upkeep_total{job="books",outcome="done"}': "0+2x60",
    'orders_upkeep_total{job="books",outcome="failed"}': "0x60",
    "orders_schedules_missed": "0x60",
    "orders_runs_failed": "0x60",
    'orders_last_run_timestamp_seconds{shop="main",provider="stripe",verdict="reconciled"}': "600x60",
    'orders_open_breaks_at_risk_minor{shop="main",provider="stripe",currency="EUR",age="0-1d"}': "500x60",
}
WAKING: dict[str, dict[str, str | None]] = {
    "Api5xx": {
        'functions_requests_total{route="/orders",source="",result="unavailable",reason="temporal_unavailable"}': "0+9x60"
    },
    "ApiSlow": {'functions_request_seconds_bucket{route="/orders",le="0.1"}': "0+1x60"},
    "FunctionErrors": {
        'functions_requests_total{route="/orders",source="",result="unavailable",reason="internal"}': "_x28 1x30"
    },
    "FunctionThrottles": {"functions_shed_total": "0+1x60"},
    "DeliveriesRefused": {
        'functions_requests_total{route="/webhooks/{source}",source="shopify",result="refused",reason="mismatch"}': "0+2x60"
    },
    "SecretEnds": {'functions_secret_end_timestamp_seconds{source="shopify",secret="new"}': f"{6 * 24 * HOUR}x60"},
    "Backlog": {'orders_queue_backlog_oldest_seconds{queue="orders",kind="workflow"}': "301x60"},
    "Tasks": {
        'orders_queue_pollers{queue="orders",kind="workflow"}': "0x60",
        'orders_queue_pollers{queue="orders",kind="activity"}': "0x60",
    },
    "EventsWaiting": {"orders_events_oldest_waiting_seconds": "5401x60"},
    "DeadLetters": {'orders_dead_events{outcome="unmatched"}': "1x60"},
    "StuckWork": {'orders_stuck_steps{activity="capture_payment",code="provider_rejected"}': "1x60"},
    "OrdersNeedAttention": {'orders_in_state{shop="main",state="needs_attention"}': "1x60"},
    "DeadWebhooks": {'orders_outbound_messages{subscription="erp",state="dead"}': "1x60"},
    "FiguresStale": {"orders_books_sampled_timestamp_seconds": "0+60x9 540x60"},
    "UpkeepFails": {'orders_upkeep_total{job="books",outcome="failed"}': "0+1x60"},
    "SchedulesMissed": {"orders_schedules_missed": None},
    "RunsFailed": {"orders_runs_failed": "1x60"},
    "RunIncomplete": {
        'orders_last_run_timestamp_seconds{shop="main",provider="stripe",verdict="incomplete"}': "700x60"
    },
    "BreaksAtRisk": {
        'orders_open_breaks_at_risk_minor{shop="main",provider="stripe",currency="EUR",age="1-3d"}': "1x60"
    },
}
"""For each alert, what differs from a healthy day; None: the series is gone."""


def test_every_alert_has_a_story() -> None:
    assert set(WAKING) == set(ALERTS)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
def test_each_alert_wakes_when_it_should_and_none_on_a_healthy_day(tmp_path: Path) -> None:
    stories = [_story("healthy", {}, dict.fromkeys(ALERTS, 0))]
    stories += [_story(name, changed, {name: 1}) for name, changed in WAKING.items()]
    file = tmp_path / "stories.yaml"
    file.write_text(
        yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": stories}), "utf-8"
    )
    assert PROMTOOL is not None
    for what in (["check", "rules", str(RULES)], ["test", "rules", str(file)]):
        done = subprocess.run([PROMTOOL, *what], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def _story(name: str, changed: dict[str, str | None], firing: dict[str, int]) -> dict[str, Any]:
    series = {**HEALTHY, **changed}
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": key, "values": values} for key, values in series.items() if values is not None],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)',
                "eval_time": f"{NOW}s",
                "exp_samples": [{"labels": "{}", "value": count}],
            }
            for alert, count in firing.items()
        ],
    }
