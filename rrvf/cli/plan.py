"""`rrvf init` and `rrvf plan`: write a profile to start from, and plan a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rrvf.cli.options import JsonOption, ProfileOption
from rrvf.cli.studies import study_of
from rrvf.domains import CHART
from rrvf.outputs import out_file

app = typer.Typer()


@app.command("init")
def init_profile(
    file: Annotated[Path, typer.Argument(help="the YAML file to write; its name becomes the profile's")],
    profile: Annotated[str, typer.Option(help="profile to start from: nano, gpu, paper, or a YAML file")] = "nano",
) -> None:
    """Write a profile to start from, with every setting and what it does.

    Example: rrvf init --profile nano mine.yaml
    """
    from rrvf.profile import load_profile
    from rrvf.starter import write_starter

    print(write_starter(load_profile(profile), out_file(file)))


@app.command("plan")
def plan_run(
    profile: ProfileOption = "nano",
    section: Annotated[str, typer.Option(help="a grpo section of the profile")] = CHART.name,
    policy_gpus: Annotated[
        int | None, typer.Option(min=0, help="GPUs for training and sampling [default: as in the profile]")
    ] = None,
    judge_gpus: Annotated[
        int | None,
        typer.Option(min=0, help="GPUs only for the judge; 0: it shares the policy's [default: as in the profile]"),
    ] = None,
    gpu_memory: Annotated[
        float | None, typer.Option(min=1, help="GB of memory of each GPU, as sold [default: that of --gpu, else 80]")
    ] = None,
    gpu: Annotated[str | None, typer.Option(help="kind of GPU: a100, h100, h200")] = None,
    model: Annotated[str | None, typer.Option(help="another policy: Qwen/Qwen2.5-VL-32B-Instruct, …")] = None,
    engine: Annotated[
        Literal["trl", "verl"],
        typer.Option(help="trl: `rrvf train`; verl: reproduce/verl, which shards the policy over GPUs"),
    ] = "trl",
    measured: Annotated[
        Path | None, typer.Option(help="log.jsonl of a run: plan with its measured turns, and compare with it")
    ] = None,
    sources: Annotated[bool, typer.Option("--sources", help="print the source of each figure")] = False,
    as_json: JsonOption = False,
) -> None:
    """Estimate step time, bottleneck, GPU-hours, price and memory of a training run before it starts.

    Fails if the run does not fit into memory.

    Example: rrvf plan --profile gpu

    Example: rrvf plan --profile paper --policy-gpus 8 --judge-gpus 8 --gpu-memory 80

    Example: rrvf plan --profile nano --measured runs/mine/log.jsonl

    Example: rrvf plan --profile paper --engine verl --model Qwen/Qwen2.5-VL-32B-Instruct --policy-gpus 16 --gpu h100
    """
    from rrvf.plan.show import Layout, show

    layout = Layout(engine, model, gpu)  # type: ignore[arg-type]  # Layout refuses unknown engines
    settings = study_of(profile).profile
    print(show(settings, section, policy_gpus, judge_gpus, measured, as_json, gpu_memory, layout, sources))
