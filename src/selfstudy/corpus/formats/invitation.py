"""Invitations and other events (iCalendar, RFC 5545) as lines that a reader understands."""

from __future__ import annotations

import re
from collections.abc import Iterator

_FOLDED = re.compile(r"\r?\n[ \t]")
_LINE = re.compile(r"([A-Z-]+)((?:;[^:;\"]*(?:\"[^\"]*\")?[^:;]*)*):(.*)")
_SAID = {
    "SUMMARY": "Event",
    "DTSTART": "Begins",
    "DTEND": "Ends",
    "DUE": "Due",
    "LOCATION": "Place",
    "ORGANIZER": "Organizer",
    "ATTENDEE": "Invited",
    "STATUS": "Status",
    "DESCRIPTION": "About",
}
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d\d(Z?))?$")
_NAME = re.compile(r";CN=(\"[^\"]*\"|[^;:]*)")
_ZONE = re.compile(r";TZID=(\"[^\"]*\"|[^;:]*)")
_ESCAPED = re.compile(r"\\(.)")


def events(text: str) -> str:
    """What an iCalendar file says of its events, a line "Begins: 2024-05-01 10:00 UTC" for each fact, an empty line between events."""
    return "\n\n".join(filter(None, ("\n".join(_lines(event)) for event in _events(_FOLDED.sub("", text)))))


def _events(text: str) -> Iterator[str]:
    """The parts of `text` that are events or tasks, without the reminders in them."""
    for kind in ("VEVENT", "VTODO", "VJOURNAL"):
        for found in re.findall(rf"^BEGIN:{kind}\s*$(.*?)(?:^END:{kind}|\Z)", text, re.MULTILINE | re.DOTALL):
            yield re.sub(r"^BEGIN:VALARM.*?(?:^END:VALARM|\Z)", "", found, flags=re.MULTILINE | re.DOTALL)


def _lines(event: str) -> Iterator[str]:
    for line in event.splitlines():
        match = _LINE.match(line)
        if match and match[1] in _SAID and (said := _value(match[1], match[2], match[3].strip())):
            yield f"{_SAID[match[1]]}: {said}"


def _value(name: str, stated: str, value: str) -> str:
    time = _TIME.match(value) if name in ("DTSTART", "DTEND", "DUE") else None
    if time:
        zone = _ZONE.search(stated)
        clock = f" {time[4]}:{time[5]} {'UTC' if time[6] else zone[1].strip(chr(34)) if zone else ''}".rstrip() if time[4] else ""
        return f"{time[1]}-{time[2]}-{time[3]}{clock}"
    if name in ("ORGANIZER", "ATTENDEE"):
        address = re.sub("^mailto:", "", value, flags=re.IGNORECASE)
        person = _NAME.search(stated)
        return f"{person[1].strip(chr(34))} <{address}>" if person and person[1].strip('"') not in ("", address) else address
    return _ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], value).strip()
