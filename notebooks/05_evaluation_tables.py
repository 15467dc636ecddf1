# %% [markdown]
# # 5. The tables
#
# **Does training from pictures alone make the policy better, and on which pictures?**
#
# **After this notebook you can** read the three tables with their intervals, tell a ceiling and a floor from a result, separate
# execution rate from fidelity, and decide whether a claim is supported.
#
# **Time:** fifteen minutes of reading. The first run takes as long as the evaluations (about half an hour on two cores, more
# where the policies are trained first); later runs take seconds. **Prerequisites:** notebooks 1 to 4; confidence intervals.
#
# The paper's evidence is three tables: ChartMimic (Table 1), Plot2Code (Table 2, never trained on) and WebSight (Table 3).
# Every row is one model, asked once per picture, without tools. This notebook fills the same three tables with what was
# trained in the last one, prints the paper's values above, and then asks of each claim of the paper: do our runs bear it?
#
# Up to seven rows of ours. Two calibrate the measurement: the **reference** answers with the true code (the ceiling, below 100
# where a metric says so), **blank** answers with empty axes or an empty page (the floor). Five are compared: the **base**
# policy; the base with the **best of eight** answers, drawn at temperature 1 and picked by the judge; **SFT** with code labels;
# **RFT**, which learned the best of its own answers to the training pictures; and **RRVF**. The second and the fourth see what
# RRVF sees: where RRVF is no better than they are, the loop has taught nothing that picking would not give. `make reproduce`
# leaves these two to `make seeds`.

# %%
from pathlib import Path

import pandas as pd
from IPython.display import Markdown, display

from rrvf.profile import load_profile
from rrvf.report.claims import claims_markdown, evaluate_claims, load_claims
from rrvf.report.contact_sheet import contact_sheet
from rrvf.report.decomposition import CAVEAT, our_splits
from rrvf.report.figures import decomposition_figure
from rrvf.report.runs import by_set, find_runs, find_seeds
from rrvf.report.tables import build_tables
from rrvf.report.write import write_report
from rrvf.report.writers import markdown
from rrvf.study import Study

# %matplotlib inline

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
# Each set is measured by the rules of one benchmark: its prompt's answer is cut out the same way, scored by the same
# metrics, averaged the same way. The pictures are ours, so the benchmark's name is not: a row "generated charts" is no
# ChartMimic result.

# %%
sets = pd.DataFrame(
    {n: e.model_dump(include={"benchmark", "dataset", "table", "title"}) for n, e in settings.evaluations.items()}
)
print(sets.T.to_string())

# %% [markdown]
# ## Evaluate
#
# Every policy on every set. Each pair is a stage of its own: replies are kept block by block, so a stopped cell continues,
# and a finished pair takes no time. (The trained policies come from notebook 4; if they are not there, they are trained now.)

# %%
study.prepare_data(progress=False)
summaries = {(s, p): study.evaluate(s, p) for s in settings.evaluations for p in study.policies(s)}

# %% [markdown]
# First the outcomes. Each sample has exactly one of five: it was scored; the policy gave no code; the code did not run; the
# judge failed; or our own harness failed. The last two are nobody's zero.

# %%
outcomes = pd.DataFrame({f"{s} / {p}": summary["outcomes"] for (s, p), summary in summaries.items()}).T
print(outcomes.to_string())

# %%
colors = ["C2", "C7", "C3", "black", "gold"]
share = outcomes.div(outcomes.sum(axis=1), axis=0)
axes = share.plot.barh(stacked=True, color=colors, figsize=(9, 0.28 * len(share) + 1), xlim=(0, 1), width=0.85)
axes.invert_yaxis()
_ = axes.legend(ncols=5, bbox_to_anchor=(0, 1), loc="lower left", frameon=False)

# %% [markdown]
# ## Tables 1 to 3
#
# The paper's block first, as printed; under it ours, apart, each with the protocol, the judge and the profile that made it.
# Two numbers that were not measured alike do not share a column. In brackets 95 % intervals: Wilson's for rates, bootstrap
# over samples for means, paired bootstrap for the differences against the base policy. Those are over pictures. How far
# another seed goes stands in a line of its own, where `make seeds` was run: the mean over the seeds, and the range.

# %%
runs = find_runs(study.results)
tables = build_tables(runs, settings, seeds=find_seeds(study.results))
display(Markdown(markdown(tables[0])))

# %%
display(Markdown(markdown(tables[1])))

# %%
display(Markdown(markdown(tables[2])))

# %% [markdown]
# ## What they drew
#
# Numbers average over pictures; look at some. A row is one test picture, then what each policy made of it; an empty frame is
# code that did not run.


# %%
def drawn(set_name, count=4):
    group, target = by_set(runs)[set_name], study.data / settings.evaluations[set_name].dataset
    policies = [p for p in study.policies(set_name) if p not in ("reference", "blank")]
    samples = study.split(settings.evaluations[set_name].dataset)[:count]
    paths = [[target / s.image, *(group[p].render_path(s.id) for p in policies)] for s in samples]
    names = ["target", *policies]
    return contact_sheet([p if p.is_file() else None for row in paths for p in row], names * len(paths), len(names), 9)


# %%
for set_name in settings.evaluations:
    print(set_name)
    display(drawn(set_name))

# %% [markdown]
# ## Running, and being right where it runs
#
# A score over all pictures is the share that runs times the score of those that run. Most of the paper's gain is the first
# factor (notebook 6). Ours, on the first set:

# %%
first = next(iter(settings.evaluations.values())).title
splits = [s for s in our_splits(runs, settings) if s.group == first]
display(decomposition_figure([s for s in splits if s.key not in ("reference", "blank")], f"Ours, {first}"))

# %%
for s in our_splits(runs, settings):
    low, high = s.given_bounds or (float("nan"), float("nan"))
    print(
        f"{s.group:28} {s.key:9} {s.metric:8} rate {s.rate:6.2f}  given execution {s.given:6.2f} [{low:.1f}, {high:.1f}]"
    )

# %%
print(CAVEAT)

# %% [markdown]
# ## The claims
#
# Each sentence of the paper that a table can bear is an inequality in `reproduce/claims.yaml`. It is **supported** where the
# whole 95 % interval of the difference lies on the claimed side, **not supported** where it lies on the other, **undecided**
# where it holds the margin, and **not run** where our parts cannot stand for the paper's.

# %%
findings = evaluate_claims(load_claims(), runs, settings)
print(pd.Series([f.claim.ours for f in findings]).value_counts().to_string())

# %%
display(Markdown(claims_markdown(findings, settings)))

# %% [markdown]
# ## On disk
#
# Tables as Markdown, CSV, LaTeX and pictures, the claims, and the **sample browser**: one page per set with every picture,
# what each policy made of it, its code, its scores and what the judge said. It needs no server; open it in a browser.

# %%
paths = write_report(study.results, profile=settings)
print("\n".join(str(p.relative_to(study.results)) for p in paths if p.suffix in (".md", ".html")))

# %% [markdown]
# ## What this shows, and what it does not
#
# **Shows:** the paper's three comparisons with every number traceable to samples on disk, beside the paper's values and
# never among them; which claims hold at this scale, which do not, and which it cannot decide.
#
# **Does not show:** that a claim which is supported here replicates the paper: a small stand-in policy on generated
# pictures shows that the mechanism works, no more. The gallery and the real pages are far from anything the policy was
# trained on; low scores there are the expected and honest result. The intervals are over samples; three seeds give a range,
# and no interval. And **the comparison with SFT says little** for this policy: from labels it learns to write lists as
# long as these charts need, but not to keep them equally long, and such code does not run. On pages, where nothing must
# match, labels teach it more than RRVF does.
#
# **Try next:** your own model under the same rules, `rrvf eval --benchmark charts --policy FOLDER --out runs/mine`, or any
# OpenAI-compatible endpoint as `http://HOST/v1#MODEL`; then open the browser on both.
#
# **Exercises**
#
# 1. The row *reference* answers with the true code. Why is it below 100 in some columns?
#
# <details><summary>Answer</summary>
#
# Some metrics do not give full marks to equal programs. A benchmark may compare a picture saved in one way with a reference
# saved in another, or skip elements that it cannot trace. The reference row is the ceiling of each column, and other rows are
# to be read against it.
#
# </details>
#
# 2. Two policies have execution rates of 90 % [86, 93] and 94 % [91, 96] on the same 400 pictures. The intervals overlap. Is the
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
# *Undecided*: the interval holds the margin 0. More pictures make it narrower, by the square root of their number. More seeds
# answer another question: whether a new training run would show the same.
#
# </details>
