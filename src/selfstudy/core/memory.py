"""What the libraries say when memory has run out, each in its own words."""

from __future__ import annotations

_SIGNS = ("out of memory", "can't allocate", "cannot allocate", "could not allocate", "failed to allocate", "bad_alloc", "bad allocation")


def ran_out(error: BaseException) -> bool:
    """Whether `error` says that memory has run out, so that a smaller batch may still go through."""
    return isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in _SIGNS)
