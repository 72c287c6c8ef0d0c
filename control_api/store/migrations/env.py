"""Run by alembic for every upgrade, on the connection that `control_api.store.migrate` hands over."""

from __future__ import annotations

from alembic import context

from control_api.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
