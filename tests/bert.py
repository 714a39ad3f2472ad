"""A BERT of two layers with random weights and its own vocabulary, as sentence-transformers saves an embedder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from selfstudy.core.quiet import quiet

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "query", "passage", ":", "what", "is", "the", "a", "report", "long", "goes", "on"]


def make_model(folder: Path, pooling: str = "mean", dense: int = 0, seed: int = 0, **saved: Any) -> Path:
    """One in `folder`; `saved` goes to SentenceTransformer."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules
    from transformers import BertConfig, BertModel, BertTokenizerFast

    bare = folder.with_name(f"{folder.name}-bare")
    bare.mkdir(parents=True)
    (bare / "vocab.txt").write_text("\n".join([*WORDS, *(chr(letter) for letter in range(97, 123) if chr(letter) != "a"), "##s"]) + "\n")
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=64, hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, max_position_embeddings=40
    )
    with quiet():
        BertModel(config).save_pretrained(bare)
        BertTokenizerFast(str(bare / "vocab.txt"), model_max_length=32).save_pretrained(bare)
        steps: list[Any] = [modules.Transformer(str(bare), max_seq_length=32)]
        steps.append(modules.Pooling(24, pooling_mode=pooling))
        if dense:
            steps.append(modules.Dense(24, dense))
        SentenceTransformer(modules=steps, device="cpu", **saved).save(str(folder))
    shutil.rmtree(bare)
    return folder
