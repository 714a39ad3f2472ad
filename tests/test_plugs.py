"""Names become objects through the entry points; the built-ins use the same door."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from selfstudy.core.errors import MissingExtra, UnknownPlugin
from selfstudy.core.plugs import extra, resolve


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A real installed package (its metadata on the path) that brings the schemes acme: and broken:."""
    (tmp_path / "acme_vectors.py").write_text("def load(rest, **options):\n    return (rest, options)\n")
    (tmp_path / "acme_broken.py").write_text("import acme_needs_this\n")
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[selfstudy.embedders]\nacme = acme_vectors:load\nbroken = acme_broken:load\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "acme_vectors", raising=False)
    return tmp_path


@pytest.mark.usefixtures("acme")
def test_a_name_is_made_by_its_scheme() -> None:
    assert resolve("acme:small:v2", threads=3) == ("small:v2", {"threads": 3})


def test_an_object_passes_through() -> None:
    thing = object()
    assert resolve(thing) is thing


@pytest.mark.usefixtures("acme")
def test_an_unknown_scheme_lists_the_known_ones() -> None:
    with pytest.raises(UnknownPlugin) as raised:
        resolve("acne:small")
    assert "did you mean 'acme'?" in raised.value.problem
    assert "acme:, broken:, minilm:, openai:, st:" in raised.value.mend


def test_a_name_without_scheme_is_told_so() -> None:
    with pytest.raises(UnknownPlugin, match="'scheme:rest'"):
        resolve("all-MiniLM-L6-v2")


@pytest.mark.usefixtures("acme")
def test_a_plugin_that_misses_a_package_names_it() -> None:
    with pytest.raises(MissingExtra, match="acme_needs_this"):
        resolve("broken:x")


def test_extra_gives_the_module_or_the_pip_line() -> None:
    assert extra("json").__name__ == "json"
    with pytest.raises(MissingExtra) as raised:
        extra("no_such_module_here", "reader")
    assert raised.value.mend == "pip install 'selfstudy[reader]'"
