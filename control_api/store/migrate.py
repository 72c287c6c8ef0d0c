"""Brings a database's schema up to date; the steps are in `migrations/versions`, inside the package."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade(database: Path) -> None:
    """Run every step that the database has not seen; a new file gets them all. Blocks. Raises SQLAlchemyError."""
    engine = sa.create_engine(f"sqlite:///{database}", poolclass=sa.NullPool)
    with engine.connect() as connection:
        # Two commands that find a new folder at once: the second waits, and then finds the work done.
        connection.exec_driver_sql("PRAGMA busy_timeout=10000")
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.commit()
        command.upgrade(configuration(connection), "head")
    engine.dispose()


def configuration(connection: sa.Connection) -> Config:
    """Alembic's configuration for one open connection; there is no alembic.ini."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
