# %% [markdown]
# # 5. The tables
#
# **Does training from pictures alone make the policy better, and on which pictures?**
#
# **After this notebook you can** read the three tables with their intervals, tell a ceiling and a floor from a result, separate
# execution rate from fidelity, and decide whether a claim is supported.
#
# **Time:** fifteen minutes of reading. The first run takes as long as the evaluations (about 20 minutes on two cores, more
# where the policies are trained first); later runs take two minutes. **Prerequisites:** notebooks 1 to 4; confidence intervals.
#
# The paper's evidence is three tables: ChartMimic (Table 1), Plot2Code (Table 2, never trained on) and WebSight (Table 3). A
# row is one model, asked once per picture, without tools. This notebook fills the same tables and tests the paper's claims.
#
# Two rows calibrate the measurement: *reference* answers with the true code (the ceiling), *blank* with an empty picture (the
# floor). Five compare: the *base*; *best of 8*: the base writes eight answers and the judge picks one; *SFT*, fine-tuned on
# pictures **with** code; *RFT*, fine-tuned on the best of its own answers; and *RRVF*. Best of 8 and RFT have the same pictures and
# the same judge, but no feedback. Where RRVF is no better than they are, feedback has taught nothing that picking would not
# give. `make seeds` measures these two.

# %%
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from rrvf.profile import load_profile, table_policies
from rrvf.report.ablations import forest_figure
from rrvf.report.claims import claims_markdown, evaluate_claims, load_claims
from rrvf.report.contact_sheet import answers_figure
from rrvf.report.decomposition import decomposition_markdown, our_splits
from rrvf.report.gains import gains
from rrvf.report.grid import in_short
from rrvf.report.knob import knob
from rrvf.report.runs import by_set, find_runs, find_seeds, ran
from rrvf.report.shown import fold, show
from rrvf.report.tables import build_tables
from rrvf.report.write import write_report
from rrvf.report.writers import markdown, markdown_rows
from rrvf.study import Study

# %% tags=["parameters"]
profile = "nano"
results = None  # a folder; None means runs/<profile>

# %%
study = Study(load_profile(profile), Path(results) if results else None)
settings = study.profile
print(study.describe())

# %% [markdown]
# ## The sets
#
# Each set is measured by the rules of one benchmark. The pictures are ours, so the benchmark's name is not: a row "generated
# charts" is no ChartMimic result, and a small stand-in policy does not compare with the paper's rows. Each policy of
# `make reproduce` answers each set; rows of `make seeds` are read from disk. Each pair is a stage: a stopped cell continues, a
# finished pair takes no time. Each answer has one outcome. Errors of the judge and of our harness are never scored as zero.

# %%
# NBVAL_CHECK_OUTPUT
sets = {n: e.model_dump(include={"benchmark", "table", "title"}) for n, e in settings.evaluations.items()}
print(pd.DataFrame(sets).T.to_string())

# %%
# NBVAL_CHECK_OUTPUT
study.prepare_data(progress=False)
summaries = {(s, p): study.evaluate(s, p) for s in settings.evaluations for p in study.policies(s)}
outcomes = pd.DataFrame({pair: summary["outcomes"] for pair, summary in summaries.items()}).T
print(f"{outcomes.to_numpy().sum()} answers:", ", ".join(f"{n} {what}" for what, n in outcomes.sum().items()))
fold("Outcomes by set and policy", f"<pre>{outcomes.to_string()}</pre>")

# %% [markdown]
# ## What RRVF gains
#
# Both policies answered the same pictures. So the right interval is that of the **paired** difference: easy pictures, on which
# both run, cancel out. With $x_i$ the score of picture $i$:
#
# $$\Delta = \frac1n \sum_{i=1}^{n} \bigl(x_i^{\text{RRVF}} - x_i^{\text{base}}\bigr)$$
#
# Its 95 % interval comes from a bootstrap over the pictures. By hand, for the execution rate on the first set (the tables use
# other resamples, so the last digit can differ). On the gallery and on real pages the judge scores of all policies are at the floor. A
# gain there means execution, and with other seeds some intervals contain 0 (`seeds.md`).

# %%
# NBVAL_CHECK_OUTPUT
runs = find_runs(study.results)
first = next(s for s in settings.evaluations if {"rrvf", "base"} <= by_set(runs)[s].keys())
group = by_set(runs)[first]
x = {p: np.array([ran(group[p].records[i]) for i in sorted(group[p].records)]) for p in ("rrvf", "base")}
d = 100.0 * x["rrvf"] - 100.0 * x["base"]
again = np.random.default_rng(0).choice(d, (10_000, len(d))).mean(axis=1)
print(f"{first}: {d.mean():+.1f} points, 95 % CI {np.percentile(again, 2.5):.1f} to {np.percentile(again, 97.5):.1f}")

# %%
# NBVAL_CHECK_OUTPUT
found = gains(runs, settings)
clear = found[(found.metric == "judge") & (found.low > 0)]
alt = "A row per evaluation set: RRVF less its base in execution rate and judge score, with intervals."
told = f"with seed {settings.seed} the 95 % CI of the judge score's gain lies above 0 on {len(clear)} of {found.variant.nunique()} sets."
show(forest_figure(found, "base", "the pictures", "RRVF less its base, in points of 100"), alt, told, width=640)

# %% [markdown]
# ## Tables 1 to 3
#
# The first of our sets in each table, its main columns, a row a policy, best and second best marked. In brackets 95 %
# intervals: Wilson's for rates, a bootstrap over pictures for means. The fold below each table holds all else: the other sets
# and columns, the differences from the base, the range over the seeds, the paper's rows, and what produced each number.


# %%
# NBVAL_CHECK_OUTPUT
def tabled(table, *columns):
    for ours in table.blocks[1:2]:
        title = next(e.title for e in settings.evaluations.values() if e.table == table.number)
        display(Markdown(f"**Table {table.number}: {title}**\n\n{markdown_rows(in_short(ours, columns))}"))
    fold(f"Table {table.number} as a whole: {len(table.blocks) - 1} of our sets, and the paper's rows", markdown(table))


tables = {table.number: table for table in build_tables(runs, settings, seeds=find_seeds(study.results))}
tabled(tables[1], "exec_rate", "text", "color", "judge", "overall")

# %% [markdown]
# Table 2, out-of-distribution: matplotlib's gallery, on which nothing was trained. The judge's score goes to 10 here. The nano
# policy is at the floor: compare its text and judge scores with the blank picture's. Only the execution rate tells policies apart.

# %%
# NBVAL_CHECK_OUTPUT
tabled(tables[2], "exec_rate", "text", "judge")

# %% [markdown]
# Table 3, web pages. The paper prints CLIP and the judge's score; CLIP needs weights from the hub.

# %%
# NBVAL_CHECK_OUTPUT
tabled(tables[3], "judge", "exec_rate", "ssim", "block_match")

# %% [markdown]
# ## What they drew
#
# A row is one test picture and what each policy made of it. In a live notebook, choose a set and where to begin.


# %%
def drawn(set_name=first, begin=0):
    samples = study.split(settings.evaluations[set_name].dataset)[begin : begin + 2]
    group, shown = by_set(runs)[set_name], table_policies(settings, settings.evaluations[set_name].domain)
    made = {p: group[p] for p in shown if p in group and p not in ("reference", "blank")}
    folders = {p: run.folder for p, run in made.items()}
    targets, title = {s.id: study.target(set_name, s.id) for s in samples}, settings.evaluations[set_name].title
    alt = f"Test pictures of {set_name}, a row each: the target, then the answers of {', '.join(made)}."
    told = ", ".join(f"{p} {sum(ran(run.records[s.id]) for s in samples)}" for p, run in made.items())
    show(answers_figure(folders, targets, f"Answers on {title}"), alt, f"programs that ran, of {len(samples)}: {told}.")


knob(drawn, set_name=list(settings.evaluations), begin=(0, 20, 1))

# %% [markdown]
# ## Execution rate and score given execution
#
# A picture whose code fails scores 0, so a score is its execution rate times its score given execution (notebook 6). Most of
# the paper's gain is the first factor. Ours, for the first set:

# %%
# NBVAL_CHECK_OUTPUT
splits = our_splits(runs, settings)
for s in (s for s in splits if s.group == splits[0].group and s.key not in ("reference", "blank")):
    by = f"; against the base {s.gain[0]:+.1f} by the rate, {s.gain[1]:+.1f} by the rest" if s.gain else ""
    print(f"{s.key:6} {s.score:5.1f} = {s.rate / 100:.3f} x {s.given:4.1f}{by}")
fold("Every policy on every set, and a caveat", decomposition_markdown(splits))

# %% [markdown]
# ## The claims
#
# Each sentence of the paper that a table can bear is an inequality in `reproduce/claims.yaml`. It is **supported** where the
# whole 95 % interval of the difference lies on the claimed side, **not supported** where it lies on the other, **undecided**
# where it contains the margin, and **not run** where our parts cannot stand for the paper's.

# %%
# NBVAL_CHECK_OUTPUT
findings = evaluate_claims(load_claims(), runs, settings)
counts = pd.Series([f.claim.ours for f in findings]).value_counts()
print(", ".join(f"{n} {verdict}" for verdict, n in counts.items()), "\n")
for f in (f for f in findings if f.claim.ours != "not_run"):
    print(f"{f.claim.id:26} {f.claim.ours:14} {f.ours.partition(' (')[0][:78]}")
fold("Each claim in words, with the paper's values and what measures it", claims_markdown(findings, settings))

# %% [markdown]
# On disk: the tables as Markdown, CSV, LaTeX and pictures, the claims, and the **sample browser**: every picture, what each policy made of
# it, its code, its scores and what the judge said. It needs no server.

# %%
paths = write_report(study.results, profile=settings)
print("open", next(p for p in paths if p.name == "index.html").relative_to(study.results))

# %% [markdown]
# ## Summary
#
# **Shows:** the paper's three comparisons, every number traceable to samples on disk, beside the paper's values and never
# among them; which claims hold at this scale, which do not, and which it cannot decide.
#
# **Does not show:** that a supported claim replicates the paper: a small stand-in on generated pictures shows that the mechanism
# works, no more. It says little about SFT at the paper's size: here SFT sees 320 charts. Nor does it show that **feedback** is
# needed: over three seeds RFT reaches 92 % of RRVF's gain in Overall on charts, and all of its gain on pages (`seeds.md`).
#
# **Try next:** your own model under the same rules, `rrvf eval --benchmark charts --policy FOLDER`, or any OpenAI-compatible endpoint
# as `http://HOST/v1#MODEL`. Without `--out` the run joins `runs/nano`; then `rrvf report runs/nano` shows both.
#
# **Exercises**
#
# 1. The row *reference* answers with the true code. Why is it below 100 in some columns?
#
# <details><summary>Answer</summary>
#
# Some metrics do not give full marks to equal programs. A chart in which ChartMimic's metric finds no text, or no colour, scores 0
# even against itself (T9 in `docs/metrics_spec.md`): here 6 of 400 charts in text and 29 in color. The reference row is the ceiling
# of each column, and other rows are to be read against it.
#
# </details>
#
# 2. Two policies have execution rates of 90 % [87, 93] and 94 % [91, 96] on the same 400 pictures. The intervals overlap. Is the
#    difference significant?
#
# <details><summary>Answer</summary>
#
# The overlap does not decide. Both answered the same pictures, so the right interval is that of the paired difference: easy
# pictures, on which both run, cancel out. Look at the row of differences, whose intervals come from a paired bootstrap.
#
# </details>
#
# 3. A claim holds with a difference of +3 and a 95 % interval of [-1, +7]. Which verdict does it get, and what changes it?
#
# <details><summary>Answer</summary>
#
# *Undecided*: the interval contains the margin 0. More pictures make it narrower, by the square root of their number. More seeds
# answer another question: whether a new training run would show the same.
#
# </details>
