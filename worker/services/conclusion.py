"""The end of a run: everything it found becomes a statement, a verdict and the next state of the breaks.

Storing happens in one transaction under a lock per shop and provider, so overlapping runs cannot count a break twice,
and a run that died is simply concluded again.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import attrgetter

from worker.contract.reconciliation import Mode
from worker.domain.closing import is_month
from worker.domain.finding import (
    OPEN_STATUSES,
    Break,
    BreakStatus,
    Finding,
    FindingKind,
    Leg,
    Outcome,
    Statement,
    Verdict,
)
from worker.domain.ledger import OwnOrder, Shipment, ShopOrder
from worker.domain.matching.bank import BankCredit, match_bank
from worker.domain.matching.bridge import statements_of
from worker.domain.matching.disputed import Disputes
from worker.domain.matching.lifecycle import Course
from worker.domain.matching.orders import match_orders
from worker.domain.matching.payouts import match_payouts
from worker.domain.matching.rejects import rejected_rows
from worker.domain.matching.rollforward import Opening, opening_of
from worker.domain.matching.shipments import match_shipments
from worker.domain.matching.suggestions import suggested, suggestions_of
from worker.domain.matching.sums import WindowSums
from worker.domain.matching.verdict import verdict
from worker.domain.money import format_minor
from worker.domain.outline import Outline
from worker.domain.window import Span
from worker.services.bank_books import bank_document, bookings_of
from worker.services.comparison import part_of
from worker.services.findings import Findings
from worker.services.ports import API, AT_RISK, BreakAction, Clock, Database, Run, Transaction
from worker.services.ports.lake import Gathered, RunLake
from worker.services.run_facts import RunFacts
from worker.services.run_result import Answer, Compared, result_chunks
from worker.services.spool import Spool
from worker.services.weighing import Fate, Standing, Weighing


class Conclusion:
    """Concludes runs."""

    def __init__(self, database: Database, lake: RunLake, clock: Clock) -> None:
        self._database = database
        self._lake = lake
        self._clock = clock

    def conclude(self, reference: str, pieces: int) -> Run:
        """Store what a run found and return it as stored. A run that is stored already stays as it is.

        What it found before people's decisions is kept in the lake too, and its digest with the run: whoever does the
        run again can tell whether it is the same, to the byte.
        """
        compared = self.compared(reference, pieces)
        sha256 = self._lake.gathered(reference).keep_result(result_chunks(compared))
        run = replace(compared.facts.run, inputs=reference, result_sha256=sha256)
        compared = replace(compared, facts=replace(compared.facts, run=run))
        return self._database.transact(lambda tx: self._store(tx, compared))

    def answer(self, reference: str, pieces: int) -> Answer:
        """Return what a run would answer now, and store nothing of it."""
        compared = self.compared(reference, pieces)
        return self._database.transact(lambda tx: self._answer(tx, compared))

    def compared(self, reference: str, pieces: int) -> Compared:
        """Return what a run found, from what its steps kept: the same bytes whenever it is asked for."""
        gathered = self._lake.gathered(reference)
        facts = RunFacts.of(gathered.facts)
        rules = facts.rules
        findings = Findings(facts.run.shop, facts.run.provider)
        disputed = Disputes()
        cleared = gathered.cleared()
        totals = list(cleared.sums)
        agreeing = cleared.keys if Leg.PAYMENTS in facts.legs_read else 0
        if Leg.PAYMENTS in facts.legs_read:
            judged = _Judged(gathered, pieces, findings, disputed if Leg.SHIPMENTS in facts.legs_read else None)
            for position, keys in suggestions_of(judged, rules, Spool):
                findings.suggest(position, keys)
            findings.sort(attrgetter("key", "currency"))
            totals += judged.sums
            agreeing += judged.agreeing
            findings.extend(rejected_rows(facts.unread_rows, Leg.PAYMENTS))
        if Leg.PAYOUTS in facts.legs_read:
            facts, of_payouts = self._of_payouts(gathered, facts)
            findings.extend(of_payouts)
        if Leg.ORDERS in facts.legs_read:
            findings.extend(match_orders(gathered.read(ShopOrder), gathered.read(OwnOrder), facts.scope))
        if Leg.SHIPMENTS in facts.legs_read:
            own, parcels = gathered.read(OwnOrder), gathered.read(Shipment)
            findings.extend(match_shipments(own, parcels, facts.scope, rules, disputed.held()))
        return Compared(facts=facts, findings=findings, sums=_added(totals), agreeing=agreeing)

    def _of_payouts(self, gathered: Gathered, facts: RunFacts) -> tuple[RunFacts, tuple[Finding, ...]]:
        """Compare payouts with their lines, and with the bank where statements of it are at hand."""
        payouts = gathered.payouts()
        scope, rules = facts.payout_scope, facts.rules
        # A file without payouts says nothing of them; an API says that there are none, whatever the bank booked.
        span: Span | None = None
        bookings: list[BankCredit] = []
        accounts: frozenset[str] = frozenset()
        if payouts or (facts.run.of_api and facts.bank_alone):
            known = gathered.recalled(
                "bank",
                lambda: self._database.transact(
                    lambda tx: bank_document(tx, facts.run.shop, scope, rules, _gaps_from(facts))
                ),
            )
            span, bookings = bookings_of(known, facts.run.provider)
            accounts = frozenset(known.get("currencies", ()))
            facts = replace(facts, incomplete_because=facts.incomplete_because + tuple(known.get("gaps", ())))
        if span is None:
            return facts, match_payouts(payouts, scope, rules)
        at_bank = match_bank(payouts, bookings, span, scope, rules, accounts)
        arrived = {(one.key, one.currency) for one in at_bank if one.kind is FindingKind.MATCHED}
        facts = replace(facts, legs_read=facts.legs_read | {Leg.BANK})
        return facts, match_payouts(payouts, scope, rules, arrived) + suggested(at_bank, rules)

    def _store(self, tx: Transaction, compared: Compared) -> Run:
        run = compared.facts.run
        tx.runs.lock(run.shop, run.provider)
        already = tx.runs.get(run.run_id)
        if already is not None and already.finished_at is not None:
            return already
        weighed = self._weighed(tx, compared)
        tx.breaks.save_all(
            (fate.after, _action(fate.after, fate.before, weighed.at, run.run_id), fate.text)
            for fate in weighed.fates()
            if fate.after is not None
        )
        finished = weighed.finished()
        # What a rule explains is agreed, but it is no plain match: it is listed, and the next run opens with it.
        told = (one for one in weighed.weighing.written() if one[0].kind is not FindingKind.MATCHED)
        tx.runs.finish(finished, weighed.statements, told)
        # A window asked for by hand continues the watermark but never starts it: the schedule would go on from there.
        covered = run.of_api and tx.runs.watermark(run.shop, run.provider, run.mode) is not None
        # A close of anything but a month closes none.
        covered = covered and (run.mode is not Mode.CLOSE or is_month(Span(run.window_start, run.window_end)))
        if finished.verdict != Verdict.INCOMPLETE and covered:
            tx.runs.advance_watermark(run.shop, run.provider, run.window_start, run.window_end, run.mode)
        return finished

    def _answer(self, tx: Transaction, compared: Compared) -> Answer:
        weighed = self._weighed(tx, compared)
        fates = Spool((fate.before, fate.whole()) for fate in weighed.fates())
        return Answer(
            run=weighed.finished(),
            statements=weighed.statements,
            findings=Spool(weighed.weighing.findings()),
            fates=fates,
        )

    def _weighed(self, tx: Transaction, compared: Compared) -> "_Weighed":
        facts = compared.facts
        run = facts.run
        now = self._clock.now()
        weighing = Weighing(tx, run, compared.findings, now)
        bare = weighing.bare()
        bridges: tuple[Statement, ...] = ()
        if Leg.PAYMENTS in facts.legs_read:
            bridges = statements_of(compared.sums, bare, _openings(tx, run))
        because = facts.incomplete_because + _unexplained(bridges)
        deciding = bare
        if run.mode is Mode.CLOSE:
            because += _unsettled(tx, run, bare)
            # What was under way at the end of the month and has come to its end since is no reason to wait.
            deciding = [finding for finding in bare if finding.outcome is not Outcome.PENDING]
        decided = verdict(deciding, bridges, because)
        course = Course(
            shop=run.shop,
            provider=run.provider,
            now=now,
            scope=facts.scope,
            of_payouts=facts.payout_scope if facts.payouts_until is not None else facts.scope,
            incomplete=decided is Verdict.INCOMPLETE,
            legs_read=facts.legs_read,
            read_at=run.started_at,
        )
        return _Weighed(
            run=replace(run, finished_at=now, verdict=decided, incomplete_because=because),
            statements=bridges,
            at=now,
            counts=_counts(bare, compared.agreeing),
            weighing=weighing,
            course=course,
        )


class _Judged:
    """What the rules said of all pieces, taken in a piece at a time while it passes."""

    def __init__(self, gathered: Gathered, pieces: int, findings: Findings, disputed: Disputes | None) -> None:
        self._gathered = gathered
        self._pieces = pieces
        self._findings = findings
        self._disputed = disputed
        self.sums: list[WindowSums] = []
        """After all have passed, as is `agreeing`."""
        self.agreeing = 0

    def __iter__(self) -> Iterator[Outline]:
        for piece in range(self._pieces):
            part = self._gathered.findings(part_of(piece))
            self.sums += part.sums
            self.agreeing += part.agreeing
            for text in part.texts:
                if self._disputed is not None:
                    self._disputed.read(text)
                yield self._findings.add(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weighed:
    """A run that has its answer, but for what is counted while the breaks are gone through."""

    run: Run
    statements: tuple[Statement, ...]
    at: datetime
    counts: Mapping[str, int]
    weighing: Weighing
    course: Course
    standing: Standing = field(default_factory=Standing)

    def fates(self) -> Iterator[Fate]:
        """Yield what becomes of the breaks: to be gone through once."""
        return self.standing.counting(self.weighing.fates(self.course))

    def finished(self) -> Run:
        """Return the run as it is to be stored, after the fates."""
        of_status = self.standing.of_status
        counts = {
            **self.counts,
            "breaks_open": self.standing.open,
            "breaks_new": of_status[BreakStatus.NEW],
            "breaks_persisting": of_status[BreakStatus.PERSISTING],
            "breaks_reopened": of_status[BreakStatus.REOPENED],
            "breaks_resolved": of_status[BreakStatus.RESOLVED],
        } | {AT_RISK + currency: minor for currency, minor in sorted(self.standing.at_risk.items())}
        return replace(self.run, counts=counts)


def _gaps_from(facts: RunFacts) -> datetime:
    """Return from when on a gap between bank statements keeps a run from being complete.

    The window of a full run grows while it is incomplete. What a gap hides there is looked for as long as payouts are
    looked back at; after that it is the close of its month that says so.
    """
    scope, rules = facts.payout_scope, facts.rules
    if not facts.run.of_api or facts.run.mode is not Mode.FULL:
        return scope.window_start
    return max(scope.window_start, scope.cut - rules.payout_lookback - rules.bank_grace)


def _openings(tx: Transaction, run: Run) -> dict[str, Opening] | None:
    """Return what the run before left open; None where no complete run ends where this one starts."""
    before = tx.runs.before(run.shop, run.provider, run.source, run.window_start)
    if before is None:
        return None
    return opening_of(before.run_id, tx.runs.statements(before.run_id), tx.runs.each_finding(before.run_id))


def _unsettled(tx: Transaction, run: Run, findings: Iterable[Finding]) -> tuple[str, ...]:
    """Return why a month cannot be closed: what was pending at its end and has not come to an end since."""
    pending = {(one.leg, one.key, one.currency) for one in findings if one.outcome is Outcome.PENDING}
    if not pending:
        return ()
    since = tx.runs.after(run.shop, run.provider, API, run.window_end)
    if since is None:
        return (f"{len(pending)} items were pending at the end of the month, and no full run has told of them since",)
    left = {
        (one.leg, one.key, one.currency)
        for one in tx.runs.each_finding(since.run_id)
        if one.outcome in {Outcome.PENDING, Outcome.BREAK}
    }
    left &= pending
    if not left:
        return ()
    named = ", ".join(f"{leg} {key}" for leg, key, _ in sorted(left)[:3])
    return (f"{len(left)} items that were pending at the end of the month are open still in {since.run_id}: {named}",)


def _added(sums: Iterable[WindowSums]) -> tuple[WindowSums, ...]:
    totals: dict[str, WindowSums] = {}
    for one in sums:
        totals[one.currency] = totals[one.currency] + one if one.currency in totals else one
    return tuple(totals[currency] for currency in sorted(totals))


def _unexplained(bridges: Iterable[Statement]) -> tuple[str, ...]:
    return tuple(
        f"{bridge.currency} {format_minor(bridge.residual_minor, bridge.currency)} of the difference is unexplained"
        for bridge in bridges
        if bridge.residual_minor
    ) + tuple(
        f"{bridge.currency} {format_minor(bridge.roll.residual_minor, bridge.currency)} of the open items is unexplained"
        for bridge in bridges
        if bridge.roll is not None and bridge.roll.residual_minor
    )


def _counts(findings: Iterable[Finding], agreeing: int) -> dict[str, int]:
    told = Counter((finding.outcome, finding.kind) for finding in findings)
    outcomes: Counter[Outcome] = Counter()
    kinds: Counter[FindingKind] = Counter()
    for (outcome, kind), number in told.items():
        outcomes[outcome] += number
        kinds[kind] += number
    return {
        "matched": outcomes[Outcome.MATCHED] + agreeing,
        "within_tolerance": kinds[FindingKind.MATCHED_WITHIN_TOLERANCE],
        "pending": outcomes[Outcome.PENDING],
        "warnings": outcomes[Outcome.WARNING],
        "breaks": outcomes[Outcome.BREAK],
    }


def _action(item: Break, before: Break | None, at: datetime, run_id: str) -> BreakAction | None:
    """Return the line for the break's history; None when the run only saw it again, unchanged."""
    if before is None:
        return BreakAction(at=at, actor="reconciliation", action="found", run_id=run_id, detail=item.finding.kind)
    if before.status in OPEN_STATUSES and item.status not in OPEN_STATUSES:
        return BreakAction(at=at, actor="reconciliation", action="resolved", run_id=run_id, detail=item.resolution)
    if before.status not in OPEN_STATUSES and item.status in OPEN_STATUSES:
        return BreakAction(at=at, actor="reconciliation", action="reopened", run_id=run_id, detail=item.finding.kind)
    if before.finding.kind is not item.finding.kind:
        change = f"{before.finding.kind} -> {item.finding.kind}"
        return BreakAction(at=at, actor="reconciliation", action="class_changed", run_id=run_id, detail=change)
    return None
