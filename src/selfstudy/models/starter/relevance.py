"""What the starter's reader knows of question and passage, as rerankers: as it is, or as a cross-encoder to go on training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.ports import Reader, Vectors
from selfstudy.core.quiet import quiet
from selfstudy.core.records import digest
from selfstudy.core.text import cjk_share
from selfstudy.models import minilm
from selfstudy.models.folder import sha256_of
from selfstudy.models.starter import load
from selfstudy.models.starter.reading import MOST_TOKENS
from selfstudy.models.starter.shared import SHIPPED

_LEAST = 1e-6
_CHINESE = 0.3


class Relevance:
    """A `core.ports.Reranker`: the log-odds, by the reader, that the passage is about what is asked; 0 for questions in Chinese, which it
    cannot read.
    """

    def __init__(self, reader: Reader = SHIPPED) -> None:
        self._reader = reader

    @property
    def fingerprint(self) -> str:
        return digest("relevance", sha256_of(load.FOLDER / load.READING), minilm.SHA256)

    def score(self, pairs: Sequence[tuple[str, str]]) -> Vectors:
        """As `core.ports.Reranker.score`. Raises BadModel."""
        relevant = self.probabilities(pairs)
        odds: Vectors = np.log(relevant / (1 - relevant)).astype(np.float32)
        return odds

    def probabilities(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """(len(pairs),) how probable it is that the passage of each (question, passage) is about the question; one half for Chinese."""
        read = iter(self._reader.read([pair for pair in pairs if not is_chinese(pair[0])]))
        return np.clip([0.5 if is_chinese(question) else next(read).relevant for question, _ in pairs], _LEAST, 1 - _LEAST)


def is_chinese(question: str) -> bool:
    """Whether the reader cannot read the question."""
    return cjk_share(question) > _CHINESE


def cross_encoder(path: Path | None = None) -> Any:
    """The encoder and the relevance head of a file that `load.ship` wrote, the shipped one unless given. Raises BadModel."""
    from sentence_transformers import CrossEncoder
    from sentence_transformers.cross_encoder.modules import Dense, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from torch.nn import Identity

    network = load.trained(path)
    width = network.encoder.config.hidden_size
    with quiet():
        encoder = Transformer(str(minilm.folder()), max_seq_length=MOST_TOKENS)
        head = Dense(width, 1, activation_function=Identity(), module_output_name="scores")
        # The reader's encoder has no pooling layer; the one that is loaded here is not used.
        encoder.model.load_state_dict(network.encoder.state_dict(), strict=False)
        head.linear.load_state_dict(network.relevant.state_dict())
        return CrossEncoder(modules=[encoder, Pooling(width, "cls"), head])
