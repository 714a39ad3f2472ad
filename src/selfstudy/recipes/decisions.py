"""What a person said about questions: which are struck and which stay, whatever the round trip says. The next adapt respects it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from selfstudy.core.artifacts import artifacts, manifest, read_records
from selfstudy.core.errors import BadInput
from selfstudy.core.files import make_folder, read_json, write_json
from selfstudy.core.records import Artifact, Example
from selfstudy.core.studied import kept_of, passages_of
from selfstudy.synth.draft import draft, pick
from selfstudy.synth.round_trip import Dropped

Said = Literal["keep", "strike"]


class Decisions:
    """The file `decisions.json` of a home: ids of questions with what was said."""

    def __init__(self, home: Path) -> None:
        self._path = home / "decisions.json"
        self._home = home

    def said(self, what: Said) -> tuple[str, ...]:
        """The ids of which `what` was said, in order."""
        return tuple(sorted(id for id, said in self._all().items() if said == what))

    def say(self, strike: Sequence[str], keep: Sequence[str]) -> None:
        """Note which questions are struck and which stay, by how their ids begin. Raises BadInput for a beginning that names none, or
        several, and for a question of which both is said; then none is noted.
        """
        if not strike and not keep:
            return
        known = {example.id for example, _ in self._questions()} | set(self._all())
        untaken = {example.id for example, _ in self._untaken()} - known
        if refused := [id for id in keep if id and _in(id, untaken) and not _in(id, known)]:
            raise BadInput(f"{refused[0]!r} was not taken from the model that wrote it.", "Only what the round trip dropped can be kept.")
        struck, kept = ({_only(id, known): id for id in ids} for ids in (strike, keep))
        for id in struck.keys() & kept.keys():
            raise BadInput(f"--strike {struck[id]} and --keep {kept[id]} name one question.", "Say one thing of it.")
        make_folder(self._home)
        write_json(self._path, self._all() | dict.fromkeys(struck, "strike") | dict.fromkeys(kept, "keep"))

    def sample(self, most: int, writer: str | None = None, dropped: bool = False, seed: int = 0) -> list[dict[str, Any]]:
        """Some questions of the last study as plain data: with `dropped` those that did not come back, or were not taken from the model
        that wrote them, else those that did come back.
        """
        said = self._all()
        rows = [
            {
                "id": example.id, "question": example.question, "answers": list(example.answers), "choices": list(example.choices),
                "kind": example.kind, "writer": example.writer, "split": example.split, "passage": example.evidence[0].passage.called,
                "text": example.evidence[0].passage.text, "dropped": reason, "said": said.get(example.id, ""),
            }
            for example, reason in chain(self._questions(), self._untaken())
            if bool(reason) == dropped and writer in (None, example.writer)
        ]  # fmt: skip
        known = chain(self._questions(), self._untaken())
        if writer is not None and not rows and (writers := sorted({example.writer for example, _ in known})):
            raise BadInput(f"No question here is by {writer!r}.", f"The writers are: {', '.join(writers)}.")
        return pick(rows, most, f"sample{seed}")

    def kept(self) -> list[str]:
        """Every question of the last study that came back, in order. Raises BadInput where nothing was studied yet."""
        return [example.question for example, reason in self._questions() if not reason]

    def _all(self) -> dict[str, str]:
        found: dict[str, str] = read_json(self._path) if self._path.is_file() else {}
        return found

    def _questions(self) -> Iterator[tuple[Example, str]]:
        """Every question of the last finished round trip, with the reason why it was dropped, or ""."""
        back = self._last("round_trip")
        if back is None:
            raise BadInput("No questions were written here yet.", "Run `selfstudy adapt`; its first stages write them.")
        for example in kept_of(back):
            yield example, ""
        reasons = {one.id: one.reason for one in read_records(back.path / "dropped.jsonl", Dropped)}
        asked = self._input(back, 0)
        for example in read_records(asked.path / "questions.jsonl", Example) if asked is not None else ():
            if example.id in reasons:
                yield example, reasons[example.id]

    def _untaken(self) -> Iterator[tuple[Example, str]]:
        """Every question that a model wrote for the last finished round trip and that was not taken, with the reason."""
        back = self._last("round_trip")
        asked = self._input(back, 0)
        modelled, corpus = self._input(asked, 1), self._input(asked, 0)
        if modelled is None or corpus is None:
            return
        passages = {passage.id: passage for passage in passages_of(corpus)}
        for one in read_records(modelled.path / "dropped.jsonl", Dropped):
            if one.question and one.passage in passages:
                yield replace(draft(passages[one.passage], one.question, (), "", one.writer), id=one.id), one.reason

    def _input(self, made: Artifact | None, at: int) -> Artifact | None:
        """The artifact that `made` was made of, at its place among the inputs; None where it is gone or was none."""
        key = (manifest(made).inputs["inputs"][at] or {}).get("key") if made is not None else None
        return next((one for one in artifacts(self._home / "artifacts") if one.key == key), None)

    def _last(self, kind: str) -> Artifact | None:
        found = [one for one in artifacts(self._home / "artifacts") if one.kind == kind]
        return found[-1] if found else None


def _in(beginning: str, known: Iterable[str]) -> bool:
    return any(one.startswith(beginning) for one in known)


def _only(id: str, known: set[str]) -> str:
    found = [one for one in known if one.startswith(id)] if id else []
    if len(found) != 1:
        raise BadInput(
            f"{id!r} is the beginning of {'no question' if not found else f'{len(found)} questions'} here.",
            "`selfstudy questions --json` shows the ids.",
        )
    return found[0]
