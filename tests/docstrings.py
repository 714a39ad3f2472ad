"""A small home over docstrings of the running Python, its embedder one of two layers with random weights, trained no further."""

from __future__ import annotations

import json
from pathlib import Path

from bert import make_model

from selfstudy.recipes.engine import Engine

_MODULES = ("argparse", "email.message", "pathlib", "turtle")


def home_in(folder: Path, config: str) -> Path:
    """The home in `folder`, with `config` (TOML) beside what makes a study short."""
    from selfstudy.evals.stdlib import modules

    found = [(module.name, one) for module in modules() if module.name in _MODULES for one in module.members]
    rows = ({"_id": f"{name}.{one.name}", "title": one.name, "text": one.doc} for name, one in found if 15 <= len(one.doc.split()) <= 90)
    (folder / "corpus.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    home = folder / "home"
    home.mkdir()
    short = "training = {minutes = 0.0}\nhead = {on = false}\n"
    (home / "config.toml").write_text(f'embedder = "st:{make_model(folder / "model")}"\n{short}{config}')
    Engine.open(home, create=True).add([folder / "corpus.jsonl"])
    return home
