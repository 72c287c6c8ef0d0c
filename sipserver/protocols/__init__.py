"""The nouns that all rooms share, and the Protocols by which they meet. Imports nothing of ours but `media.frames`.

`sipserver` needs somebody who keeps the calls (`CallLog`), who knows which agent answers which number
(`AgentDirectory`) and who talks (`Conversation`); `control_api` needs somebody who places and ends calls (`Dialler`), who
judges scripts (`AgentChecks`) and who reads a finished call (`Analyst`). `server.py` joins them.

Ids are UUID texts. Times are microseconds since the epoch, UTC. Positions are those of `media.frames`.
"""

from __future__ import annotations

from sipserver.protocols.agent_checks import AgentChecks, ScriptProblem
from sipserver.protocols.agents import (
    Agent,
    ExtractionField,
    RecordingSettings,
    SilenceSettings,
    TransferMode,
    TransferTarget,
    TurnSettings,
)
from sipserver.protocols.analysis import Analysis, Analyst, FinishedCall
from sipserver.protocols.bans import BanList, Banned
from sipserver.protocols.call_log import CallEnd, CallLog, InboundCall
from sipserver.protocols.calls import CallDirection, CallStatus, EndedReason, LiveEvent, Problem, Utterance, Variables
from sipserver.protocols.conversations import Conversation, ConversationEnd, Conversations, LiveCall, SpeechOrder
from sipserver.protocols.dialling import Dialler, DialOrder, KeysSent
from sipserver.protocols.off_record import OffRecord, OffRecordBy
from sipserver.protocols.routes import AgentDirectory, Fallback, FallbackReason, OpeningHours, Route
from sipserver.protocols.transfers import (
    Colleague,
    Handover,
    HoldMusicLibrary,
    Transfer,
    TransferDesk,
    TransferFailure,
    TransferOrder,
    TransferOutcome,
    TransferRecord,
    TransferStatus,
)
from sipserver.protocols.trunk_checks import CheckFailure, CheckName, CheckStep, TrialCall, TrunkTester
from sipserver.protocols.trunks import RegistrationState, Trunk, TrunkHealth, TrunkOptions, TrunkStates

__all__ = [
    "Agent",
    "AgentChecks",
    "AgentDirectory",
    "Analysis",
    "Analyst",
    "BanList",
    "Banned",
    "CallDirection",
    "CallEnd",
    "CallLog",
    "CallStatus",
    "CheckFailure",
    "CheckName",
    "CheckStep",
    "Colleague",
    "Conversation",
    "ConversationEnd",
    "Conversations",
    "DialOrder",
    "Dialler",
    "EndedReason",
    "ExtractionField",
    "Fallback",
    "FallbackReason",
    "FinishedCall",
    "Handover",
    "HoldMusicLibrary",
    "InboundCall",
    "KeysSent",
    "LiveCall",
    "LiveEvent",
    "OffRecord",
    "OffRecordBy",
    "OpeningHours",
    "Problem",
    "RecordingSettings",
    "RegistrationState",
    "Route",
    "ScriptProblem",
    "SilenceSettings",
    "SpeechOrder",
    "Transfer",
    "TransferDesk",
    "TransferFailure",
    "TransferMode",
    "TransferOrder",
    "TransferOutcome",
    "TransferRecord",
    "TransferStatus",
    "TransferTarget",
    "TrialCall",
    "Trunk",
    "TrunkHealth",
    "TrunkOptions",
    "TrunkStates",
    "TrunkTester",
    "TurnSettings",
    "Utterance",
    "Variables",
]
