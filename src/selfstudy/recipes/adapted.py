"""An embedder whose weights nobody here can change, with a head of our own on its vectors: how the retriever of an API's user learns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from selfstudy.core.files import read_json, write_json
from selfstudy.core.ports import Embedder, Progress, Role, Unkept, Vectors, silent
from selfstudy.core.records import Artifact, digest
from selfstudy.core.run import Work, stage
from selfstudy.models.folder import sha256_of
from selfstudy.train.head import Weights, head_of

_ABOUT, _HEAD = "adapted.json", "head.npz"


@stage("train.adapted", version=1)
def adapted(work: Work, config: None, share: float, name: str, fitted: Artifact) -> None:
    """`model/`: the name of the embedder, and `share` of the head."""
    folder = work.folder / "model"
    folder.mkdir(exist_ok=True)
    write_json(folder / _ABOUT, {"embedder": name})
    if (head := head_of(fitted.path, share)) is not None:
        head.save(folder / _HEAD)


class Adapted:
    """`embedder` with the head of a folder that `adapted` made."""

    def __init__(self, embedder: Embedder, folder: Path) -> None:
        self._embedder = embedder
        self.unkept = isinstance(embedder, Unkept) and embedder.unkept
        self._head = Weights.load(folder / _HEAD) if (folder / _HEAD).exists() else None
        self._mark = sha256_of(folder / _HEAD) if self._head is not None else ""

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def dim(self) -> int:
        return self._embedder.dim

    @property
    def fingerprint(self) -> str:
        return digest("adapted", self._embedder.fingerprint, self._mark)

    def embed(self, texts: Sequence[str], role: Role = "passage", progress: Progress = silent) -> Vectors:
        """As `core.ports.Embedder.embed`."""
        vectors = self._embedder.embed(texts, role, progress)
        return vectors if self._head is None or not len(vectors) else self._head(vectors)


def load_adapted(folder: Path, resolve: Callable[[str], Embedder]) -> Adapted | None:
    """The embedder of the folder, if it is one of these."""
    if not (folder / _ABOUT).exists():
        return None
    return Adapted(resolve(read_json(folder / _ABOUT)["embedder"]), folder)
