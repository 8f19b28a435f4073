"""What a run decided when it gathered its books: the same for every step that follows, on whichever worker."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from worker.domain.finding import Leg
from worker.domain.matching.payouts import payout_scope
from worker.domain.matching.rejects import UnreadRow
from worker.domain.matching.rules import Rules
from worker.domain.matching.rules_codec import decode_rules, encode_rules
from worker.domain.matching.scope import Scope
from worker.services.ports import Run

_TIMES = ("window_start", "window_end", "horizon_start")
_SPANS = ("payment_grace", "shipment_grace", "order_grace", "margin")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """A run that was begun, what it covers, by which rules it is judged, and what could not be read."""

    run: Run
    scope: Scope
    rules: Rules
    """Of the settings when it was gathered: every step, on whichever worker, judges by the same."""
    legs_read: frozenset[Leg]
    incomplete_because: tuple[str, ...]
    unread_rows: tuple[UnreadRow, ...] = ()
    """Rows of the statement file that could not be read."""
    by_key: bool = True
    """Keys that agree as a whole are no findings. A run of a release that knew of pairs alone has a finding for each of
    them: done again it must say the same."""
    bank_alone: bool = True
    """What the bank booked is judged where the provider lists no payout at all, too. Earlier releases did not ask it then."""

    payouts_until: datetime | None = None
    """Up to when payouts are judged, where lists of them lie beside a statement: later than its last line."""

    @property
    def payout_scope(self) -> Scope:
        """What the run covers of payouts: those that arrived some time ago are looked at again, money aside.

        A file says nothing of payouts before it, unless it has lists of them beside it.
        """
        if self.payouts_until is not None:
            return payout_scope(replace(self.scope, window_end=self.payouts_until), self.rules)
        return payout_scope(self.scope, self.rules) if self.run.of_api else self.scope

    def document(self) -> dict[str, Any]:
        """Return the facts as JSON values."""
        run, scope = self.run, self.scope
        return {
            "run": {
                "run_id": run.run_id,
                "shop": run.shop,
                "provider": run.provider,
                "window_start": run.window_start.isoformat(),
                "window_end": run.window_end.isoformat(),
                "source": run.source,
                "requested_by": run.requested_by,
                "workflow_id": run.workflow_id,
                "started_at": run.started_at.isoformat(),
            },
            "scope": {name: getattr(scope, name).isoformat() for name in _TIMES}
            | {name: getattr(scope, name) // timedelta(microseconds=1) for name in _SPANS},
            "rules": encode_rules(self.rules),
            "legs_read": sorted(self.legs_read),
            "incomplete_because": list(self.incomplete_because),
            "unread_rows": [
                {
                    "file": row.file,
                    "line": row.line,
                    "column": row.column,
                    "reason": row.reason,
                    "read_at": row.read_at.isoformat(),
                }
                for row in self.unread_rows
            ],
            "by_key": self.by_key,
            "bank_alone": self.bank_alone,
            "payouts_until": self.payouts_until.isoformat() if self.payouts_until is not None else None,
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "RunFacts":
        """Return the facts of a document."""
        run, scope, until = document["run"], document["scope"], document.get("payouts_until")
        return cls(
            run=Run(
                run_id=run["run_id"],
                shop=run["shop"],
                provider=run["provider"],
                window_start=datetime.fromisoformat(run["window_start"]),
                window_end=datetime.fromisoformat(run["window_end"]),
                source=run["source"],
                requested_by=run["requested_by"],
                workflow_id=run["workflow_id"],
                started_at=datetime.fromisoformat(run["started_at"]),
            ),
            scope=Scope(
                window_start=datetime.fromisoformat(scope["window_start"]),
                window_end=datetime.fromisoformat(scope["window_end"]),
                horizon_start=datetime.fromisoformat(scope["horizon_start"]),
                payment_grace=timedelta(microseconds=scope["payment_grace"]),
                shipment_grace=timedelta(microseconds=scope["shipment_grace"]),
                order_grace=timedelta(microseconds=scope["order_grace"]),
                margin=timedelta(microseconds=scope["margin"]),
            ),
            rules=decode_rules(document["rules"]),
            legs_read=frozenset(map(Leg, document["legs_read"])),
            incomplete_because=tuple(document["incomplete_because"]),
            unread_rows=tuple(
                UnreadRow(**{**row, "read_at": datetime.fromisoformat(row["read_at"])})
                for row in document["unread_rows"]
            ),
            by_key=document.get("by_key", False),
            bank_alone=document.get("bank_alone", False),
            payouts_until=datetime.fromisoformat(until) if until else None,
        )
