"""Credentials of trunks whose peers cannot be known by their address."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("trunks", sa.Column("inbound_username", sa.String(length=60), nullable=True))
    op.add_column("trunks", sa.Column("inbound_password", sa.Text(), nullable=True))
    # Who calls shows nothing but the name, so it is one trunk's of the whole installation.
    op.create_index("ix_trunks_inbound_username", "trunks", ["inbound_username"], unique=True)
