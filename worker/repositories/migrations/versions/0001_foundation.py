"""The foundation: orders, payments, parcels, inbox, users, reconciliation runs, breaks, statement files.

Frozen SQL: a migration says what was done on a day, and must not change when the code's view of the tables does.
Each statement makes a table whole or not at all, and can be repeated.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE IF NOT EXISTS book_entries (
        entry_id BIGINT NOT NULL AUTO_INCREMENT,
        provider VARCHAR(64) NOT NULL,
        kind VARCHAR(32) NOT NULL,
        reference VARCHAR(320) NOT NULL,
        payment_reference VARCHAR(320) NOT NULL,
        shop VARCHAR(128) NOT NULL,
        order_id VARCHAR(128) NOT NULL,
        amount_minor BIGINT NOT NULL,
        currency VARCHAR(8) NOT NULL,
        occurred_at DATETIME(6) NOT NULL,
        PRIMARY KEY (entry_id),
        CONSTRAINT book_entries_once UNIQUE (provider, kind, reference),
        CONSTRAINT captures_come_in CHECK (kind <> 'capture' OR amount_minor >= 0),
        CONSTRAINT refunds_go_out CHECK (kind <> 'refund' OR amount_minor <= 0),
        KEY book_entries_by_order (shop, order_id, occurred_at),
        KEY book_entries_by_payment (provider, payment_reference),
        KEY book_entries_by_time (shop, provider, occurred_at, reference, kind)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS breaks (
        break_id VARCHAR(32) NOT NULL,
        shop VARCHAR(128) NOT NULL,
        provider VARCHAR(64) NOT NULL,
        status VARCHAR(32) NOT NULL,
        leg VARCHAR(32) NOT NULL,
        kind VARCHAR(32) NOT NULL,
        currency VARCHAR(8) NOT NULL,
        order_id VARCHAR(512) NOT NULL,
        at_risk_minor BIGINT NOT NULL,
        first_seen_at DATETIME(6) NOT NULL,
        last_seen_at DATETIME(6) NOT NULL,
        first_movement_at DATETIME(6) NOT NULL,
        runs_seen INTEGER NOT NULL,
        repair_state VARCHAR(32) NOT NULL,
        resolved_at DATETIME(6),
        resolution TEXT NOT NULL,
        finding JSON NOT NULL,
        PRIMARY KEY (break_id),
        KEY breaks_by_risk (at_risk_minor, break_id),
        KEY breaks_by_shop_risk (shop, at_risk_minor, break_id),
        KEY breaks_by_status (shop, provider, status, first_seen_at)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS inbox (
        event_id VARCHAR(128) NOT NULL,
        source VARCHAR(64) NOT NULL,
        topic VARCHAR(255) NOT NULL,
        origin VARCHAR(32) NOT NULL,
        body_sha256 VARCHAR(64) NOT NULL,
        received_at DATETIME(6) NOT NULL,
        workflow_id VARCHAR(512) NOT NULL,
        run_id VARCHAR(128) NOT NULL,
        outcome VARCHAR(32) NOT NULL,
        detail TEXT NOT NULL,
        closed_at DATETIME(6),
        PRIMARY KEY (event_id, source),
        KEY inbox_by_outcome (outcome, received_at, event_id, source),
        KEY inbox_by_source (source, received_at, event_id),
        KEY inbox_by_time (received_at, event_id, source)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS orders (
        shop VARCHAR(128) NOT NULL,
        order_id VARCHAR(128) NOT NULL,
        currency VARCHAR(8) NOT NULL,
        total_minor BIGINT NOT NULL,
        shipping_minor BIGINT NOT NULL,
        discount_minor BIGINT NOT NULL,
        tax_minor BIGINT NOT NULL,
        positions JSON NOT NULL,
        customer_id VARCHAR(255) NOT NULL,
        payment_mode VARCHAR(32) NOT NULL,
        payment_method VARCHAR(255),
        origin VARCHAR(32) NOT NULL,
        state VARCHAR(32) NOT NULL,
        state_reason TEXT NOT NULL,
        placed_at DATETIME(6) NOT NULL,
        updated_at DATETIME(6) NOT NULL,
        trail_length INTEGER NOT NULL,
        PRIMARY KEY (shop, order_id),
        KEY orders_by_placed (shop, placed_at, order_id),
        KEY orders_by_state (shop, state, placed_at),
        KEY orders_by_updated (shop, updated_at, order_id)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS payments (
        provider VARCHAR(64) NOT NULL,
        reference VARCHAR(320) NOT NULL,
        shop VARCHAR(128) NOT NULL,
        order_id VARCHAR(128) NOT NULL,
        amount_minor BIGINT NOT NULL,
        currency VARCHAR(8) NOT NULL,
        state VARCHAR(32) NOT NULL,
        captured_minor BIGINT NOT NULL,
        refunded_minor BIGINT NOT NULL,
        detail TEXT NOT NULL,
        first_seen_at DATETIME(6) NOT NULL,
        updated_at DATETIME(6) NOT NULL,
        PRIMARY KEY (provider, reference),
        KEY payments_by_order (shop, order_id, first_seen_at)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS runs (
        run_id VARCHAR(128) NOT NULL,
        shop VARCHAR(128) NOT NULL,
        provider VARCHAR(64) NOT NULL,
        window_start DATETIME(6) NOT NULL,
        window_end DATETIME(6) NOT NULL,
        source VARCHAR(255) NOT NULL,
        requested_by VARCHAR(255) NOT NULL,
        workflow_id VARCHAR(512) NOT NULL,
        started_at DATETIME(6) NOT NULL,
        finished_at DATETIME(6),
        verdict VARCHAR(32) NOT NULL,
        counts JSON,
        incomplete_because JSON NOT NULL,
        report VARCHAR(1024) NOT NULL,
        PRIMARY KEY (run_id),
        KEY runs_by_shop (shop, started_at),
        KEY runs_by_time (started_at)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS shipments (
        shop VARCHAR(128) NOT NULL,
        shipment_id VARCHAR(128) NOT NULL,
        order_id VARCHAR(128) NOT NULL,
        state VARCHAR(32) NOT NULL,
        requested_at DATETIME(6) NOT NULL,
        shipped_at DATETIME(6),
        tracking VARCHAR(255) NOT NULL,
        PRIMARY KEY (shop, shipment_id),
        KEY shipments_by_order (shop, order_id, requested_at)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS statement_files (
        sha256 VARCHAR(64) NOT NULL,
        shop VARCHAR(128) NOT NULL,
        provider VARCHAR(64) NOT NULL,
        file_format VARCHAR(32) NOT NULL,
        name VARCHAR(512) NOT NULL,
        imported_at DATETIME(6) NOT NULL,
        row_count BIGINT NOT NULL,
        rejected_count BIGINT NOT NULL,
        first_at DATETIME(6),
        last_at DATETIME(6),
        checks JSON NOT NULL,
        PRIMARY KEY (sha256)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS users (
        user_id VARCHAR(128) NOT NULL,
        email VARCHAR(320) NOT NULL,
        state VARCHAR(32) NOT NULL,
        registered_at DATETIME(6) NOT NULL,
        confirmed_at DATETIME(6),
        updated_at DATETIME(6) NOT NULL,
        PRIMARY KEY (user_id)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS watermarks (
        shop VARCHAR(128) NOT NULL,
        provider VARCHAR(64) NOT NULL,
        reached_at DATETIME(6),
        PRIMARY KEY (shop, provider)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS break_actions (
        action_id BIGINT NOT NULL AUTO_INCREMENT,
        break_id VARCHAR(32) NOT NULL,
        happened_at DATETIME(6) NOT NULL,
        actor VARCHAR(255) NOT NULL,
        action VARCHAR(32) NOT NULL,
        run_id VARCHAR(128) NOT NULL,
        detail TEXT NOT NULL,
        PRIMARY KEY (action_id),
        CONSTRAINT break_actions_of_break FOREIGN KEY(break_id) REFERENCES breaks (break_id),
        KEY break_actions_by_break (break_id, action_id)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS order_trail (
        shop VARCHAR(128) NOT NULL,
        order_id VARCHAR(128) NOT NULL,
        sequence INTEGER NOT NULL,
        from_state VARCHAR(32) NOT NULL,
        to_state VARCHAR(32) NOT NULL,
        happened_at DATETIME(6) NOT NULL,
        actor VARCHAR(255) NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (shop, order_id, sequence),
        CONSTRAINT order_trail_of_order FOREIGN KEY(shop, order_id) REFERENCES orders (shop, order_id)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS run_findings (
        run_id VARCHAR(128) NOT NULL,
        position INTEGER NOT NULL,
        leg VARCHAR(32) NOT NULL,
        subject VARCHAR(512) NOT NULL,
        kind VARCHAR(32) NOT NULL,
        outcome VARCHAR(32) NOT NULL,
        currency VARCHAR(8) NOT NULL,
        order_id VARCHAR(512) NOT NULL,
        difference_minor BIGINT NOT NULL,
        at_risk_minor BIGINT NOT NULL,
        document JSON NOT NULL,
        PRIMARY KEY (run_id, position),
        CONSTRAINT run_findings_of_run FOREIGN KEY(run_id) REFERENCES runs (run_id)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS run_statements (
        run_id VARCHAR(128) NOT NULL,
        currency VARCHAR(8) NOT NULL,
        ours_minor BIGINT NOT NULL,
        theirs_minor BIGINT NOT NULL,
        fees_minor BIGINT NOT NULL,
        net_minor BIGINT NOT NULL,
        bridge JSON NOT NULL,
        PRIMARY KEY (run_id, currency),
        CONSTRAINT run_statements_of_run FOREIGN KEY(run_id) REFERENCES runs (run_id)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS statement_lines (
        sha256 VARCHAR(64) NOT NULL,
        position BIGINT NOT NULL,
        line_id VARCHAR(320) NOT NULL,
        provider VARCHAR(64) NOT NULL,
        kind VARCHAR(32) NOT NULL,
        currency VARCHAR(8) NOT NULL,
        gross_minor BIGINT NOT NULL,
        fee_minor BIGINT NOT NULL,
        net_minor BIGINT NOT NULL,
        created_at DATETIME(6) NOT NULL,
        payment_reference VARCHAR(320) NOT NULL,
        order_id VARCHAR(512) NOT NULL,
        source_id VARCHAR(320) NOT NULL,
        payout_id VARCHAR(320) NOT NULL,
        type_text VARCHAR(255) NOT NULL,
        PRIMARY KEY (sha256, position),
        CONSTRAINT statement_lines_of_file FOREIGN KEY(sha256) REFERENCES statement_files (sha256)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS statement_rejects (
        sha256 VARCHAR(64) NOT NULL,
        position BIGINT NOT NULL,
        line_number BIGINT NOT NULL,
        column_name VARCHAR(255) NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (sha256, position),
        CONSTRAINT statement_rejects_of_file FOREIGN KEY(sha256) REFERENCES statement_files (sha256)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
)


def upgrade() -> None:
    """Make the tables."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
