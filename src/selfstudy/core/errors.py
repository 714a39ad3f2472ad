"""What can go wrong, as a person should read it: what was given and expected; how to mend it.

SelfstudyError
  BadInput         a question, filter, path or number that cannot be used
  BadConfig        one or more faults in the configuration, all of them at once
  HomeError        the home folder cannot be used: newer, read-only, full, damaged
    Busy           another process is writing in this home
  NotEnough        too little text or too few questions to prove anything
  MissingExtra     an optional package is not installed
  UnknownPlugin    a name whose scheme nobody registered
  BadModel         weights that are missing, altered or of another shape
  ForeignVector    a query vector of another embedder than the index's
  Stopped          the user interrupted the work; what is finished is kept
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SelfstudyError(Exception):
    """Base of all expected errors. `problem` says what was given and expected, `mend` how to go on."""

    exit_code = 1

    def __init__(self, problem: str, mend: str = "") -> None:
        super().__init__(f"{problem}\n{mend}" if mend else problem)
        self.problem = problem
        self.mend = mend


class BadInput(SelfstudyError):
    exit_code = 2


class BadConfig(SelfstudyError):
    exit_code = 2


class HomeError(SelfstudyError):
    exit_code = 3


class Busy(HomeError):
    pass


class NotEnough(SelfstudyError):
    exit_code = 4


class MissingExtra(SelfstudyError):
    exit_code = 5


class UnknownPlugin(SelfstudyError):
    exit_code = 2


class BadModel(SelfstudyError):
    exit_code = 5


class ForeignVector(SelfstudyError):
    exit_code = 3


class Stopped(SelfstudyError):
    exit_code = 130


def first_line(error: BaseException) -> str:
    """What a library says went wrong, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def nearest(name: str, known: Iterable[str]) -> str:
    """The clause ", did you mean 'x'?" for the known name nearest to `name`, or nothing."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f", did you mean {found[0]!r}?" if found else ""
