"""Everything the simulator knows, in one SQLite file: JSON documents by (collection, id), in order of insertion.

Invariants: a write is on disk when its transaction ends, so that `kill -9` and a restart lose nothing that was
answered. The store belongs to the event loop's thread, and a transaction never spans an `await`: that is what
makes every request atomic without locks.
"""

import hashlib
import json
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Document = dict[str, Any]

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PATH = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_SCAN_STEP = 128
_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (collection, id)
);
CREATE INDEX IF NOT EXISTS documents_in_order ON documents (collection, seq);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class Store:
    """Documents, counters and single facts, kept in `path`."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises sqlite3.DatabaseError when it is not ours."""
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=5000;")
        self._db.executescript(_SCHEMA)
        self._depth = 0
        self._declared: set[tuple[str, str]] = set()
        # Ids of two runs must differ (receivers keep seen ids for ever), ids of one run must be stable over restarts.
        self._salt = self.fact("salt") or secrets.token_hex(8)
        self.set_fact("salt", self._salt)

    def close(self) -> None:
        """Close the file; the WAL is folded in."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the writes inside one atomic unit, on disk at its end; nested use joins the outer one.

        Never `await` inside: another request's writes would join, and be lost with this one's rollback.
        """
        if self._depth == 0:
            self._db.execute("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("ROLLBACK")
            raise
        self._depth -= 1
        if self._depth == 0:
            self._db.execute("COMMIT")

    def declare(self, collection: str, *keys: str) -> None:
        """Index `keys` (dotted paths such as `metadata.order_id`) of `collection`; may be repeated freely."""
        for key in keys:
            where, path, name = _literal(collection), _json_path(key), _index_name(collection, key)
            self._db.execute(
                f"CREATE INDEX IF NOT EXISTS {name} ON documents (json_extract(body, {path})) WHERE collection = {where}"
            )
            self._declared.add((collection, key))

    def put(self, collection: str, document_id: str, document: Document) -> None:
        """Write a document whole; one that exists keeps its place in the order."""
        body = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        self._db.execute(
            "INSERT INTO documents (collection, id, body) VALUES (?, ?, ?)"
            " ON CONFLICT (collection, id) DO UPDATE SET body = excluded.body",
            (collection, document_id, body),
        )

    def get(self, collection: str, document_id: str) -> Document | None:
        """Return a fresh copy of a document, or None."""
        row = self._db.execute(
            "SELECT body FROM documents WHERE collection = ? AND id = ?", (collection, document_id)
        ).fetchone()
        return None if row is None else _decode(row[0])

    def delete(self, collection: str, document_id: str) -> bool:
        """Remove a document; tell whether it was there."""
        done = self._db.execute("DELETE FROM documents WHERE collection = ? AND id = ?", (collection, document_id))
        return done.rowcount > 0

    def all(
        self, collection: str, *, newest_first: bool = False, where: Callable[[Document], bool] | None = None
    ) -> list[Document]:
        """Return every document that `where` accepts, by insertion. Reads the whole collection: not for hot paths."""
        return [doc for doc in self.scan(collection, newest_first=newest_first) if where is None or where(doc)]

    def index(self, collection: str, key: str, value: str | int, *, newest_first: bool = False) -> list[Document]:
        """Return the documents whose declared `key` equals `value`, by insertion. KeyError if not declared."""
        return list(self.scan(collection, newest_first=newest_first, key=key, value=value))

    def scan(
        self,
        collection: str,
        *,
        newest_first: bool = False,
        key: str | None = None,
        value: str | int | None = None,
        beyond: str | None = None,
    ) -> Iterator[Document]:
        """Read lazily by insertion, only those whose declared `key` is `value`, only those past the id `beyond`.

        Raises KeyError when `key` is not declared or `beyond` is not in the collection.
        """
        clauses, bound = [f"collection = {_literal(collection)}"], list[str | int | None]()
        source = "documents"
        if key is not None:
            # Said outright: the planner would rather walk the whole collection in order than look the key up.
            source = f"documents INDEXED BY {_index_name(collection, key)}"
            clauses.append(f"{self._extract(collection, key)} = ?")
            bound.append(value)
        sign, order = ("<", "DESC") if newest_first else (">", "ASC")
        position = self._position(collection, beyond) if beyond is not None else None
        while True:
            here = " AND ".join(clauses if position is None else [*clauses, f"seq {sign} {position}"])
            rows = self._db.execute(
                f"SELECT seq, body FROM {source} WHERE {here} ORDER BY seq {order} LIMIT {_SCAN_STEP}",  # noqa: S608
                bound,
            ).fetchall()
            for _, body in rows:
                yield _decode(body)
            if len(rows) < _SCAN_STEP:
                return
            position = int(rows[-1][0])

    def ordered(
        self,
        collection: str,
        key: str,
        *,
        low: int | None = None,
        high: int | None = None,
        newest_first: bool = False,
        beyond: str | None = None,
    ) -> Iterator[Document]:
        """Read lazily by the number under the declared `key` (then by insertion), between `low` and `high` included.

        `beyond` is the id after which to start. Raises KeyError when `key` is not declared or `beyond` is unknown.
        """
        extract = self._extract(collection, key)
        position: tuple[int, int] | None = None
        if beyond is not None:
            seq = self._position(collection, beyond)
            (number,) = self._db.execute(f"SELECT {extract} FROM documents WHERE seq = {seq}").fetchone()  # noqa: S608
            position = (int(number), seq)
        sign, order = ("<", "DESC") if newest_first else (">", "ASC")
        clauses = [f"collection = {_literal(collection)}", f"{extract} IS NOT NULL"]
        clauses += [f"{extract} >= {int(low)}"] if low is not None else []
        clauses += [f"{extract} <= {int(high)}"] if high is not None else []
        while True:
            here = list(clauses)
            if position is not None:
                # The first condition alone finds the place in the index; the second steps over equal numbers.
                here.append(f"{extract} {sign}= {position[0]}")
                here.append(f"({extract} {sign} {position[0]} OR seq {sign} {position[1]})")
            rows = self._db.execute(
                f"SELECT seq, {extract}, body FROM documents INDEXED BY {_index_name(collection, key)}"  # noqa: S608
                f" WHERE {' AND '.join(here)} ORDER BY {extract} {order}, seq {order} LIMIT {_SCAN_STEP}"
            ).fetchall()
            for _, _, body in rows:
                yield _decode(body)
            if len(rows) < _SCAN_STEP:
                return
            position = (int(rows[-1][1]), int(rows[-1][0]))

    def least(self, collection: str, key: str, *, at_most: int | None = None, limit: int = 1) -> list[Document]:
        """Return up to `limit` documents with the smallest number under the declared `key` (None is no number)."""
        extract = self._extract(collection, key)
        bound = "" if at_most is None else f" AND {extract} <= {int(at_most)}"
        rows = self._db.execute(
            f"SELECT body FROM documents INDEXED BY {_index_name(collection, key)}"  # noqa: S608
            f" WHERE collection = {_literal(collection)} AND {extract} IS NOT NULL{bound}"
            f" ORDER BY {extract}, seq LIMIT {int(limit)}"
        )
        return [_decode(body) for (body,) in rows.fetchall()]

    def count(self, collection: str) -> int:
        """Return how many documents `collection` has."""
        (number,) = self._db.execute("SELECT COUNT(*) FROM documents WHERE collection = ?", (collection,)).fetchone()
        return int(number)

    def next_number(self, name: str, *, start: int = 1) -> int:
        """Count up: `start` the first time, one more each time, for ever."""
        (value,) = self._db.execute(
            "INSERT INTO counters (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            (name, start),
        ).fetchone()
        return int(value)

    def next_id(self, prefix: str) -> str:
        """Return a new id such as `pi_5f0e...` (24 hex digits): unique over all runs and files."""
        number = self.next_number("ids")
        return f"{prefix}_{hashlib.sha256(f'{self._salt}:{number}'.encode()).hexdigest()[:24]}"

    def fact(self, name: str) -> str | None:
        """Return a single value kept by name, or None."""
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_fact(self, name: str, value: str) -> None:
        """Keep a single value by name."""
        self._db.execute(
            "INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )

    # Identifiers below come from code, are checked by _literal and _json_path, and cannot be bound as parameters.

    def _extract(self, collection: str, key: str) -> str:
        if (collection, key) not in self._declared:
            raise KeyError(f"{collection}.{key} is not declared as an index")
        return f"json_extract(body, {_json_path(key)})"

    def _position(self, collection: str, document_id: str) -> int:
        row = self._db.execute(
            "SELECT seq FROM documents WHERE collection = ? AND id = ?", (collection, document_id)
        ).fetchone()
        if row is None:
            raise KeyError(document_id)
        return int(row[0])


def _decode(body: str) -> Document:
    document: Document = json.loads(body)
    return document


def _literal(collection: str) -> str:
    """Quote a collection's name: SQLite uses a partial index only for a literal, so it cannot be a parameter."""
    if not _NAME.fullmatch(collection):
        raise ValueError(f"not a collection name: {collection!r}")
    return f"'{collection}'"


def _index_name(collection: str, key: str) -> str:
    return f"by_{collection}_{key.replace('.', '__')}"


def _json_path(key: str) -> str:
    if not _PATH.fullmatch(key):
        raise ValueError(f"not a key: {key!r}")
    return f"'$.{key}'"
