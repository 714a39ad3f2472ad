"""The command line: parse, call the Engine, show. Every verb is one call of the Engine; what it returns is what --json prints.

Exit codes: 0 done, 1 other expected errors, 2 bad input or configuration, 3 the home cannot be used, 4 too little to prove anything,
5 a package or model is missing, 70 a fault of this program, 130 stopped by Ctrl-C, 141 nobody reads the output any more.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from selfstudy import __version__
from selfstudy.apps import cli_serve, output, tables
from selfstudy.apps.given import HOME, Given, Json, Set
from selfstudy.core.errors import BadConfig, BadInput, SelfstudyError, Stopped
from selfstudy.core.records import Message, Mode, Way
from selfstudy.corpus.folder import check_there
from selfstudy.corpus.formats.detect import SUFFIXES

if TYPE_CHECKING:
    from selfstudy.core.records import Message
    from selfstudy.recipes.ingest import Added

app = typer.Typer(
    name="selfstudy",
    help="A folder of documents goes in; a question-answering system that has studied them comes out.",
    epilog="Example: selfstudy add docs/ && selfstudy adapt && selfstudy ask 'How do I reset it?'",
    add_completion=False,
    rich_markup_mode=None,
)
config_app = typer.Typer(help="What the settings are and where each came from.", rich_markup_mode=None)
app.add_typer(config_app, name="config")
app.add_typer(cli_serve.keys_app, name="keys")


_READ = (
    f"Read are {' '.join(SUFFIXES)}: Word, PowerPoint, Excel and Outlook files with selfstudy[office], pictures and scans with "
    "selfstudy[ocr], archives with all of these inside."
)
Superseded = Annotated[bool, typer.Option("--superseded", help="Outdated versions of documents too, which are left out otherwise.")]
Around = Annotated[bool, typer.Option("--around", help="The section that each quote stands in, too.")]
Where = Annotated[str | None, typer.Option(help="Only documents that match, like \"site = 'x' and updated > '2024-01-01'\".")]


def _version(wanted: bool) -> None:
    if wanted:
        output.show(__version__)
        raise typer.Exit


def _home(said: str) -> Path:
    if not said:  # an empty variable of a script, which would mean the folder that it runs in
        raise typer.BadParameter("it is empty; name a folder, or leave --home out for .selfstudy here")
    return Path(said)


@app.callback()
def _before(
    context: typer.Context,
    home: Annotated[Path, typer.Option(parser=_home, metavar="<path>", help="The folder that holds the index and the models.")] = HOME,
    set_: Set = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    context.ensure_object(Given).home = home


@app.command(epilog="Example: selfstudy add docs/ notes.md --sync")
def add(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help=f"Files, folders, or a BEIR corpus.jsonl. {_READ}")],
    sync: Annotated[bool, typer.Option("--sync", help="Remove the documents whose files are gone.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on, with --sync, whenever files change; Ctrl-C ends it.")] = False,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Read documents; only what is new or changed is read again."""

    results = sys.stdout  # while the engine works, what is printed goes to standard error

    def told(added: Added) -> None:
        with redirect_stdout(results):
            output.show_json(added.json()) if json else output.show(tables.added(added.json()))

    check_there(paths)  # before a home is made
    with context.obj.engine(create=True) as engine:
        if watch:
            engine.watch(paths, told)
        found = engine.add(paths, sync=sync)
    told(found)


@app.command(epilog="Example: selfstudy remove manual/old.md")
def remove(
    context: typer.Context,
    documents: Annotated[list[str], typer.Argument(metavar="DOC...", help="Ids of documents, as `search` shows them.")],
    set_: Set = None,
    json: Json = False,
) -> None:
    """Remove documents from the index."""
    with context.obj.engine() as engine:
        result = engine.remove(documents).json()
    output.show_json(result) if json else output.show(tables.added(result))


@app.command(epilog="Example: selfstudy audit --current handbook_v3.pdf")
def audit(
    context: typer.Context,
    keep: Annotated[list[str] | None, typer.Option(metavar="DOC", help="It is good as it is, and no version of another.")] = None,
    drop: Annotated[list[str] | None, typer.Option(metavar="DOC", help="Leave it out of search and study.")] = None,
    current: Annotated[list[str] | None, typer.Option(metavar="DOC", help="Of its versions this one counts.")] = None,
    judge: Annotated[bool, typer.Option("--judge", help="Let the model of the settings judge each contradiction: two calls each.")] = False,
    set_: Set = None,
    json: Json = False,
) -> None:
    """What is wrong with the documents: duplicates, versions, contradictions, noise; with a page. Decisions are kept."""
    with context.obj.engine() as engine:
        result = engine.audit(keep=keep or (), drop=drop or (), current=current or (), judge=judge).json()
    if json:
        output.show_json(result)
    else:
        output.show(tables.audit(result), f"\nReport: {context.obj.home / result['report']}")


@app.command(epilog="Example: selfstudy glossary --add MI='myocardial infarction' --strike PT")
def glossary(
    context: typer.Context,
    add: Annotated[list[str] | None, typer.Option(metavar="NAME=MEANS", help="Two names of one thing; may be repeated.")] = None,
    strike: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Wrong, or NAME=MEANS for one of several meanings; stays struck.")
    ] = None,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Abbreviations, aliases and translations that the documents explain; they stand in glossary.tsv of the home, to be edited too."""
    pairs = [(name, means) for name, _, means in (given.partition("=") for given in add or ())]
    with context.obj.engine() as engine:
        result = [term.json() for term in engine.glossary(add=pairs, strike=strike or ())]
    output.show_json(result) if json else output.show(tables.glossary(result))


@app.command(epilog="Example: selfstudy search 'how to reset' -k 5 --where \"site = 'x'\"")
def search(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="A question, or words.")],
    k: Annotated[int, typer.Option("-k", help="How many passages.")] = 10,
    by: Annotated[Way, typer.Option(help="By words, by meaning, or by both.")] = "hybrid",
    where: Where = None,
    superseded: Superseded = False,
    around: Around = False,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Find passages, and where in them the sentence or clause stands that says most about the question."""
    with context.obj.engine() as engine:
        found = engine.search(question, k=k, by=by, where=where, superseded=superseded, exact=True, around=around)
        mask = engine.store.snapshot().mask(where)
    matching = mask is None or bool(mask.any())
    output.show_json([hit.json() for hit in found]) if json else output.show(tables.hits(found, question, matching))


@app.command(epilog="Example: selfstudy ask 'Who may sign the contract?'")
def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="A question.")],
    where: Where = None,
    superseded: Superseded = False,
    around: Around = False,
    mode: Annotated[
        Mode | None,
        typer.Option(help="reflective: sentence by sentence, each judged beside its passage, searching where needed; always; never."),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show all that was considered, and why this was chosen.")] = False,
    choice: Annotated[list[str] | None, typer.Option(help="A possible answer; give each of them.")] = None,
    conversation: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help='The turns before, JSON lines of {"role": "user", "content": "..."}; needs a model, --set llm=....'
        ),
    ] = None,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Answer with citations to exact spans, or say that the documents do not hold the answer."""
    turns = read_turns(conversation) if conversation is not None else []
    with context.obj.engine() as engine:
        answer = engine.ask(
            question, where=where, superseded=superseded, mode=mode, choices=choice or (), conversation=turns, around=around
        )
    if json:
        output.show_json(answer.json())
    else:
        output.show(*([tables.considered(answer, question)] if explain else []), tables.answer(answer))


def read_turns(path: Path) -> list[Message]:
    """The turns of a conversation, a JSON line each. Raises BadInput with the line of a fault."""
    turns = []
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # a line of JSON may hold other signs that end a line
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as a conversation.", "Give a file of JSON lines.") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                turns.append(Message.load(loads(line)))
            except (ValueError, RecursionError) as error:
                shape = '{"role": "user", "content": "..."}'
                raise BadInput(f"{path}, line {number} is no turn of a conversation.", f"It should be {shape}.") from error
    return turns


@app.command(epilog="Example: selfstudy adapt --group section --set training.minutes=8")
def adapt(
    context: typer.Context,
    plan: Annotated[bool, typer.Option("--plan", help="Only show what would run, what is kept, and how long it may take.")] = False,
    group: Annotated[str | None, typer.Option(help="The field by which questions are split, so that no group is on both sides.")] = None,
    budget: Annotated[
        list[str] | None, typer.Option(help="Stop a model behind an API at calls=N, tokens=N or money=N; the next run goes on.")
    ] = None,
    generator: Annotated[
        str | None, typer.Option(help="Tune this generator too, as hf:<folder or name>, in two stages with a gate of its own.")
    ] = None,
    effort: Annotated[
        str | None, typer.Option(help="normal, or high: longer training, a second round with negatives mined anew, and a reranker.")
    ] = None,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Study the documents: write questions, train, and go live only if the gain is proven."""
    if wrong := [limit for limit in budget or () if limit.partition("=")[0] not in ("calls", "tokens", "money") or "=" not in limit]:
        raise BadInput(f"--budget {wrong[0]} says no limit.", "Give calls=N, tokens=N or money=N, like --budget money=2.50.")
    tuned = [f"tuning.base={generator}"] if generator is not None else []
    tuned += [f"effort={effort}"] if effort is not None else []
    sets = [*tuned, *([f"group={group}"] if group is not None else []), *(f"budget.{limit}" for limit in budget or ())]
    with context.obj.engine(sets=sets) as engine:
        models = (engine.settings.llm or "", engine.settings.embedder)
        if budget and not any(name.startswith("openai:") for name in models):
            mend = "Name one (--set llm=openai:<model>), or leave it out."
            raise BadInput("--budget limits a model behind an API, and there is none here.", mend)
        if plan:
            result: Any = [stage.json() for stage in engine.plan()]
        else:
            result = engine.adapt().json()
        serves = tables.live(engine.live.json())
    if json:
        output.show_json(result)
    elif plan:
        output.show(tables.plan(result))
    else:
        output.show(tables.outcome(result), f"\nServes now: {serves}", f"Report: {context.obj.home / result['report']}")


@app.command(epilog="Example: selfstudy questions --sample 20 --strike 3f9ac011")
def questions(
    context: typer.Context,
    sample: Annotated[int, typer.Option(min=0, help="How many to show.")] = 20,
    writer: Annotated[str | None, typer.Option(help="Only those of this writer.")] = None,
    dropped: Annotated[bool, typer.Option("--dropped", help="Those that did not come back, with the reason.")] = False,
    strike: Annotated[list[str] | None, typer.Option(metavar="ID", help="Leave this one out from now on; may be repeated.")] = None,
    keep: Annotated[list[str] | None, typer.Option(metavar="ID", help="Keep this one whatever the round trip says.")] = None,
    seed: Annotated[int, typer.Option(help="Another number shows others.")] = 0,
    intents: Annotated[
        bool, typer.Option("--intents", help="What they want: groups that are asked alike, with their telling words.")
    ] = False,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Read the questions that were written, strike bad ones, keep good ones."""
    if intents:
        with context.obj.engine() as engine:
            grouped = [intent.json() for intent in engine.intents()]
        output.show_json(grouped) if json else output.show(tables.intents(grouped))
        return
    with context.obj.engine() as engine:
        result = engine.questions(sample, writer=writer, dropped=dropped, seed=seed, strike=strike or (), keep=keep or ())
    output.show_json(result) if json else output.show(tables.questions(result))


@app.command(epilog="Example: selfstudy evaluate --queries queries.jsonl --qrels qrels.tsv --json")
def evaluate(
    context: typer.Context,
    queries: Annotated[Path, typer.Option(help='JSON lines: {"_id": "q1", "text": "a question"}.')],
    qrels: Annotated[Path, typer.Option(help="query-id, corpus-id and score, set off by tabs.")],
    scope: Annotated[str | None, typer.Option(metavar="FIELD", help="Search each question only where this field is as in its row.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write the figures and the ranking of each question here.")] = None,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Measure the base model and the live one on labelled questions."""
    with context.obj.engine() as engine:
        result = engine.evaluate(queries, qrels, scope=scope, out=out)
    output.show_json(result) if json else output.show(tables.evaluation(result))


@app.command(epilog="Example: selfstudy inspect --queries queries.jsonl --qrels qrels.tsv")
def inspect(
    context: typer.Context,
    candidate: Annotated[
        str | None, typer.Option(metavar="KEY", help="This trained model, as `history` shows it, beside the base.")
    ] = None,
    queries: Annotated[Path | None, typer.Option(help="Labelled questions instead of the last study's, as `evaluate` reads them.")] = None,
    qrels: Annotated[Path | None, typer.Option(help="Their judgements.")] = None,
    questions: Annotated[int, typer.Option(min=1, help="Look at so many questions at most.")] = 300,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the page here.")] = None,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Look inside: where answers are lost, what training moved, and a map of the space as one page."""
    with context.obj.engine() as engine:
        result = engine.inspect(candidate, queries=queries, qrels=qrels, questions=questions, out=out)
    output.show_json(result) if json else output.show(tables.inside(result), f"\nPage: {result['page']}")


@app.command(epilog="Example: selfstudy distil small-model --layers 3")
def distil(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="DIR", help="The new folder of the smaller model.")],
    layers: Annotated[int, typer.Option(min=1, help="How many layers it keeps.")] = 3,
    static: Annotated[bool, typer.Option("--static", help="No layers at all: the mean of words' vectors.")] = False,
    steps: Annotated[int, typer.Option(min=1, help="Steps of training.")] = 300,
    set_: Set = None,
    json: Json = False,
) -> None:
    """A smaller embedder that imitates the one that serves, and what it loses."""
    from selfstudy.train.student import Student

    with context.obj.engine() as engine:
        result = engine.distil(out, Student(kind="static" if static else "layers", layers=layers, steps=steps))
    output.show_json(result) if json else output.show(tables.distilled(result), f"\nModel: {result['model']}")


@app.command(epilog="Example: selfstudy status --json")
def status(context: typer.Context, set_: Set = None, json: Json = False) -> None:
    """What the home holds, what was set aside, and which model is live."""
    with context.obj.engine() as engine:
        result = engine.status()
    output.show_json(result) if json else output.show(tables.status(result))


@app.command(epilog="Example: selfstudy history")
def history(context: typer.Context, set_: Set = None, json: Json = False) -> None:
    """Every trained model with its verdict, every promotion and rollback."""
    with context.obj.engine() as engine:
        result = engine.history()
    output.show_json(result) if json else output.show(tables.history(result))


@app.command(epilog="Example: selfstudy promote 3f9a --force")
def promote(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="The model's key, or its beginning, as `history` shows it.")],
    force: Annotated[bool, typer.Option("--force", help="Also a model that the gate refused; history records it.")] = False,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Let a trained model go live."""
    with context.obj.engine() as engine:
        result = engine.promote(key, force=force)
    output.show_json(result) if json else output.show(tables.history([result]))


@app.command(epilog="Example: selfstudy rollback")
def rollback(context: typer.Context, set_: Set = None, json: Json = False) -> None:
    """Let the model go live that was live before."""
    with context.obj.engine() as engine:
        result = engine.rollback()
    output.show_json(result) if json else output.show(tables.history([result]))


@app.command(epilog="Example: selfstudy prune --keep 2 --yes")
def prune(
    context: typer.Context,
    keep: Annotated[int, typer.Option(min=0, help="How many models that served before stay, to roll back to.")] = 1,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without this it is only shown.")] = False,
    set_: Set = None,
    json: Json = False,
) -> None:
    """What old rounds left behind and nothing needs any more, with the settings as they are, and how much room it takes."""
    with context.obj.engine() as engine:
        result = engine.prune(keep, remove=yes).json()
    output.show_json(result) if json else output.show(tables.pruned(result))


app.command(epilog="Example: selfstudy serve --port 8321")(cli_serve.serve)
app.command(epilog="Example: selfstudy --home docs mcp --add")(cli_serve.mcp)


@config_app.command("show", epilog="Example: selfstudy config show")
def config_show(context: typer.Context, set_: Set = None, json: Json = False) -> None:
    """Every setting, its value, and where that came from. Where config.toml has faults: these, and then the defaults."""
    from selfstudy.core import config
    from selfstudy.recipes.settings import Settings

    given: Given = context.obj
    try:  # without the Engine: whoever writes a first config.toml has no index yet
        rows = config.describe(*config.load(Settings, given.home / "config.toml", given.sets))
    except BadConfig as fault:
        if json:
            raise
        output.show(tables.settings([row.json() for row in config.describe(*config.load(Settings))]))
        raise typer.Exit(output.fail(fault, as_json=False)) from fault
    plain = [row.json() for row in rows]
    output.show_json(plain) if json else output.show(tables.settings(plain))


def run(arguments: Sequence[str]) -> int:
    """Run one command line (without the program's name). Returns the exit code; errors are told, never raised."""
    return guarded(app, "selfstudy", list(arguments) or ["--help"])


def guarded(program: typer.Typer, name: str, arguments: Sequence[str]) -> int:
    """Run `program` with every error told in two lines. Returns the exit code."""
    as_json = "--json" in arguments
    stopped = Stopped("Stopped.", "What is finished is kept; run the same command again to go on.")
    try:
        code = typer.main.get_command(program).main(args=list(arguments), prog_name=name, standalone_mode=False)
        return output.fail(stopped, as_json) if code == stopped.exit_code else int(code or 0)
    except BrokenPipeError:
        output.hush(sys.stdout, sys.stderr)
        return output.BROKEN_PIPE
    except (KeyboardInterrupt, typer.Abort):
        return output.fail(stopped, as_json)
    except typer.TyperException as error:
        return output.fail(_usage(error), as_json)
    except SystemExit as error:  # typer's own answer to a broken pipe
        output.hush(sys.stdout, sys.stderr)
        return output.BROKEN_PIPE if error.code == 1 else int(error.code or 0)
    except Exception as error:
        return output.fail(output.expected(error), as_json)


def _usage(error: typer.TyperException) -> SelfstudyError:
    """A command line that cannot be read, in two lines."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "selfstudy"
    problem = " ".join(error.format_message().replace("Value error, ", "").split())
    if re.match(r"No such option: --home\b", problem):
        problem = "No such option: --home here: it stands before the verb, as in `selfstudy --home ... status`"
    told = BadInput(problem, f"`{path} --help` shows how it is used.")
    told.__cause__ = error
    return told


def main() -> None:
    """The program `selfstudy`."""
    output.tolerant()
    sys.exit(run(sys.argv[1:]))
