"""The settings of a tuned generator, and what is said before hours of training of those that could not work."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.errors import BadConfig, BadInput, NotEnough
from selfstudy.core.ports import LLM
from selfstudy.evals.gate import Gate
from selfstudy.recipes.general import KEPT_OUT, different
from selfstudy.recipes.reflection import Reflection
from selfstudy.synth.conversations import Mix
from selfstudy.train.generator import Generator, check_adapter
from selfstudy.train.generator import check as check_training

SCHEME = "hf:"


class Tuning(BaseModel):
    """A generator that is tuned in two stages, on general conversations and then on those about the documents."""

    model_config = ConfigDict(extra="forbid")

    base: str | None = Field(None, description="the generator to be tuned: hf:<folder or name>")
    general: tuple[Path, ...] = Field(
        (), description="general conversations, JSON lines of messages: learned first, and never to be forgotten"
    )
    stage1: Generator | None = Field(default_factory=Generator, description="general tuning; null leaves it out")
    stage2: Generator = Field(default_factory=lambda: Generator(learning_rate=2e-7), description="tuning on the documents")
    mix: Mix = Field(default_factory=Mix)
    reflection: Reflection = Field(default_factory=Reflection)
    exam: int = Field(200, ge=1, description="exam questions that are answered")
    unanswerable: int = Field(100, ge=1, description="exam questions that are asked again without the passages that hold the answer")
    held: int = Field(100, ge=2, description="general conversations that are kept out of training, to see that nothing is forgotten")
    max_tokens: int = Field(64, ge=1, description="tokens of an answer in the exam")


def training_of(tuning: Tuning, config: Generator) -> Generator:
    """With reflection tokens in both stages: an adapter of the first one learns on in the second, and its tokens with it."""
    return config.model_copy(update={"reflection": True}) if tuning.reflection.on else config


def checked(tuning: Tuning, gate: Gate, llm: LLM | None = None) -> str:
    """The folder or name of the generator to be tuned; `llm` judges what it learns to judge. Raises BadInput where that cannot be done, and
    BadConfig or NotEnough where `gate` could never let it through.
    """
    if tuning.base is None or not tuning.base.startswith(SCHEME):
        raise BadInput(f"The generator {tuning.base!r} cannot be tuned: only a model of transformers can.", "Name one as hf:<folder>.")
    if not tuning.general:
        raise BadInput(
            "A generator is tuned with general conversations beside those about the documents, and there are none.",
            'Give some hundred: --set tuning.general=["general.jsonl"], lines of {"messages": [...]}.',
        )
    _check_sizes(tuning, gate)
    if tuning.reflection.on:
        critic = tuning.reflection.critic.base
        if llm is None:
            raise BadInput("A generator learns to judge itself from a model that judges, and there is none.", "--set llm=openai:<model>")
        if critic is not None and not critic.startswith(SCHEME):
            raise BadInput(f"The critic {critic!r} cannot be tuned: only a model of transformers can.", "Name one as hf:<folder>.")
    base = tuning.base.removeprefix(SCHEME)
    for config in filter(None, (tuning.stage1, tuning.stage2)):
        check_training(training_of(tuning, config), base)
    judge = tuning.reflection.critic
    if tuning.reflection.on and judge.base is not None:
        check_training(judge.training, judge.base.removeprefix(SCHEME))
    _check_adapters(tuning, base)
    return base


def _check_sizes(tuning: Tuning, gate: Gate) -> None:
    """Raise BadConfig or NotEnough where the exam, or what is kept out of training, would be too small to prove anything."""
    sizes = (
        ("held", tuning.held, "minimum_general", gate.minimum_general),
        ("exam", tuning.exam, "minimum_exam", gate.minimum_exam),
        ("unanswerable", tuning.unanswerable, "minimum_exam", gate.minimum_exam),
    )
    for name, size, least, fewest in sizes:
        if size < fewest:
            raise BadConfig(
                f"tuning.{name} is {size}, and fewer than {fewest} prove nothing (gate.{least}): no generator could be promoted.",
                f"Set tuning.{name} to {fewest} or more.",
            )
    if (rows := len(different(tuning.general))) * KEPT_OUT < gate.minimum_general:
        raise NotEnough(
            f"There are {rows} different general conversations: too few to see that nothing is forgotten.",
            f"Give {round(gate.minimum_general / KEPT_OUT)} or more: half of them at most are kept out of training.",
        )


def _check_adapters(tuning: Tuning, base: str) -> None:
    """Raise BadConfig where an adapter, that of the base, of the critic's or of stage I, cannot learn on as it should."""
    check_adapter(training_of(tuning, tuning.stage1 or tuning.stage2), base)
    critic = tuning.reflection.critic
    if tuning.reflection.on and critic.base is not None:
        check_adapter(critic.training, critic.base.removeprefix(SCHEME))
    first, second = tuning.stage1 and tuning.stage1.lora, tuning.stage2.lora
    if first and second and first.model_copy(update={"load_in_4bit": second.load_in_4bit}) != second:
        raise BadConfig(
            "Stage II goes on with the LoRA adapter of stage I, and tuning.stage2.lora asks for another one than tuning.stage1.lora.",
            "Say the same in both (load_in_4bit may differ), or leave stage I out: --set tuning.stage1=null.",
        )
