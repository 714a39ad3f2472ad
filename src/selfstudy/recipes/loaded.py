"""What a home has loaded, each thing once: embedders, generators, the model that the settings name; and the ways to search made of them."""

from __future__ import annotations

import threading
from functools import cached_property
from pathlib import Path
from typing import Any

from selfstudy.answer.critics import EntailmentCritic, Worded
from selfstudy.core.errors import BadInput
from selfstudy.core.plugs import LLMS, resolve
from selfstudy.core.ports import LLM, Critic, Reader, Unkept
from selfstudy.index.snapshot import Snapshot
from selfstudy.models.api import Meter
from selfstudy.models.hf import HF
from selfstudy.models.starter.relevance import Relevance
from selfstudy.models.starter.shared import SHIPPED
from selfstudy.recipes.caches import vectors_of
from selfstudy.recipes.generator import folder_of
from selfstudy.recipes.glossary import Expansion, Terms
from selfstudy.recipes.reflection import critic_of
from selfstudy.recipes.remembering import Remembering
from selfstudy.recipes.settings import Settings
from selfstudy.recipes.system import System, converted, load_embedder, reranked, served
from selfstudy.recipes.tuning import SCHEME


class Loaded:
    """The models of a home by name; many threads may ask at once."""

    def __init__(self, home: Path, settings: Settings) -> None:
        self.meter = Meter(settings.budget, settings.api.prices)
        self._home = home
        self._settings = settings
        self._embedders: dict[str, Remembering] = {}
        self._generators: dict[str, HF] = {}
        self._expansion: tuple[tuple[int, ...], Expansion] | None = None
        self._loading = threading.RLock()
        self._widening = threading.Lock()  # of its own: a question need not wait for a model that is loaded beside it

    def embedder(self, name: str) -> Remembering:
        """The embedder called `name`, loaded once. Raises UnknownPlugin, BadModel, MissingExtra."""
        with self._loading:
            if name not in self._embedders:
                self._check_price(name)
                reads = {self._settings.embedder: self._settings.reads}
                embedder = load_embedder(name, self._home, self._settings.api, self.meter, reads)
                unkept = isinstance(embedder, Unkept) and embedder.unkept
                kept = None if unkept else vectors_of(self._home, self._settings.cache)
                self._embedders[name] = Remembering(embedder, kept)
            return self._embedders[name]

    def generator(self, name: str) -> HF:
        """A generator that was tuned here, loaded once."""
        with self._loading:
            if name not in self._generators:
                self._generators[name] = HF(folder_of(name, self._home / "artifacts"))
            return self._generators[name]

    def retrievers(self, snapshot: Snapshot, system: System) -> dict[str, Any]:
        """The ways to search by `system`: lexical, dense, hybrid."""
        ways = served(snapshot, system, self.embedder, self.expansion())
        return reranked(ways, system, self._home, self.embedder(system.embedder))

    def expansion(self) -> Expansion | None:
        """How questions are widened by the glossary as it is now, the same object until that changes; None where they are not."""
        if not self._settings.glossary.expand:
            return None
        with self._widening:
            stamp = Terms(self._home).stamp
            if self._expansion is None or self._expansion[0] != stamp:
                self._expansion = stamp, Expansion(Terms(self._home).used)
            return self._expansion[1]

    @cached_property
    def llm(self) -> LLM | None:
        """The model that the settings name, or None. It is asked nothing yet. Raises UnknownPlugin, BadModel, BadInput."""
        if self._settings.llm is None:
            return None
        self._check_price(self._settings.llm)
        found: LLM = resolve(self._settings.llm, LLMS, api=self._settings.api, cache=self._home / "paid", meter=self.meter)
        return found

    def _check_price(self, name: str) -> None:
        """Raise BadInput where `name` is paid for, what may be spent is bounded, and what it costs is not known."""
        scheme, _, model = name.partition(":")
        if scheme == "openai" and self._settings.budget.money is not None and model not in self._settings.api.prices:
            raise BadInput(
                f"A budget in money was given, and no price of {model!r} is known.",
                f"Say it: --set 'api.prices={{\"{model}\"={{input=1.0,output=4.0}}}}' (a million tokens), or give --budget tokens=N.",
            )

    @cached_property
    def critic(self) -> Critic | None:
        """The critic of reflective answers, None where the model that writes them does. Raises BadInput."""
        name = self._settings.critic
        if name is None:
            return None
        if name == "starter":
            return EntailmentCritic(Worded(), Relevance(SHIPPED.kept_in(converted(self._home))).probabilities)
        if not name.startswith(SCHEME):
            raise BadInput(f"There is no critic {name!r}.", "Name one as starter, hf:<folder> or hf:artifact:<key>.")
        return critic_of(self.generator(name))

    @property
    def reader(self) -> Reader | None:
        """The starter's reader, loaded when it is first used; None where the settings want none."""
        return SHIPPED.kept_in(converted(self._home)) if self._settings.reader.on else None
