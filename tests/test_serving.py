"""`selfstudy serve` as a person starts it: what the terminal says, a port that is taken, a home that is empty or cannot be used."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import SOURCE, Process, Run
from service import Server


def test_a_port_in_use_is_told_in_two_lines(process: Process, home: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = process(tmp_path, "--home", "home", "serve", "--port", str(port))
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"Port {port} is in use.", "Name another; `serve --port 0` takes a free one."]


def test_an_address_of_another_machine_is_told_in_two_lines(run: Run, home: Path) -> None:
    assert run("keys", "add", "anna")[0] == 0
    code, _, err = run("serve", "--host", "192.0.2.1")
    assert code == 2
    assert err.startswith("Nobody can listen at port 8321 of 192.0.2.1: ")
    assert len(err.splitlines()) == 2


def test_a_home_that_cannot_be_used_is_told_before_anything_listens(run: Run, home: Path) -> None:
    (home / "state.json").write_text('{"format": 99}')
    code, _, err = run("serve", "--port", "0")
    assert (code, len(err.splitlines())) == (3, 2)
    assert "newer version" in err


@pytest.mark.parametrize("held", ["3 documents.", "no documents yet: upload some by the page, or give the --home that has them."])
def test_a_terminal_is_told_where_and_out_of_what(held: str, plug: Path, home: Path, tmp_path: Path) -> None:
    folder = home.absolute() if held.startswith("3") else tmp_path / "new"
    mine, its = pty.openpty()
    variables = os.environ | {"PYTHONPATH": os.pathsep.join((str(SOURCE), str(plug))), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "selfstudy", "--home", str(folder), "--set", "embedder=fake:64", "serve", "--port", "0"]
    served = subprocess.Popen(command, env=variables, stdout=its, stderr=its)
    os.close(its)
    try:
        with os.fdopen(mine, encoding="utf-8", errors="replace", newline="") as terminal:
            first, second = (terminal.readline().strip() for _ in range(2))
            url = first.removeprefix("Open ").partition(" ")[0]
            assert first == f"Open {url} in a browser; Ctrl-C stops it."
            assert second == f"The home {folder} holds {held}"
            until = time.monotonic() + 120
            while "running on" not in terminal.readline():
                assert time.monotonic() < until
            assert Server(folder, int(url.rpartition(":")[2])).get("/healthz").status == 200
    finally:
        served.send_signal(signal.SIGINT)
        served.wait(60)
