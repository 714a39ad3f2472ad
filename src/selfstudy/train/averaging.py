"""How far the tuned weights go: their average with the base's, nearer to it where only everyday questions refuse, joined with the head."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.files import read_json
from selfstudy.core.records import Artifact
from selfstudy.core.run import Work, stage
from selfstudy.train.head import Shares, head_of
from selfstudy.train.model import averaged, load, save, with_head


class Average(BaseModel):
    """How far the tuned weights go from the base's."""

    model_config = ConfigDict(extra="forbid")

    shares: Shares = Field(
        (0.0, 0.4, 0.75),
        description="shares of the tuned weights that are tried, (1.0,) is no averaging; tuning questions, which rules wrote, always want"
        " all of them, and people's do not: a quarter of the way stays with the base",
    )
    nearer: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (0.5,),
        description="where only the guard or unseen writers refuse: shares of the way from the base that are judged next",
        exclude=True,
    )


@stage("train.average", version=2)
def average(work: Work, config: Average, trained: Artifact, base: Path, score: Callable[[Path], float]) -> dict[str, Any]:
    """Average base and tuned weights in each share, and keep in `model/` the one that `score` finds best on `tune`."""
    shares = config.shares if manifest_steps(trained) else (0.0,)
    scores: dict[float, float] = {}
    for done, share in enumerate(shares, 1):
        folder = work.folder / f"share-{share}"
        save(averaged(load(base), load(trained.path / "tuned"), share), folder)
        scores[share] = score(folder) if len(shares) > 1 else 0.0
        work.progress(done, len(shares))
    best = max(shares, key=lambda share: (scores[share], -share))
    shutil.rmtree(work.folder / "model", ignore_errors=True)
    for share in shares:
        folder = work.folder / f"share-{share}"
        if share == best:
            folder.rename(work.folder / "model")
        else:
            shutil.rmtree(folder)
    return {"share": best, "scores": {str(share): round(value, 4) for share, value in scores.items()}}


@stage("train.nearer", version=2)
def nearer(work: Work, config: None, share: float, model: Artifact, base: Path) -> float:
    """`model/`: the weights of `model` brought back to `share` of their distance from the base."""
    save(averaged(load(base), load(model.path / "model"), share), work.folder / "model")
    return share


@stage("train.joined", version=2)
def joined(work: Work, config: None, share: float, body: Artifact | Path, trained: Artifact | None, fitted: Artifact) -> None:
    """`model/`: the weights of `body` with `share` of the head on them, and a model card. A plain sentence-transformers folder."""
    model = load(body.path / "model" if isinstance(body, Artifact) else body)
    if (head := head_of(fitted.path, share)) is not None:
        model = with_head(model, head)
    save(model, work.folder / "model")
    (work.folder / "model" / "README.md").write_text(_card(share, manifest_steps(trained) if trained is not None else 0), encoding="utf-8")


def manifest_steps(trained: Artifact) -> int:
    """How many steps a trained embedder made."""
    return int(read_json(trained.path / "steps.json")["steps"])


def _card(share: float, steps: int) -> str:
    kept = (
        ""
        if share == 1
        else f"- Brought back to {share:g} of its distance from the base: at full distance everyday texts were found less well\n"
    )
    return f"""---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags: [sentence-transformers, feature-extraction, selfstudy]
---
# An embedder that has studied its documents

Tuned by selfstudy on questions that were written about one collection of documents and that retrieval answered back from it.
It is meant for searching that collection; elsewhere it may be worse than the model that it was grown from.

- Steps of training: {steps}, then a residual layer fitted on the vectors
{kept}- Whether it was proven better is in the home's history, which holds the exam and the guard

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/of/this/folder")
```
"""
