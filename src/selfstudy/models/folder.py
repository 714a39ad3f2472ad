"""What a sentence-transformers folder says about its model, read without loading the model."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfstudy.core.errors import BadModel
from selfstudy.core.ports import Role
from selfstudy.core.records import digest
from selfstudy.core.roles import prompt_for

_INCIDENTAL = {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version", "use_cache", "gradient_checkpointing"}
_TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model")
_hashes: dict[tuple[str, int, int], str] = {}


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, computed once in a process for as long as its size and time stay."""
    stat = path.stat()
    seen = (str(path.resolve()), stat.st_size, stat.st_mtime_ns)
    if seen not in _hashes:
        with open(path, "rb") as file:
            _hashes[seen] = hashlib.file_digest(file, "sha256").hexdigest()
    return _hashes[seen]


@dataclass(frozen=True, slots=True)
class Module:
    """One step of the model: Transformer, Pooling, Normalize, Dense, ...; `path` is its folder."""

    kind: str
    path: Path
    config: dict[str, Any]


class ModelFolder:
    """A folder in the format of sentence-transformers; one without modules.json is a transformer under mean pooling.

    Raises BadModel where the folder holds no such model.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_dir():
            raise BadModel(f"{path} is not a folder; expected one that sentence-transformers saved.", "Give the path of such a folder.")
        listed = self._json("modules.json", None)
        if listed is None:
            self.modules = [Module("Transformer", path, {}), Module("Pooling", path, {"pooling_mode": "mean"})]
        else:
            self.modules = [
                Module(str(module["type"]).rpartition(".")[2], path / module["path"], self._json(f"{module['path']}/config.json", {}))
                for module in listed
            ]
        self.transformer = self.modules[0].path if self.modules else path
        self.weights = self._weights()
        said = self._json("config_sentence_transformers.json", {})
        self._prompts: dict[str, Any] = said.get("prompts") or {}
        self._default_prompt = said.get("default_prompt_name")
        self.max_seq_length = self._said_length()

    def prompt(self, role: Role) -> str:
        """What is put before every text of `role`, "" for most models."""
        return prompt_for(role, self._prompts, self._default_prompt)

    @property
    def fingerprint(self) -> str:
        """The same for folders whose vectors may be compared, wherever they lie; fp32 and bf16 are one precision class, "float"."""
        architecture = self._json(f"{self.transformer.relative_to(self.path)}/config.json", {})
        tokenizers = [self.transformer / name for name in _TOKENIZER_FILES]
        said = {
            "weights": {path.relative_to(self.path).as_posix(): sha256_of(path) for path in self.weights},
            "architecture": {name: value for name, value in architecture.items() if name not in _INCIDENTAL},
            "modules": [(module.kind, {} if module.kind == "Transformer" else module.config) for module in self.modules],
            "tokenizer": {path.name: sha256_of(path) for path in tokenizers if path.is_file()},
            "prompts": [self.prompt("query"), self.prompt("passage")],
            "max_seq_length": self.max_seq_length,
            "normalised": True,
            "precision": "float",
        }
        return digest("embedder", json.dumps(said, sort_keys=True, ensure_ascii=False))

    def _weights(self) -> list[Path]:
        """Every module's weights: safetensors where there are any, else PyTorch's own format."""
        folders = dict.fromkeys(module.path for module in self.modules)
        found = []
        for folder in folders:
            found += sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
        if not found:
            raise BadModel(
                f"{self.path} holds no weights; expected a model.safetensors.", "Give a folder that sentence-transformers saved."
            )
        return found

    def _said_length(self) -> int | None:
        """How many tokens of a text are read, as sentence-transformers decides it."""
        inside = self.transformer.relative_to(self.path)
        names = ("sentence_bert_config.json", "max_seq_length"), ("tokenizer_config.json", "model_max_length")
        said = [self._json(f"{inside}/{file}", {}).get(name) for file, name in names]
        positions = self._json(f"{inside}/config.json", {}).get("max_position_embeddings")
        if isinstance(said[0], int):
            return said[0]
        lengths = [length for length in (said[1], positions) if isinstance(length, int)]
        return min(lengths, default=None)

    def _json(self, name: str, default: Any) -> Any:
        path = self.path / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return default
        except (OSError, ValueError) as error:
            raise BadModel(f"{path} cannot be read as JSON: {error}.", "Put back a whole copy of the model.") from error
