"""`orders reconcile report`: where the report of a run is, or the index of all; both can be written again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.options import examples
from worker.cli.output import as_json, print_json
from worker.cli.settings import load
from worker.connections import reading, store_of, stored_at
from worker.domain.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from worker.config import WorkerConfig
    from worker.services.ports import Database


@click.command(
    epilog=examples(
        "orders reconcile report 41f0c9d2 --open",
        "orders reconcile report --index",
        "xdg-open $(orders reconcile report --index --rewrite)",
    )
)
@click.argument("run_id", required=False)
@click.option("--index", is_flag=True, help="The index of all runs instead of one run's report.")
@click.option(
    "--rewrite", is_flag=True, help="Write it again from the database first, as the installed release does it."
)
@click.option("--open", "open_it", is_flag=True, help="Open it in the browser as well.")
@as_json
def report(run_id: str | None, *, index: bool, rewrite: bool, open_it: bool, as_json: bool) -> None:
    """Print where the HTML report of a run is, or with --index the page over all runs."""
    if (run_id is None) is not index:
        raise click.UsageError("name a run, or ask for the --index")
    config = load()
    if open_it and config.store.bucket:
        raise InvalidInput(
            f"the reports are in the bucket {config.store.bucket}: "
            f"`aws s3 sync s3://{config.store.bucket}/reports reports` copies them, then open reports/index.html"
        )
    with reading(config) as database:
        if rewrite:
            path = _rewritten(config, database, run_id)
        elif run_id is None:
            path = _index(config)
        else:
            found = database.transact(lambda tx: tx.runs.get(run_id))
            if found is None or not found.report:
                raise NotFound(f"run {run_id} has no report; `orders reconcile list` shows the runs")
            path = found.report
    place = stored_at(config, path)
    if as_json:
        print_json({"run_id": run_id, "report": place})
    else:
        click.echo(place)
    if open_it:
        click.launch(place)


def _rewritten(config: WorkerConfig, database: Database, run_id: str | None) -> str:
    from worker.reports.writer import ReportFiles
    from worker.services.reporting import ReportingService

    service = ReportingService(database, ReportFiles(store_of(config)))
    return service.write_index() if run_id is None else service.write(run_id)


def _index(config: WorkerConfig) -> str:
    from worker.reports.writer import INDEX

    store = store_of(config)
    if INDEX not in store.names(f"{INDEX.rpartition('/')[0]}/"):
        raise NotFound(
            "there is no index yet: the first report writes it, or `orders reconcile report --index --rewrite`"
        )
    return INDEX
