"""Results as tables and paragraphs for the terminal. Text from documents is always data, never markup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from selfstudy.apps.progress import duration
from selfstudy.apps.snippet import LENGTH, emphasised, plain, snippet
from selfstudy.core.records import Answer, Citation, Hit
from selfstudy.corpus.set_aside import file_of

_WRITTEN = (
    "Rules wrote these questions, in the words of their passages, which flatters a smaller model, and one without layers most: "
    "name questions of people in [own] before you rely on it."
)
SHOWN = 20
"""How many of a long list are shown; --json gives all of them."""
SAMPLED = 4
"""How many rows of each of a critic's tasks are shown."""


def hits(found: Sequence[Hit], question: str, matching: bool = True) -> RenderableType:
    """The hits of a search: rank, score, title path, sources, where in them, and the clause that says most, in its section if asked.

    `matching`: whether any document that is searched matches the filter.
    """
    if not found:
        return Text("Nothing found." if matching else "Nothing found: no document matches the filter.")
    parts: list[RenderableType] = []
    for rank, hit in enumerate(found, 1):
        head = Text.assemble((f"{rank:>3}  ", "bold"), (f"{hit.score:.3f}  ", "dim"), (plain(hit.passage.called), "bold"))
        parts += [
            head,
            Padding(Text.assemble((_sources(hit), "cyan"), _outdated(hit.superseded_by)), (0, 0, 0, 5), expand=False),
            Padding(_said(hit, question), (0, 0, 0, 5), expand=False),
            Text(),
        ]
    return Group(*parts)


def answer(given: Answer) -> RenderableType:
    """The answer with its citations: each with its source, span and quote."""
    parts: list[RenderableType] = [Text(plain(given.short), style="bold green"), Text()] if given.short else []
    parts += [Text(plain(given.text), style="bold" if not given.abstained else ""), Text()]
    for citation in given.citations:
        named = citation.public.source or citation.document
        where = f"{plain(named)}{_place(citation)}"
        parts.append(
            Text.assemble(
                (f"[{citation.number}] ", "bold"),
                plain(citation.title),
                "  " if citation.title else "",
                (where, "cyan"),
                _outdated(citation.superseded_by),
            )
        )
        parts += [Padding(_quote(citation, given.question), (0, 0, 0, 4), expand=False), Text()]
    if given.notes:
        parts += [*(Text(f"Note: {plain(note).rstrip('.')}.", style="yellow") for note in given.notes), Text()]
    sure = f"Confidence {given.confidence:.2f}"
    parts.append(Text(f"{sure} that what was found answers this: too little." if given.abstained else sure, style="dim"))
    return Group(*parts)


def considered(given: Answer, asked: str) -> RenderableType:
    """The tree of an answer: at each step whether to search, and every candidate with what its score was made of; chosen ones have a *."""
    parts: list[RenderableType] = []
    if given.question != asked:
        parts += [Text(f"Asked as: {plain(given.question)}"), Text()]
    tree = given.tree
    if tree is None:
        return Group(*parts, Text("One answer over one search; --mode reflective weighs it sentence by sentence."), Text())
    for number, step in enumerate(tree.steps, 1):
        after = "the beginning" if step.parent is None else f"candidate {step.parent}"
        needed = "" if step.retrieve is None else f"; a search is needed with probability {step.retrieve:.2f} (above {tree.threshold:g})"
        further = f"; the evidence at hand goes further with {step.proceed:.2f}" if step.proceed and step.parent is not None else ""
        searched = f"; searched: {plain(step.searched)}" if step.searched else "; no search"
        closed = "; complete before this, most say" if step.closed else ""
        parts.append(Text(f"Step {number}, after {after}{needed}{further}{searched}{closed}", style="bold"))
        table = _table(">", ">score", ">logprob", ">relevant", "fully/partly/no", "useful 1-5", "passage", "sentence")
        for one in step.candidates:
            support = "" if one.supported is None else f"{one.supported.fully:.2f}/{one.supported.partly:.2f}/{one.supported.no:.2f}"
            useful = "" if one.useful is None else " ".join(f"{share:.2f}" for share in one.useful)
            said = plain(one.text) + (f"  [not said: {one.left_out}]" if one.left_out else "")
            table.add_row(
                f"{'*' if one.id in tree.chosen else ''}{one.id}", f"{one.score:.3f}", _shown(one.logprob), _shown(one.relevant), support,
                useful, (one.passage or "")[:8], Text(said),
            )  # fmt: skip
        parts += [table, Text()]
    weights = ", ".join(f"{name} {weight:g}" for name, weight in tree.weights.items())
    rule = f"Score: e^logprob + the weighted judgements ({weights}); a path counts their sum; {tree.beam} paths are kept."
    asked_for = f" Calls of the model: {tree.calls}." if tree.calls else ""
    return Group(*parts, Text(rule + asked_for, style="dim"), Text())


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def added(result: Mapping[str, Any]) -> RenderableType:
    """What `add` and `remove` did: counts, and what was set aside."""
    names = {
        "documents_added": "added",
        "documents_changed": "changed",
        "documents_unchanged": "unchanged",
        "documents_removed": "removed",
    }
    counts = [f"{result[name]} {word}" for name, word in names.items() if result.get(name)]
    line = "Documents: " + (", ".join(counts) or "none") + "."
    facts = [f"{result[name]} {words}" for name, words in (("passages", "passages in all"), ("embedded", "embedded now")) if name in result]
    parts: list[RenderableType] = [Text(line), Text(f"{', '.join(facts)}; {duration(result.get('seconds'))}.")]
    repeats = (("near_duplicates", "nearly repeat another"), ("contained", "stand inside others"))
    if told := [f"{result[name]} {words}" for name, words in repeats if result.get(name)]:
        parts.append(Text(f"Of the passages {', '.join(told)}; they are shown and asked about once."))
    if result.get("redacted"):
        parts.append(Text("Redacted: " + ", ".join(f"{count} {kind}" for kind, count in result["redacted"].items()) + "."))
    if not any(result.get(name) for name in names) and not result.get("set_aside"):
        parts.append(Text("Nothing that can be read was found there. `selfstudy add --help` names what is read."))
    return Group(*parts, *_set_aside(result.get("set_aside", ())))


def audit(result: Mapping[str, Any]) -> RenderableType:
    """What an audit found: a row for each kind of fault, and the worst examples of each."""
    kinds = ", ".join(f"{count} {plain(kind)}" for kind, count in result["kinds"].items())
    languages = ", ".join(f"{plain(name)} {count / result['documents']:.0%}" for name, count in result["languages"].items())
    table = _table("", ">found", "what to do")
    held = f"{result['documents']} documents ({kinds}), {result['passages']} passages."
    parts: list[RenderableType] = [Text(held), Text(f"Languages: {languages}." if languages else ""), Text(), table]
    for one in result["findings"]:
        table.add_row(Text(one["name"], style="bold" if one["count"] else "dim"), str(one["count"]), one["advice"] if one["count"] else "")
        if one["samples"]:
            examples = _table(one["name"], "beside", "why")
            for sample in one["samples"][:3]:
                cells = [_quoted(sample["document"], sample["text"]), _quoted(sample["other"], sample["other_text"])]
                examples.add_row(*cells, plain(sample["reason"]))
            parts += [Text(), examples]
    return Group(*parts)


def _quoted(document: str, text: str) -> str:
    return f"{plain(document)}: {plain(text)[:100]}" if text else plain(document)


def glossary(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Terms with what they mean, how that is known, and in how many passages it is said."""
    if not rows:
        return Text("The documents explain no terms; `selfstudy glossary --add NAME=MEANS` notes one.")
    table = _table("name", "means", "kind", ">passages", "")
    for row in rows:
        table.add_row(plain(row["name"]), plain(row["means"]), row["kind"], str(row["seen"]), "struck" if row["struck"] else "")
    return table


def plan(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """The stages of a run that has not begun: what is kept, what would run or go on, and how long that may take."""
    states = {"kept": "kept", "run": "would run", "resume": "would go on"}
    table = _table("stage", "state", ">about")
    alike: dict[tuple[str, str], list[float | None]] = {}  # a stage comes more than once where several models are measured
    for row in rows:
        alike.setdefault((row["stage"], row["state"]), []).append(row["seconds"])
    for (stage, state), seconds in alike.items():
        name = f"{stage}, {len(seconds)} times" if len(seconds) > 1 else stage
        took = None if None in seconds else sum(one or 0.0 for one in seconds)
        table.add_row(name, Text(states[state], style="dim" if state == "kept" else ""), "" if state == "kept" else duration(took))
    ahead = [row for row in rows if row["state"] != "kept"]
    known = sum(row["seconds"] or 0.0 for row in ahead)
    unknown = sum(row["seconds"] is None for row in ahead)
    total = f"About {duration(known)} in all" if ahead else "Nothing to do: every stage is kept"
    parts: list[RenderableType] = [table, Text(total + (f", and {unknown} whose time nobody knows yet." if unknown else "."))]
    if memory := max((row.get("memory_gib") or 0.0 for row in ahead), default=0.0):
        parts.append(Text(f"Tuning the generator takes about {memory:.1f} GiB of memory."))
    calls, tokens = (sum(row.get(name, 0) for row in ahead) for name in ("calls", "tokens"))
    if calls:
        money = [row["money"] for row in ahead if row.get("calls")]
        price = f", {sum(money):.2f} in money" if None not in money else "; no price is known (api.prices)"
        parts.append(Text(f"About {calls:,} calls of a model and {tokens:,} tokens{price}; replies that have to be mended cost more."))
    return Group(*parts)


def questions(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Questions to read, with what their answers are and where they stand."""
    if not rows:
        return Text("No question is left to show.")
    table = _table("id", "question", "answer (* the right choice)", "kind", "writer", "split", "written from", "")
    for row in rows:
        note = row["said"] or row["dropped"]
        about = f"{row['passage']}: {' '.join(row['text'].split())[:60]}"
        table.add_row(
            row["id"][:8], plain(row["question"]), _answers(row), row["kind"], row["writer"], row["split"] or "", plain(about), note
        )
    return Group(table, Text("Strike one with --strike ID, keep one that was dropped with --keep ID; the next adapt respects it."))


def _answers(row: Mapping[str, Any]) -> Text:
    """The answers of a question; of choices all, and the right one marked."""
    if not row["choices"]:
        return Text(plain(" / ".join(row["answers"])[:80]))
    right = row["answers"]
    return Text(" / ").join(Text(plain(f"*{one}" if one in right else one), style="bold" if one in right else "") for one in row["choices"])


def intents(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Groups of questions that want the same: telling words, how many, and the most typical ones."""
    if not rows:
        return Text("There are too few questions to group.")
    table = _table("telling words", ">questions", "for example")
    for row in rows:
        table.add_row(Text(plain(" ".join(row["words"])), style="bold"), str(row["questions"]), plain(" / ".join(row["examples"][:2])))
    return table


def evaluation(result: Mapping[str, Any]) -> RenderableType:
    """Metrics with intervals of the base model and of the live one, and the paired differences; of the base alone where there are none."""
    parts: list[RenderableType] = []
    differences = [found for _, found in _walk(result.get("compare") or {})]
    same = bool(differences) and not any(found["low"] or found["high"] for found in differences)
    sides = {side: result[side] for side in ("base", "live") if result.get(side) and not (same and side == "live")}
    names = list(dict.fromkeys(name for side in sides.values() for metrics in side.values() for name in metrics))
    if names:
        table = _table("", "search", *(f">{name}" for name in names))
        for side, retrievers in sides.items():
            for retriever, metrics in retrievers.items():
                table.add_row(side, retriever, *(_interval(metrics.get(name)) for name in names))
        parts.append(table)
    if same:
        parts.append(Text("What serves finds just what the base does."))
    else:
        parts += _differences("Live minus base, question by question", result.get("compare"))
    if result.get("set_aside"):
        parts.append(Text(f"Set aside, since they have no words: {', '.join(map(str, result['set_aside']))}"))
    if result.get("unlabelled"):
        parts.append(Text(f"Left out: {result['unlabelled']} questions without a relevant document in this index."))
    return Group(*parts, Text("In brackets: 95% intervals. A miss counts 0.", style="dim"))


def status(state: Mapping[str, Any]) -> RenderableType:
    """What a home holds and which model is live."""
    table = Table.grid(padding=(0, 2))
    for name, value in state.items():
        if name == "set_aside":
            value = f"{len(value)} inputs" if value else "none"
        elif name == "live":
            value = live(value)
        elif name == "waiting":
            value = f"{live(value)}: proven with an embedder that is gone, or not as it was; `selfstudy adapt` studies the one that is set"
        elif name == "people":
            value = _people(value)
        elif isinstance(value, Mapping):
            value = ", ".join(f"{plain(str(key))}: {one}" for key, one in value.items()) or "none"
        table.add_row(Text(name.replace("_", " "), style="bold"), Text(plain(str(value))))
    return Group(table, *_set_aside(state.get("set_aside", ())))


def _people(found: Mapping[str, Any]) -> str:
    """How content people are, and why to study again."""
    points = found["satisfaction"]
    content = f"satisfaction {points['value']:+.0f} [{points['low']:+.0f}, {points['high']:+.0f}]; " if points else ""
    told = f"{found['asked']} questions, {found['voted']} votes, {found['clicked']} clicks; {content}"
    return told + (f"study again: {' '.join(found['reasons'])}" if found["reasons"] else "no need to study again")


def history(events: Sequence[Mapping[str, Any]]) -> RenderableType:
    """One row for each judged candidate, promotion and rollback."""
    if not events:
        return Text("No model has been trained here yet; `selfstudy adapt` trains one.")
    table = _table(">", "when", "event", "key", "reason")
    for event in events:
        when = str(event["when"]).replace("T", " ")[:16]
        table.add_row(str(event["number"]), when, _happened(event), str(event["key"] or "the base")[:12], plain(event["reason"]))
    return table


def pruned(result: Mapping[str, Any]) -> RenderableType:
    """What nothing needs, the largest first, and what became of it."""
    kept = f"{result['kept_bytes'] / 1e6:,.0f} MB of models and stages are needed"
    if not result["unneeded"]:
        return Text(f"Nothing can go: {kept}.")
    table = _table("not needed", ">MB", "")
    for one in sorted(result["unneeded"], key=lambda one: -int(one["bytes"])):
        table.add_row(one["name"], f"{one['bytes'] / 1e6:,.1f}", "never finished" if one["unfinished"] else "")
    room = f"{sum(one['bytes'] for one in result['unneeded']) / 1e6:,.0f} MB"
    told = f"{room} removed; {kept}." if result["removed"] else f"{room} can go; {kept}. `selfstudy prune --yes` removes it."
    return Group(table, Text(told))


def settings(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Each setting with its value and where that came from."""
    table = _table("setting", "value", "from", "about")
    for row in rows:
        given = row["origin"] != "default"
        table.add_row(row["path"], Text(_value(row["value"]), style="bold" if given else ""), row["origin"], row.get("about") or "")
    return table


def served(url: str, home: Path, documents: int) -> str:
    """Where a service answers and out of what, in two lines."""
    held = f"{documents} documents" if documents else "no documents yet: upload some by the page, or give the --home that has them"
    return f"Open {url} in a browser; Ctrl-C stops it.\nThe home {home} holds {held}."


def keys(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Each key with what it may do."""
    table = _table("key", "scope", "tenant", "made")
    for row in rows:
        table.add_row(row["name"], row["scope"], row["tenant"], row["made"])
    return table


def outcome(result: Mapping[str, Any]) -> RenderableType:
    """What `adapt` did: the questions, the measurements before and after, the verdict, the report."""
    parts: list[RenderableType] = []
    if result.get("note"):
        parts.append(Text(f"{result['note']}\n"))
    if (votes := result.get("votes")) and votes["reason"] not in result.get("note", ""):
        parts.append(Text(f"{votes['reason']}\n"))
    if result["round_trip"]:
        parts += _questions(result["questions"], result["round_trip"])
    if result.get("critic"):
        parts += _critic(result["critic"])
    parts += _sides(result["metrics"], result["differences"], result.get("metric", "MRR@10"))
    parts += _differences(f"{'dense' if 'dense' in result['differences'] else 'hybrid'} MRR@10 by writer", result["writers"])
    parts += _checks(result["verdict"] or {})
    parts.append(Text(result["reason"], style="bold green" if result["promoted"] else "bold"))
    parts += [outcome(result[name]) for name in ("imitation", "sentences", "int8", "reranker", "generator") if result.get(name)]
    if result.get("paid"):
        parts.append(Text(_paid(result["paid"]), style="dim"))
    return Group(*_spaced(parts))


def _paid(told: Mapping[str, Any]) -> str:
    """What models behind an API were asked, in a sentence; the names are those that they gave themselves."""
    tokens = told["prompt_tokens"] + told["completion_tokens"]
    money = "" if told["money"] is None else f", {told['money']:.4f} in money"
    kept = f"; {told['kept']:,} replies were kept from before" if told["kept"] else ""
    by = f" of {', '.join(plain(name) for name in told['models'])}" if told["models"] else ""
    about = " (about: the endpoint does not say)" if told["estimated"] else ""
    return f"Asked{by}: {told['calls']:,} calls, {tokens:,} tokens{about}{money}{kept}."


def distilled(result: Mapping[str, Any]) -> RenderableType:
    """What the smaller model keeps of the larger one."""
    parts = _sides(result["metrics"], result["differences"], "dense MRR@10", "teacher", "student")
    if "own" not in result["metrics"]:
        parts.append(Text(_WRITTEN))
    parts.append(Text(f"{result['size']:.0%} of its teacher's size, {result['speed']:.1f} times as fast here."))
    return Group(*_spaced(parts))


def _questions(questions: Mapping[str, Mapping[str, int]], round_trip: Mapping[str, Mapping[str, int]]) -> list[RenderableType]:
    """How many of each writer's questions were taken for each split, how many came back from the corpus, and why others were dropped."""
    splits = [split for split in ("train", "tune", "exam") if any(split in counts for counts in questions.values())]
    table = _table("questions by", *(f">{split}" for split in splits), ">kept", "dropped because")
    for writer in dict.fromkeys([*questions, *round_trip]):
        counts, came = questions.get(writer, {}), round_trip.get(writer, {})
        dropped = "; ".join(f"{reason} ({count})" for reason, count in came.items() if reason != "kept")
        table.add_row(writer, *(str(counts.get(split, 0)) for split in splits), str(came.get("kept", 0)), dropped)
    total = [sum(counts.get(split, 0) for counts in questions.values()) for split in splits]
    kept = sum(came.get("kept", 0) for came in round_trip.values())
    table.add_row("all", *map(str, total), str(kept), "", style="bold")
    return [table]


def _critic(told: Mapping[str, Any]) -> list[RenderableType]:
    """What a critic learned: the share of each label, and of each task a few rows for a person to read."""
    table = _table("a critic learned", "shares of its labels")
    for task, shares in told["shares"].items():
        table.add_row(task, ", ".join(f"{label} {share:.0%}" for label, share in shares.items()))
    dropped = ", ".join(f"{count} {plain(fault)}" for fault, count in told["dropped"].items())
    sample = _table("task", "label", "question", "answer", "passage")
    by_task = groupby(told["sample"], lambda row: row["task"])
    for row in (one for _, ones in by_task for one in list(ones)[:SAMPLED]):
        sample.add_row(row["task"], row["label"], *(plain(row[name])[:100] for name in ("question", "answer", "passage")))
    left = len(told["sample"]) - sample.row_count
    more = [Text(f"and {left} more to read; --json lists them all.", style="dim")] if left > 0 else []
    return [table, *([Text(f"Rows without a label: {dropped}.")] if dropped else []), sample, *more]


def _sides(
    metrics: Mapping[str, Mapping[str, Any]], differences: Mapping[str, Any], of: str, before: str = "before", after: str = "after"
) -> list[RenderableType]:
    table = _table(of, f">{before}", f">{after}", ">difference", ">p", ">questions")
    for name, sides in metrics.items():
        found = differences.get(name)
        cells = [_signed(found), _p(found["p"]), str(found["n"])] if found else ["", "", ""]
        table.add_row(name, _interval(sides[before]), _interval(sides[after]), *cells)
    return [table]


def _checks(verdict: Mapping[str, Any]) -> list[RenderableType]:
    """What the gate looked at, one row per condition."""
    if not verdict.get("checks"):
        return []
    table = _table("the gate", ">difference", ">p", ">questions", "needed", "holds")
    for check in verdict["checks"]:
        found = check.get("difference")
        cells = [_signed(found), _p(found["p"]), str(found["n"])] if found else ["", "", ""]
        holds = Text("yes", style="green") if check["passed"] else Text("no", style="bold red")
        table.add_row(check["name"], *cells, check["needed"], holds)
    return [table]


def _differences(title: str, tree: Any) -> list[RenderableType]:
    rows = list(_walk(tree)) if isinstance(tree, Mapping) else []
    if not rows:
        return []
    table = _table(title, ">difference", ">p", ">questions")
    for path, found in rows:
        table.add_row(" ".join(path), _signed(found), _p(found["p"]), str(found["n"]))
    return [table]


def _walk(tree: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            if {"value", "p", "n"} <= value.keys():
                yield (*path, name), value
            else:
                yield from _walk(value, (*path, name))


def inside(found: Mapping[str, Any]) -> RenderableType:
    """What `inspect` found: where questions fell with examples, the geometry, the neighbours."""
    sides: Mapping[str, Any] = found["sides"]
    parts: list[RenderableType] = [Text(plain(note)) for note in found["notes"]]
    if found["questions"]:
        table = _table(f"questions ({found['questions']})", *(f">{name}" for name in sides))
        for place in next(iter(sides.values()))["lost"]:
            table.add_row(place, *(str(side["lost"][place]) for side in sides.values()))
        examples = _table("lost, for example", "where")
        for some in list(sides.values())[-1]["examples"].values():
            for one in some[:2]:
                examples.add_row(plain(one["question"]), one["why"])
        parts += [table, *([examples] if examples.row_count else [])]
    numbers = _table("geometry", *(f">{name}" for name in sides))
    for name in ("alignment", "uniformity", "apart", "anisotropy", "dimensions"):
        values = [side["geometry"][name] for side in sides.values()]
        if any(value is not None for value in values):
            numbers.add_row(name, *("-" if value is None else f"{value:.3f}" for value in values))
    for kind in next(iter(sides.values()))["geometry"]["cosines"]:
        means = [side["geometry"]["cosines"][kind] for side in sides.values()]
        numbers.add_row(f"cosine, {kind}", *(f"{one['mean']:.3f} ± {one['deviation']:.3f}" if one["n"] else "-" for one in means))
    parts.append(numbers)
    if (neighbours := found["neighbours"]) is not None:
        parts.append(Text(f"Of its {neighbours['k']} nearest passages a passage keeps {neighbours['kept']:.0%} on average."))
    parts.append(Text(f"Map of {found['map']['points']} passages: {found['map']['method']}."))
    return Group(*_spaced(parts))


def _set_aside(found: Iterable[Mapping[str, Any]]) -> list[RenderableType]:
    every = list(found)
    if not every:
        return []
    table = _table(f"set aside ({len(every)})", "reason")
    together = [(file, reason, list(group)) for (file, reason), group in groupby(every, _file_and_reason)]
    for file, reason, group in together[:SHOWN]:
        first, last = (one["source"].removeprefix(file) for one in (group[0], group[-1]))
        rows = f"{first} to {last[1:]}, {len(group)} rows" if last != first else first
        table.add_row(plain(file + rows), plain(reason))
    left = len(every) - sum(len(group) for *_, group in together[:SHOWN])
    return [table, *([Text(f"and {left} more; --json lists them all.", style="dim")] if left else [])]


def _file_and_reason(one: Mapping[str, Any]) -> tuple[str, str]:
    """The file that was set aside, or of which a row was, and why: what rows that follow one another are shown together by."""
    return file_of(one["source"]), one["reason"]


def _table(*columns: str) -> Table:
    """A table whose columns are set to the right where their name begins with '>'."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(Text(name.removeprefix(">")), justify="right" if name.startswith(">") else "left", overflow="fold")
    return table


def _spaced(parts: Sequence[RenderableType]) -> list[RenderableType]:
    """The parts with an empty line between each and the next."""
    return [one for part in parts for one in (part, Text())][:-1]


def _sources(hit: Hit) -> str:
    documents = list(dict.fromkeys(plain(place.document) for place in hit.passage.places))
    if hit.best is not None:
        documents[0] += _place(hit.best)
    return ", ".join(documents[:3]) + (f" and {len(documents) - 3} more" if len(documents) > 3 else "")


def _place(citation: Citation) -> str:
    """Where in its document a citation stands, to be put after the document's name."""
    where = f", {plain(citation.where)}" if citation.where else ""
    return f"{where}, characters {citation.start}-{citation.end}"


def _said(hit: Hit, question: str) -> Text:
    if hit.best is None:
        return snippet(hit.passage.text, question)
    return _quote(hit.best, question) if hit.best.around else snippet(hit.best.quote, question, 2 * LENGTH)


def _quote(citation: Citation, question: str) -> Text:
    """The quote with the question's words emphasised; in its section, where that is shown."""
    quote = emphasised(plain(citation.quote), question)
    before, found, after = plain(citation.around).partition(plain(citation.quote))
    return Text.assemble((before, "dim"), quote, (after, "dim")) if found else quote


def _outdated(by: str | None) -> tuple[str, str]:
    return (f"  superseded by {plain(by)}" if by else "", "bold yellow")


def _interval(found: Mapping[str, Any] | None) -> str:
    return f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]" if found else ""


def _signed(found: Mapping[str, Any]) -> str:
    return f"{found['value']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _happened(event: Mapping[str, Any]) -> str:
    if event["event"] == "judged":
        return "judged: promote" if event["promote"] else "judged: refuse"
    return f"{event['event']}, forced" if event["forced"] else str(event["event"])


def live(system: Mapping[str, Any]) -> str:
    """What serves, in a line."""
    tuned = system["embedder"].startswith("artifact:")
    model = "an embedder that was tuned here" if tuned else f"{'' if system['key'] else 'the base, '}{system['embedder']}"
    model += " (in int8)" if system.get("whole") else ""
    parts = {"imitation": "imitated words", "sentences": "sentences", "reranking": "a reranker", "generator": "a tuned generator"}
    beside = [name for part, name in parts.items() if system.get(part)]
    key = f" ({system['key'][:12]})" if system.get("key") else ""
    return f"{' + '.join([model, *beside])}; share of meaning in hybrid search {system['weight']:.2f}{key}"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else repr(value) if isinstance(value, float) else str(value).replace("None", "null")
