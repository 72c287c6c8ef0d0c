"""What must be known of a JSGF grammar before it is compiled: its words, and the rules it lacks (JSpeech Grammar Format, W3C Note)."""

from __future__ import annotations

import re

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_HEADER = re.compile(r"#JSGF[^;]*;|\b(?:grammar|import)\s[^;]*;", re.IGNORECASE)
_LEFT_SIDE = re.compile(r"(?:\bpublic\s+)?<[^>]*>\s*=")
_NO_WORD = re.compile(r"<[^>]*>|\{(?:\\.|[^}\\])*\}|/[\d.eE+-]+/|[|*+()\[\];=]")
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')
_DEFINED = re.compile(r"<([^>]*)>\s*=")
_RULE = re.compile(r"<([^>]*)>")
_SPECIAL = frozenset({"NULL", "VOID"})
_TOKEN = re.compile(r'"((?:\\.|[^"\\])*)"|(\S+)')


def words_of(jsgf: str) -> frozenset[str]:
    """Every token of the rules, as it is written; rule names, weights, tags and comments are none."""
    text = _HEADER.sub(" ", _COMMENT.sub(" ", jsgf))
    text = _NO_WORD.sub(" ", _LEFT_SIDE.sub(" ", text))
    return frozenset(quoted or plain for quoted, plain in _TOKEN.findall(text))


def undefined_rules(jsgf: str) -> frozenset[str]:
    """The rules that are used but not there; imports cannot be followed, so an imported one is not there either."""
    text = _QUOTED.sub(" ", _HEADER.sub(" ", _COMMENT.sub(" ", jsgf)))
    return frozenset(_RULE.findall(text)) - frozenset(_DEFINED.findall(text)) - _SPECIAL
