"""A smaller embedder that imitates the one that serves: fewer layers, or words' vectors alone, for machines with little room."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.errors import BadInput
from selfstudy.core.files import write_json
from selfstudy.core.ports import ROLES, Embedder, Role
from selfstudy.core.quiet import quiet
from selfstudy.core.records import Artifact
from selfstudy.core.run import Work, stage
from selfstudy.core.studied import kept_of, texts_of
from selfstudy.train.fitting import fit
from selfstudy.train.model import layers_of, load, prompt_of, transformer_of

if TYPE_CHECKING:
    from pathlib import Path

    from sentence_transformers import SentenceTransformer


class Student(BaseModel):
    """How a smaller embedder is made."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["layers", "static"] = Field("layers", description="layers: some of the teacher's; static: the mean of words' vectors")
    layers: int = Field(3, ge=1, description="how many layers it keeps, evenly chosen")
    steps: int = Field(300, ge=1)
    per_device_train_batch_size: int = Field(32, ge=1)
    learning_rate: float | None = Field(None, gt=0, description="by default 1e-4, for static 1e-2")
    warmup_ratio: float = Field(0.1, ge=0, lt=1)
    save_steps: int = Field(50, ge=1, exclude=True, description="steps between checkpoints")
    seed: int = 0


@stage("train.student", version=3)
def student(work: Work, config: Student, corpus: Artifact, kept: Artifact, folder: Path, teacher: Embedder) -> dict[str, Any]:
    """`model/`: a sentence-transformers folder whose vectors are near those of `teacher` (from `folder`); `losses.json`. Resumes.

    It learns the teacher's vectors of passages and of training questions by mean squared error (arXiv 2004.09813); which passage answers
    which question it is never told. Raises BadInput for a teacher without layers to choose from.
    """
    from datasets import Dataset
    from sentence_transformers.sentence_transformer import losses

    whole = load(folder)
    small = _shallow(whole, config.layers) if config.kind == "layers" else _static(whole, teacher)
    texts = _texts(config, corpus, kept)
    labels = _vectors(teacher, texts)
    prompts = {role: prompt_of(folder, role) for role in ROLES}
    rows = Dataset.from_dict({"text": [prompts[role] + text for text, role in texts], "label": labels.tolist()})
    told = fit(
        work, small, losses.MSELoss(small), rows, size=config.per_device_train_batch_size, steps=config.steps, save_steps=config.save_steps,
        learning_rate=config.learning_rate or (1e-4 if config.kind == "layers" else 1e-2), warmup_ratio=config.warmup_ratio,
        seed=config.seed,
    )  # fmt: skip
    with quiet():
        small.save_pretrained(str(work.folder / "model"), create_model_card=False)
    write_json(work.folder / "losses.json", told)
    shutil.rmtree(work.folder / "checkpoints", ignore_errors=True)
    return {"texts": len({text for text, _ in texts})}


def _shallow(model: SentenceTransformer, layers: int) -> SentenceTransformer:
    """`model` with so many of its layers, the first and the last among them."""
    inside = transformer_of(model)
    there = layers_of(inside)
    if layers >= len(there):
        have = f"{len(there)} layers" if there else "none that could be chosen from"
        raise BadInput(
            f"A student of {layers} layers was asked for, and the embedder has {have}.",
            "Ask for fewer layers, or for --static." if there else "Ask for --static.",
        )
    if len({str(kind) for kind in getattr(inside.config, "layer_types", None) or ()}) > 1:
        raise BadInput("The embedder's layers differ in kind, so that some of them alone make no model.", "Ask for --static.")
    chosen = set(np.linspace(0, len(there) - 1, layers).round().astype(int).tolist()) if layers > 1 else {len(there) - 1}
    for place in sorted(set(range(len(there))) - chosen, reverse=True):
        del there[place]
    inside.config.num_hidden_layers = layers
    if getattr(inside.config, "layer_types", None):
        inside.config.layer_types = inside.config.layer_types[:layers]
    return model


def _static(model: SentenceTransformer, teacher: Embedder) -> SentenceTransformer:
    """The mean of words' vectors, which begin as what the teacher says of each word alone (as model2vec does)."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

    tokenizer: Any = model.tokenizer
    if not hasattr(tokenizer, "convert_ids_to_tokens"):
        raise BadInput("The embedder is static already: it has no layers, only words' vectors.", "There is nothing smaller to make of it.")
    words = [tokenizer.decode([id]) for id in range(len(tokenizer))]  # as text: a byte-level vocabulary spells "é" as "Ã©"
    vectors = teacher.embed([word.strip().removeprefix("##") or "." for word in words])
    made = SentenceTransformer(
        modules=[StaticEmbedding(tokenizer.backend_tokenizer, embedding_weights=vectors.copy()), Normalize()], device=str(model.device)
    )
    made.prompts, made.default_prompt_name = model.prompts, model.default_prompt_name
    return made


def _texts(config: Student, corpus: Artifact, kept: Artifact) -> list[tuple[str, Role]]:
    """As many texts as the steps need, half of them passages and half training questions, where there are any."""
    chooser = random.Random(config.seed)
    passages = texts_of(corpus)
    questions = [one.question for one in kept_of(kept) if one.split == "train"]
    pools: list[tuple[list[str], Role]] = [(passages, "passage"), (questions, "query")]
    size = config.steps * config.per_device_train_batch_size
    found: list[tuple[str, Role]] = []
    while len(found) < size:
        for pool, role in pools:
            found += [(text, role) for text in chooser.sample(pool, min(len(pool), size // 2 + 1))]
    chooser.shuffle(found)
    return found[:size]


def _vectors(teacher: Embedder, texts: list[tuple[str, Role]]) -> Any:
    """(texts, dim) of the teacher; a text that comes again is embedded once."""
    known: dict[tuple[str, Role], Any] = {}
    for role in ROLES:
        mine = list(dict.fromkeys(text for text, its in texts if its == role))
        known |= {(text, role): vector for text, vector in zip(mine, teacher.embed(mine, role), strict=True)}
    return np.stack([known[text] for text in texts])
