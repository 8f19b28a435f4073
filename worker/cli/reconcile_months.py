"""Months that were due to be closed and are not, for those who look at runs or at the installation."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from worker.connections import close_rules_of

if TYPE_CHECKING:
    from worker.config import WorkerConfig
    from worker.domain.closing import OpenMonth
    from worker.services.ports import Database, Transaction


def open_months_of(config: "WorkerConfig", database: "Database") -> "list[tuple[str, OpenMonth]]":
    """Return the open months of the shop at hand with their providers, oldest first."""
    from worker.services.closing import months_left_open

    now = datetime.now(UTC)
    shop = config.shop.name
    rules = {provider: rule for (of, provider), rule in close_rules_of(config).items() if of == shop}

    def work(tx: "Transaction") -> "list[tuple[str, OpenMonth]]":
        return [
            (provider, month)
            for provider, rule in rules.items()
            for month in months_left_open(tx, rule, shop, provider, now)
        ]

    return sorted(database.transact(work), key=lambda one: (one[1].span.start, one[0]))
