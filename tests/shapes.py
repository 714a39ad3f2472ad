"""Embedders of other shapes than BERT's, of a few thousand random weights, made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tiny

SHAPES = ("mpnet", "distilbert", "albert", "modernbert", "t5", "qwen2", "static")
"""Four layers each (ALBERT: one, four times), but for the static one, which has none."""
MASKED = ("mpnet", "distilbert", "albert", "modernbert")
"""Those of which transformers has a masked language model."""


def shaped(kind: str, folder: Path) -> Path:
    """An embedder of that shape, as sentence-transformers saves it, in `folder`."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, StaticEmbedding, Transformer

    torch.manual_seed(0)
    words = tiny.tokenizer(folder / "raw", texts=["what how green blue kettle lamp engine bridge of street is repaired by owner"])
    words.add_special_tokens({"mask_token": "<mask>"})
    words.save_pretrained(folder / "raw")
    first: list[Any]
    if kind == "static":
        first = [StaticEmbedding(words.backend_tokenizer, embedding_dim=32)]
    else:
        _transformer(kind, len(words), words.pad_token_id).save_pretrained(folder / "raw")
        first = [Transformer(str(folder / "raw"), max_seq_length=64), Pooling(32, pooling_mode="lasttoken" if kind == "qwen2" else "mean")]
    SentenceTransformer(modules=[*first, Normalize()], device="cpu").save_pretrained(str(folder / "model"), create_model_card=False)
    return folder / "model"


def _transformer(kind: str, words: int, pad: int) -> Any:
    import transformers as t

    sizes = {"vocab_size": words, "pad_token_id": pad}
    usual = sizes | {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4}
    if kind == "mpnet":
        return t.MPNetModel(t.MPNetConfig(**usual))
    if kind == "distilbert":
        return t.DistilBertModel(t.DistilBertConfig(**sizes, dim=32, hidden_dim=64, n_layers=4, n_heads=4))
    if kind == "albert":
        return t.AlbertModel(t.AlbertConfig(**usual, embedding_size=16))
    if kind == "modernbert":
        return t.ModernBertModel(t.ModernBertConfig(**usual, max_position_embeddings=128))
    if kind == "t5":
        return t.T5EncoderModel(t.T5Config(**sizes, d_model=32, d_kv=8, d_ff=64, num_layers=4, num_heads=4))
    return t.Qwen2Model(t.Qwen2Config(**usual, num_key_value_heads=2))
