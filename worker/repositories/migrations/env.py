"""Alembic's entry: runs the migrations on the connection that `worker.repositories.migrate` hands over."""

from alembic import context

from worker.repositories.schema import METADATA
from worker.repositories.schema_version import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    transactional_ddl=False,
)
with context.begin_transaction():
    context.run_migrations()
