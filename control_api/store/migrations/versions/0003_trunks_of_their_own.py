"""Trunks that live on their own, with options; what numbers say of their callers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("trunks", sa.Column("name", sa.String(length=255), nullable=True))
    op.add_column("trunks", sa.Column("options", sa.JSON(), nullable=False, server_default="{}"))
    # What numbers brought with them goes with the last of them, as before.
    op.add_column("trunks", sa.Column("standalone", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("phone_numbers", sa.Column("opening_hours", sa.JSON(), nullable=True))
    op.add_column("phone_numbers", sa.Column("fallback", sa.JSON(), nullable=True))
    op.add_column("phone_numbers", sa.Column("blocked_callers", sa.JSON(), nullable=False, server_default="[]"))
