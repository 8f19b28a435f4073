"""The bucket behind the object store's port: what lies below a prefix, over any number of pages, and files that are held."""

import io
from pathlib import Path

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from worker.domain.errors import InvalidInput, NotFound, ProviderRejected, ProviderUnavailable
from worker.gateways.s3_store import S3Store


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> tuple[S3Store, Stubber]:
    """S3 is not on this machine: its answers are written down, and requests are held against its own description."""
    client = boto3.client("s3", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    store = S3Store("files")
    monkeypatch.setattr(store, "_made", client)
    return store, Stubber(client)


def test_what_lies_below_a_prefix_is_named_over_all_pages(stubbed: tuple[S3Store, Stubber]) -> None:
    store, s3 = stubbed
    asked = {"Bucket": "files", "Prefix": "statements/drop/"}
    first = {"IsTruncated": True, "NextContinuationToken": "t", "Contents": [{"Key": "statements/drop/b.csv"}]}
    rest = [{"Key": key} for key in ("statements/drop/2026/a.csv", "statements/drop/", "statements/drop/.part")]
    s3.add_response("list_objects_v2", first, asked)
    s3.add_response("list_objects_v2", {"IsTruncated": False, "Contents": rest}, asked | {"ContinuationToken": "t"})
    with s3:
        assert store.names("statements/drop/") == ["statements/drop/2026/a.csv", "statements/drop/b.csv"]
        s3.assert_no_pending_responses()


def test_a_prefix_with_nothing_below_it_is_no_error(stubbed: tuple[S3Store, Stubber]) -> None:
    store, s3 = stubbed
    s3.add_response("list_objects_v2", {"IsTruncated": False}, {"Bucket": "files", "Prefix": "nothing/"})
    with s3:
        assert store.names("nothing/") == []


@pytest.mark.parametrize(("status", "expected"), [(403, ProviderRejected), (503, ProviderUnavailable)])
def test_a_bucket_that_does_not_list_says_so(
    stubbed: tuple[S3Store, Stubber], status: int, expected: type[Exception]
) -> None:
    store, s3 = stubbed
    s3.add_client_error("list_objects_v2", "AccessDenied" if status == 403 else "SlowDown", http_status_code=status)
    with s3, pytest.raises(expected):
        store.names("statements/drop/")


def test_a_prefix_that_leaves_the_store_is_refused(stubbed: tuple[S3Store, Stubber]) -> None:
    with pytest.raises(InvalidInput, match="leaves the store"):
        stubbed[0].names("../other/")


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("reports/index.html", "text/html; charset=utf-8"),
        ("reports/a/b/c/items.csv", "text/csv; charset=utf-8"),
        ("lake/part.parquet", "application/octet-stream"),
    ],
)
def test_a_browser_is_told_what_an_object_is(stubbed: tuple[S3Store, Stubber], path: str, media_type: str) -> None:
    """So that the bucket is a site to read, not a heap of downloads."""
    store, s3 = stubbed
    s3.add_response("put_object", {}, {"Bucket": "files", "Key": path, "Body": b"x", "ContentType": media_type})
    with s3:
        assert store.put(path, b"x") == path
        s3.assert_no_pending_responses()


def test_an_object_is_fetched_into_a_file_and_one_that_is_missing_is_not_found(
    stubbed: tuple[S3Store, Stubber], tmp_path: Path
) -> None:
    store, s3 = stubbed
    s3.add_response("head_object", {"ContentLength": 4, "ETag": '"1"'})
    s3.add_response("get_object", {"Body": StreamingBody(io.BytesIO(b"a,b\n"), 4), "ContentLength": 4, "ETag": '"1"'})
    s3.add_client_error("head_object", "404", http_status_code=404)
    with s3:
        copy = store.fetch("statements/drop/a.csv", tmp_path)
        assert (copy.parent, copy.read_bytes()) == (tmp_path, b"a,b\n")
        with pytest.raises(NotFound, match="no object"):
            store.fetch("statements/drop/b.csv", tmp_path)
        s3.assert_no_pending_responses()


def test_a_file_that_is_held_is_taken_in_under_the_path_that_is_told_at_last(
    stubbed: tuple[S3Store, Stubber], tmp_path: Path
) -> None:
    store, s3 = stubbed
    source = tmp_path / "report.csv"
    source.write_bytes(b"a,b\n")
    with s3, store.holding(source) as put:
        # Nothing was asked of the bucket so far: what is not written down below would be refused.
        taken = {"Bucket": "files", "Key": "statements/1.csv", "ContentType": "text/csv; charset=utf-8"}
        s3.add_response("put_object", {}, taken | {"Body": ANY, "ChecksumAlgorithm": ANY})
        assert put("statements/1.csv") == "statements/1.csv"
        s3.assert_no_pending_responses()


def test_a_file_that_is_held_and_told_no_path_is_not_kept(stubbed: tuple[S3Store, Stubber], tmp_path: Path) -> None:
    store, s3 = stubbed
    with s3, pytest.raises(InvalidInput), store.holding(tmp_path / "report.csv") as put:
        put("../other/report.csv")
    with s3, store.holding(tmp_path / "report.csv"):
        pass  # it was read, and is no statement: the bucket, which has no answer, was asked for nothing


def test_a_file_that_the_bucket_does_not_take_says_so_where_it_is_told_its_path(
    stubbed: tuple[S3Store, Stubber], tmp_path: Path
) -> None:
    store, s3 = stubbed
    (tmp_path / "report.csv").write_bytes(b"a,b\n")
    s3.add_client_error("put_object", "SlowDown", http_status_code=503)
    with s3, pytest.raises(ProviderUnavailable, match="did not take"), store.holding(tmp_path / "report.csv") as put:
        put("statements/1.csv")
