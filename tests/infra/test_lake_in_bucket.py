"""The lake in a bucket, by a role that may do what the worker's may: gathered, compared, read back, and never overwritten."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.infra.fake import FakeAws, running
from tests.infra.fake_aws.containers import acting_as
from tests.infra.grants import reviewed
from tests.integration.own_database import at_once
from tests.unit.lake_books import SHOP, lake_in, matched_in_a_lake
from tests.unit.matching_books import SCOPE, clean
from worker.domain.errors import Conflict, ProviderRejected
from worker.domain.ledger import LedgerLine
from worker.domain.payment import BookEntry
from worker.lake.engine import EngineLimits
from worker.lake.files import LakeFiles
from worker.lake.gathering import Lake

pytestmark = pytest.mark.infra
BUCKET = "orders-dev-files-123456789012"
ROLE = "orders-dev-worker-task"


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory, tools: None) -> Iterator[FakeAws]:
    folder = tmp_path_factory.mktemp("fake")
    with running(folder, program=[sys.executable, "-c", ""], environment={}, master_password="pw") as fake:
        fake.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        fake.client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        iam = fake.client("iam")
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument="{}")
        iam.put_role_policy(RoleName=ROLE, PolicyName="files", PolicyDocument=json.dumps(_reviewed_for_files()))
        yield fake


def _reviewed_for_files() -> dict[str, Any]:
    """Return what the reviewed table says that the worker may do with files: no more, no less."""
    rows = [grant for grant in reviewed() if grant.role == ROLE and grant.actions.startswith("s3:")]
    statements = [
        {"Effect": "Allow", "Action": grant.actions.split(", "), "Resource": grant.resources.split(", ")}
        for grant in rows
    ]
    return {"Version": "2012-10-17", "Statement": statements}


@pytest.fixture
def as_the_worker(fake: FakeAws, monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    for name, value in acting_as(f"arn:aws:iam::123456789012:role/{ROLE}", fake.endpoint).items():
        monkeypatch.setenv(name, value)
    return fake


def lake_in_bucket(folder: Path, prefix: str, *, rows_per_bucket: int = 250_000, keys_per_piece: int = 50_000) -> Lake:
    limits = EngineLimits(memory_mb=200, threads=2, spill=folder)
    files = LakeFiles.in_bucket(BUCKET, prefix)
    return Lake(files, limits, rows_per_bucket=rows_per_bucket, keys_per_piece=keys_per_piece)


def gone_wrong(size: int) -> tuple[list[BookEntry], list[Any]]:
    books = clean(size)
    entries, lines = list(books.entries), list(books.lines)
    lines[3] = replace(lines[3], gross_minor=lines[3].gross_minor + 1, net_minor=lines[3].net_minor + 1)
    return entries[1:], lines


def test_a_run_in_a_bucket_answers_as_one_in_a_folder(as_the_worker: FakeAws, tmp_path: Path) -> None:
    entries, lines = gone_wrong(40)
    how = {"rows_per_bucket": 15, "keys_per_piece": 1}
    lake = lake_in_bucket(tmp_path, "lake", **how)
    in_bucket = matched_in_a_lake(lake, entries, lines, lambda _: None, SCOPE)
    in_folder = matched_in_a_lake(lake_in(tmp_path / "lake", **how), entries, lines, lambda _: None, SCOPE)
    assert in_bucket == in_folder
    assert in_bucket.findings
    assert in_bucket.pieces > 1
    assert as_the_worker.denied() == []


def test_the_manifest_is_last_and_nothing_is_overwritten(as_the_worker: FakeAws, tmp_path: Path) -> None:
    entries, lines = gone_wrong(12)
    matched_in_a_lake(lake_in_bucket(tmp_path, "order"), entries, lines, lambda _: None, SCOPE)
    versions = as_the_worker.client("s3").list_object_versions(Bucket=BUCKET, Prefix="order/")["Versions"]
    assert {one["IsLatest"] for one in versions} == {True}, "no object has a second version"
    written = {one["Key"]: one["LastModified"] for one in versions}
    (manifest,) = (at for key, at in written.items() if "/batches/" in key)
    assert all(at <= manifest for key, at in written.items() if "/lines/" in key)
    files = LakeFiles.in_bucket(BUCKET, "order")
    known = next(key.removeprefix("order/") for key in written if "/batches/" in key)
    before = files.read_json(known)
    files.write_json(known, {"another": "content"})
    assert files.read_json(known) == before
    other = tmp_path / "other.parquet"
    other.write_bytes(b"other")
    with pytest.raises(Conflict, match="nothing in it is overwritten"):
        files.publish(other, known, 1)


def test_of_many_that_write_one_batch_the_first_is_believed_and_whole(as_the_worker: FakeAws, tmp_path: Path) -> None:
    _, lines = gone_wrong(30)
    lakes = [lake_in_bucket(tmp_path, "many", rows_per_bucket=10) for _ in range(4)]
    made = at_once(4, lambda number: lakes[number].batches.write(SHOP, "stripe", "f" * 64, lines))
    assert [one == made[0] for one in made] == [True] * 4
    assert sorted(line.line_id for line in lakes[0].batches.lines(made[0])) == sorted(line.line_id for line in lines)


def test_what_is_read_from_an_api_goes_on_from_the_bucket(as_the_worker: FakeAws, tmp_path: Path) -> None:
    _, lines = gone_wrong(20)
    asked: list[str] = []

    def told(after: str) -> Iterator[LedgerLine]:
        asked.append(after)
        yield from lines

    for _ in range(2):
        with lake_in_bucket(tmp_path, "api").gathering(SHOP, "stripe", "run-1") as gathering:
            gathering.told(told)
            gathering.entries([])
            assert gathering.seal({}).rows == len(lines)
    assert asked == [""], "the second attempt found it all"


def test_what_is_gone_and_what_is_forbidden_are_told_apart(
    as_the_worker: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Conflict, match="its lifecycle may have removed it"):
        LakeFiles.in_bucket(BUCKET, "none").read_json("runs/manifest.json")
    assert not LakeFiles.in_bucket(BUCKET, "none").exists("runs/manifest.json")
    for name, value in acting_as("arn:aws:iam::123456789012:role/nobody", as_the_worker.endpoint).items():
        monkeypatch.setenv(name, value)
    as_the_worker.client("iam").create_role(RoleName="nobody", AssumeRolePolicyDocument="{}")
    with pytest.raises(ProviderRejected, match="403"):
        LakeFiles.in_bucket(BUCKET, "none").exists("runs/manifest.json")
