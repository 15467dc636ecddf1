# %% [markdown]
# # 7. Ablations
#
# **Which parts of the method matter, and can a small study tell?**
#
# **After this notebook you can** read an ablation with three seeds a variant, tell a difference from the luck of a seed, and
# add a variant of your own.
#
# **Time:** ten minutes of reading, seconds to run. **Prerequisites:** notebooks 3 and 4; confidence intervals.
#
# The paper reports one configuration and leaves parts of it open: an advantage with the group's maximum as its baseline
# (D1), a negative weight on similarity (D2), a tool term that pays five times as much as being right. It does not say what
# several turns add to one, or what the judge's words add to its number. Each question is a run of the same training with one
# thing changed.
#
# **This study is of version 4 of the nano policy. The other notebooks are of version 6 under other settings, so no number of
# this notebook compares with theirs.**
#
# | | this study | the profile today |
# |---|---|---|
# | base | version 4 | version 6 |
# | trained weights | adapters of rank 4 | all |
# | learning rate, KL penalty, temperature | 1e-3, 0.1, 0.7 | 5e-5, 0, 1.0 |
# | pictures, judge | wide charts, embedded judge 2 | charts, today's embedded judge |
# | steps, episodes a step, reward weights | 12, 32, the paper's | 40, 64, DeepEyes' |
#
# This notebook trains nothing. It reads `results/ablations`, with the plan that was run. `make ablations` runs the plan of
# `reproduce/ablations.yaml` with today's base and profile: more variants, on validation charts. The study on record took 39
# minutes on two cores.

# %%
from pathlib import Path

import numpy as np
import yaml
from scipy.stats import t

from rrvf.profile import load_profile
from rrvf.report.ablations import (
    BASE,
    curves_figure,
    differences,
    forest_figure,
    later_turns,
    read_ablations,
    seeds_figure,
    summary,
)
from rrvf.report.knob import knob
from rrvf.report.shown import show
from rrvf.study import REPOSITORY, Study

# %% tags=["parameters"]
profile = "nano"
results = None  # a folder; None means runs/<profile>

# %%
study = Study(load_profile(profile), Path(results) if results else None)
print(study.describe())

# %% [markdown]
# ## The variants
#
# What was laid over the profile, for all runs and for each variant (`results/ablations/plan.yaml`):

# %%
# NBVAL_CHECK_OUTPUT
plan = yaml.safe_load((REPOSITORY / "results" / "ablations" / "plan.yaml").read_text())
for name, change in {"all": plan["shared"], **plan["variants"]}.items():
    print(f"{name:24}", yaml.safe_dump(change, default_flow_style=True, width=200).strip())

# %% [markdown]
# ## Execution rate and judge score
#
# Each trained policy is evaluated as in the paper: a single turn, no tools, on 192 held-out charts. The table has the mean
# over the seeds, and in brackets the least and the greatest. `judge` counts a failure as 0; `given_exec` is the judge's score
# where the code runs. With 192 pictures a single rate is known to about seven points.

# %%
# NBVAL_CHECK_OUTPUT
evaluations, steps = read_ablations(REPOSITORY / "results" / "ablations", [BASE, *plan["variants"]])
print(f"{len(evaluations) - 1} trained policies")
print(summary(evaluations).to_string())

# %%
base = evaluations.set_index("variant").loc[BASE]
trained = evaluations[evaluations.variant != BASE]
show(
    seeds_figure(evaluations),
    "Two panels with a dot per trained policy, a row per variant: execution rate, and judge score where the code runs.",
    f"{(trained.exec_rate > base.exec_rate).sum()} of {len(trained)} policies run more often than before training, and "
    f"{(trained.given_exec < base.given_exec).sum()} are judged lower where their code runs.",
    width=800,
)

# %% [markdown]
# ## How far from the default
#
# Three seeds a side give a wide interval, and they should. Welch's, for the means $\bar a$, $\bar b$ and variances $s_a^2$,
# $s_b^2$ of $n$ seeds each:
#
# $$\bar a - \bar b \pm t_{0.975,\,\nu} \sqrt{\frac{s_a^2 + s_b^2}{n}}, \qquad
# \nu = (n - 1)\,\frac{(s_a^2 + s_b^2)^2}{s_a^4 + s_b^4}$$
#
# By hand, for the printed maximum less the default:

# %%
# NBVAL_CHECK_OUTPUT
a, b = (evaluations.exec_rate[evaluations.variant == v].to_numpy() for v in ("advantage: max (D1)", "default"))
va, vb, n = a.var(ddof=1), b.var(ddof=1), len(a)
half = t.ppf(0.975, (n - 1) * (va + vb) ** 2 / (va**2 + vb**2)) * np.sqrt((va + vb) / n)
print(
    f"{a.mean() - b.mean():+.1f} points, 95 % CI {a.mean() - b.mean() - half:+.1f} to {a.mean() - b.mean() + half:+.1f}"
)

# %% [markdown]
# All variants. A bar on both sides of the line is no difference that this study can tell. In a live notebook, choose what they
# are compared with.


# %%
def compared(against="default"):
    found = differences(evaluations, against)
    apart = found[(found.low > 0) | (found.high < 0)]
    told = ", ".join(f"{r.variant} ({r.metric} {r.difference:+.1f})" for r in apart.itertuples()) or "none"
    alt = f"A row per variant: its difference from {against} in three metrics, with 95 % intervals over the seeds."
    figure = forest_figure(found, against, title=f"Each variant less {against!r}, in points")
    show(figure, alt, f"intervals that lie on one side of 0: {told}, of {len(found)}.", width=760)


knob(compared, against=list(plan["variants"]))

# %%
# NBVAL_CHECK_OUTPUT
found = differences(evaluations, "default")
cells = [f"{d:+.1f} [{lo:+.1f}, {hi:+.1f}]" for d, lo, hi in found[["difference", "low", "high"]].to_numpy()]
print(found.assign(cell=cells).pivot(index="variant", columns="metric", values="cell").to_string())

# %% [markdown]
# ## During training
#
# With tools, sampled, on the training pictures. In a live notebook, choose the variant and the smoothing.


# %%
def trained_beside(variant="advantage: max (D1)", smoothing=3):
    ends = steps[steps.step > steps.step.max() - 2].groupby("variant")["rrvf/exec_rate"].mean()
    alt = f"Three panels by step, {variant} beside the default: execution rate, similarity, drafts that rendered."
    told = f"execution rate over the last two steps: {variant} {ends[variant]:.2f}, default {ends['default']:.2f}."
    show(curves_figure(steps, variant, "default", smoothing), alt, told)


knob(trained_beside, variant=list(plan["variants"]), smoothing=(1, 7, 2))

# %% [markdown]
# The mean over the seeds of the last two steps. Rewards under different weights do not compare.

# %%
# NBVAL_CHECK_OUTPUT
last = steps[steps.step > steps.step.max() - 2]
watched = ["reward", "rrvf/exec_rate", "rrvf/similarity_given_exec", "rrvf/tool_calls"]
print(last.groupby("variant", sort=False)[watched].mean().round(2).to_string())

# %% [markdown]
# And what the later turns do: the share of drafts without a picture that the next turn repairs, and of drafts with one that it
# refines, that is, brings closer. Refinement is known where drafts are scored, which only `a bare score` does.

# %%
# NBVAL_CHECK_OUTPUT
print(later_turns(steps).to_string(na_rep=""))

# %% [markdown]
# ## Summary
#
# **Shows:** 384 episodes already raise the execution rate. The default gains 6 points, and 17
# of the 18 policies that were not trained with the printed maximum (D1) end above the policy before training. With the
# maximum none of three does, and all three are below every default. Of six variants, about one in two studies of this size
# would show such a separation by chance. So it is a hint and no proof. It fits the formula: these advantages reinforce
# nothing.
#
# **Shows too:** by its interval no variant can be told apart in execution rate. Seeds of one variant lie up to 9 points apart. The judge
# score given execution falls in 18 of 21 policies. Second turns repair no more at the end than at the start: what is learned
# here is the first draft.
#
# **Does not show:** what 7 billion parameters would do with the same changes, or what version 6 would. A run has 384
# episodes; the paper's have tens of thousands.
#
# **Try next: exercises**
#
# 1. Add a variant to `reproduce/ablations.yaml`: four turns, with the draft's picture attached to the feedback. Which two keys
#    does it change, and what is trained again by `make ablations`?
#
# <details><summary>Answer</summary>
#
# `"four turns, seen": {grpo: {chart: {max_turns: 4, attach_render: true}}}`. Its three seeds are trained; runs that are finished
# with today's code and base are not trained again.
#
# </details>
#
# 2. Two variants have standard deviations of 4 points over seeds. How many seeds a side tell a true difference of 5 points from 0
#    in four studies of five?
#
# <details><summary>Answer</summary>
#
# 11. The normal approximation gives $n \approx 2 (1.96 + 0.84)^2 \cdot 4^2 / 5^2 = 10$, the t distribution asks for one more.
# With three seeds the interval reaches 9 points to either side, and one study of five finds the difference.
#
# </details>
#
# 3. The figure holds 18 intervals at 95 %. How many would lie on one side of 0 if no variant made a difference?
#
# <details><summary>Answer</summary>
#
# About one (18 · 0.05 = 0.9), more or less, since the three metrics of a variant are correlated. So a single interval beside 0
# is no finding. The printed maximum is not judged by its interval alone: all of its seeds lie below all of the default's.
#
# </details>
