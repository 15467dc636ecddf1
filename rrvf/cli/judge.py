"""`rrvf judge`: serve the embedded judge, compare two pictures, measure a judge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rrvf.cli.options import JsonOption
from rrvf.domains import CHART, DomainName

app = typer.Typer(no_args_is_help=True, help="Use the embedded judge, or any judge behind a URL.")


@app.command("serve")
def judge_serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port")] = 8000,
    host: Annotated[str, typer.Option()] = "127.0.0.1",
) -> None:
    """Serve the embedded judge as an OpenAI-compatible endpoint.

    Example: rrvf judge serve --port 8000
    """
    from rrvf.judge.server import serve

    serve(host, port)


@app.command("compare")
def judge_compare(
    reference: Annotated[Path, typer.Argument(help="the picture to match")],
    generated: Annotated[Path, typer.Argument(help="the generated picture")],
    url: Annotated[str | None, typer.Option(help="a judge's endpoint [default: the embedded judge]")] = None,
    domain: Annotated[DomainName, typer.Option()] = CHART.name,
    second: Annotated[str | None, typer.Option(help="a second judge's endpoint")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="scores sampled per endpoint")] = 1,
    swap: Annotated[bool, typer.Option("--swap", help="score in both orders of the pictures")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare two pictures.

    Example: rrvf judge compare reference.png generated.png
    """
    from rrvf.judge import compare_files

    judgement = compare_files(reference, generated, domain, url, second, repeats, swap)
    spread = {"spread"} if judgement.spread else set()
    if as_json:
        keep = {"status", "score", "parts", "feedback"} | spread if judgement.ok else {"status", "reason"}
        print(judgement.model_dump_json(include=keep))
    elif judgement.ok:
        print(f"{judgement.score:.4f}", *(f"({name} differ by {gap:.4f})" for name, gap in judgement.spread.items()))
        print(judgement.feedback)
    else:
        print(f"judge_error: {judgement.reason}")
    raise typer.Exit(0 if judgement.ok else 1)


@app.command("card")
def judge_card(
    url: Annotated[str | None, typer.Option(help="a judge's endpoint [default: the embedded judge]")] = None,
    domain: Annotated[DomainName, typer.Option()] = CHART.name,
    pictures: Annotated[int, typer.Option(min=1, help="pictures per kind of damage; 12 for a full card")] = 12,
    model: Annotated[str | None, typer.Option(help="one of the endpoint's models [default: the first]")] = None,
    revision: Annotated[str, typer.Option(help="revision of the endpoint's weights, for the card")] = "",
) -> None:
    """Measure a judge and print its card as JSON: agreement with controlled damage, position bias, prompt injection.

    Example: rrvf judge card --domain web --pictures 3
    """
    from rrvf.judge.measured import measured_card

    print(measured_card(domain, url, model, pictures, revision).model_dump_json(indent=1))
