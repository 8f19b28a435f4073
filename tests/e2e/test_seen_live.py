"""What can be seen of a running stack: its figures are those that alerts and dashboard ask for, its traces are whole."""

import json
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import promql_parser
from prometheus_client.parser import text_string_to_metric_families

from infra.local.story.world import until
from infra.observability.rules import DASHBOARD, rules
from tests.e2e.scene import Scene, api_order
from worker.domain.order import OrderState

Trace = dict[str, Any]

LABELS_OF_SCRAPING = {"le"}
WHEN_THERE_IS_SOMETHING = {
    "orders_stuck_steps": {"activity", "code"},
    "orders_outbound_messages": {"subscription", "state"},
    "orders_open_breaks": {"shop", "provider", "kind", "age"},
    "orders_open_breaks_at_risk_minor": {"shop", "provider", "currency", "age"},
    "orders_open_breaks_oldest_seconds": {"shop", "provider"},
    "orders_runs": {"shop", "provider", "verdict"},
    "orders_last_run_timestamp_seconds": {"shop", "provider", "verdict"},
    "orders_captured_minor_total": {"shop", "provider", "currency"},
    "orders_refunded_minor_total": {"shop", "provider", "currency"},
    "functions_secret_end_timestamp_seconds": {"source", "secret"},
}
"""Series that a stack without breaks, runs, refunds or dead letters has not; their names are exposed all the same."""


def selectors(expression: str) -> Iterator[Any]:
    """Return every selector of an expression."""
    found: list[Any] = []

    def visit(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        elif isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)
        return True

    promql_parser.walk(promql_parser.parse(expression), visit)
    yield from found


def grouped(expression: str) -> set[str]:
    """Return the labels that aggregations and matchings name."""
    return {
        name.strip() for names in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression) for name in names.split(",")
    } - {""}


def asked_for() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    panels = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    return [rule["expr"] for rule in rules()] + [expression.replace("$shop", ".*") for expression in panels]


async def exposed(scene: Scene) -> tuple[set[str], dict[str, set[str]]]:
    """Return the names that worker and functions expose, and the labels of each series that is there."""
    names: set[str] = set()
    labels: dict[str, set[str]] = {}
    for address in (f"{scene.stack.url('worker')}/metrics", scene.stack.url("functions_metrics")):
        async with scene.http.get(address) as answer:
            text = await answer.text()
        for family in text_string_to_metric_families(text):
            names |= {family.name, f"{family.name}_total"} if family.type == "counter" else {family.name}
            for sample in family.samples:
                names.add(sample.name)
                labels.setdefault(sample.name, set()).update(sample.labels)
    return names, labels


async def test_every_metric_and_label_that_is_asked_for_exists(scene: Scene) -> None:
    order_id = await scene.buy()
    await scene.completes(order_id)

    async def sampled() -> bool:
        _, labels = await exposed(scene)
        return {"orders_in_state", "orders_schedules_missed", "orders_queue_backlog"} <= set(labels)

    await until("the worker shows its books", sampled, seconds=60)
    names, labels = await exposed(scene)
    for expression in asked_for():
        for selector in selectors(expression):
            assert selector.name in names | set(WHEN_THERE_IS_SOMETHING), (selector.name, expression)
            known = labels.get(selector.name, set()) | WHEN_THERE_IS_SOMETHING.get(selector.name, set())
            wanted = {matcher.name for matcher in selector.matchers.matchers}
            assert wanted <= known, (selector.name, wanted - known)
        of_all = set().union(
            *(
                labels.get(each.name, set()) | WHEN_THERE_IS_SOMETHING.get(each.name, set())
                for each in selectors(expression)
            )
        )
        assert grouped(expression) <= of_all, expression


def spans_of(scene: Scene) -> Path:
    return Path(scene.stack.env["ORDERS_TRACING__FILE"])


async def trace_of(scene: Scene, what: str, complete: Callable[[Trace], bool]) -> Trace:
    """Return the trace that `what` is found in, once it is complete: spans are written some time after they end."""
    found: list[Trace] = []

    async def written() -> bool:
        done = scene.stack.cli(
            "dev", "trace", what, "--limit", "100", "--directory", str(spans_of(scene).parent), "--json"
        )
        found[:] = [each for each in json.loads(done.out or "[]") if complete(each)]
        return bool(found)

    await until(f"a whole trace of {what}", written, seconds=60)
    return found[0]


def named(trace: Trace, name: str) -> list[dict[str, Any]]:
    return [span for span in trace["spans"] if span["name"] == name]


def ancestry(trace: Trace, span: dict[str, Any]) -> list[str]:
    """Return the names from the root down to a span."""
    by_id = {each["span_id"]: each for each in trace["spans"]}
    names = [span["name"]]
    while span["parent_id"] in by_id:
        span = by_id[span["parent_id"]]
        names.insert(0, span["name"])
    return names


async def test_one_webhook_is_one_trace_down_to_the_provider(scene: Scene) -> None:
    order_id = await scene.buy()
    await scene.completes(order_id)
    trace = await trace_of(
        scene,
        order_id,
        lambda trace: bool(named(trace, "CompleteWorkflow:OrderWorkflow") and named(trace, "POST /webhooks/{source}")),
    )
    roots = [span for span in trace["spans"] if span["depth"] == 0]
    assert [(root["name"], root["service"]) for root in roots] == [("POST /webhooks/{source}", "orders-functions")]
    assert {span["service"] for span in trace["spans"]} == {"orders-functions", "orders-worker"}
    (asked,) = named(trace, "POST the warehouse")
    assert ancestry(trace, asked) == [
        "POST /webhooks/{source}",
        "StartActivity:deliver_event",
        "RunActivity:deliver_event",
        "StartWorkflow:OrderWorkflow",
        "StartActivity:request_fulfilment",
        "RunActivity:request_fulfilment",
        "POST the warehouse",
    ]
    assert asked["attributes"]["http.response.status_code"] == "201"
    assert all(root["start_ns"] <= span["start_ns"] + 10**8 for root in roots for span in trace["spans"])


async def test_a_caller_s_trace_goes_on_and_log_lines_name_it(scene: Scene) -> None:
    trace_id, caller = secrets.token_hex(16), secrets.token_hex(8)
    document = api_order()
    sent = {"Authorization": f"Bearer {scene.stack.api_key}", "traceparent": f"00-{trace_id}-{caller}-01"}
    answer = await scene.post("/orders", body=json.dumps(document).encode(), headers=sent)
    assert answer.status == 202
    await scene.comes_to(document["order_id"], OrderState.FULFILLING, OrderState.SHIPPED, OrderState.COMPLETED)
    trace = await trace_of(scene, trace_id, lambda trace: bool(named(trace, "POST the warehouse")))
    assert [span["parent_id"] for span in trace["spans"] if span["depth"] == 0] == [caller]
    provider = [span for span in trace["spans"] if span["name"] == "POST stripe"]
    assert len(provider) == 2, "authorised and captured, in one step"
    assert {ancestry(trace, span)[2] for span in provider} == {"RunActivity:charge_and_fulfil"}
    assert all(ancestry(trace, span)[0] == "POST /orders" for span in provider)
    logs = spans_of(scene).parent / "logs"
    assert trace_id in (logs / "functions.log").read_text("utf-8")
    told = json.dumps(trace)
    assert document["customer_id"] not in told
    assert document["payment_method"] not in told


async def test_a_trace_that_the_caller_does_not_keep_is_not_kept(scene: Scene) -> None:
    trace_id = secrets.token_hex(16)
    document = api_order()
    sent = {"Authorization": f"Bearer {scene.stack.api_key}", "traceparent": f"00-{trace_id}-{'1' * 16}-00"}
    assert (await scene.post("/orders", body=json.dumps(document).encode(), headers=sent)).status == 202
    await scene.completes(document["order_id"])
    assert trace_id not in spans_of(scene).read_text("utf-8")
