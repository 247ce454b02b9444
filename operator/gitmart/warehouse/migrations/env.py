"""Alembic's entry point: it runs the revisions on the connection that `gitmart.warehouse.migrate` hands over."""

from alembic import context

# The version table stands beside the raw tables, so that a worker can check it with its own role.
context.configure(
    connection=context.config.attributes["connection"],
    version_table="gitmart_revision",
    version_table_schema="public",
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
