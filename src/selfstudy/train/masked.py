"""Masked language modelling under an embedder's transformer, and which transformers can guess words or write them."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy.core.files import read_json
from selfstudy.core.quiet import quiet
from selfstudy.core.run import Work
from selfstudy.train.labelled import Fit, fit
from selfstudy.train.model import transformer_of
from selfstudy.train.trainers import LENGTHS

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_STATIC = "it is a static model, without a transformer"


def fit_masked(
    work: Work, config: Fit, model: SentenceTransformer, base: Path, texts: Sequence[str], mlm_probability: float
) -> list[float]:
    """Let the transformer of `model` guess masked words of `texts`, in place. Returns the logged losses, those before a kill included.

    The head that chooses words is the one in `base`, where the model is from, or else a new one, which learns with it and is dropped.
    """
    import torch
    from transformers import AutoModelForMaskedLM, DataCollatorForLanguageModeling

    encoder: Any = transformer_of(model)
    words: Any = model.tokenizer
    longest = model.max_seq_length
    torch.manual_seed(config.seed)  # a new head is drawn
    with quiet():
        whole: Any = AutoModelForMaskedLM.from_pretrained(_inside(base), dtype=encoder.dtype)
    rows = [{"input_ids": words(text, truncation=True, max_length=longest)["input_ids"]} for text in texts]
    fits = longest is not None and longest % LENGTHS == 0  # else a batch might be padded to more than the model has positions
    collate = DataCollatorForLanguageModeling(words, mlm_probability=mlm_probability, pad_to_multiple_of=LENGTHS if fits else None)
    with quiet():  # a checkpoint is told to lack what it holds once already: words' vectors that also choose words
        losses = fit(work, config, whole, rows, collate)
    encoder.load_state_dict(whole.base_model.state_dict(), strict=False)  # what it lacks, a pooler, was not trained either
    return losses


def _inside(base: Path) -> Path:
    """The folder of the transformer in `base`."""
    listed = base / "modules.json"
    return base / str(read_json(listed)[0]["path"]) if listed.is_file() else base


def no_masks(model: SentenceTransformer) -> str:
    """Why the transformer of `model` cannot learn by masked words; "" where it can."""
    from transformers import MODEL_FOR_MASKED_LM_MAPPING

    transformer = transformer_of(model)
    if transformer is None:
        return _STATIC
    if type(transformer.config) not in MODEL_FOR_MASKED_LM_MAPPING:
        return f"there is no masked language model of its kind ({transformer.config.model_type})"
    return "" if model.tokenizer.mask_token is not None else "its tokenizer has no token that stands for a masked word"


def no_decoder(model: SentenceTransformer) -> str:
    """Why the transformer of `model` cannot be a decoder that looks at a vector, too; "" where it can."""
    import torch
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoModelForCausalLM

    transformer = transformer_of(model)
    if transformer is None:
        return _STATIC
    about = deepcopy(transformer.config)
    reason = f"there is no decoder of its kind ({about.model_type}) that could look at the vector of a text"
    if type(about) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        return reason
    about.is_decoder = about.add_cross_attention = True
    with torch.device("meta"), quiet():
        decoder = AutoModelForCausalLM.from_config(about)  # type: ignore[no-untyped-call]
    return "" if any("crossattention" in name for name, _ in decoder.named_modules()) else reason
