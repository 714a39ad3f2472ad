"""What an embedder or a model may be able to do besides its port: a plug-in need not, and is served all the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from selfstudy.core import ports
from selfstudy.index.imitation import Imitate, Imitation, fit
from selfstudy.models.hf import HF
from selfstudy.models.minilm import folder as minilm
from selfstudy.models.sentence import SentenceEmbedder
from selfstudy.recipes import loaded
from selfstudy.recipes.adapted import Adapted
from selfstudy.recipes.loaded import Loaded
from selfstudy.recipes.remembering import Remembering
from selfstudy.recipes.settings import Settings
from selfstudy.testing import FakeEmbedder

BARE = FakeEmbedder()


@dataclass(frozen=True, slots=True)
class Able(FakeEmbedder):
    """A plug-in that says all that it may."""

    model_folder: Path | None = Path("weights")
    unkept: bool = True

    def known(self, texts: Sequence[str]) -> float:
        return 0.25


def test_a_bare_plug_in_serves_and_promises_nothing(tmp_path: Path) -> None:
    assert isinstance(BARE, ports.Embedder)
    assert not any(isinstance(BARE, ability) for ability in (ports.Trainable, ports.Vocabulary, ports.Unkept))
    bare = Remembering(BARE)
    assert bare.embed(["green tea"]).tolist() == BARE.embed(["green tea"]).tolist()
    assert bare.model_folder is None
    assert bare.known(["量子"]) == 1
    assert Adapted(BARE, tmp_path).unkept is False


def test_what_a_plug_in_says_of_itself_is_heard(tmp_path: Path) -> None:
    able = Remembering(Able())
    assert able.model_folder == Path("weights")
    assert able.known(["tea"]) == 0.25
    assert Adapted(Able(), tmp_path).unkept is True


@pytest.mark.parametrize("embedder", [BARE, Able(), Able(unkept=False)])
def test_vectors_are_kept_unless_the_embedder_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, embedder: FakeEmbedder
) -> None:
    monkeypatch.setattr(loaded, "load_embedder", lambda *given: embedder)
    kept = Loaded(tmp_path, Settings()).embedder("any").remembers
    assert kept is not (isinstance(embedder, Able) and embedder.unkept)


def test_ours_say_what_they_can() -> None:
    assert isinstance(SentenceEmbedder(minilm()), ports.Trainable)
    assert isinstance(SentenceEmbedder(minilm()), ports.Vocabulary)
    assert isinstance(HF("model"), ports.Recalling)


def test_words_that_imitate_have_no_model_to_train(tmp_path: Path) -> None:
    fit(["The pump is oiled.", "The valve is cleaned."], Imitate(), tmp_path / "words")
    words = Imitation(tmp_path / "words", "words")
    assert words.unkept
    assert Remembering(words).model_folder is None
