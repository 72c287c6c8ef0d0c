"""Every table. Times are microseconds since the epoch, UTC; money is integer micro-units; ids are UUID texts.

What is deleted by the API is kept with `deleted_at`, because calls, their analysis and their webhooks still name it.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = sa.String(36)
Micros = sa.BigInteger
Serial = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""SQLite counts up only an INTEGER primary key."""


def _organization() -> sa.Column[str]:
    return sa.Column("organization_id", Id, sa.ForeignKey("organizations.id"), nullable=False)


organizations = sa.Table(
    "organizations",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("created_at", Micros, nullable=False),
)

keys = sa.Table(
    "keys",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _organization(),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("scope", sa.String(16), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("created_at", Micros, nullable=False),
    sa.Column("revoked_at", Micros),
)

agents = sa.Table(
    "agents",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _organization(),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("webhook_secret", sa.Text),
    sa.Column("created_at", Micros, nullable=False),
    sa.Column("updated_at", Micros, nullable=False),
    sa.Column("deleted_at", Micros),
    sa.Index(None, "organization_id", "created_at"),
)

trunks = sa.Table(
    "trunks",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _organization(),
    sa.Column("identity", sa.String(255), nullable=False),
    sa.Column("mode", sa.String(16), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("port", sa.Integer, nullable=False),
    sa.Column("transport", sa.String(8), nullable=False),
    sa.Column("sources", sa.JSON, nullable=False),
    sa.Column("outbound_proxy", sa.String(100)),
    sa.Column("username", sa.String(60)),
    sa.Column("auth_user", sa.String(60)),
    sa.Column("password", sa.Text),
    sa.Column("name", sa.String(255)),
    sa.Column("options", sa.JSON, nullable=False, server_default="{}"),
    # Made by itself: it stays when no number comes by it.
    sa.Column("standalone", sa.Boolean, nullable=False, server_default=sa.false()),
    # What its peers answer our challenges with.
    sa.Column("inbound_username", sa.String(60)),
    sa.Column("inbound_password", sa.Text),
    sa.Column("created_at", Micros, nullable=False),
    sa.Column("updated_at", Micros, nullable=False),
    sa.UniqueConstraint("organization_id", "identity"),
    sa.Index(None, "inbound_username", unique=True),
)

phone_numbers = sa.Table(
    "phone_numbers",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _organization(),
    sa.Column("number", sa.String(32), nullable=False),
    sa.Column("name", sa.String(255)),
    sa.Column("provider", sa.String(16), nullable=False),
    # A deleted number lets go of its trunk, so that the trunk's credentials can be erased.
    sa.Column("trunk_id", Id, sa.ForeignKey("trunks.id")),
    sa.Column("agent_id", Id, sa.ForeignKey("agents.id")),
    sa.Column("metadata", sa.JSON, nullable=False),
    sa.Column("opening_hours", sa.JSON(none_as_null=True)),
    sa.Column("fallback", sa.JSON(none_as_null=True)),
    sa.Column("blocked_callers", sa.JSON, nullable=False, server_default="[]"),
    sa.Column("created_at", Micros, nullable=False),
    sa.Column("updated_at", Micros, nullable=False),
    sa.Column("deleted_at", Micros),
    sa.Index(
        "uq_phone_numbers_number",
        "number",
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    ),
    sa.Index(None, "organization_id", "created_at"),
)

calls = sa.Table(
    "calls",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _organization(),
    sa.Column("agent_id", Id, sa.ForeignKey("agents.id")),
    sa.Column("phone_number_id", Id, sa.ForeignKey("phone_numbers.id")),
    sa.Column("node", sa.String(64)),
    sa.Column("provider", sa.String(16), nullable=False),
    sa.Column("direction", sa.String(8), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("ended_reason", sa.String(32)),
    sa.Column("sip_call_id", sa.String(255)),
    sa.Column("customer_number", sa.String(255), nullable=False),
    sa.Column("agent_number", sa.String(32), nullable=False),
    sa.Column("context_variables", sa.JSON, nullable=False),
    sa.Column("metadata", sa.JSON, nullable=False),
    sa.Column("captured", sa.JSON, nullable=False),
    sa.Column("analysis", sa.JSON(none_as_null=True)),
    sa.Column("turn_count", sa.Integer, nullable=False),
    sa.Column("latency", sa.JSON(none_as_null=True)),
    sa.Column("quality", sa.JSON(none_as_null=True)),
    sa.Column("sip_code", sa.Integer),
    sa.Column("sip_reason", sa.String(255)),
    sa.Column("opt_out", sa.Boolean, nullable=False),
    sa.Column("cost", sa.BigInteger),
    sa.Column("ring_timeout_seconds", sa.Integer, nullable=False),
    # The recording can be fetched from `recorded_at` on; its link works until `recording_until`. Deleted, it has only the latter.
    sa.Column("recorded_at", Micros),
    sa.Column("recording_until", Micros),
    sa.Column("created_at", Micros, nullable=False),
    sa.Column("scheduled_at", Micros),
    sa.Column("expires_at", Micros),
    # Committed before the first INVITE byte: a call with it is never dialled again (DESIGN, decision 6).
    sa.Column("dialing_at", Micros),
    sa.Column("started_at", Micros),
    sa.Column("ended_at", Micros),
    sa.Index(None, "organization_id", "created_at"),
    sa.Index(None, "organization_id", "agent_id", "created_at"),
    sa.Index(None, "organization_id", "phone_number_id", "created_at"),
    sa.Index(None, "organization_id", "customer_number", "created_at"),
    sa.Index(None, "status"),
)

utterances = sa.Table(
    "utterances",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("call_id", Id, sa.ForeignKey("calls.id"), nullable=False, index=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("start_ms", sa.BigInteger, nullable=False),
    sa.Column("end_ms", sa.BigInteger, nullable=False),
    sa.Column("interrupted", sa.Boolean, nullable=False),
)

call_problems = sa.Table(
    "call_problems",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("call_id", Id, sa.ForeignKey("calls.id"), nullable=False, index=True),
    sa.Column("at", Micros, nullable=False),
    sa.Column("part", sa.String(16), nullable=False),
    sa.Column("message", sa.Text, nullable=False),
)

transfers = sa.Table(
    "transfers",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("call_id", Id, sa.ForeignKey("calls.id"), nullable=False, index=True),
    sa.Column("transfer_type", sa.String(16), nullable=False),
    sa.Column("transfer_status", sa.String(16), nullable=False),
    sa.Column("label", sa.String(255), nullable=False),
    sa.Column("customer_number", sa.String(255)),
    sa.Column("failure", sa.String(32)),
    sa.Column("sip_code", sa.Integer),
    sa.Column("transcript", sa.JSON, nullable=False),
    sa.Column("created_at", Micros, nullable=False),
    # The answer of a leg of our own; a caller who was sent away by REFER is on none.
    sa.Column("started_at", Micros),
    sa.Column("ended_at", Micros),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("run_at", Micros, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("owner", sa.String(64)),
    sa.Column("lease_until", Micros),
    sa.Column("dedupe_key", sa.String(128), unique=True),
    sa.Column("error", sa.Text),
    sa.Column("created_at", Micros, nullable=False),
    sa.Index(None, "state", "kind", "run_at"),
)

webhook_deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    # The `webhook-id` header: made with the call's end, the same for every attempt.
    sa.Column("id", sa.String(64), primary_key=True),
    _organization(),
    sa.Column("call_id", Id, sa.ForeignKey("calls.id"), nullable=False, index=True),
    sa.Column("agent_id", Id, sa.ForeignKey("agents.id"), nullable=False),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("payload", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("last_status", sa.Integer),
    sa.Column("last_error", sa.Text),
    sa.Column("created_at", Micros, nullable=False),
    sa.Column("attempted_at", Micros),
    sa.Column("delivered_at", Micros),
    sa.Index(None, "organization_id", "created_at"),
)

idempotency = sa.Table(
    "idempotency",
    metadata,
    sa.Column("organization_id", Id, sa.ForeignKey("organizations.id"), primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("operation", sa.String(64), nullable=False),
    sa.Column("request_hash", sa.String(64), nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("created_at", Micros, nullable=False, index=True),
)
