"""The tables of reconciliation runs, and of how far they got; see schema.py for what holds of all tables."""

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, String

from worker.repositories.columns import CURRENCY, ID, OUTSIDE, PROVIDER, SHA256, SHOP, WORD, key, required, table
from worker.repositories.times import UtcDateTime

RUNS = table(
    "runs",
    key("run_id", ID),
    required("shop", SHOP),
    required("provider", PROVIDER),
    required("window_start", UtcDateTime),
    required("window_end", UtcDateTime),
    required("source", String(255)),
    required("requested_by", String(255)),
    required("workflow_id", String(512)),
    required("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    required("verdict", WORD),
    Column("counts", JSON(none_as_null=True)),
    required("incomplete_because", JSON),
    required("report", String(1024)),
    required("inputs", String(1024), server_default=""),
    required("result_sha256", SHA256, server_default=""),
    Index("runs_by_time", "started_at"),
    Index("runs_by_shop", "shop", "started_at"),
)

RUN_STATEMENTS = table(
    "run_statements",
    Column("run_id", ID, ForeignKey("runs.run_id", name="run_statements_of_run"), primary_key=True),
    key("currency", CURRENCY),
    required("ours_minor", BigInteger),
    required("theirs_minor", BigInteger),
    required("fees_minor", BigInteger),
    required("net_minor", BigInteger),
    required("bridge", JSON),
)

RUN_FINDINGS = table(
    "run_findings",
    Column("run_id", ID, ForeignKey("runs.run_id", name="run_findings_of_run"), primary_key=True),
    key("position", Integer),
    required("leg", WORD),
    required("subject", OUTSIDE),
    required("kind", WORD),
    required("outcome", WORD),
    required("currency", CURRENCY),
    required("order_id", OUTSIDE),
    required("difference_minor", BigInteger),
    required("at_risk_minor", BigInteger),
    required("document", JSON),
)

WATERMARKS = table(
    "watermarks",
    key("shop", SHOP),
    key("provider", PROVIDER),
    Column("reached_at", UtcDateTime),
    Column("light_reached_at", UtcDateTime),
    Column("closed_until", UtcDateTime),
)
