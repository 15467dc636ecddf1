"""The command `rrvf` (also `python -m rrvf`): one thin function a subcommand; the work is done by the rooms.

Exit codes: 0 success; 1 a render, a comparison or a check failed; 2 bad input or a machine that
cannot do it (`harness_error`), in one line.
"""

from __future__ import annotations

import json
import signal
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer.exceptions import TyperException

from rrvf.domains import CHART, DOMAINS, DomainName
from rrvf.environment import listed
from rrvf.errors import UserError
from rrvf.outputs import out_file, out_folder, trouble

if TYPE_CHECKING:
    from rrvf.profile import Profile
    from rrvf.study import Study

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="RRVF: from the picture of a chart or a web page to the code that draws it. "
    "Render, judge, train, evaluate.\n\n"
    "Exit codes: 0 success; 1 a render, a comparison or a check failed; "
    "2 bad input, in one line.",
    # Click folds paragraphs but those that begin so.
    epilog=f"\b\nSettings that are environment variables:\n{listed()}",
)
score_app = typer.Typer(no_args_is_help=True, help="Score generated programs against true ones.")
judge_app = typer.Typer(no_args_is_help=True, help="The embedded judge, or any judge behind a URL.")
data_app = typer.Typer(no_args_is_help=True, help="Build and check the data sets of a profile.")
train_app = typer.Typer(
    no_args_is_help=True, help="Train a policy: RRVF from pictures, or the SFT baseline from pairs."
)
for name, group in {"score": score_app, "judge": judge_app, "data": data_app, "train": train_app}.items():
    app.add_typer(group, name=name)

DomainArgument = Annotated[DomainName, typer.Argument(help=", ".join(f"{d} ({d.suffix})" for d in DOMAINS.values()))]
ProfileOption = Annotated[str, typer.Option(help="nano, gpu, paper, or a YAML file")]
StartOption = Annotated[str | None, typer.Option(help="train from this folder or hub id, not the profile's policy")]
#: A harness_error is the machine's to mend, as bad input is the person's.
_RENDER_EXITS = {"ok": 0, "render_error": 1, "harness_error": 2}
PicturesOption = Annotated[
    Path | None, typer.Option(help="a folder of pictures (PNG, JPEG, WebP), with its sub-folders; no code is needed")
]
PictureDomainOption = Annotated[DomainName, typer.Option(help="with --pictures: their domain")]
WorkersOption = Annotated[int, typer.Option(min=1, max=256, help="parallel renders")]
StepsOption = Annotated[int | None, typer.Option(min=1, help="optimiser steps, instead of the profile's")]
SeedOption = Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="instead of the profile's")]
ScoresOption = Annotated[Path, typer.Option(help="the JSON file")]
Json = Annotated[bool, typer.Option("--json", help="print the record as JSON")]


@app.command()
def render(
    domain: DomainArgument,
    path: Annotated[Path, typer.Argument(help="a program, or a folder of programs")],
    out: Annotated[Path, typer.Option(help="the PNG, or the folder of PNGs with records.jsonl")],
    timeout: Annotated[float, typer.Option(min=0.1, max=3600, help="seconds per render")] = 10.0,
    workers: WorkersOption = 2,
    as_json: Json = False,
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
    out: Annotated[Path, typer.Option(help="code, picture, record and page go here")],
    domain: Annotated[DomainName, typer.Option(help="domain of the picture")] = CHART.name,
    policy: Annotated[str, typer.Option(help="nano, a folder, a hub id, or http://…/v1#model")] = "nano",
    turns: Annotated[int, typer.Option(min=1, max=100, help="T_max: at most so many turns, the answer included")] = 4,
    judge: Annotated[str | None, typer.Option(help="a judge's endpoint [default: the embedded judge]")] = None,
    as_json: Json = False,
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
    protocol: Annotated[Literal["official", "fixed", "july2025"], typer.Option()] = "fixed",
    workers: WorkersOption = 2,
) -> None:
    """Write the items that the ChartMimic metrics see in each script.

    Example: rrvf extract scripts/ --out items.json
    """
    from rrvf.benchmarks.chartmimic import extract_folder

    extract_folder(folder, out_file(out), protocol, workers)


@score_app.command("chartmimic")
def score_chartmimic(
    folder: Annotated[Path, typer.Argument(help="NAME.gt.py and NAME.gen.py")],
    out: ScoresOption,
    protocol: Annotated[Literal["official", "fixed", "july2025"], typer.Option()] = "fixed",
    workers: WorkersOption = 2,
) -> None:
    """Text, layout, type and colour F1 of each pair, and their aggregate.

    Example: rrvf score chartmimic pairs/ --out scores.json
    """
    from rrvf.benchmarks.chartmimic import score_folder

    score_folder(folder, out_file(out), protocol, workers)
    _show_scores([out])


@score_app.command("plot2code")
def score_plot2code(
    folder: Annotated[Path, typer.Argument(help="NAME.gt.py and NAME.gen.py")],
    out: ScoresOption,
    exec_mode: Annotated[
        Literal["module", "function"], typer.Option(help="how a script must run to pass: as a file, or as the original")
    ] = "module",
    workers: WorkersOption = 2,
) -> None:
    """Text match of each pair, and the aggregate.

    Example: rrvf score plot2code pairs/ --out scores.json
    """
    from rrvf.benchmarks.plot2code import score_folder

    score_folder(folder, out_file(out), workers, exec_mode)
    _show_scores([out])


@score_app.command("web")
def score_web(
    folder: Annotated[Path, typer.Argument(help="NAME.gt.html or NAME.gt.png, and NAME.gen.html")],
    out: ScoresOption,
    workers: WorkersOption = 2,
) -> None:
    """CLIP and pixel scores of each pair of pages.

    Example: rrvf score web pairs/ --out scores.json
    """
    from rrvf.benchmarks.websight import score_folder

    score_folder(folder, out_file(out), workers=workers)
    _show_scores([out])


@score_app.command("beside")
def score_beside(files: Annotated[list[Path], typer.Argument(help="JSON files of `rrvf score`")]) -> None:
    """Show score files of the same pairs in one table, to compare protocols.

    Example: rrvf score beside official.json july2025.json
    """
    _show_scores(files)


def _show_scores(files: list[Path]) -> None:
    from rrvf.benchmarks.beside import table

    print(table(files))


@judge_app.command("serve")
def judge_serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one")] = 8000,
    host: Annotated[str, typer.Option()] = "127.0.0.1",
) -> None:
    """Serve the embedded judge as an OpenAI-compatible endpoint.

    Example: rrvf judge serve --port 8000
    """
    from rrvf.judge.server import serve

    serve(host, port)


@judge_app.command("compare")
def judge_compare(
    reference: Annotated[Path, typer.Argument(help="the picture to match")],
    generated: Annotated[Path, typer.Argument(help="the generated picture")],
    url: Annotated[str | None, typer.Option(help="a judge's endpoint [default: the embedded judge]")] = None,
    domain: Annotated[DomainName, typer.Option()] = CHART.name,
    second: Annotated[str | None, typer.Option(help="a second judge's endpoint")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="scores sampled per endpoint")] = 1,
    swap: Annotated[bool, typer.Option("--swap", help="score in both orders of the pictures")] = False,
    as_json: Json = False,
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


@judge_app.command("card")
def judge_card(
    url: Annotated[str | None, typer.Option(help="a judge's endpoint [default: the embedded judge]")] = None,
    domain: Annotated[DomainName, typer.Option()] = CHART.name,
    pictures: Annotated[int, typer.Option(min=1, help="per family of damage; 12 give the usual figures")] = 12,
    model: Annotated[str | None, typer.Option(help="one of the endpoint's models [default: the first]")] = None,
    revision: Annotated[str, typer.Option(help="revision of the endpoint's weights, for the card")] = "",
) -> None:
    """Measure a judge and print its card as JSON: agreement with controlled damage, position bias, prompt injection.

    Example: rrvf judge card --domain web --pictures 3
    """
    from rrvf.judge.measured import measured_card

    print(measured_card(domain, url, model, pictures, revision).model_dump_json(indent=1))


@data_app.command("prepare")
def data_prepare(profile: ProfileOption = "nano") -> None:
    """Build the splits of a profile that are missing.

    Example: rrvf data prepare --profile nano
    """
    _study(profile).prepare_data()


@data_app.command("prompts")
def data_prompts(profile: ProfileOption = "paper") -> None:
    """Download the benchmarks' own prompts at pinned commits and check them: what official scores are asked for with.

    Example: rrvf data prompts
    """
    from rrvf.data.prompts import download

    for path in download(_study(profile).prompts):
        print(path)


@data_app.command("verify")
def data_verify(profile: ProfileOption = "nano") -> None:
    """Check every picture of a profile's splits against its manifest, and count near-duplicates across splits.

    Example: rrvf data verify
    """
    from rrvf.data import DataConfig, overlaps, split_digest, verify

    study = _study(profile)
    config = DataConfig.read(study.profile.data)
    for name, count in verify(config, study.data).items():
        print(f"{name}: {count} pictures, digest {split_digest(name, study.data)}")
    for (one, two), found in overlaps(config, study.data).items():
        same = sum(bool(d.same_code) for d in found)
        print(f"{one} and {two}: {same} of the same code, {len(found)} that look alike")


@app.command("init")
def init_profile(
    file: Annotated[Path, typer.Argument(help="the YAML file that is written; its name is the profile's")],
    profile: Annotated[str, typer.Option(help="which one to start from: nano, gpu, paper, or a YAML file")] = "nano",
) -> None:
    """Write a profile to start from, with every setting and what it does.

    Example: rrvf init --profile nano mine.yaml
    """
    from rrvf.profile import load_profile
    from rrvf.starter import write_starter

    print(write_starter(load_profile(profile), out_file(file)))


@train_app.command("grpo")
def train_grpo(
    out: Annotated[Path, typer.Option(help="the run's folder; the policy is DIR/final")],
    profile: ProfileOption = "nano",
    section: Annotated[
        list[str] | None,
        typer.Option(
            help="a grpo section of the profile; several train on all their pictures, with the settings of the first "
            "[default: chart]"
        ),
    ] = None,
    pictures: PicturesOption = None,
    domain: PictureDomainOption = CHART.name,
    max_steps: StepsOption = None,
    seed: SeedOption = None,
    start: StartOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="continue the run in DIR")] = False,
) -> None:  # fmt: skip
    """RRVF: GRPO from pictures alone.

    Example: rrvf train grpo --section chart --section web --out runs/mine --max-steps 20

    Your own pictures: rrvf train grpo --pictures my_charts --domain chart --out runs/mine
    """
    from rrvf.training.grpo import train_grpo as train
    from rrvf.training.mix import mixed

    if pictures and section:
        raise UserError("--pictures takes the profile's settings for --domain: leave --section out")
    study = _study(profile, start=start)
    if pictures:
        study, name = _on_pictures(study, pictures, domain)
        section = [name]
    config = _shortened(mixed([study.section("grpo", name) for name in section or [CHART.name]]), max_steps)
    out_folder(out)
    samples = study.pictures(config)
    with study.tools_of(config) as tools:
        print(train(study.profile, config, samples, study.data, tools, out, seed, resume))


@train_app.command("sft")
def train_sft(
    out: Annotated[Path, typer.Option(help="the run's folder; the policy is DIR/final")],
    profile: ProfileOption = "nano",
    section: Annotated[str, typer.Option(help="which sft section of the profile")] = CHART.name,
    transcripts: Annotated[Path | None, typer.Option(help="a cold start: learn these episodes, not the pairs")] = None,
    max_steps: StepsOption = None,
    seed: SeedOption = None,
    start: StartOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="continue the run in DIR")] = False,
) -> None:
    """The supervised baseline, from pictures with their true code; or a cold start, from episodes of several turns.

    Example: rrvf train sft --out runs/sft --max-steps 50

    Example: rrvf train sft --transcripts runs/mine/episodes.jsonl --out runs/warm
    """
    from rrvf.training.sft import train_sft as train

    study = _study(profile, start=start)
    config = _shortened(study.section("sft", section), max_steps)
    if transcripts:
        config = config.model_copy(update={"transcripts": str(transcripts)})
    out_folder(out)
    samples = study.split(config.train_set)
    print(train(study.profile, config, samples, study.data / config.train_set, out, seed, resume))


@app.command("plan")
def plan_run(
    profile: ProfileOption = "nano",
    section: Annotated[str, typer.Option(help="which grpo section of the profile")] = CHART.name,
    policy_gpus: Annotated[
        int | None, typer.Option(min=0, help="GPUs that train and sample [default: as in the profile]")
    ] = None,
    judge_gpus: Annotated[
        int | None,
        typer.Option(min=0, help="GPUs for the judge alone; 0: it shares the policy's [default: as in the profile]"),
    ] = None,
    gpu_memory: Annotated[
        float | None, typer.Option(min=1, help="GB of memory of each GPU, as sold [default: 80, or the --gpu's]")
    ] = None,
    gpu: Annotated[str | None, typer.Option(help="kind of GPU: a100, h100, h200")] = None,
    model: Annotated[str | None, typer.Option(help="another policy: Qwen/Qwen2.5-VL-32B-Instruct, …")] = None,
    engine: Annotated[
        Literal["trl", "verl"], typer.Option(help="trl: `rrvf train`; verl: reproduce/verl, for what no GPU holds")
    ] = "trl",
    measured: Annotated[Path | None, typer.Option(help="a run's log.jsonl: plan with its turns, and compare")] = None,
    sources: Annotated[bool, typer.Option("--sources", help="print the source of each figure")] = False,
    as_json: Json = False,
) -> None:
    """Step time, bottleneck, GPU-hours, price and memory of a training run, before it is paid for.

    Refuses what cannot fit.

    Example: rrvf plan --profile gpu

    Example: rrvf plan --profile paper --policy-gpus 8 --judge-gpus 8 --gpu-memory 80

    Example: rrvf plan --profile nano --measured runs/mine/log.jsonl

    Example: rrvf plan --profile paper --engine verl --model Qwen/Qwen2.5-VL-32B-Instruct --policy-gpus 16 --gpu h100
    """
    from rrvf.plan.show import Layout, show

    layout = Layout(engine, model, gpu)  # type: ignore[arg-type]  # it refuses other engines
    print(
        show(_study(profile).profile, section, policy_gpus, judge_gpus, measured, as_json, gpu_memory, layout, sources)
    )


@app.command("eval")
def evaluate(
    policy: Annotated[
        str,
        typer.Option(
            help="reference, blank, nano, a folder, a hub id, http://…/v1#model, or a row of the paper's tables "
            "(gpt-4o, base, …)"
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="records.jsonl and summary.json go here [default: in the profile's runs]")
    ] = None,
    benchmark: Annotated[str | None, typer.Option(help="an evaluation set of the profile")] = None,
    pictures: PicturesOption = None,
    domain: PictureDomainOption = CHART.name,
    profile: Annotated[
        str | None,
        typer.Option(
            help="nano, gpu, paper, or a YAML file "
            "[default: paper for a row, else nano; with --pictures what suits the policy]"
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="only the first N samples")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="seed of the bootstrap intervals")] = None,
    shard: Annotated[str | None, typer.Option(help="i/n: the i-th of n parts, for `rrvf merge`")] = None,
    turns: Annotated[
        int | None, typer.Option(min=2, max=16, help="T_max: let the policy call the tool, and score every turn")
    ] = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="print calls, tokens, price and time, and stop")] = False,
) -> None:
    """Evaluate one policy: a single turn without tools, or with --turns all of them; run it again to continue.

    Example: rrvf eval --benchmark charts --policy nano --out runs/eval/nano

    A row of the paper's tables: rrvf eval --benchmark chartmimic --policy gpt-4o --estimate

    On three machines: rrvf eval --benchmark chartmimic --policy base --profile paper --shard 1/3 --out part1

    Your own pictures: rrvf eval --pictures my_charts --policy nano --out runs/mine
    """
    from rrvf.cli_harness import default_profile, model_of, part_of, place

    if (benchmark is None) == (pictures is None):
        raise UserError("name one of the two: --benchmark, a set of the profile, or --pictures, a folder")
    if pictures:
        from rrvf.own_pictures import profile_for

        asked = _study(profile, seed) if profile else _at_work(profile_for(policy), seed)
        study, benchmark = _on_pictures(asked, pictures, domain)
    else:
        study = _study(profile or default_profile(policy), seed)
    config, part = study.section("evaluations", benchmark), part_of(shard, turns)
    model = model_of(study, policy, config.domain)
    if estimate:
        print(study.estimate(benchmark, policy, model, limit, part, turns or 1))
        return
    out = out_folder(out or place(study, benchmark, policy, limit, part, turns))
    if turns:
        print(json.dumps(study.evaluate_turns(benchmark, policy, model, out, turns, limit), indent=1))
        return
    summary = study.evaluate_model(benchmark, policy, model, out, limit, part)
    print(json.dumps({key: summary[key] for key in ("n", "outcomes", "metrics")}, indent=1))
    if pictures:
        from rich.console import Console

        from rrvf.report.runs import find_runs
        from rrvf.report.tables import build_tables
        from rrvf.report.writers import print_tables

        print_tables(build_tables(find_runs(out), allow_judge_errors=True)[3:], Console(stderr=True))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="a results folder, as runs/nano")],
    profile: Annotated[
        str | None, typer.Option(help="nano, gpu, paper, or a YAML file [default: as the folder is called, else nano]")
    ] = None,
) -> None:
    """Tables, claims and the sample browser of finished evaluations, in FOLDER/report.

    Tables 1 to 3 are the paper's, table 4 holds pictures without code. The browser shows every sample with its target,
    what each policy made of it, the code and the scores: open FOLDER/report/browser/index.html, no server needed.

    Example: rrvf report runs/nano
    """
    from rrvf.report.write import profile_of, write_report

    named = profile_of(folder)
    study = _study(profile or (named.name if named else "nano"))
    out_folder(folder / "report")
    for path in write_report(folder, profile=study.profile, targets=study.target):
        print(path)
    print(f"the sample browser: open {folder / 'report' / 'browser' / 'index.html'}", file=sys.stderr)


@app.command()
def setup() -> None:
    """Build the plotting runtime and find a Chromium, for an installed package; a checkout has `make setup`.

    Example: rrvf setup
    """
    from rrvf import places, runtime

    if places.CHECKOUT:
        raise UserError("this is a checkout: run `make setup`")
    print(f"plotting runtime: {runtime.build()}")
    for other in runtime.others():
        print(f"of another version, to be removed where none is installed that uses it: {other}")
    print(f"Chromium: {runtime.browser()}")


@app.command()
def doctor(
    profile: Annotated[
        str | None, typer.Option(help="nano, gpu, paper, or a YAML file: does each of its stages fit?")
    ] = None,
    machine: Annotated[
        Path | None,
        typer.Option(
            help="a YAML file that describes another machine: gpus, gpu_memory_gb, driver, disk_gb, ram_gb, judge_gpus"
        ),
    ] = None,
) -> None:
    """Show what this machine can run, what is missing and how to fix it; with a profile, whether each stage fits.

    Example: rrvf doctor

    Example: rrvf doctor --profile paper --machine rented.yaml
    """
    from rrvf.doctor import profile_report
    from rrvf.doctor import report as examine

    told, healthy = [], True
    if machine is None:
        text, healthy = examine()
        told.append(text)
    if profile or machine:
        text, fits = profile_report(profile or "nano", machine)
        told.append(text)
        healthy = healthy and fits
    print("\n\n".join(told))
    raise typer.Exit(0 if healthy else 1)


@score_app.callback(invoke_without_command=True)
def score_replies(
    context: typer.Context,
    replies: Annotated[
        Path | None, typer.Option(help='a file with a line {"id": ..., "reply": ...} for each picture of the set')
    ] = None,
    benchmark: Annotated[str, typer.Option(help="an evaluation set of the profile")] = "",
    out: Annotated[Path | None, typer.Option(help="records.jsonl and summary.json go here")] = None,
    policy: Annotated[str | None, typer.Option(help="what tables call it [default: the file's name]")] = None,
    profile: ProfileOption = "nano",
    limit: Annotated[int | None, typer.Option(min=1, help="only the first N samples")] = None,
    judge_only: Annotated[
        bool,
        typer.Option(
            "--judge-only", help="the replies are an earlier run's: keep its renders and metrics, ask the judge"
        ),
    ] = False,
) -> None:
    """Score generated programs against true ones, or replies that were made elsewhere on an evaluation set.

    Example: rrvf score --replies gpt-4o.jsonl --benchmark chartmimic --profile paper --out runs/scored
    """
    if context.invoked_subcommand is not None:
        return
    if not (replies and benchmark and out):
        raise UserError(
            "`rrvf score` needs --replies, --benchmark and --out, or one of its commands (rrvf score --help)"
        )
    summary = _study(profile).score_replies(
        benchmark, policy or replies.stem, replies, out_folder(out), limit, judge_only
    )
    print(json.dumps({key: summary[key] for key in ("n", "outcomes", "metrics")}, indent=1))


@app.command("merge")
def merge_parts(
    out: Annotated[Path, typer.Argument(help="the folder of the whole evaluation")],
    parts: Annotated[list[Path], typer.Argument(help="the folders of `rrvf eval --shard i/n`, all n of them")],
) -> None:
    """Join the parts of an evaluation that several machines ran.

    Example: rrvf merge runs/whole part1 part2 part3
    """
    from rrvf.benchmarks.merge import merge

    summary = merge(out, parts)
    print(json.dumps({key: summary[key] for key in ("n", "outcomes", "metrics")}, indent=1))


@app.command("clean")
def clean(
    stale: Annotated[
        bool, typer.Option("--stale", help="remove folders that were moved aside because their inputs changed")
    ],
    profile: ProfileOption = "nano",
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """List results of earlier inputs in a profile's runs, and remove them after a question.

    Example: rrvf clean --stale --profile nano
    """
    from rrvf.cli_harness import remove_stale

    if stale:
        remove_stale(_study(profile).results, yes)


def _study(profile: str, seed: int | None = None, start: str | None = None) -> Study:
    from rrvf.profile import load_profile

    settings = load_profile(profile)
    if start is not None:
        from rrvf.own_pictures import prompts_of

        if settings.policy.prompts == "nano" != prompts_of(start):
            _say(f"{start} is asked in the nano policy's few words: --profile gpu asks a real model in full ones")
        settings = settings.model_copy(update={"policy": settings.policy.model_copy(update={"model": start})})
    return _at_work(settings, seed)


def _at_work(settings: Profile, seed: int | None = None) -> Study:
    from rrvf.study import Study

    return Study(settings if seed is None else settings.model_copy(update={"seed": seed}))


def _on_pictures(study: Study, folder: Path, domain: str) -> tuple[Study, str]:
    """The study with a folder as its data, and the name of its one section."""
    from rrvf.own_pictures import with_folder

    profile, name = with_folder(study.profile, folder, domain)
    return _at_work(profile), name


def _shortened(config, max_steps: int | None):
    return config if max_steps is None else config.model_copy(update={"steps": max_steps})


def main() -> None:
    """Run the command line; what a person can mend is one line on standard error and exit code 2."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exception, so that what was started is ended too
    for stream in (sys.stdout, sys.stderr):  # a terminal that knows no umlauts gets \\xfc, not a traceback
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run())


def run(arguments: list[str] | None = None) -> int:
    """The command's exit code."""
    try:
        return typer.main.get_command(app).main(arguments, prog_name="rrvf", standalone_mode=False) or 0
    except TyperException as error:  # of the command line itself
        message = error.format_message()
        if message.startswith("Usage:"):  # a command without arguments: its help
            print(message, file=sys.stderr)
            return 2
        asked = getattr(error, "ctx", None)
        _say(
            " ".join(message.removeprefix("Invalid value for ").split()).rstrip(".")
            + (f" (see `{asked.command_path} --help`)" if asked else "")
        )
    except UserError as error:
        _say(str(error))
    except OSError as error:
        if (line := trouble(error)) is None:
            raise
        _say(line)
    except typer.Abort:
        _say("interrupted: run the same command again to go on")
        return 130
    return 2


def _say(line: str) -> None:
    print(f"rrvf: {line}", file=sys.stderr)
