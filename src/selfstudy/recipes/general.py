"""The user's general conversations: most of them are learned beside those about the documents, the rest shows that nothing is forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from selfstudy.core.artifacts import write_records
from selfstudy.core.errors import BadInput
from selfstudy.core.records import Conversation, Message, digest
from selfstudy.core.run import Work, stage
from selfstudy.synth.conversations import held_out

KEPT_OUT = 0.5
"""The most of the general conversations that is kept out of training."""
_SHAPE = '{"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}'


@stage("study.general", version=1)
def general(work: Work, config: None, held: int, files: tuple[Path, ...]) -> dict[str, int]:
    """`conversations.jsonl` to learn from and `held.jsonl` to measure on, out of the user's files; what stands there twice counts once."""
    rows = different(files)
    learned, kept = held_out(rows, min(KEPT_OUT, held / max(1, len(rows))))
    write_records(work.folder / "conversations.jsonl", learned)
    write_records(work.folder / "held.jsonl", kept)
    return {"learned": len(learned), "held out": len(kept)}


def different(files: Sequence[Path]) -> list[Conversation]:
    """The conversations of all files, each once."""
    return list({digest(*(one.content for one in row.messages)): row for path in files for row in read_conversations(path)}.values())


def read_conversations(path: Path) -> Iterator[Conversation]:
    """The conversations of a file of JSON lines {"messages": [{"role", "content"}, ...]}, each up to its last answer.

    One in which nobody is answered is passed over. Raises BadInput with the line of a fault.
    """
    if not path.is_file():
        raise BadInput(f"{path} is not a file of conversations.", f"Each line is one: {_SHAPE}")
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                messages = [Message.load(one) for one in json.loads(line)["messages"]]
            except (ValueError, KeyError, TypeError) as error:
                raise BadInput(
                    f"{path}, line {number} is no conversation of system, user and assistant.", f"It should be {_SHAPE}"
                ) from error
            answered = [at for at, one in enumerate(messages) if one.role == "assistant" and any(m.role == "user" for m in messages[:at])]
            if answered:
                yield Conversation(tuple(messages[: answered[-1] + 1]), "general", str(path))
