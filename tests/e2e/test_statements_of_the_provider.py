"""The provider's own statement file says what its API said; a damaged one loses nothing silently."""

import asyncio
import csv
import hashlib
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from tests.e2e.scene import Scene
from worker.connections import lake_of
from worker.domain.finding import Finding, Leg


async def statement(scene: Scene, folder: Path) -> Path:
    """Download the provider's itemised file over the last day."""
    now = datetime.now(UTC)
    period = urlencode({"start": (now - timedelta(days=1)).isoformat(), "end": (now + timedelta(days=1)).isoformat()})
    text = await scene.world.control("GET", f"/provider/reports/payout_reconciliation.csv?{period}")
    file = folder / "payout_reconciliation.csv"
    file.write_text(text, encoding="utf-8")
    return file


def payments(scene: Scene, run_id: str) -> dict[str, tuple[str, int, int]]:
    """Return a run's breaks between our books and the provider's, by order."""
    found: list[Finding] = scene.transact(lambda tx: tx.runs.findings(run_id))
    return {
        item.order_id: (item.kind, item.ours_minor, item.theirs_minor)
        for item in found
        if item.leg is Leg.PAYMENTS and item.outcome == "break"
    }


async def test_the_file_agrees_with_the_api_and_is_known_again(scene: Scene, tmp_path: Path) -> None:
    first = await scene.order(currency="GBP")  # a file says nothing of what was before its first line
    await scene.completes(first)
    dropped, changed = [await scene.order(currency="GBP") for _ in range(2)]
    await scene.completes(dropped, changed)
    scene.harmed.update((dropped, changed))
    await scene.world.control("POST", "/provider/tamper", {"action": "drop_charge", "order_id": dropped})
    tampering = {"action": "change_amount", "order_id": changed, "amount": 4000}
    await scene.world.control("POST", "/provider/tamper", tampering)
    await scene.graces_over()
    last = await scene.order(currency="GBP")  # the file ends after what was tampered with and its grace
    await scene.completes(last)
    file = await statement(scene, tmp_path)

    imported = await scene.json("statements", "import", str(file), status=1)
    start, end = imported["window"]["start"], imported["window"]["end"]
    asked, again = await asyncio.gather(
        scene.json("reconcile", "run", "--from", start, "--to", end, status=1),
        scene.cli("statements", "import", str(file), status=1),
    )
    by_file, by_api = payments(scene, imported["run_id"]), payments(scene, asked["run_id"])
    assert by_file[dropped] == ("missing_external", 3333, 0)
    assert by_file[changed] == ("amount_over", 3333, 4000)
    assert by_file == by_api
    assert not {first, last} & set(by_file)

    assert "imported before" in again.out
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    stored = scene.transact(lambda tx: tx.statements.get("main", digest))
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    assert (stored.rows, stored.rejected, stored.provider) == (len(rows), 0, "stripe")
    assert kept(scene, digest) == len(rows)


def kept(scene: Scene, digest: str) -> int:
    """Return how many lines of a file are kept: asking to keep it again changes nothing."""
    return lake_of(scene.config).keep(scene.config.shop.name, "stripe", digest, ()).rows


async def test_a_damaged_row_is_rejected_by_its_line_and_the_rest_is_kept(scene: Scene, tmp_path: Path) -> None:
    orders = [await scene.order() for _ in range(2)]
    await scene.completes(*orders)
    file = await statement(scene, tmp_path)
    lines = file.read_text(encoding="utf-8").splitlines()
    header, damaged = lines[0].split(","), lines[-1].split(",")
    damaged[header.index("gross")] = "33.3x"
    file.write_text("\n".join([*lines[:-1], ",".join(damaged)]) + "\n", encoding="utf-8")

    shown = await scene.cli("statements", "import", str(file), "--no-reconcile")
    assert "1 rejected" in shown.out
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    (reject,) = scene.transact(lambda tx: tx.statements.rejects("main", digest))
    assert (reject.line, reject.column) == (len(lines), "gross")
    assert reject.reason
    assert reject.reason in shown.out
    assert kept(scene, digest) == len(lines) - 2, "all but the header and the damaged one"

    empty = tmp_path / "other.csv"
    empty.write_text("date,amount\n2026-01-01,1\n", encoding="utf-8")
    refused = await scene.cli("statements", "import", str(empty), status=5)
    assert "line 1 reads 'date', 'amount'" in refused.err
