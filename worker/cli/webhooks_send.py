"""`orders webhooks send`: stored samples, signed as their sender would, delivered to the functions."""

import functools
import json
import random
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import click

from worker.cli.dev import STATE_NAME, stack_directory
from worker.cli.options import examples
from worker.cli.output import as_json, print_json, print_table
from worker.contract.settings import ROOT, Secret, build, raw_settings
from worker.domain.errors import InvalidInput, NotFound
from worker.gateways.webhook_naming import Place, place_of, rules_of
from worker.gateways.webhook_signing import Envelope, HmacDescription, Signed, Signer, signer_of

if TYPE_CHECKING:
    from worker.gateways.webhook_sender import Tally

_FALLBACK = "http://127.0.0.1:8080"
_KEYS = ("scheme", "secrets", "event_id_from", "topic_from", "hmac")
_URL = re.compile(r"https?://[^/?#\s]+[^?#\s]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class SentSecret:
    """A secret of a source; the functions read more of the table."""

    SHORTHAND: ClassVar[str] = "value"

    value: Secret
    name: str = ""
    added_at: datetime | None = None
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SentSource:
    """What a sender must know of a webhook source."""

    scheme: str
    secrets: tuple[SentSecret, ...]
    event_id_from: str = ""
    topic_from: str = ""
    hmac: HmacDescription | None = None

    @property
    def places(self) -> tuple[Place, Place]:
        """Where the id and the type of an event are written."""
        own_id, own_topic = rules_of(self.scheme, self.hmac.id_header if self.hmac else "")
        return place_of(self.event_id_from or own_id), place_of(self.topic_from or own_topic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event to deliver: its body, what names it, and the headers that the scheme does not sign."""

    body: bytes
    event_id: str
    topic: str
    headers: Mapping[str, str]


def _url(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    if text is not None and not _URL.fullmatch(text):
        raise click.BadParameter("is no address like https://shop.example")
    return text


def _name(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        raise click.BadParameter("must be printable ASCII, for a header")
    return text


@click.command(
    epilog=examples(
        "orders webhooks send stripe charge.json --dry-run",
        "orders webhooks send shopify order.json --type orders/paid --count 100 --duplicates 1 --shuffle",
    )
)
@click.argument("source")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--url",
    callback=_url,
    help="Where the functions are (default: the running local stack's, else http://127.0.0.1:8080).",
)
@click.option(
    "--type", "topic", default="", callback=_name, help="The type of event, written where the source reads it."
)
@click.option("--id", "event_id", default="", callback=_name, help="The event's id, written where the source reads it.")
@click.option(
    "--secret-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Sign with this secret."
)
@click.option(
    "--count",
    default=1,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="Events made of each file; above 1 each gets an id of its own.",
)
@click.option("--new-ids", is_flag=True, help="Give every event an id of its own, in the body where it stands there.")
@click.option("--duplicates", default=0, type=click.IntRange(0, 1000), help="Deliver each event so often again.")
@click.option("--shuffle", is_flag=True, help="Deliver in another order.")
@click.option("--seed", default=0, help="Of --shuffle: the same seed, the same order.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Deliveries a second (default: no limit).")
@click.option("--concurrency", default=8, show_default=True, type=click.IntRange(1, 500), help="Deliveries at once.")
@click.option(
    "--retries",
    default=0,
    show_default=True,
    type=click.IntRange(0, 100),
    help="Deliver again what is answered 429 or 5xx, or not at all, so often, after the time that the answer asks for.",
)
@click.option("--dry-run", is_flag=True, help="Print the first delivery, signature and all, and send nothing.")
@as_json
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
    retries: int,
    *,
    new_ids: bool,
    shuffle: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Sign FILES as SOURCE's sender would and deliver them to POST /webhooks/SOURCE.

    The first secret of settings that has not ended signs (webhooks.SOURCE.secrets). Exits 0 when every answer is a 2xx,
    5 when some are not, 4 when nobody answers.
    """
    import asyncio

    from worker.gateways.webhook_sender import UNREACHABLE
    from worker.gateways.webhook_sender import send as deliver

    if event_id and (new_ids or count * len(files) > 1):
        raise click.UsageError("--id names one event: for more take --new-ids, to repeat it --duplicates")
    known = _source(source)
    sign = functools.partial(_signed, signer_of(known.scheme, known.hmac), _secret(source, known, secret_file))
    events = [
        _event(known, body, event_id, topic, fresh=new_ids or count > 1)
        for body in (file.read_bytes() for file in files)
        for _ in range(count)
    ]
    for event in events[::count]:
        sign(event)  # what cannot be signed is told before anything is sent
    deliveries = [functools.partial(sign, event) for event in events for _ in range(1 + duplicates)]
    if shuffle:
        random.Random(seed).shuffle(deliveries)
    target = f"{(url or _local_url()).rstrip('/')}/webhooks/{source}"
    if dry_run:
        _show(target, deliveries[0](), len(deliveries), as_json=as_json)
        return
    tally = asyncio.run(deliver(target, deliveries, concurrency=concurrency, per_second=rate, retries=retries))
    _report(target, tally, as_json=as_json)
    if set(tally.answers) == {UNREACHABLE}:
        raise click.exceptions.Exit(4)
    if not tally.all_taken:
        raise click.exceptions.Exit(5)


def _event(known: SentSource, body: bytes, event_id: str, topic: str, *, fresh: bool) -> Event:
    """Return an event of this body under the names that were chosen, or a new id, or those that it has."""
    id_place, topic_place = known.places
    headers: dict[str, str] = {}
    chosen = event_id or uuid.uuid4().hex
    if event_id or fresh or id_place.header:
        body, more = id_place.write(body, chosen)
        headers |= more
    if topic:
        body, more = topic_place.write(body, topic)
        headers |= more
    elif topic_place.header:
        raise click.UsageError(f"the sender names the type in the header {topic_place.header}: say --type")
    return Event(body=body, event_id=chosen, topic=topic, headers=headers)


def _signed(signer: Signer, secret: str, event: Event) -> Signed:
    envelope = Envelope(event_id=event.event_id, topic=event.topic, at=int(time.time()))
    signed = signer(event.body, secret, envelope)
    told = {name.lower() for name in signed.headers}
    more = {name: value for name, value in event.headers.items() if name not in told}
    return replace(signed, headers={**signed.headers, **more})


def _source(name: str) -> SentSource:
    tables: Mapping[str, Any] = raw_settings().get("webhooks", {})
    table = tables.get(name)
    if not isinstance(table, Mapping):
        raise NotFound(f"settings have no webhooks.{name}; there are {', '.join(sorted(tables))}")
    return build(SentSource, {key: table[key] for key in _KEYS if key in table})


def _secret(name: str, known: SentSource, file: Path | None) -> str:
    if file is not None:
        try:
            return file.read_text("utf-8").strip()
        except UnicodeDecodeError as error:
            raise InvalidInput(f"{file} holds no secret: it is no text") from error
    if known.scheme == "unsigned":
        return ""
    now = datetime.now(UTC)
    active = [secret for secret in known.secrets if secret.not_after is None or secret.not_after > now]
    if not active:
        raise InvalidInput(
            f"no secret to sign with: set ORDERS_WEBHOOKS__{name.upper()}__SECRETS, or give one with --secret-file "
            '(for the local stack: eval "$(orders dev env)")'
        )
    return active[0].value.reveal()


def _local_url() -> str:
    try:
        state = json.loads((stack_directory(ROOT) / STATE_NAME).read_text("utf-8"))
        return str(state["urls"]["functions"])
    except (OSError, ValueError, KeyError):
        return _FALLBACK


def _show(target: str, delivery: Signed, count: int, *, as_json: bool) -> None:
    if as_json:
        body = delivery.body.decode("utf-8", "replace")
        print_json({"url": target, "headers": delivery.headers, "body": body, "deliveries": count})
        return
    click.echo(f"POST {target}", err=True)
    for name, value in delivery.headers.items():
        click.echo(f"{name}: {value}")
    click.echo("")
    click.echo(delivery.body)
    click.echo(f"the first of {count}; nothing was sent", err=True)


def _report(target: str, tally: "Tally", *, as_json: bool) -> None:
    half, most = (round(tally.percentile(share) * 1000) for share in (0.5, 0.99))
    if as_json:
        figures = {"repeated": tally.repeated, "median_ms": half, "p99_ms": most}
        print_json({"url": target, "answers": dict(tally.answers), **figures})
        return
    print_table(
        f"{tally.answers.total()} deliveries to {target}",
        ["answer", "times"],
        [(answer, str(times)) for answer, times in sorted(tally.answers.items())],
    )
    if tally.repeated:
        click.echo(f"{tally.repeated} more were answered with a request to come again, and did")
    if tally.seconds:
        click.echo(f"answered in {half} ms (median), {most} ms (99 of 100)")
