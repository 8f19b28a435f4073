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
    """Return the files of three buckets, of which the second has a row of every other piece."""
    folder.mkdir()
    with ThreadPoolExecutor(2) as pool:
        files = BucketFiles(folder, SCHEMA, 3, pool)
        for piece in range(PIECES):
            few = piece % 2
            files.add(rows(piece), [(0, 1), (1, 1), (2, 1)] if few else [(0, 1), (2, 2)])
        made = files.close()
    assert sorted(folder.iterdir()) == [path for _, path in made], "nothing is left but the files"
    return {bucket: pq.ParquetFile(path) for bucket, path in made}


@pytest.mark.parametrize("of_shelf", [1, 2])
def test_buckets_that_wait_on_shelves_become_the_same_files(
    of_shelf: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = written(tmp_path / "straight")
    monkeypatch.setattr(bucket_files, "SIDE_BY_SIDE", of_shelf)
    waited = written(tmp_path / "waited")
    assert waited.keys() == straight.keys() == {0, 1, 2}
    for bucket, file in waited.items():
        assert file.read().to_pylist() == straight[bucket].read().to_pylist()
    assert (waited[0].num_row_groups, straight[0].num_row_groups) == (1, PIECES)
    assert [row["name"] for row in waited[0].read().to_pylist()] == [f"{piece}-0" for piece in range(PIECES)]
    assert [row["name"] for row in waited[1].read().to_pylist()] == [f"{piece}-1" for piece in range(1, PIECES, 2)]


def test_a_shelf_is_never_in_memory_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_files, "SIDE_BY_SIDE", 2)
    monkeypatch.setattr(bucket_files, "AT_ONCE", 20)
    file = written(tmp_path / "parted")[0]  # its shelf has one row or two of each piece
    groups = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    assert sum(groups) == PIECES
    assert max(groups) < bucket_files.AT_ONCE


def test_of_no_rows_there_is_one_empty_file(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        ((bucket, path),) = BucketFiles(tmp_path, SCHEMA, 100, pool).close()
    assert (bucket, pq.read_table(path).num_rows) == (0, 0)
