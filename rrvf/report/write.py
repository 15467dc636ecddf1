"""Writes the files of `rrvf report DIR`: tables, claims, decomposition, audit and the sample browser.

Example:
    write_report(Path("results/nano"))
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from rrvf.errors import UserError
from rrvf.profile import Profile, load_profile, shipped_profiles
from rrvf.report.audit import audit
from rrvf.report.browser import Targets, write_browser
from rrvf.report.cells import cells_markdown, judge_cells
from rrvf.report.claims import claims_markdown, evaluate_claims, load_claims
from rrvf.report.decomposition import decomposition_markdown, our_splits, paper_splits
from rrvf.report.figures import decomposition_figure
from rrvf.report.runs import Run, find_runs, find_seeds
from rrvf.report.seeds import seeds_markdown
from rrvf.report.sets import is_stand_in
from rrvf.report.writers import write_tables


def write_report(
    results_dir: Path,
    out_dir: Path | None = None,
    profile: Profile | None = None,
    targets: Targets | None = None,
    allow_judge_errors: bool = False,
) -> list[Path]:
    """Write the whole report of the evaluations under `results_dir`. Returns the paths, tables first.

    out_dir: default `results_dir/report`. profile: names the expected runs; default: `profile_of` the folder. targets:
    where the target pictures are; default: the reference policy's renders. Raises UserError if there are no runs or,
    unless `allow_judge_errors`, if judge or renderer failed on over 1 % of a run.
    """
    out_dir = out_dir or results_dir / "report"
    profile = profile or profile_of(results_dir)
    runs = find_runs(results_dir)
    paths = write_tables(results_dir, out_dir, profile, allow_judge_errors)
    for name, text in report_texts(runs, find_seeds(results_dir), profile).items():
        paths.append(out_dir / name)
        paths[-1].write_text(text, encoding="utf-8")
    paths.append(out_dir / "decomposition.png")
    decomposition_figure(paper_splits(1), "The paper's Table 1: execution rate and score given execution").savefig(
        paths[-1]
    )
    episodes = sorted(results_dir.glob("train/*/episodes/step-*.html"))
    return paths + write_browser(runs, out_dir / "browser", targets, profile, episodes)


def report_texts(runs: list[Run], seeds: list[Run], profile: Profile | None) -> dict[str, str]:
    """The Markdown pages of the report except the tables, by file name. seeds: the runs with other seeds."""
    splits = [*paper_splits(1), *paper_splits(2)]
    texts = {
        "claims.md": claims_markdown(evaluate_claims(load_claims(), runs, profile), profile),
        "decomposition.md": decomposition_markdown([*splits, *our_splits(runs, profile)]),
        "audit.md": audit_markdown(),
    }
    if profile is None or not is_stand_in(profile):
        texts["cells.md"] = cells_markdown(judge_cells(runs, profile))
    if profile and (by_seed := seeds_markdown(runs, seeds, profile)):
        texts["seeds.md"] = by_seed
    return texts


def profile_of(results_dir: Path) -> Profile | None:
    """The profile that a results folder is named after (`results/nano`), else the shipped one that made all its runs.

    None if there is none: then the report says nothing about the policy that was trained.
    """
    with suppress(UserError):
        return load_profile(results_dir.resolve().name)
    made = {(run.summary.provenance.profile_hash, run.summary.provenance.seed) for run in find_runs(results_dir)}
    for profile in map(load_profile, shipped_profiles()):
        if all(profile.model_copy(update={"seed": seed}).hash == settings for settings, seed in made):
            return profile
    return None


def audit_markdown() -> str:
    """A Markdown page of the arithmetic checks on the paper's tables: how many hold, and which fail."""
    checks = audit()
    failed = [c for c in checks if not c.ok]
    head = [
        "# Arithmetic on the paper's own numbers",
        f"{len(checks) - len(failed)} of {len(checks)} recomputed cells follow from the others within rounding. These "
        "do not:",
    ]
    rows = [f"| {c.table} | {c.model} | {c.what} | {c.printed:.2f} | {c.expected:.2f} |" for c in failed]
    return (
        "\n\n".join(head)
        + "\n\n| table | row | cell | printed | recomputed |\n|---|---|---|---:|---:|\n"
        + "\n".join(rows)
        + "\n"
    )
