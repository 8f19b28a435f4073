"""Reconciliations on request: one closed window of one provider. The regular ones run on schedules."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from flask import Response, g, request

from functions.auth import Caller
from functions.body import json_object, raw_body, request_fingerprint
from functions.fields import Fields
from functions.replies import started_reply
from functions.temporal import Start, Temporal
from worker.contract.ids import reconciliation_workflow_id
from worker.contract.names import Queue, WorkflowType
from worker.contract.reconciliation import Mode, Reconcile, Window

LONGEST = timedelta(days=31)
_PROVIDER = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)


class Reconciliations:
    """The function `reconciliations`."""

    def __init__(self, temporal: Temporal, *, max_body_bytes: int) -> None:
        self._temporal = temporal
        self._max_body_bytes = max_body_bytes

    def start(self) -> Response:
        """POST /reconciliations: Reconcile a window of time that has ended.

        The window and the mode make a repeat safe: the same ones again are a duplicate. A run asked for here is always
        stored; a dry run is the command line's (`orders reconcile run --dry-run`).
        """
        caller: Caller = g.caller
        body = json_object(request, raw_body(request, self._max_body_bytes))
        asked = read_reconcile(Fields(body), caller.shops[0], caller.holder, datetime.now(UTC))
        caller.acts_for(asked.shop)
        named = window_name(asked.window) + ("" if asked.mode == Mode.FULL else f"-{asked.mode}")
        workflow_id = reconciliation_workflow_id(asked.shop, asked.provider, named)
        print_of_request = request_fingerprint(body)
        started = self._temporal.start(
            Start(
                workflow=WorkflowType.RECONCILIATION,
                workflow_id=workflow_id,
                queue=Queue.RECONCILIATION,
                argument=asked,
                fingerprint=print_of_request,
                summary=f"{asked.shop} and {asked.provider}, {named}",
            )
        )
        return started_reply(started, print_of_request, workflow_id=workflow_id)

    @property
    def operations(self) -> dict[str, Callable[..., Response]]:
        """The views by their name in the route table."""
        return {"start": self.start}


def read_reconcile(fields: Fields, shop: str, holder: str, now: datetime) -> Reconcile:
    """Read a request for a run over a window that has ended, of `shop` unless it names another. Raises Unprocessable with every problem."""
    window = fields.part("window")
    start, end = window.instant("start"), window.instant("end")
    window.close()
    if not window.problems:
        if end <= start:
            window.refuse("end", "must be after start")
        if end - start > LONGEST:
            window.refuse("end", f"must be at most {LONGEST.days} days after start")
        if end > now:
            window.refuse("end", "must not be in the future")
    asked = Reconcile(
        shop=fields.key("shop") if fields.present("shop") else shop,
        provider=fields.matching("provider", _PROVIDER, "the name of a provider, in lower case"),
        window=Window(start=start.isoformat(), end=end.isoformat()),
        repair=fields.flag("repair", default=True),
        requested_by=holder,
        mode=fields.choice("mode", Mode, Mode.FULL).value,
    )
    fields.finish()
    return asked


def window_name(window: Window | None) -> str:
    """Return `{start}..{end}` in compact UTC (`20261122T080000Z`), which may stand in a workflow id."""
    if window is None:
        raise ValueError("a run on request needs a window")
    start, end = (datetime.fromisoformat(text).astimezone(UTC) for text in (window.start, window.end))
    return f"{start:%Y%m%dT%H%M%SZ}..{end:%Y%m%dT%H%M%SZ}"
