"""The engine clears nothing that the rules would not: both are held against each other on books gone wrong in any way.

Keys do not know of each other, so many small worlds, each with names of its own, make one large case: a run of this
file compares some hundred thousand of them.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.lake_books import lake_in, matched_by_the_rules, matched_in_a_lake
from tests.unit.matching_books import BEFORE_WINDOW, CUT, HORIZON, LONG_AGO, SCOPE, clean
from worker.domain.finding import FindingKind
from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.matching.issue import MAX_FACTS
from worker.domain.matching.rules import PLAIN, FeeSchedule, Reference, Rules, Tolerance
from worker.domain.payment import BookEntry, EntryKind
from worker.lake import collecting
from worker.lake.columns import ENTRY_SCHEMA, batches_of, schema_of
from worker.lake.engine import EngineLimits, engine
from worker.lake.sifting import sift

WORLDS = int(os.environ.get("SIFTING_WORLDS", "3000"))
MOMENTS = (
    LONG_AGO,
    LONG_AGO,
    BEFORE_WINDOW,
    HORIZON,
    HORIZON - timedelta(minutes=30),
    HORIZON - timedelta(hours=2),
    CUT - timedelta(minutes=5),
    CUT,
)
KINDS = (*LineKind, *[LineKind.CHARGE] * 14, *[LineKind.REFUND] * 5)


class World:
    """A few movements with names that no other world has; seven in ten are pairs, most of which agree."""

    def __init__(self, name: str, chance: Random) -> None:
        self.name = name
        self.chance = chance
        self.orders = [f"{name}-o{number}" for number in range(chance.randint(1, 2))]
        payments = [f"{name}-p{number}" for number in range(chance.randint(1, 3))]
        # A payment belongs to one order for good; of some only the provider knows.
        self.owner = {payment: chance.choice(self.orders) for payment in payments}
        self.payments = payments
        self.known = {payment: order for payment, order in self.owner.items() if chance.random() < 0.9}

    def entry(self) -> BookEntry:
        chance = self.chance
        kind = chance.choice((EntryKind.CAPTURE, EntryKind.CAPTURE, EntryKind.REFUND))
        payment = chance.choice(self.payments)
        amount = chance.choice((0, 1, 500, 500, 1000, 1000, 1000))
        return BookEntry(
            shop="main",
            order_id=self.owner[payment],
            provider="stripe",
            kind=kind,
            reference=payment if kind is EntryKind.CAPTURE else f"{self.name}-r{chance.randint(0, 2)}",
            payment_reference=payment,
            amount_minor=amount if kind is EntryKind.CAPTURE else -amount,
            currency=chance.choice(("EUR", "EUR", "EUR", "EUR", "USD")),
            occurred_at=chance.choice(MOMENTS),
        )

    def line(self) -> LedgerLine:
        chance = self.chance
        kind = chance.choice(KINDS)
        payment = chance.choice((*self.payments, *self.payments, ""))
        gross = chance.choice((0, 1, 500, 500, 1000, 1000, 1000))
        return LedgerLine(
            line_id=f"{self.name}-l{chance.randint(0, 40)}",
            provider="stripe",
            kind=kind,
            currency=chance.choice(("EUR", "EUR", "EUR", "EUR", "USD")),
            gross_minor=gross if kind is LineKind.CHARGE else -gross,
            fee_minor=(fee := chance.choice((0, 0, 25, 30))),
            net_minor=gross - fee,
            created_at=chance.choice(MOMENTS),
            payment_reference=payment,
            order_id=chance.choice(("", *self.orders)),
            source_id=chance.choice(("", f"{self.name}-r{chance.randint(0, 2)}", payment, f"{self.name}-s")),
            payout_id=chance.choice(("", "po-1")),
            shop=chance.choice(("", "main", "main", "main", "another")),
            method=chance.choice(("", "card")),
            customer_currency=chance.choice(("", "", "", "", "", "EUR", "GBP")),
            customer_minor=chance.choice((0, gross)),
        )

    def partner(self, entry: BookEntry) -> LedgerLine:
        captured = entry.kind is EntryKind.CAPTURE
        return replace(
            self.line(),
            line_id=f"{self.name}-t{self.chance.randint(0, 200)}",
            kind=LineKind.CHARGE if captured else LineKind.REFUND,
            currency=entry.currency,
            gross_minor=entry.amount_minor,
            created_at=entry.occurred_at,
            payment_reference=entry.payment_reference,
            source_id=self.chance.choice((f"{self.name}-ch", "")) if captured else entry.reference,
            order_id=self.chance.choice(("", entry.order_id, entry.order_id)),
            customer_currency="",
            customer_minor=0,
        )

    def course(self, line: LedgerLine) -> list[LedgerLine]:
        """Return what may stand in a ledger instead of a line of a pair, the same in all; one in three goes wrong."""
        chance = self.chance
        if line.kind is LineKind.CHARGE:
            first, second = LineKind.CHARGE, LineKind.PARTIAL_CAPTURE_REVERSAL
        else:
            first, second = LineKind.REFUND, LineKind.REFUND_FAILURE
        if chance.random() < 0.3:
            first, second = LineKind.DISPUTE, LineKind.DISPUTE_REVERSAL
        minor = chance.choice((1, 500, 1000)) * (1 if first is LineKind.CHARGE else -1)
        number = chance.randint(0, 10_000)
        there = replace(line, line_id=f"{self.name}-u{number}", kind=first, gross_minor=minor, net_minor=minor)
        back = replace(there, line_id=f"{self.name}-v{number}", kind=second, gross_minor=-minor, net_minor=-minor)
        if first is not LineKind.DISPUTE and chance.random() < 0.5:
            # One line for both: the charge of all that was authorised.
            whole = line.gross_minor + minor
            made = [replace(line, gross_minor=whole, net_minor=whole - line.fee_minor), back]
        else:
            made = [line, there, back]
        if chance.random() < 0.33:
            at = chance.randrange(len(made))
            wrong = self.line()
            field = chance.choice(
                (
                    "gross_minor",
                    "currency",
                    "created_at",
                    "line_id",
                    "payment_reference",
                    "customer_currency",
                    "source_id",
                )
            )
            made[at] = replace(
                made[at],
                **{field: getattr(chance.choice(made) if field == "line_id" else wrong, field)},
                customer_minor=wrong.customer_minor,
            )
        return made

    def in_parts(self, line: LedgerLine) -> list[LedgerLine]:
        """Return a line as two of payments that only the provider knows, the same in all; one in three is not."""
        minor = self.chance.choice((1, line.gross_minor // 2, line.gross_minor // 2))
        made = [
            replace(
                line,
                line_id=f"{line.line_id}-{name}",
                gross_minor=part,
                net_minor=part,
                payment_reference=self.chance.choice((f"{line.line_id}-{name}", line.payment_reference)),
                order_id=self.owner[line.payment_reference],
                source_id=f"{line.line_id}-{name}",
            )
            for name, part in (("one", minor), ("two", line.gross_minor - minor))
        ]
        if self.chance.random() < 0.67:
            return made
        wrong = [*made, replace(made[0], line_id=f"{line.line_id}-again", created_at=self.chance.choice(MOMENTS))]
        return wrong[self.chance.randint(0, 1) :]

    def void(self, line: LedgerLine) -> list[LedgerLine]:
        """Return a charge of a payment we know nothing of, given back whole; one in three is not quite that."""
        chance = self.chance
        number = chance.randint(0, 10_000)
        line = replace(line, payment_reference=f"{self.name}-z{number}", order_id=self.owner[line.payment_reference])
        minor = chance.choice((line.gross_minor, 700))
        there = replace(line, line_id=f"{self.name}-w{number}", kind=LineKind.CHARGE, gross_minor=minor)
        kind = chance.choice((LineKind.REFUND, LineKind.REFUND, LineKind.REFUND, LineKind.DISPUTE))
        back = replace(there, line_id=f"{self.name}-y{number}", kind=kind, gross_minor=-minor)
        made = [
            replace(there, source_id=chance.choice((f"{self.name}-zc{number}", line.source_id, ""))),
            replace(back, source_id=f"{self.name}-zr{number}"),
        ]
        if chance.random() < 0.2:
            made.append(replace(made[1], line_id=f"{self.name}-q{number}", source_id=f"{self.name}-zq{number}"))
            made[1:] = [replace(one, gross_minor=minor // -2) for one in made[1:]]
        if chance.random() < 0.33:
            at = chance.randrange(len(made))
            field = chance.choice(("gross_minor", "currency", "created_at", "payment_reference", "kind", "source_id"))
            made[at] = replace(made[at], **{field: getattr(self.line(), field)})
        return made

    def disputed(self, entry: BookEntry, line: LedgerLine) -> BookEntry | None:
        """Return how our books may hold a line of a dispute; None for any other line."""
        kinds = {LineKind.DISPUTE: EntryKind.DISPUTE, LineKind.DISPUTE_REVERSAL: EntryKind.DISPUTE_REVERSAL}
        if line.kind not in kinds:
            return None
        return replace(
            entry,
            kind=kinds[line.kind],
            reference=line.source_id or line.line_id,
            amount_minor=line.gross_minor,
            occurred_at=line.created_at,
        )


def worlds(seed: int) -> Iterator[tuple[list[BookEntry], list[LedgerLine], dict[str, str]]]:
    chance = Random(seed)
    for number in range(WORLDS):
        world = World(f"{seed}-{number}", chance)
        booked: dict[tuple[EntryKind, str], BookEntry] = {}
        lines: list[LedgerLine] = []
        for _ in range(chance.randint(1, 3)):
            entry = world.entry()
            # The database holds every movement of ours once.
            if booked.setdefault((entry.kind, entry.reference), entry) is entry and chance.random() < 0.9:
                partner = world.partner(entry)
                made = world.course(partner) if chance.random() < 0.2 else [partner]
                if made == [partner] and partner.gross_minor > 1 and chance.random() < 0.3:
                    made = world.in_parts(partner)
                lines += made
                if chance.random() < 0.15:
                    lines += world.void(partner)
                for dispute in (world.disputed(entry, line) for line in made if chance.random() < 0.7):
                    if dispute is not None:
                        booked.setdefault((dispute.kind, dispute.reference), dispute)
        if chance.random() < 0.4:
            lines += [world.line() for _ in range(chance.randint(1, 2))]
        if lines and chance.random() < 0.1:
            lines.append(replace(chance.choice(lines), line_id=chance.choice((lines[0].line_id, f"{world.name}-x"))))
        known = world.known | {entry.payment_reference: entry.order_id for entry in booked.values()}
        yield list(booked.values()), lines, known


RULES = {
    "plain": PLAIN,
    "order first": Rules(references=(Reference.ORDER, Reference.PAYMENT, Reference.SOURCE)),
    "tolerant, many to one": Rules(many_to_one=True, tolerances={"EUR": Tolerance(absolute_minor=1)}),
    "fees": Rules(
        fees=(
            FeeSchedule(basis_points=140, fixed_minor=25, variance_minor=1),
            FeeSchedule(method="card", currency="EUR", basis_points=290, fixed_minor=1, variance_bp=500),
        )
    ),
}


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_the_engine_and_the_rules_agree_on_books_gone_wrong(
    tmp_path: Path, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "ROWS_AT_ONCE", 200)
    entries: list[BookEntry] = []
    lines: list[LedgerLine] = []
    owners: dict[str, str] = {}
    for some_entries, some_lines, known in worlds(seed=11):
        entries += some_entries
        lines += some_lines
        owners |= known
    lake = lake_in(tmp_path, rows_per_bucket=WORLDS, keys_per_piece=WORLDS // 6)
    # As BookReader has it: lines of another shop take part only where our books know their payment.
    ours = [line for line in lines if line.shop in {"", "main"} or _named(line) & owners.keys()]
    by_engine = matched_in_a_lake(lake, entries, lines, owners.get, SCOPE, rules)
    by_rules = matched_by_the_rules(entries, ours, owners, SCOPE, rules)
    assert by_engine.pieces > 1
    assert by_engine.findings == by_rules.findings
    assert by_engine.sums == by_rules.sums
    assert by_engine.agreeing == by_rules.agreeing
    assert by_rules.agreeing > WORLDS / 6, "the case must hold pairs that agree as well"
    kinds = Counter(finding.kind for finding in by_rules.findings)
    assert (kinds[FindingKind.MATCHED_IN_PARTS] > WORLDS / 100) is rules.many_to_one


@pytest.mark.parametrize(
    "course", ["partial capture", "failed refund", "won dispute", "booked dispute", "refunded twice", "charged twice"]
)
def test_what_agrees_as_a_whole_is_no_matter_for_the_rules(tmp_path: Path, course: str) -> None:
    books = clean(40)
    booked = Counter(entry.payment_reference for entry in books.entries)
    charge = next(x for x in books.lines if x.kind is LineKind.CHARGE and booked[x.payment_reference] == 1)
    more = {
        "partial capture": [(LineKind.CHARGE, charge.gross_minor + 700), (LineKind.PARTIAL_CAPTURE_REVERSAL, -700)],
        "failed refund": [(LineKind.CHARGE, charge.gross_minor), (LineKind.REFUND, -5), (LineKind.REFUND_FAILURE, 5)],
        "won dispute": [
            (LineKind.CHARGE, charge.gross_minor), (LineKind.DISPUTE, -900), (LineKind.DISPUTE_REVERSAL, 900),
        ],
        "booked dispute": [(LineKind.CHARGE, charge.gross_minor), (LineKind.DISPUTE, -900)],
        "refunded twice": [(LineKind.CHARGE, charge.gross_minor), (LineKind.REFUND, -6), (LineKind.REFUND, -4)],
        "charged twice": [
            (LineKind.CHARGE, charge.gross_minor), (LineKind.CHARGE, charge.gross_minor), (LineKind.REFUND, -charge.gross_minor),
        ],
    }[course]  # fmt: skip
    lines = [line for line in books.lines if line is not charge]
    lines += [
        replace(
            charge, kind=kind, gross_minor=minor, net_minor=minor, line_id=f"part-{number}", source_id=f"own-{number}"
        )
        for number, (kind, minor) in enumerate(more)
    ]
    if course == "charged twice":
        # The second payment, which our books never heard of, was given back whole.
        lines[-2:] = [replace(line, payment_reference="again") for line in lines[-2:]]
    entries = list(books.entries)
    own = {
        "refunded twice": (EntryKind.REFUND, "in-one", -10),
        "booked dispute": (EntryKind.DISPUTE, "own-1", -900),
    }
    if course in own:
        (capture,) = (entry for entry in entries if entry.payment_reference == charge.payment_reference)
        kind_of, reference, minor_of = own[course]
        entries.append(replace(capture, kind=kind_of, reference=reference, amount_minor=minor_of))
    found = matched_in_a_lake(lake_in(tmp_path), entries, lines, nobody, SCOPE)
    assert (found.findings, found.agreeing, found.judged) == ((), 40, ())
    assert found.sums == matched_by_the_rules(entries, lines, owners_of(entries), SCOPE).sums


@pytest.mark.parametrize("first", [400, 500], ids=["unequal parts", "equal parts"])
def test_a_payment_captured_parcel_by_parcel_agrees_part_by_part(tmp_path: Path, first: int) -> None:
    """The provider books each capture on the same charge; our books name the second after what was taken before."""
    books = clean(40)
    charge = next(x for x in books.lines if x.kind is LineKind.CHARGE and x.gross_minor == 1001)
    parts = [first, 1001 - first] if first != 500 else [500, 500, 1]
    (capture,) = (entry for entry in books.entries if entry.payment_reference == charge.payment_reference)
    lines = [line for line in books.lines if line is not charge]
    entries = [entry for entry in books.entries if entry is not capture]
    for number, minor in enumerate(parts):
        before = sum(parts[:number])
        reference = f"{capture.reference}:{before}" if before else capture.reference
        entries.append(replace(capture, reference=reference, amount_minor=minor))
        lines.append(
            replace(charge, gross_minor=minor, net_minor=minor, fee_minor=0, line_id=f"part-{number}", source_id="ch-1")
        )
    found = matched_in_a_lake(lake_in(tmp_path), entries, lines, nobody, SCOPE)
    by_rules = matched_by_the_rules(entries, lines, owners_of(entries), SCOPE)
    assert found.findings == by_rules.findings == ()
    assert found.agreeing == by_rules.agreeing
    assert found.sums == by_rules.sums
    missing = matched_in_a_lake(lake_in(tmp_path / "missing"), entries[:-1], lines, nobody, SCOPE)
    assert len(missing.findings) == 1, "a part that our books lack is told of"


def owners_of(entries: list[BookEntry]) -> dict[str, str]:
    return {entry.payment_reference: entry.order_id for entry in entries}


def nobody(_payment: str) -> None:
    """Own no payment: every one that is asked for is unknown."""


def _named(line: LedgerLine) -> set[str]:
    return {line.payment_reference, line.source_id} - {""}


def test_clean_books_need_no_rules(tmp_path: Path) -> None:
    books = clean(300)
    found = matched_in_a_lake(lake_in(tmp_path, rows_per_bucket=100), books.entries, books.lines, nobody, SCOPE)
    assert (found.findings, found.agreeing, found.pieces) == ((), 300, 1)


@pytest.mark.parametrize("pieces_of", ["a pair", "more"])
def test_a_suspect_is_judged_however_well_it_agrees(tmp_path: Path, pieces_of: str) -> None:
    books = clean(30)
    lines = list(books.lines)
    if pieces_of == "more":
        # Paid in two parts at the provider: a matter for the whole key.
        (charge,) = (line for line in lines if line.order_id == "003" and line.kind is LineKind.CHARGE)
        lines.remove(charge)
        lines += [
            replace(charge, gross_minor=minor, net_minor=minor, line_id=f"part-{minor}", source_id=f"own-{minor}")
            for minor in (1, charge.gross_minor - 1)
        ]
    judged = matched_in_a_lake(lake_in(tmp_path), books.entries, lines, nobody, SCOPE, suspects=["order/003"])
    assert (judged.findings, judged.agreeing) == ((), 30)
    assert {line.order_id for line in judged.judged} == {"003"}


def test_evidence_that_a_finding_cannot_show_is_the_rules(tmp_path: Path) -> None:
    """They say so in its cause: such a key is told of, although it agrees."""
    books = clean(3)
    charge = next(line for line in books.lines if line.kind is LineKind.CHARGE)
    many = [
        replace(charge, gross_minor=minor, net_minor=minor, line_id=f"part-{number}", source_id=f"own-{number}")
        for number, minor in enumerate([1] * MAX_FACTS + [charge.gross_minor - MAX_FACTS])
    ]
    lines = [line for line in books.lines if line is not charge] + many
    found = matched_in_a_lake(lake_in(tmp_path), books.entries, lines, nobody, SCOPE)
    assert [finding.cause for finding in found.findings] == ["the oldest 20 of their 22 records are shown"]
    assert found.findings == matched_by_the_rules(books.entries, lines, owners_of(books.entries), SCOPE).findings
    captures = [entry for entry in books.entries if entry.payment_reference == charge.payment_reference]
    refunds = [
        replace(captures[0], kind=EntryKind.REFUND, reference=f"given-{number}", amount_minor=-1)
        for number in range(MAX_FACTS)
    ]
    given = replace(
        charge, kind=LineKind.REFUND, gross_minor=-MAX_FACTS, net_minor=-MAX_FACTS, line_id="g", source_id="g"
    )
    entries, lines = [*books.entries, *refunds], [*books.lines, given]
    found = matched_in_a_lake(lake_in(tmp_path / "ours"), entries, lines, nobody, SCOPE)
    assert [finding.cause for finding in found.findings] == ["the oldest 20 of our 22 records are shown"]


def test_nothing_at_all_is_matched_as_nothing(tmp_path: Path) -> None:
    found = matched_in_a_lake(lake_in(tmp_path), [], [], nobody, SCOPE)
    assert (found.findings, found.agreeing, found.sums) == ((), 0, ())


def test_a_bucket_of_several_files_is_sifted_like_one_of_a_single_file(tmp_path: Path) -> None:
    """Older releases and lines in parts: what is aside is taken out of the file that it stands in."""
    some = list(islice(worlds(seed=5), 200))
    sides = {
        "entry": (ENTRY_SCHEMA, [rows for one in some for rows in batches_of(BookEntry, one[0])]),
        "line": (schema_of(LedgerLine), [rows for one in some for rows in batches_of(LedgerLine, one[1])]),
    }

    def files(name: str, of: int) -> list[Path]:
        schema, batches = sides[name]
        paths = [tmp_path / f"{name}-{number}-of-{of}.parquet" for number in range(of)]
        for number, path in enumerate(paths):
            table = pa.concat_tables(pa.Table.from_batches([rows]) for rows in batches[number::of])
            pq.write_table(table.select(schema.names), path)
        return paths

    def sifted(entries: int, lines: int) -> tuple[object, ...]:
        with engine(EngineLimits()) as opened:
            parts = (files("entry", entries), files("line", lines))
            *aside, sums = sift(opened, *parts, (), SCOPE, PLAIN, "main", by_key=True)
            return (*(sorted(map(repr, pq.read_table(path).to_pylist())) for path in aside), sums)

    alone = sifted(1, 1)
    assert all(alone)
    assert sifted(3, 1) == sifted(1, 2) == sifted(2, 3) == alone
