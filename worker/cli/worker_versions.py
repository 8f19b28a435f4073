"""`orders worker versions`: which release of the worker has the work, and giving it to another one."""

import click

from worker.cli.dialogue import ask, record
from worker.cli.options import actor_option, consent, dry_run_option, examples, reason_option, yes_option
from worker.cli.output import as_json, print_json, print_table, remark, when
from worker.cli.settings import load
from worker.domain.errors import NotFound


@click.group(invoke_without_command=True, epilog=examples("orders worker versions", "orders worker versions --json"))
@as_json
@click.pass_context
def versions(context: click.Context, *, as_json: bool) -> None:
    """List the versions of the worker that were seen, the newest first, and which one has the work.

    A worker whose settings name a release (worker.release) is a version. Its status: current; ramping (has a share);
    draining (running workflows may still be on it); drained; inactive (was never current).
    """
    if context.invoked_subcommand is not None:
        return
    from worker.temporal.versions import listed

    found = ask(load(), listed)
    if as_json:
        print_json({"current": found.current, "ramping": found.ramping, "versions": found.versions})
        return
    if not found.versions:
        click.echo("no worker named a release (worker.release): all work is for workers without one")
        return
    print_table(
        f"versions of the worker, current: {found.current}",
        ["version", "status", "share", "current since (UTC)", "first seen (UTC)"],
        [
            (
                each.build_id,
                each.status,
                f"{each.ramp_percent:g} %" if each.build_id == found.ramping else "-",
                when(each.current_since),
                when(each.first_seen_at),
            )
            for each in found.versions
        ],
        least=["first seen (UTC)"],
    )
    remark(f"last changed by {found.changed_by}")


@versions.command(
    "set",
    epilog=examples(
        'orders worker versions set 2026.8.0 --reason "2026.8.1 is slow" --dry-run',
        'orders worker versions set 2026.8.1 --percent 20 --reason "a look at it" --yes',
        'orders worker versions set unversioned --reason "back to a worker that names no release" --yes',
    ),
)
@click.argument("build_id")
@click.option(
    "--percent",
    type=click.FloatRange(0, 100),
    help="Only this share of the workflows, beside the current version; 0 takes the share away.",
)
@reason_option()
@actor_option
@dry_run_option
@yes_option
def set_version(build_id: str, percent: float | None, reason: str, actor: str, *, dry_run: bool, yes: bool) -> None:
    """Give the work to the version BUILD_ID, as `orders worker versions` names it.

    Running workflows go on with it at their next task. `unversioned` gives it back to workers whose settings name no
    release. Its workers must be there: work that is given to nobody waits.
    """
    from worker.temporal import versions as deployment

    unversioned = build_id == deployment.UNVERSIONED
    if unversioned and percent is not None:
        raise click.UsageError("--percent is for versions; workers without a release have the rest")
    config = load()
    known = ask(config, deployment.listed)
    if known.get(build_id) is None and not unversioned:
        raise NotFound(f"no worker of version {build_id} was seen; `orders worker versions` lists those that were")
    if percent is None and known.current == build_id:
        click.echo(f"{build_id} is the current version")
        return
    share = "all work" if percent is None else f"{percent:g} % of the work"
    wish = f"give {share} from {known.current} to {build_id}"
    consent(f"{wish[0].upper()}{wish[1:]}?", yes=yes, dry_run=dry_run)
    if dry_run:
        click.echo(f"would {wish}")
        return
    subject = f"worker/{build_id}"
    record(config, "version_set", subject, actor=actor, reason=reason, before=known.current, percent=percent)
    if percent is None:
        ask(config, lambda client: deployment.set_current(client, build_id, actor=actor, known=known))
    else:
        ask(config, lambda client: deployment.set_ramping(client, build_id, percent, actor=actor))
    after = ask(config, deployment.listed)
    ramp = f", {after.ramp_percent:g} % on {after.ramping}" if after.ramping else ""
    click.echo(f"current: {after.current} (before: {known.current}){ramp}")
