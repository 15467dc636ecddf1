"""`rrvf render`, `rrvf redraw` and `rrvf extract`: from code to a picture or its items, from a picture to code."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from rrvf.cli.options import JsonOption, ProtocolOption, ScoresOption, WorkersOption
from rrvf.domains import CHART, DOMAINS, DomainName
from rrvf.outputs import out_file, out_folder

app = typer.Typer()

DomainArgument = Annotated[DomainName, typer.Argument(help=", ".join(f"{d} ({d.suffix})" for d in DOMAINS.values()))]
#: A harness_error has the exit code of bad input: the user must mend the machine.
_RENDER_EXITS = {"ok": 0, "render_error": 1, "harness_error": 2}


@app.command()
def render(
    domain: DomainArgument,
    path: Annotated[Path, typer.Argument(help="a program, or a folder of programs")],
    out: Annotated[Path, typer.Option(help="the PNG, or the folder of PNGs with records.jsonl")],
    timeout: Annotated[float, typer.Option(min=0.1, max=3600, help="seconds per render")] = 10.0,
    workers: WorkersOption = 2,
    as_json: JsonOption = False,
) -> None:
    """Render one program or a folder of them in the sandbox.

    Example: rrvf render chart plot.py --out plot.png
    """
    from rrvf.render import Limits
    from rrvf.render.files import render_file, render_folder

    limits = Limits(wall_s=timeout, cpu_s=timeout)
    if path.is_dir():
        from tqdm import tqdm

        out_folder(out)
        records = [r for _, r in tqdm(render_folder(domain, path, out, workers, limits), unit="program")]
        raise typer.Exit(max((_RENDER_EXITS[record.status] for record in records), default=0))
    record = render_file(domain, path, out_file(out), limits)
    shown = record.model_dump(include={"status", "reason", "message", "seconds", "width", "height"})
    print(json.dumps(shown) if as_json else f"{record.status} {record.reason or ''} {record.message}".strip())
    raise typer.Exit(_RENDER_EXITS[record.status])


@app.command()
def redraw(
    picture: Annotated[Path, typer.Argument(help="PNG, JPEG or WebP")],
    out: Annotated[Path, typer.Option(help="folder of the code, its picture, the record and a page")],
    domain: Annotated[DomainName, typer.Option(help="domain of the picture")] = CHART.name,
    policy: Annotated[str, typer.Option(help="nano, a folder, a hub id, or http://…/v1#model")] = "nano",
    turns: Annotated[int, typer.Option(min=1, max=100, help="T_max: maximum turns, with the answer")] = 4,
    judge: Annotated[str | None, typer.Option(help="a judge's endpoint [default: the embedded judge]")] = None,
    as_json: JsonOption = False,
) -> None:
    """Turn one picture into the code that draws it: draft, compare, repair, answer.

    Example: rrvf redraw plot.png --out redrawn

    Example: rrvf redraw page.png --domain web --policy http://localhost:8000/v1#my-model --out redrawn
    """
    from rrvf.redrawing import redraw as redrawn
    from rrvf.redrawing import told

    done = redrawn(
        picture, domain, policy, turns, judge, out_folder(out), lambda *turn: print(told(*turn), file=sys.stderr)
    )
    shown = {"similarity": done.similarity, "turn": done.turn, "turns": len(done.trajectory.turns)}
    print(json.dumps(shown) if as_json else f"{done.verdict}: {out / 'index.html'}")
    raise typer.Exit(0 if done.turn else 2 if done.trajectory.harness_error else 1)


@app.command()
def extract(
    folder: Annotated[Path, typer.Argument(help="scripts, NAME.py")],
    out: ScoresOption,
    protocol: ProtocolOption = "fixed",
    workers: WorkersOption = 2,
) -> None:
    """Write the items that the ChartMimic metrics see in each script.

    Example: rrvf extract scripts/ --out items.json
    """
    from rrvf.benchmarks.chartmimic import extract_folder

    extract_folder(folder, out_file(out), protocol, workers)
