"""Arguments and options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rrvf.domains import DomainName

ProfileOption = Annotated[str, typer.Option(help="nano, gpu, paper, or a YAML file")]
PicturesOption = Annotated[
    Path | None, typer.Option(help="a folder of pictures (PNG, JPEG, WebP), with its sub-folders; no code is needed")
]
PictureDomainOption = Annotated[DomainName, typer.Option(help="with --pictures: their domain")]
WorkersOption = Annotated[int, typer.Option(min=1, max=256, help="parallel renders")]
JsonOption = Annotated[bool, typer.Option("--json", help="print the record as JSON")]
ScoresOption = Annotated[Path, typer.Option(help="the JSON file")]
ProtocolOption = Annotated[
    Literal["official", "fixed", "july2025"],
    typer.Option(help="official: ChartMimic's evaluator; fixed: with its faults mended; july2025: as in the paper"),
]
