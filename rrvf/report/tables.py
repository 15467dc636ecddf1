"""Tables 1 to 3: the paper's rows as printed, and under them, apart, what was measured here.

Example:
    tables = build_tables(find_runs(Path("results/nano")), load_profile("nano"))
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rrvf.benchmarks.intervals import Interval, newcombe, wilson
from rrvf.domains import CHART, DOMAINS, DomainName
from rrvf.judge.rubrics import OFFICIAL
from rrvf.profile import CALIBRATION, EvalSet, Profile, baselines, table_policies
from rrvf.records import TableRow
from rrvf.report.audit import nearest_count
from rrvf.report.grid import Block, Column, Group, Line, Table
from rrvf.report.paper import SOURCE, PaperRow, paper_table
from rrvf.report.runs import Run, by_set, difference
from rrvf.rows import paper_key

TABLE_OF = {"chartmimic": 1, "plot2code": 2, "websight": 3, "pictures": 4}

#: Column heads as printed. Table 2 ranks its primary metrics only, Table 3 marks the best only.
PAPER_COLUMNS = {
    1: (
        Column("exec_rate", "Exec rate"),
        Column("text", "Text"),
        Column("layout", "Layout"),
        Column("type", "Type"),
        Column("color", "Color"),
        Column("judge", "GPT-4o score"),
        Column("overall", "Overall"),
    ),
    2: (
        Column("exec_rate", "Exec rate"),
        Column("text", "Text"),
        Column("judge", "GPT-4o score", interval_digits=2),
        Column("text_pass", "Text (pass)", marked=0),
        Column("judge_pass", "GPT-4o score (pass)", interval_digits=2, marked=0),
    ),
    3: (Column("clip", "CLIP score", marked=1), Column("judge", "GPT score", marked=1)),
}
#: Of pictures without code, which the paper has none of.
PICTURE_COLUMNS = (
    Column("exec_rate", "Exec rate"),
    Column("judge", "Judge score"),
    Column("ssim", "SSIM", 3, 3),
    Column("clip", "CLIP score"),
)
NO_CODE = (
    "Pictures without true code: the metrics that read it (text, layout, type, colour, blocks) are absent, and are not "
    "0."
)
#: What web runs carry beyond the paper's two columns.
WEB_EXTRAS = (
    Column("exec_rate", "Exec rate", marked=0),
    Column("clip_masked", "CLIP (text masked)", marked=0),
    Column("ssim", "SSIM", 3, 3, marked=0),
    Column("block_match", "Block match", 3, 3, marked=0),
    Column("text", "Text", 3, 3, marked=0),
    Column("position", "Position", 3, 3, marked=0),
    Column("color", "Color", 3, 3, marked=0),
)

#: Rows of a block of ours, in order. The first two calibrate the protocol and are not ranked.
MODELS = {
    "reference": "Reference code (ceiling)",
    "blank": "Blank picture (floor)",
    "base": "Base",
    "sft": "SFT [with code labels]",
    "rft": "RFT [on its own best answers]",
    "rrvf": "RRVF [without code labels]",
}

TRAINED = ("sft", "rft", "rrvf")


def model_title(policy: str) -> str:
    """A policy as tables call it.

    `rrvf_NAME` is trained by the profile's section NAME (`trained_policies`), `bestN` is the base with the best of N
    answers.
    """
    if found := re.fullmatch(r"best(\d+)", policy):
        return f"Base, best of {found[1]} by the judge"
    method, _, section = policy.partition("_")
    if policy not in MODELS and section and method in TRAINED:
        return f"{MODELS[method]}, section {section}"
    return MODELS.get(policy, policy)


RANKING = (
    "Bold and underlined: best and second best by the paper's rule (open-source models under 10B; ours: base and "
    "trained rows). Marks order values; whether a difference is beyond chance is for the intervals to say."
)
BRACKETS = "Brackets: 95 % intervals (rates: Wilson; means: bootstrap over samples; Δ: paired bootstrap)."
NO_CLIP = "n/a: no CLIP weights on this machine."


@dataclass(frozen=True)
class Evaluated:
    """One evaluation set: its settings, the policies that belong to it, the runs that exist, those with other seeds."""

    name: str
    settings: EvalSet
    policies: tuple[str, ...]
    runs: Mapping[str, Run]
    seeds: tuple[Run, ...] = ()


def build_tables(
    runs: Sequence[Run], profile: Profile | None = None, allow_judge_errors: bool = False, seeds: Sequence[Run] = ()
) -> list[Table]:
    """Tables 1 to 3 with the paper's block first, then one block per evaluation set.

    Table 4 is there where pictures without code were run.

    profile: names the sets and the policies that should be there; None prints what was found. seeds: the same policies
    made with other seeds (`find_seeds`), whose mean and range stand under a row. UserError where the judge
    failed on more than 1 % of a run's samples, unless allowed.
    """
    if not allow_judge_errors:
        for run in (*runs, *seeds):
            run.check_judge()
    sets = [replace(s, seeds=tuple(r for r in seeds if r.summary.set == s.name)) for s in evaluated_sets(runs, profile)]
    by_table = {n: [s for s in sets if s.settings.table == n] for n in TABLE_OF.values()}
    tables = [_table(number, by_table[number], profile) for number in PAPER_COLUMNS]
    return [*tables, pictures_table(by_table[4])] if by_table[4] else tables


def pictures_table(sets: Sequence[Evaluated]) -> Table:
    """Table 4: what was measured on pictures without code; the paper has no such rows, and no profile names them."""
    blocks = tuple(our_block(s, None) for s in sets)
    return Table(4, "Table 4: Pictures without true code", blocks, (NO_CODE, BRACKETS))


def evaluated_sets(runs: Sequence[Run], profile: Profile | None) -> list[Evaluated]:
    """The profile's sets in its order, then other sets that were found."""
    found = by_set(runs)
    planned = profile.evaluations if profile else {}
    settings = dict(planned) | {name: _guess(name, group) for name, group in found.items() if name not in planned}
    return [
        Evaluated(name, config, _policies(config, found.get(name, {}), profile), found.get(name, {}))
        for name, config in settings.items()
    ]


def _guess(name: str, runs: Mapping[str, Run]) -> EvalSet:
    found = next(iter(runs.values())).summary
    domain = found.domain or _domain_of(found.benchmark)
    return EvalSet(benchmark=found.benchmark, dataset=name, table=TABLE_OF[found.benchmark], title=name, domain=domain)


def _domain_of(benchmark: str) -> DomainName:
    return next((d.name for d in DOMAINS.values() if benchmark in d.benchmarks), CHART.name)


def _policies(settings: EvalSet, runs: Mapping[str, Run], profile: Profile | None) -> tuple[str, ...]:
    """Those that the profile has for this domain, baselines where they were run, then what else was run."""
    if profile is None or settings.table not in PAPER_COLUMNS:
        expected = [name for name in MODELS if name in runs]
    else:
        later = baselines(profile, settings.domain)
        expected = [p for p in table_policies(profile, settings.domain) if p not in later or p in runs]
    return tuple(expected + sorted(set(runs) - set(expected)))


def _table(number: int, sets: Sequence[Evaluated], profile: Profile | None) -> Table:
    blocks = (paper_block(number), *(our_block(part, profile) for s in sets for part in by_judge(s)))
    footer = (RANKING, BRACKETS) if sets else (RANKING,)
    return Table(number, f"Table {number}: {paper_table(number).title}", blocks, footer)


def paper_block(number: int) -> Block:
    """The paper's rows, as printed."""
    table = paper_table(number)
    groups = tuple(Group(name, tuple(map(_paper_line, rows))) for name, rows in table.groups.items())
    stars = any(row.starred for row in table.rows)
    footer = f"As printed in {SOURCE}, n = {table.n}; no intervals are printed there."
    footer += " *: reported by the original benchmark." if stars else ""
    return Block(f"The paper ({SOURCE})", PAPER_COLUMNS[number], groups, (footer,))


def _paper_line(row: PaperRow) -> Line:
    main = TableRow(model=row.model, values=dict(row.values), starred=row.starred, ranked=row.ranked)
    delta = TableRow(model="Δ (vs Qwen2.5-VL-7B-Instruct)", values=dict(row.delta_values), ranked=False)
    return Line(main, delta if row.delta else None, row.printed, row.delta)


def by_judge(evaluated: Evaluated) -> list[Evaluated]:
    """One for each protocol that a set's runs were judged by: no column holds scores of two."""
    protocols = sorted({run.judge_protocol for run in evaluated.runs.values()})
    if len(protocols) < 2:
        return [evaluated]
    parts = []
    for protocol in protocols:
        runs = {policy: run for policy, run in evaluated.runs.items() if run.judge_protocol == protocol}
        parts.append(replace(evaluated, runs=runs, policies=tuple(p for p in evaluated.policies if p in runs)))
    return parts


def our_block(evaluated: Evaluated, profile: Profile | None) -> Block:
    """What was measured here on one set."""
    columns = our_columns(evaluated.settings.table, evaluated.runs)
    lines = []
    for policy in evaluated.policies:
        lines.append(our_line(policy, evaluated, columns, profile))
        lines += _over_seeds(policy, evaluated, columns)
        lines += _beside(policy, evaluated, profile)
    return Block(
        _title(evaluated, profile),
        columns,
        (Group("", tuple(lines)),),
        tuple(_footer(evaluated)),
        head_of(evaluated.runs),
    )


def head_of(runs: Mapping[str, Run]) -> str:
    """Judge, protocols and every choice that moves a block's numbers, each once; several where rows differ."""
    made = [run.summary.provenance for run in runs.values()]
    choices = list(dict.fromkeys(name for p in made for name in p.choices))
    named = {"judge": [p.judge.split(" ")[0] for p in made], "judged by": [p.judge_protocol for p in made]}
    named |= {"protocol": [p.protocol for p in made], "prompt": [p.prompt_hash for p in made]}
    named |= {name: [p.choices.get(name, "not recorded") for p in made] for name in choices}
    return ", ".join(f"{name} {' or '.join(dict.fromkeys(values))}" for name, values in named.items() if values)


def of_all_seeds(policy: str, evaluated: Evaluated) -> list[Run]:
    """A row's run and those with other seeds that were measured alike, in the order of their seeds."""
    run = evaluated.runs.get(policy)
    if run is None:
        return []

    def measured(other: Run) -> tuple:
        made = other.summary.provenance
        return other.summary.n, made.protocol, made.judge, made.judge_protocol, made.prompt_hash, made.metric_version

    seeds = {run.summary.provenance.seed: run}
    for other in evaluated.seeds:
        if other.summary.policy == policy and measured(other) == measured(run):
            seeds.setdefault(other.summary.provenance.seed, other)
    return [seeds[seed] for seed in sorted(seeds)]


def _over_seeds(policy: str, evaluated: Evaluated, columns: Sequence[Column]) -> list[Line]:
    """The mean over the seeds, with the least and the greatest; nothing where there is one."""
    runs = of_all_seeds(policy, evaluated)
    if len(runs) < 2:
        return []
    found = {c.key: [run.summary.metrics[c.key].value for run in runs if c.key in run.summary.metrics] for c in columns}
    whole = {key: values for key, values in found.items() if len(values) == len(runs) and None not in values}
    row = TableRow(
        model=f"mean and range of {len(runs)} seeds",
        values={key: sum(values) / len(values) for key, values in whole.items()},
        intervals={key: (min(values), max(values)) for key, values in whole.items()},
        ranked=False,
    )
    return [Line(row, of=model_title(policy))]


def _beside(policy: str, evaluated: Evaluated, profile: Profile | None) -> list[Line]:
    """The paper's row under ours, and what lies between them, where a real model was run.

    A stand-in is not set beside the paper's models. Left out is what was not measured alike: a score that another judge
    gave, or that was asked for otherwise.
    """
    if evaluated.settings.table not in PAPER_COLUMNS:
        return []
    number, run = evaluated.settings.table, evaluated.runs.get(policy)
    key = paper_key(policy.partition(",")[0])
    if profile is None or is_stand_in(profile) or key not in {row.key for row in paper_table(number).rows}:
        return []
    row = paper_table(number).row(key)
    alike = {c: v for c, v in row.values.items() if run is None or measured_alike(c, run)}
    printed = {c: text for c, text in row.printed.items() if c in alike}
    line = Line(TableRow(model=f"the paper: {row.model}", values=alike, ranked=False), printed=printed)
    return [line] if run is None else [line, Line(against_paper(run, row, number))]


#: Columns that the judge's word enters.
JUDGED = ("judge", "judge_pass", "overall")


def measured_alike(column: str, run: Run) -> bool:
    """Whether a column is the paper's measure.

    A judge's score is where GPT-4o was asked in the benchmark's own words.
    """
    gpt = run.summary.provenance.judge.startswith("gpt-4o")
    return column not in JUDGED or (gpt and run.judge_protocol == OFFICIAL.get(run.summary.benchmark))


def against_paper(run: Run, row: PaperRow, number: int) -> TableRow:
    """Ours less the printed value. The interval is that of our samples, and for a rate of the paper's counts too."""
    values, intervals = {}, {}
    for column, printed in row.values.items():
        metric = run.summary.metrics.get(column)
        if metric is None or None in (metric.value, metric.low, metric.high) or not measured_alike(column, run):
            continue
        found = Interval(metric.value, metric.low, metric.high)
        if column == "exec_rate":
            n = paper_table(number).n
            found = newcombe(found, wilson(nearest_count(printed, n)[0], n))
            values[column], intervals[column] = metric.value - printed, found.bounds
        else:
            values[column], intervals[column] = found.value - printed, (found.low - printed, found.high - printed)
    return TableRow(model="ours less the paper", values=values, intervals=intervals, ranked=False)


def is_stand_in(profile: Profile) -> bool:
    """Whether the profile trains the small stand-in policy instead of a model that the paper knows."""
    return profile.policy.model == "nano"


def our_columns(number: int, runs: Mapping[str, Run]) -> tuple[Column, ...]:
    """The paper's columns under names that are true here: "GPT-4o score" only where that judge was asked as there."""
    if number not in PAPER_COLUMNS:
        return PICTURE_COLUMNS
    columns = PAPER_COLUMNS[number]
    if not runs or not all(measured_alike("judge", run) for run in runs.values()):
        columns = tuple(replace(c, label=c.label.replace("GPT-4o", "Judge").replace("GPT", "Judge")) for c in columns)
    measured = {name for run in runs.values() for name in run.summary.metrics}
    return columns + tuple(c for c in WEB_EXTRAS if number == 3 and c.key in measured)


def our_line(policy: str, evaluated: Evaluated, columns: Sequence[Column], profile: Profile | None) -> Line:
    """One policy's row, with its difference against the base where both ran."""
    run, model = evaluated.runs.get(policy), model_title(policy)
    if policy == "base" and profile is not None:
        model = f"{model} ({'rrvf-nano' if is_stand_in(profile) else profile.policy.model})"
    if run is None:
        return Line(TableRow(model=model, values={}, ranked=False), note="not run")
    metrics = {c.key: run.summary.metrics[c.key] for c in columns if c.key in run.summary.metrics}
    values = {key: m.value for key, m in metrics.items()}
    intervals = {k: (m.low, m.high) for k, m in metrics.items() if None not in (m.value, m.low, m.high)}
    row = TableRow(model=model, values=values, intervals=intervals, ranked=policy not in CALIBRATION)
    base = evaluated.runs.get("base")
    compared = base is not None and policy != "base" and row.ranked
    counts = ((run.judge_errors, "judge errors"), (run.harness_errors, "harness errors"))
    note = ", ".join(f"{count} {what}" for count, what in counts if count)
    return Line(row, delta_row(run, base, columns) if compared else None, note=note)


def delta_row(run: Run, base: Run, columns: Sequence[Column]) -> TableRow:
    """Differences against the base with their intervals; a dash where the records do not bear one."""
    found = {c.key: difference(run, base, c.key) for c in columns}
    found = {key: d for key, d in found.items() if d is not None}
    return TableRow(
        model="Δ (vs base)",
        values={key: d.value for key, d in found.items()},
        intervals={key: d.bounds for key, d in found.items()},
        ranked=False,
    )


def _title(evaluated: Evaluated, profile: Profile | None) -> str:
    if profile is None:
        return f"Ours: {evaluated.settings.title}"
    stand_in = " (a small stand-in policy, not comparable with the paper's rows)" if is_stand_in(profile) else ""
    return f"Ours, {profile.name} profile: {evaluated.settings.title}{stand_in}"


def _footer(evaluated: Evaluated) -> list[str]:
    runs = evaluated.runs
    if not runs:
        return [f"{evaluated.settings.title}: not run."]
    lines = [f"{evaluated.settings.title}: {provenance_line(runs)}", *seeds_line(evaluated)]
    if any(
        r.summary.metrics.get("clip") is not None and r.summary.metrics["clip"].value is None for r in runs.values()
    ):
        lines.append(NO_CLIP)
    return lines


def seeds_line(evaluated: Evaluated) -> list[str]:
    """With which seeds the rows that depend on one were made: what two rows differ by is to be more than a seed's."""
    seeds = {p: tuple(r.summary.provenance.seed for r in of_all_seeds(p, evaluated)) for p in evaluated.runs}
    by_seeds: dict[tuple[int, ...], list[str]] = {}
    for policy in (p for p in evaluated.policies if len(seeds.get(p, ())) > 1):
        by_seeds.setdefault(seeds[policy], []).append(policy)
    if not by_seeds:
        trained = any(policy.partition("_")[0] in TRAINED for policy in evaluated.runs)
        return ["One seed: what another would give is not known (`make seeds`)."] if trained else []
    told = "; ".join(f"{', '.join(map(str, made))} for {', '.join(rows)}" for made, rows in by_seeds.items())
    return [f"Seeds: {told}; under a row the mean of all its seeds, in brackets the least and the greatest."]


def provenance_line(runs: Mapping[str, Run]) -> str:
    """What produced a block. Rows that were not produced alike are named: they do not compare."""
    fields = {
        "protocol": lambda r: r.summary.provenance.protocol,
        "judge": lambda r: r.summary.provenance.judge,
        "prompt": lambda r: r.summary.provenance.prompt_hash,
        "metrics": lambda r: r.summary.provenance.metric_version,
        "profile": lambda r: r.summary.provenance.profile_hash,
        "seed": lambda r: str(r.summary.provenance.seed),
        "n": lambda r: str(r.summary.n),
    }
    parts = []
    for name, read in fields.items():
        by_value: dict[str, list[str]] = {}
        for policy, run in runs.items():
            by_value.setdefault(read(run), []).append(policy)
        if len(by_value) == 1:
            parts.append(f"{name} {next(iter(by_value))}")
        else:
            differing = "; ".join(f"{value} for {', '.join(policies)}" for value, policies in by_value.items())
            parts.append(f"{name} DIFFERS between rows, which do not compare ({differing})")
    return ", ".join(parts) + "."
