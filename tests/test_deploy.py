"""What stands in deploy/: it names files, options and ports that there are."""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path

import yaml
from typer.testing import CliRunner

from selfstudy.apps.cli import app
from selfstudy.apps.server.settings import Serve

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"


def parses(command: list[str]) -> bool:
    """Whether the command line knows every verb and option of `command`."""
    return CliRunner().invoke(app, [*command, "--help"]).exit_code == 0


def test_the_image_copies_and_runs_what_is_there() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    copied = [name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]]
    assert copied
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for name in copied:
        assert (ROOT / name).exists(), name
        assert f"!{name}" in ignored, "the build sees what it copies"
    (start,) = [json.loads(line.removeprefix("ENTRYPOINT ")) for line in lines if line.startswith("ENTRYPOINT ")]
    (usual,) = [json.loads(line.removeprefix("CMD ")) for line in lines if line.startswith("CMD ")]
    assert start[0] == "selfstudy"
    assert parses([*start[1:], *usual])
    assert not parses([*start[1:], *usual, "--no-such-option"])
    assert f"EXPOSE {Serve(home=ROOT).port}" in lines
    assert "USER selfstudy" in lines
    extras = re.search(r"\.\[([\w,]+)\]", "\n".join(lines))
    assert extras is not None
    assert all(f"\n{name} = [" in (ROOT / "pyproject.toml").read_text() for name in extras[1].split(","))


def test_compose_runs_the_service_beside_its_redis() -> None:
    whole = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    service = whole["services"]["selfstudy"]
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).exists()
    assert parses(["--home", "x", *service["command"]])
    assert "cache.redis=redis://redis:6379/0" in service["command"]
    assert service["ports"] == ["127.0.0.1:8321:8321"], "nobody reaches it from elsewhere without a proxy"
    assert {volume.partition(":")[0] for volume in service["volumes"]} == set(whole["volumes"])


def test_the_unit_starts_the_service() -> None:
    unit = configparser.ConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string((DEPLOY / "selfstudy.service").read_text())
    program, *command = unit["Service"]["ExecStart"].split()
    assert program.endswith("/bin/selfstudy")
    assert parses(command)
    assert "keys add" in (DEPLOY / "selfstudy.service").read_text().partition("[Unit]")[0], "behind a proxy everybody seems to be here"
    assert command[1] == f"/var/lib/{unit['Service']['StateDirectory']}", "the one folder that it may write to"
    assert int(unit["Service"]["TimeoutStopSec"]) > Serve(home=ROOT).grace
