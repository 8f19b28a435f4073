"""A bucket whose answers are lost or cut off: what was taken is known to be taken, what is half is nothing."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from worker.domain.errors import Conflict, ProviderUnavailable
from worker.lake.files import LakeFiles


@dataclass
class Faulty:
    """A bucket that fails as it is told."""

    objects: dict[str, bytes] = field(default_factory=dict)
    lose_answers: int = 0
    """So many objects are taken without an answer."""
    cut_off: bool = False
    """Of each object half is sent."""

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Return what serves it."""
        bucket = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path in bucket.objects and self.headers["If-None-Match"]:
                    self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
                    return
                bucket.objects[self.path] = content
                if bucket.lose_answers:
                    bucket.lose_answers -= 1
                    self.close_connection = True
                    return
                self._answer(200)

            def do_HEAD(self) -> None:
                self._answer(200, bucket.objects[self.path])

            def do_GET(self) -> None:
                self._answer(200, bucket.objects[self.path])

            def _answer(self, status: int, content: bytes = b"") -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("ETag", '"1"')
                self.end_headers()
                if self.command == "GET" and bucket.cut_off:
                    self.wfile.write(content[: len(content) // 2])
                    self.close_connection = True
                elif self.command != "HEAD":
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faulty]:
    bucket = Faulty()
    with ThreadingHTTPServer(("127.0.0.1", 0), bucket.handler()) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
        yield bucket
        server.shutdown()


def made(folder: Path, content: bytes) -> Path:
    path = folder / "made"
    path.write_bytes(content)
    return path


def test_a_file_whose_answer_was_lost_is_ours_when_the_library_asks_again(faulty: Faulty, tmp_path: Path) -> None:
    files = LakeFiles.in_bucket("files")
    faulty.lose_answers = 1
    stored = files.publish(made(tmp_path, b"rows" * 1_000), "runs/a.parquet", 7)
    assert (stored.rows, stored.size) == (7, 4_000)
    assert faulty.objects == {"/files/runs/a.parquet": b"rows" * 1_000}
    with pytest.raises(Conflict, match="nothing in it is overwritten"):
        files.publish(made(tmp_path, b"others"), "runs/a.parquet", 1)


def test_a_file_that_is_cut_off_is_no_file_and_asked_for_again(faulty: Faulty, tmp_path: Path) -> None:
    files = LakeFiles.in_bucket("files")
    faulty.objects["/files/runs/a.parquet"] = b"rows" * 1_000
    faulty.cut_off = True
    for read in (lambda: files.fetch("runs/a.parquet", tmp_path / "into"), lambda: files.read("runs/a.parquet")):
        with pytest.raises(ProviderUnavailable, match="the bucket files does not answer"):
            read()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    faulty.cut_off = False
    assert files.fetch("runs/a.parquet", tmp_path / "into").read_bytes() == b"rows" * 1_000
