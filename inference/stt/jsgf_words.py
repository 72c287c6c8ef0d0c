"""The words that a JSGF grammar can hear: what the recogniser needs pronunciations for (JSpeech Grammar Format, W3C Note, section 4)."""

from __future__ import annotations

import re

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_HEADER = re.compile(r"#JSGF[^;]*;|\b(?:grammar|import)\s[^;]*;", re.IGNORECASE)
_LEFT_SIDE = re.compile(r"(?:\bpublic\s+)?<[^>]*>\s*=")
_NO_WORD = re.compile(r"<[^>]*>|\{(?:\\.|[^}\\])*\}|/[\d.eE+-]+/|[|*+()\[\];=]")
_TOKEN = re.compile(r'"((?:\\.|[^"\\])*)"|(\S+)')


def words_of(jsgf: str) -> frozenset[str]:
    """Every token of the rules, as it is written; rule names, weights, tags and comments are none."""
    text = _HEADER.sub(" ", _COMMENT.sub(" ", jsgf))
    text = _NO_WORD.sub(" ", _LEFT_SIDE.sub(" ", text))
    return frozenset(quoted or plain for quoted, plain in _TOKEN.findall(text))
