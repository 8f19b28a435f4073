"""Files of buckets: what is in them does not depend on how many there are, and neither do the groups that they are read by."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from worker.lake import bucket_files
from worker.lake.bucket_files import BucketFiles

SCHEMA = pa.schema([("name", pa.string()), ("currency", pa.dictionary(pa.int32(), pa.string()))])
PIECES = 40


def rows(piece: int) -> pa.RecordBatch:
    """Return three rows; the currencies of each piece are others than those of the one before it."""
    currencies = pa.array(["EUR", f"X{piece}", "EUR"]).dictionary_encode()
    return pa.RecordBatch.from_arrays([pa.array([f"{piece}-{n}" for n in range(3)]), currencies], schema=SCHEMA)


def written(folder: Path) -> dict[int, pq.ParquetFile]:
    folder.mkdir()
    with ThreadPoolExecutor(2) as pool:
        files = BucketFiles(folder, SCHEMA, 2, pool)
        for piece in range(PIECES):
            files.add(1, rows(piece))
            files.add(0, rows(piece).slice(1, 1))  # of a slice nothing else may come along
        made = files.close()
    assert sorted(folder.iterdir()) == [path for _, path in made], "nothing is left but the files"
    return {bucket: pq.ParquetFile(path) for bucket, path in made}


def test_buckets_that_wait_in_streams_become_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    straight = written(tmp_path / "straight")
    monkeypatch.setattr(bucket_files, "SIDE_BY_SIDE", 1)
    streamed = written(tmp_path / "streamed")
    assert streamed.keys() == straight.keys() == {0, 1}
    for bucket, file in streamed.items():
        assert file.read().to_pylist() == straight[bucket].read().to_pylist()
        assert (file.num_row_groups, straight[bucket].num_row_groups) == (1, PIECES)
    assert [row["name"] for row in streamed[0].read().to_pylist()] == [f"{piece}-1" for piece in range(PIECES)]


def test_a_stream_is_parted_into_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_files, "SIDE_BY_SIDE", 1)
    monkeypatch.setattr(bucket_files, "ROW_GROUP", 30)
    file = written(tmp_path / "parted")[1]
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [30] * (PIECES // 10)


def test_of_no_rows_there_is_one_empty_file(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        ((bucket, path),) = BucketFiles(tmp_path, SCHEMA, 100, pool).close()
    assert (bucket, pq.read_table(path).num_rows) == (0, 0)
