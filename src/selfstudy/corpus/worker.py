"""The process in which files are parsed (`python -m selfstudy.corpus.worker FD`): paths in, documents out, one file after another.

What a parser does wrong ends this process and nothing else: `workers.py` starts another one. Messages are JSON, never pickles: whoever
takes over a parser by a crafted file can only say something false about that file.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from selfstudy.corpus.folder import SourceFile
from selfstudy.corpus.parse import Parse, parse
from selfstudy.corpus.set_aside import SetAside

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve until the other side hangs up, or until so much memory is held that a fresh process is better."""
    parent = os.getppid()
    with Connection(int(sys.argv[1])) as line, suppress(EOFError, ConnectionError):
        cfg = Parse.model_validate_json(line.recv_bytes())
        _die_with(parent)
        _limit(cfg.max_memory)
        _send(line, "ready")
        _hush()
        while True:
            file = SourceFile.load(json.loads(line.recv_bytes()))
            _serve(line, file, cfg)
            last = _resident() > cfg.max_memory / 2
            _send(line, "last" if last else "done")
            if last:
                return


def _serve(line: Connection[Any, Any], file: SourceFile, cfg: Parse) -> None:
    """Send what is in a file. The kernel ends this process where a part of it takes more than `seconds` of work, C code or not."""

    def working(done: int = 0, total: int = 0) -> None:
        _allow(cfg.seconds)

    _allow(cfg.seconds)
    for found in parse(file, cfg, working):
        _allow(0)  # the other side may take its time
        _send(line, "aside" if isinstance(found, SetAside) else "document", found.json())
        _allow(cfg.seconds)
    _allow(0)


def _allow(seconds: float) -> None:
    """So many seconds of work from now on, and ten times as many by the clock, for a busy machine; 0 is no limit."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, 10 * seconds)


def _send(line: Connection[Any, Any], kind: str, value: Any = None) -> None:
    line.send_bytes(json.dumps((kind, value)).encode())


def _die_with(parent: int) -> None:
    """End when the parent does, even by kill -9 in the middle of a file; elsewhere than on Linux at the end of that file."""
    for late in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(late, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended just before
            raise EOFError


def _limit(memory: int) -> None:
    """No more than `memory` bytes of address space, and no core dumps. macOS does not keep the former."""
    for what, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def _hush() -> None:
    """What libraries print of a damaged file is no message of ours."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _resident() -> int:
    """Bytes of memory that this process holds; 0 where the system does not tell."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    return 0


if __name__ == "__main__":
    main()
