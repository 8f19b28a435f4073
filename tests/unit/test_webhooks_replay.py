"""`orders webhooks replay` over several events: what can be done is done, and everything is told."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from worker.cli import webhooks
from worker.contract.events import EventResult, ProviderEvent
from worker.domain.errors import Conflict, ProviderUnavailable
from worker.services.ports import InboxEntry
from worker.temporal import replay as temporal_replay

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)


def entry(event_id: str, source: str = "stripe", minutes: int = 0) -> InboxEntry:
    return InboxEntry(
        source=source,
        event_id=event_id,
        topic="charge.refunded",
        origin="webhook",
        body_sha256="0" * 64,
        received_at=NOW + timedelta(minutes=minutes),
        workflow_id=f"event/{source}/{event_id}",
        run_id="run-1",
        outcome="unmatched",
    )


def event(of: InboxEntry) -> ProviderEvent:
    return ProviderEvent(
        source=of.source, dialect="stripe", shop="main", event_id=of.event_id, topic=of.topic, body="{}", received_at=""
    )


def replayed(patch: pytest.MonkeyPatch, **results: Any) -> list[tuple[str, str]]:
    """Replay events whose replays give these results; return what is told of each."""

    async def event_of(_client: Any, of: InboxEntry) -> ProviderEvent | None:
        return None if results[of.event_id] == "gone" else event(of)

    async def replay(_client: Any, of: ProviderEvent, *, patience: timedelta) -> EventResult | None:
        assert patience
        result = results[of.event_id]
        if isinstance(result, Exception):
            raise result
        return EventResult(outcome=result) if result else None

    patch.setattr(temporal_replay, "event_of", event_of)
    patch.setattr(temporal_replay, "replay", replay)
    client: Any = None
    told = asyncio.run(webhooks._replayed(client, [entry(name) for name in results], dry_run=False))
    return [(each["event"], each["now"]) for each in told]


def test_one_that_fails_or_waits_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    told = replayed(monkeypatch, a="applied", b="gone", c=Conflict("another"), d=None, e="late")
    assert told == [("a", "applied"), ("b", "gone"), ("c", "failed"), ("d", "waiting"), ("e", "late")]


def test_when_temporal_stops_answering_what_was_done_is_told_and_the_rest_not_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = replayed(monkeypatch, a="applied", b=ProviderUnavailable("no answer"), c="applied")
    assert told == [("a", "applied"), ("b", "no answer"), ("c", "not tried")]


def chosen(patch: pytest.MonkeyPatch, entries: list[InboxEntry], *arguments: str) -> Any:
    patch.setattr(webhooks, "load", lambda: None)
    patch.setattr(webhooks, "_inbox", lambda _config, **asked: entries[: asked["limit"]])
    patch.setattr(webhooks, "ask", _nothing)
    patch.setattr(webhooks, "record", _nothing)
    return CliRunner().invoke(webhooks.replay_events, arguments)


def _nothing(*_: Any, **__: Any) -> list[Any]:
    return []


def test_an_id_that_two_sources_use_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    done = chosen(monkeypatch, [entry("e-1"), entry("e-1", "warehouse")], "e-1", "--yes")
    assert "stripe and warehouse both have an event e-1" in str(done.exception)


def test_more_than_the_limit_is_refused_and_the_limit_itself_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    three = [entry(f"e-{number}", minutes=number) for number in range(3)]
    assert "more than 2 events" in str(chosen(monkeypatch, three, "--source", "stripe", "--limit", "2").exception)
    assert chosen(monkeypatch, three, "--source", "stripe", "--limit", "3", "--yes").exit_code == 0
