"""Texts of the catalogue of metrics, which are Markdown of the simplest kind, as HTML."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_MARKS = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<address>[^)\s]+)\)|`(?P<code>[^`]+)`")


def prose(text: str) -> Markup:
    """Return a text with its links and code; a link into the manual, which is not served, becomes its text."""
    made, end = Markup(), 0
    for mark in _MARKS.finditer(text):
        made += escape(text[end : mark.start()])
        if mark["code"] is not None:
            made += Markup("<code>{}</code>").format(mark["code"])
        elif mark["address"].startswith("https://"):
            made += Markup('<a href="{}" rel="noreferrer">{}</a>').format(mark["address"], mark["text"])
        else:
            made += escape(mark["text"])
        end = mark.end()
    return made + escape(text[end:])
