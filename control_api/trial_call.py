"""Whom a trunk may be tried out with."""

from __future__ import annotations

from control_api.dialling import is_extension
from control_api.errors import conflict
from control_api.services import Services
from sipserver.protocols import TrialCall, Trunk


def trial_call(services: Services, trunk: Trunk, to: str) -> TrialCall:
    """A call to `to` from the trunk's first number. Raises ApiError 400, 403 or 409: a trial costs what any call costs."""
    caller = services.directory.first_number(trunk.id)
    if caller is None:
        raise conflict("No number comes by this trunk, so there is none to call from.")
    if not trunk.host:
        raise conflict("The trunk's sipIp names only blocks of addresses, so there is no machine to send a call to.")
    region = trunk.options.region
    if trunk.options.number_format != "raw" or not is_extension(to, caller, region):
        services.dialling.check(to, caller, services.directory.own_numbers(), region)
    return TrialCall(to, caller)
