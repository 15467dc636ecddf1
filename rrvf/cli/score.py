"""`rrvf score`: the benchmarks' metrics on programs and replies from other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rrvf.cli.options import ProfileOption, ProtocolOption, ScoresOption, WorkersOption
from rrvf.cli.studies import show_summary, study_of
from rrvf.errors import UserError
from rrvf.outputs import out_file, out_folder

app = typer.Typer(no_args_is_help=True, help="Score generated programs against true ones.")


@app.callback(invoke_without_command=True)
def score_replies(
    context: typer.Context,
    replies: Annotated[
        Path | None, typer.Option(help='a file with a line {"id": ..., "reply": ...} for each picture of the set')
    ] = None,
    benchmark: Annotated[str, typer.Option(help="an evaluation set of the profile")] = "",
    out: Annotated[Path | None, typer.Option(help="folder of records.jsonl and summary.json")] = None,
    policy: Annotated[str | None, typer.Option(help="its name in tables [default: the file's name]")] = None,
    profile: ProfileOption = "nano",
    limit: Annotated[int | None, typer.Option(min=1, help="only the first N samples")] = None,
    judge_only: Annotated[
        bool,
        typer.Option(
            "--judge-only", help="the replies are those of an earlier run: keep its renders and metrics, ask the judge"
        ),
    ] = False,
) -> None:
    """Score generated programs against true ones, or a file of replies on an evaluation set.

    Example: rrvf score --replies gpt-4o.jsonl --benchmark chartmimic --profile paper --out runs/scored
    """
    if context.invoked_subcommand is not None:
        return
    if not (replies and benchmark and out):
        raise UserError(
            "`rrvf score` needs --replies, --benchmark and --out, or one of its commands (rrvf score --help)"
        )
    study, name = study_of(profile), policy or replies.stem
    show_summary(study.score_replies(benchmark, name, replies, out_folder(out), limit, judge_only))


@app.command("chartmimic")
def score_chartmimic(
    folder: Annotated[Path, typer.Argument(help="NAME.gt.py and NAME.gen.py")],
    out: ScoresOption,
    protocol: ProtocolOption = "fixed",
    workers: WorkersOption = 2,
) -> None:
    """Text, layout, type and colour F1 of each pair, and their aggregate.

    Example: rrvf score chartmimic pairs/ --out scores.json
    """
    from rrvf.benchmarks.chartmimic import score_folder

    score_folder(folder, out_file(out), protocol, workers)
    _show_scores([out])


@app.command("plot2code")
def score_plot2code(
    folder: Annotated[Path, typer.Argument(help="NAME.gt.py and NAME.gen.py")],
    out: ScoresOption,
    exec_mode: Annotated[
        Literal["module", "function"],
        typer.Option(help="how a script must run to pass: module: as a file; function: as in the original evaluator"),
    ] = "module",
    workers: WorkersOption = 2,
) -> None:
    """Text match of each pair, and the aggregate.

    Example: rrvf score plot2code pairs/ --out scores.json
    """
    from rrvf.benchmarks.plot2code import score_folder

    score_folder(folder, out_file(out), workers, exec_mode)
    _show_scores([out])


@app.command("web")
def score_web(
    folder: Annotated[Path, typer.Argument(help="NAME.gt.html or NAME.gt.png, and NAME.gen.html")],
    out: ScoresOption,
    workers: WorkersOption = 2,
) -> None:
    """CLIP, SSIM and block scores of each pair of pages.

    Example: rrvf score web pairs/ --out scores.json
    """
    from rrvf.benchmarks.websight import score_folder

    score_folder(folder, out_file(out), workers=workers)
    _show_scores([out])


@app.command("beside")
def score_beside(files: Annotated[list[Path], typer.Argument(help="JSON files of `rrvf score`")]) -> None:
    """Show score files of the same pairs in one table, to compare protocols.

    Example: rrvf score beside official.json july2025.json
    """
    _show_scores(files)


def _show_scores(files: list[Path]) -> None:
    from rrvf.benchmarks.beside import table

    print(table(files))
