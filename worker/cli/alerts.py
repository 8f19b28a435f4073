"""`orders alerts`: one alert per rule, shop and provider; what was told of it, and to whom."""

from collections.abc import Mapping
from datetime import datetime

import click

from worker.cli.options import Noun, dry_run_option, examples
from worker.cli.output import as_json, print_json, print_table, when
from worker.cli.settings import load
from worker.connections import reading
from worker.domain.alert import Alert, AlertState
from worker.domain.errors import NotFound, OrdersError
from worker.domain.money import Money


@click.group(cls=Noun)
def command() -> None:
    """Alerts about reconciliation."""


@command.command("list", epilog=examples("orders alerts list", "orders alerts list --state all --json"))
@click.option("--state", type=click.Choice(["open", "closed", "all"]), default="open", show_default=True)
@click.option("--limit", default=100, show_default=True)
@as_json
def list_alerts(state: str, limit: int, *, as_json: bool) -> None:
    """List alerts, newest first. Exits 1 when an open one is listed."""
    with reading(load()) as database:
        found = database.transact(lambda tx: tx.alerts.listed(None if state == "all" else state, limit))
    if as_json:
        print_json(found)
    else:
        print_table(
            f"alerts ({state})",
            ["alert", "rule", "shop", "provider", "state", "opened (UTC)", "closed (UTC)", "count", "at risk", "told"],
            [_row(alert) for alert in found],
            least=("closed (UTC)", "told", "provider", "shop"),
        )
    if any(alert.state is AlertState.OPEN for alert in found):
        raise click.exceptions.Exit(1)


@command.command(epilog=examples("orders alerts show 41f0c9d2a7b35e68"))
@click.argument("alert_id")
@as_json
def show(alert_id: str, *, as_json: bool) -> None:
    """Show one alert: why it is open, the largest breaks, and every notice with what became of it."""
    with reading(load()) as database:
        alert = database.transact(lambda tx: tx.alerts.get(alert_id))
        if alert is None:
            raise NotFound(f"no alert {alert_id}; `orders alerts list --state all` shows them")
        notices = database.transact(lambda tx: tx.alerts.notices(alert_id))
    if as_json:
        print_json({"alert": alert, "notices": notices})
        return
    concern = alert.concern
    click.echo(f"alert {alert.alert_id}: {alert.rule} of {alert.shop}/{alert.provider} is {alert.state}")
    click.echo(f"opened {when(alert.opened_at)}, closed {when(alert.closed_at)}, last seen {when(alert.last_seen_at)}")
    click.echo(
        f"count {concern.subjects}; at risk {_amounts(concern.at_risk)}; run {concern.run_id} ({concern.verdict})"
    )
    for reason in concern.reasons:
        click.echo(f"because {reason}")
    print_table(
        "largest breaks",
        ["break", "kind", "leg", "at risk", "since"],
        [
            (
                str(each["break_id"]),
                str(each["kind"]),
                str(each.get("leg", "-")),
                str(Money(int(each["at_risk_minor"]), str(each["currency"]))),
                when(datetime.fromisoformat(str(each["since"]))),
            )
            for each in concern.top
        ],
    )
    print_table(
        "notices",
        ["notice", "to", "what", "made (UTC)", "outcome", "at (UTC)", "detail"],
        [
            (
                notice.notice_id,
                notice.endpoint,
                str(notice.document["type"]).rpartition(".")[2],
                when(notice.created_at),
                notice.outcome,
                when(notice.finished_at),
                notice.detail,
            )
            for notice in notices
        ],
        least=("made (UTC)", "notice", "what"),
    )


@command.command(epilog=examples("orders alerts test open_breaks --dry-run", "orders alerts test open_breaks"))
@click.argument("name")
@dry_run_option
def test(name: str, *, dry_run: bool) -> None:
    """Send a sample that says it is a test to every endpoint of the alert NAME of settings.toml."""
    from worker.gateways.clock import SystemClock
    from worker.gateways.mail import SmtpMail
    from worker.policies import alert_rules_of, notifier_of
    from worker.services.alerting import sample

    config = load()
    rules = {rule.name: rule for rule in alert_rules_of(config)}
    rule = rules.get(name)
    if rule is None:
        raise NotFound(f"settings.toml has no [alerts.{name}]; there are {', '.join(sorted(rules)) or 'none'}")
    if not rule.to:
        raise click.UsageError(f"[alerts.{name}] has no endpoint in `to`: nobody would be told")
    mail = SmtpMail(host=config.mail.host, port=config.mail.port, sender=config.mail.sender)
    notifier = notifier_of(config, mail)
    problem: OrdersError | None = None
    for notice in sample(rule, config.shop.name, config.provider.name, SystemClock().now()):
        if dry_run:
            click.echo(f"{notice.endpoint}: would be sent the sample {notice.notice_id}")
            continue
        try:
            notifier.send(notice)
        except OrdersError as refusal:
            click.echo(f"{notice.endpoint}: {refusal}", err=True)
            problem = refusal
        else:
            click.echo(f"{notice.endpoint}: took the sample {notice.notice_id}")
    if problem is not None:
        raise problem


def _row(alert: Alert) -> tuple[str, ...]:
    return (
        alert.alert_id,
        alert.rule,
        alert.shop,
        alert.provider,
        str(alert.state),
        when(alert.opened_at),
        when(alert.closed_at),
        str(alert.concern.subjects),
        _amounts(alert.concern.at_risk),
        str(alert.notices),
    )


def _amounts(amounts: Mapping[str, int]) -> str:
    return ", ".join(str(Money(minor, currency)) for currency, minor in amounts.items()) or "-"
