"""Where the words go: results to standard output, everything else to standard error; errors in two lines."""

from __future__ import annotations

import json
import math
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console, RenderableType

from selfstudy.core.errors import SelfstudyError
from selfstudy.core.files import home_error

BROKEN_PIPE = 141
FAULT = 70
WIDTH = 120  # where nobody's terminal says how wide it is


def console(stream: TextIO) -> Console:
    """A console that shows text as it stands: no markup, no guessed colours."""
    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def show(*parts: RenderableType) -> None:
    """Print to standard output."""
    screen = console(sys.stdout)
    with _writable():
        for part in parts:
            screen.print(part)
        sys.stdout.flush()


def show_json(value: Any) -> None:
    """Print one JSON document to standard output; numbers that JSON does not know become null."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    with _writable():
        sys.stdout.write(json.dumps(_finite(value), ensure_ascii=not unicode, indent=2, allow_nan=False) + "\n")
        sys.stdout.flush()


@contextmanager
def _writable() -> Iterator[None]:
    """What goes wrong here is the fault of where the output goes, not of the home."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        hush(sys.stdout)  # what is left in the buffer would fail once more on the way out
        why = (error.strerror or type(error).__name__).lower()
        raise SelfstudyError(f"The output cannot be written: {why}.", "The command itself was carried out.") from error


def say(message: str) -> None:
    """Print a message to standard error."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


def fail(error: SelfstudyError, as_json: bool) -> int:
    """Tell `error` in two lines (and as JSON, where that was asked for). Returns the exit code."""
    if os.environ.get("SELFSTUDY_DEBUG"):
        traceback.print_exception(error)
    else:
        say(f"{error.problem}\n{error.mend}" if error.mend else error.problem)
    if as_json:
        kind = type(error).__name__
        show_json({"error": {"kind": kind, "problem": error.problem, "mend": error.mend, "exit_code": error.exit_code}})
    return error.exit_code


class Unexpected(SelfstudyError):
    """What no code expected: a fault of the program."""

    exit_code = FAULT


def expected(error: Exception) -> SelfstudyError:
    """Any exception as two lines for a person."""
    if isinstance(error, SelfstudyError):
        return error
    known = home_error(error.filename or "the home", error) if isinstance(error, OSError) else None
    told = known or _unexpected(error)
    told.__cause__ = error
    return told


def _unexpected(error: Exception) -> Unexpected:
    what = " ".join(str(error).split())
    return Unexpected(
        f"Something went wrong that should not: {type(error).__name__}{': ' + what if what else ''}.",
        "What was finished before is kept. With SELFSTUDY_DEBUG=1 set, the same command shows where it happened.",
    )


def tolerant() -> None:
    """Let both streams show what their encoding cannot, such as bytes of file names that are no text."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # absent where a test stands in for the stream
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def hush(*streams: TextIO) -> None:
    """Send what is still to come to nowhere: nobody can read it, and the exit must not complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        try:
            os.dup2(nowhere, stream.fileno())
        except (OSError, ValueError):
            continue


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
