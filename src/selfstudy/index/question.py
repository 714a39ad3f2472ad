"""What may be asked of a retriever, checked in one place."""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.core.errors import BadInput

LONGEST = 10_000


def check_questions(questions: Sequence[str]) -> list[str]:
    """The questions as they will be searched for. Raises BadInput for one that is empty or too long; any script and any words will do."""
    if isinstance(questions, str):
        raise TypeError("questions must be a sequence of strings, not one string")
    return [check_question(question) for question in questions]


def check_question(question: str) -> str:
    """The question without surrounding space. Raises BadInput."""
    stripped = question.strip()
    if not stripped:
        raise BadInput("The question is empty.", "Give a question of at least one word.")
    try:
        stripped.encode()
    except UnicodeEncodeError as error:  # bytes of a command line that are no text
        raise BadInput("The question holds bytes that are no text.", "Give it in UTF-8.") from error
    if len(stripped) > LONGEST:
        raise BadInput(
            f"The question has {len(stripped):,} characters; at most {LONGEST:,} are read.",
            "Ask one question at a time, in a few sentences.",
        )
    return stripped


def check_k(k: int) -> int:
    """How many passages are wanted: any number from 1; more than there are gives all. Raises BadInput."""
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise BadInput(f"k is {k!r}; it is the number of passages wanted, at least 1.", "Give a k of 1 or more; 10 is usual.")
    return k
