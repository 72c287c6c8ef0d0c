"""A trunk as it is read: its settings, how it is doing, and how many numbers come by it."""

from __future__ import annotations

from control_api.models.base import MASK, iso, iso_or_none
from control_api.models.phone_number import Health, Registration
from control_api.models.trunk import Trunk
from control_api.services import Services
from control_api.store.trunks import TrunkRow
from control_api.trunk_fields import fields_of


def trunk_resource(row: TrunkRow, numbers: int, services: Services) -> Trunk:
    """Never with a password."""
    fields = fields_of(row)
    if row.transport == "auto":
        fields |= {"sipRegisterTransport": "udp", "sipProtocol": "udp"}
    return Trunk.model_validate(
        {
            **fields,
            **row.options,
            "sipPassword": None if row.password is None else MASK,
            "id": row.id,
            "organizationId": row.organization_id,
            "name": row.name,
            "transport": row.transport,
            "registration": registration_of(row, services),
            "health": health_of(row, services),
            "numbers": numbers,
            "createdAt": iso(row.created_at),
            "updatedAt": iso(row.updated_at),
        }
    )


def registration_of(trunk: TrunkRow, services: Services) -> Registration | None:
    """A trunk that is being written is not followed yet: it will be in a moment."""
    if trunk.mode != "registration" or services.trunk_states is None:
        return None
    state = services.trunk_states.registration(trunk.id)
    if state is None:
        return Registration(status="registering", expires_at=None, last_error=None)
    return Registration(status=state.status, expires_at=iso_or_none(state.expires_at), last_error=state.last_error)


def health_of(trunk: TrunkRow, services: Services) -> Health | None:
    """None for a trunk that is not probed."""
    health = None if services.trunk_states is None else services.trunk_states.health(trunk.id)
    if health is None:
        return None
    return Health(
        status=health.status,
        checked_at=iso_or_none(health.checked_at),
        round_trip_ms=health.round_trip_ms,
        last_error=health.last_error,
    )
