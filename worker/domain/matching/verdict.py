"""The answer of a run in one word, from everything it found. Only `reconciled` is green."""

from collections.abc import Iterable, Sequence

from worker.domain.finding import Finding, FindingKind, Outcome, Statement, Verdict


def verdict(findings: Iterable[Finding], statements: Iterable[Statement], incomplete_because: Sequence[str]) -> Verdict:
    """Return the worst that applies: incomplete > breaks > warnings > pending > reconciled.

    Incomplete is a run that could not read a source to its end or a row of it, or whose bridge or roll-forward leaves
    a residual: a net difference of 0 proves nothing then, and neither do its breaks.
    """
    if incomplete_because or not all(statement.ties for statement in statements):
        return Verdict.INCOMPLETE
    told = {(finding.kind is FindingKind.REJECTED_ROW, finding.outcome) for finding in findings}
    if any(rejected for rejected, _ in told):
        return Verdict.INCOMPLETE
    outcomes = {outcome for _, outcome in told}
    if Outcome.BREAK in outcomes:
        return Verdict.BREAKS
    if Outcome.WARNING in outcomes:
        return Verdict.WARNINGS
    return Verdict.PENDING if Outcome.PENDING in outcomes else Verdict.RECONCILED
