"""Everything that the operations work with, put together by whoever starts the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from control_api.calllog import StoredCallLog
from control_api.dialling import DiallingPolicy
from control_api.directory import Directory
from control_api.encoding import Encoder
from control_api.live import LiveEvents
from control_api.metrics import Metrics
from control_api.models.background_sound import BackgroundSound
from control_api.secrets import SecretBox
from control_api.signing import LinkSigner
from control_api.store.engine import Store
from control_api.tracing import CallTraces
from inference.tts.base import Voice
from sipserver.protocols import AgentChecks, BanList, Dialler, TrunkStates, TrunkTester

SECOND = 1_000_000
DAY = 86_400 * SECOND


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What this installation can speak, think and play. `aliases` maps a hosted platform's ids to ours."""

    voices: Sequence[Voice] = ()
    model_ids: Sequence[str] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    background_sounds: Sequence[BackgroundSound] = ()

    def voice_id(self, given: str) -> str | None:
        """Our id of the voice that is meant; None for an unknown one."""
        return self._known(given, [voice.id for voice in self.voices])

    def model_id(self, given: str) -> str | None:
        """Our id of the language model that is meant; None for an unknown one."""
        return self._known(given, self.model_ids)

    def background_sound_id(self, given: str) -> str | None:
        """Our id of the background sound that is meant; None for an unknown one."""
        return self._known(given, [sound.id for sound in self.background_sounds])

    def _known(self, given: str, ids: Sequence[str]) -> str | None:
        meant = self.aliases.get(given, given)
        return meant if meant in ids else None


@dataclass(frozen=True, slots=True)
class Services:
    """The parts, joined.

    `check_url` is the sentence that refuses a webhook's URL, or None. `unready` says why the rest of the node takes no calls (media
    down, engines starting); `draining` whether it is going down. `poke_jobs` wakes the worker. `now` is in microseconds.
    """

    store: Store
    box: SecretBox
    directory: Directory
    checks: AgentChecks
    dialler: Dialler
    call_log: StoredCallLog
    live: LiveEvents
    links: LinkSigner
    encoder: Encoder
    now: Callable[[], int]
    version: str
    catalogue: Catalogue = field(default_factory=Catalogue)
    dialling: DiallingPolicy = field(default_factory=DiallingPolicy)
    check_url: Callable[[str], str | None] = lambda _url: None
    unready: Callable[[], Sequence[str]] = tuple
    draining: Callable[[], bool] = lambda: False
    poke_jobs: Callable[[], None] = lambda: None
    ring_timeout_seconds: int = 60
    link_days: int = 30
    retention_days: int | None = None
    metrics: Metrics | None = None
    trunk_states: TrunkStates | None = None
    trunk_tester: TrunkTester | None = None
    trunks_in_test: set[str] = field(default_factory=set)
    traces: CallTraces | None = None
    bans: BanList | None = None

    def link_until(self, ended_at: int, retention_days: int | None) -> int:
        """Until when the links of a call open: as long as its recording is kept (its agent's days, or the node's), else as configured."""
        return ended_at + (retention_days or self.retention_days or self.link_days) * DAY
