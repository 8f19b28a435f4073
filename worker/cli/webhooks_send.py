"""`orders webhooks send`: stored samples, signed as their sender would, delivered to the functions."""

import asyncio
import functools
import json
import random
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import click

from worker.cli.dev import STATE_FILE
from worker.cli.output import print_table
from worker.contract.settings import ROOT, Secret, build, raw_settings
from worker.domain.errors import InvalidInput, NotFound
from worker.gateways.webhook_sender import UNREACHABLE, Tally
from worker.gateways.webhook_sender import send as deliver
from worker.gateways.webhook_signing import Envelope, HmacDescription, Signed, Signer, signer_of

_FALLBACK = "http://127.0.0.1:8080"
_KEYS = ("scheme", "secrets", "event_id_from", "hmac")
_IN_BODY = {"stripe": "body:id"}
"""Where the id of an event stands, for schemes whose senders put it into the body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentSecret:
    """A secret of a source; the functions read more of the table."""

    SHORTHAND: ClassVar[str] = "value"

    value: Secret
    name: str = ""
    added_at: Any = None
    not_after: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SentSource:
    """What a sender must know of a webhook source."""

    scheme: str
    secrets: tuple[SentSecret, ...]
    event_id_from: str = ""
    hmac: HmacDescription | None = None


@click.command()
@click.argument("source")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--url", help="Where the functions are (default: the running local stack's, else http://127.0.0.1:8080).")
@click.option("--type", "topic", default="", help="The type of event, for schemes that send it in a header.")
@click.option("--id", "event_id", default="", help="The event's id, for schemes that send it in a header.")
@click.option(
    "--secret-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Sign with this secret."
)
@click.option(
    "--count", default=1, show_default=True, type=click.IntRange(1, 100_000), help="Events made of each file."
)
@click.option("--new-ids", is_flag=True, help="Give every event an id of its own, in the body where it stands there.")
@click.option("--duplicates", default=0, type=click.IntRange(0, 1000), help="Deliver each event so often again.")
@click.option("--shuffle", is_flag=True, help="Deliver in another order.")
@click.option("--seed", default=0, help="Of --shuffle: the same seed, the same order.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Deliveries a second (default: no limit).")
@click.option("--concurrency", default=8, show_default=True, type=click.IntRange(1, 500), help="Deliveries at once.")
@click.option("--dry-run", is_flag=True, help="Print the first delivery, signature and all, and send nothing.")
def send(
    source: str,
    files: tuple[Path, ...],
    url: str | None,
    topic: str,
    event_id: str,
    secret_file: Path | None,
    count: int,
    duplicates: int,
    seed: int,
    rate: float | None,
    concurrency: int,
    *,
    new_ids: bool,
    shuffle: bool,
    dry_run: bool,
) -> None:
    """Sign FILES as SOURCE's sender would and deliver them to POST /webhooks/SOURCE.

    The first secret of settings signs (webhooks.SOURCE.secrets). Exits 0 when every answer is a 2xx, 5 when some are
    not, 4 when nobody answers.
    """
    known = _source(source)
    sign = functools.partial(_signed, signer_of(known.scheme, known.hmac), _secret(source, known, secret_file))
    id_rule = known.event_id_from or _IN_BODY.get(known.scheme, "")
    events = [
        _event(body, event_id, topic, id_rule, fresh=new_ids)
        for body in (file.read_bytes() for file in files)
        for _ in range(count)
    ]
    deliveries = [functools.partial(sign, *event) for event in events for _ in range(1 + duplicates)]
    if shuffle:
        random.Random(seed).shuffle(deliveries)
    target = f"{(url or _local_url()).rstrip('/')}/webhooks/{source}"
    if dry_run:
        _show(target, deliveries[0](), len(deliveries))
        return
    tally = asyncio.run(deliver(target, deliveries, concurrency=concurrency, per_second=rate))
    _report(target, tally)
    if set(tally.answers) == {UNREACHABLE}:
        raise click.exceptions.Exit(4)
    if not tally.all_taken:
        raise click.exceptions.Exit(5)


def _event(body: bytes, event_id: str, topic: str, id_rule: str, *, fresh: bool) -> tuple[bytes, str, str]:
    """Return body, id and type of one event; `fresh` gives it an id of its own."""
    chosen = event_id if event_id and not fresh else f"evt_{uuid.uuid4().hex}"
    if fresh and id_rule.startswith("body:"):
        body = _with_id(body, id_rule.removeprefix("body:").split("+")[0].strip(), chosen)
    return body, chosen, topic


def _with_id(body: bytes, path: str, value: str) -> bytes:
    """Return the JSON body with another text at `path` (`data.id`, `items.0.id`)."""
    *steps, last = path.split(".")
    try:
        document = json.loads(body)
        place = document
        for step in steps:
            place = place[int(step)] if isinstance(place, list) else place[step]
        place[int(last) if isinstance(place, list) else last] = value
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise InvalidInput(f"the file has no {path}, where its events' ids stand") from error
    return json.dumps(document, ensure_ascii=False).encode()


def _signed(signer: Signer, secret: str, body: bytes, event_id: str, topic: str) -> Signed:
    return signer(body, secret, Envelope(event_id=event_id, topic=topic, at=int(time.time())))


def _source(name: str) -> SentSource:
    tables: Mapping[str, Any] = raw_settings().get("webhooks", {})
    table = tables.get(name)
    if not isinstance(table, Mapping):
        raise NotFound(f"settings have no webhooks.{name}; there are {', '.join(sorted(tables))}")
    return build(SentSource, {key: table[key] for key in _KEYS if key in table})


def _secret(name: str, known: SentSource, file: Path | None) -> str:
    if file is not None:
        return file.read_text("utf-8").strip()
    if not known.secrets and known.scheme != "unsigned":
        raise InvalidInput(
            f"no secret to sign with: set ORDERS_WEBHOOKS__{name.upper()}__SECRETS, or give one with --secret-file "
            '(for the local stack: eval "$(orders dev env)")'
        )
    return known.secrets[0].value.reveal() if known.secrets else ""


def _local_url() -> str:
    try:
        state = json.loads((ROOT / STATE_FILE).read_text("utf-8"))
        return str(state["urls"]["functions"])
    except (OSError, ValueError, KeyError):
        return _FALLBACK


def _show(target: str, delivery: Signed, count: int) -> None:
    click.echo(f"POST {target}", err=True)
    for name, value in delivery.headers.items():
        click.echo(f"{name}: {value}")
    click.echo("")
    click.echo(delivery.body)
    click.echo(f"the first of {count}; nothing was sent", err=True)


def _report(target: str, tally: Tally) -> None:
    total = sum(tally.answers.values())
    print_table(
        f"{total} deliveries to {target}", ["answer", "times"], [(a, str(n)) for a, n in sorted(tally.answers.items())]
    )
    if tally.seconds:
        half, most = tally.percentile(0.5), tally.percentile(0.99)
        click.echo(f"answered in {half * 1000:.0f} ms (median), {most * 1000:.0f} ms (99 of 100)")
