# %% [markdown]
# # 7. What each part is worth
#
# The paper reports one configuration and leaves several of its parts open: an advantage with the group's maximum for a
# baseline (D1), a negative weight on similarity (D2), a tool term that pays five times as much as looking alike. And it does
# not say what the tool itself is worth: whether several turns teach more than one, and whether the judge's words teach more
# than its number would. Each question is a run of the same training with one thing changed.
#
# This notebook trains nothing. It reads what `make ablations` left in `results/ablations`. **The study on record is of version 4 of
# the nano policy, on wide charts, with version 2 of the embedded judge**: a draft and an answer, adapters, a KL penalty, shortened
# to 12 steps of 32 episodes, and with the paper's weights where the profile has DeepEyes'. Each variant has several seeds, and each trained policy is evaluated as the paper does, in a single
# turn and without tools, on 192 generated test charts. 39 minutes on two cores (`python -m reproduce.ablations --jobs 2`); it
# can be killed and goes on.

# %%
from pathlib import Path

import seaborn as sns
import yaml
from IPython.display import display
from matplotlib import pyplot as plt

from rrvf.profile import load_profile
from rrvf.report.ablations import BASE, differences, forest_figure, later_turns, read_ablations, summary
from rrvf.study import REPOSITORY, Study

# %matplotlib inline

# %% tags=["parameters"]
profile = "nano"
results = None  # a folder; None means runs/<profile>

# %%
study = Study(load_profile(profile), Path(results) if results else None)
print(study.describe())

# %% [markdown]
# ## The variants
#
# What is laid over the profile, for all runs and for each variant (`reproduce/ablations.yaml`):

# %%
# NBVAL_CHECK_OUTPUT
plan = yaml.safe_load((REPOSITORY / "reproduce" / "ablations.yaml").read_text())
for name, change in {"all": plan["shared"], **plan["variants"]}.items():
    print(f"{name:24}", yaml.safe_dump(change, default_flow_style=True).strip())

# %%
folder = REPOSITORY / "results" / "ablations"
evaluations, steps = read_ablations(folder, [BASE, *plan["variants"]])
print(f"{len(evaluations) - 1} trained policies")

# %% [markdown]
# ## What came out
#
# Single turn, no tools. The mean over the seeds, and in brackets the least and the greatest of them: `exec_rate`, the share
# of the pictures whose code runs; `judge`, the judge's score where a failure counts 0; `given_exec`, its score where the
# code runs. With 192 pictures a single rate is known to about five points, so smaller differences are no differences.

# %%
# NBVAL_CHECK_OUTPUT
print(summary(evaluations).to_string())

# %%
figure, panels = plt.subplots(1, 2, figsize=(11, 3.4), sharey=True)
for axes, column in zip(panels, ("exec_rate", "given_exec"), strict=True):
    sns.stripplot(
        evaluations, x=column, y="variant", hue="variant", legend=False, jitter=False, size=8, alpha=0.7, ax=axes
    )
    axes.axvline(evaluations.loc[evaluations.variant == BASE, column].mean(), color="gray", linestyle=":")
    axes.set(ylabel="", title=column)

# %% [markdown]
# A dot is a policy; the dotted line is the policy before training.
#
# ## How far from the default
#
# Each variant less the default, with a 95 % interval over the seeds (Welch's t). With three seeds a side such intervals are
# wide, and they should be: what lies on both sides of the line is not known to be a difference.

# %%
found = differences(evaluations, "default")
display(forest_figure(found, "default"))

# %%
# NBVAL_CHECK_OUTPUT
print(found.round(1).to_string(index=False))

# %% [markdown]
# ## On the way
#
# Training itself, with tools, sampled, on the training pictures: the mean over the seeds of the last two steps.

# %%
# NBVAL_CHECK_OUTPUT
last = steps[steps.step > steps.step.max() - 2]
watched = ["reward", "rrvf/exec_rate", "rrvf/similarity_given_exec", "rrvf/tool_calls"]
print(last.groupby("variant", sort=False)[watched].mean().round(2).to_string())

# %% [markdown]
# ## What the later turns do
#
# In training, sampled, turn by turn: the share of drafts without a picture that the next turn repairs, and of drafts with one
# that it refines, that is, brings closer. Refinement is known where drafts are scored, which only `a bare score` does.

# %%
# NBVAL_CHECK_OUTPUT
print(later_turns(steps).to_string(na_rep=""))

# %% [markdown]
# ## What this shows, and what it does not
#
# **Shows:** training brings execution even in a sixth of the profile's episodes. The default gains 6 points, and 17 of the 18
# policies that were not trained with the printed maximum (D1) end above the policy before training. With the maximum none
# of three does, and all three are below every default: its advantages push nothing up. Of six variants about one in two
# studies of this size would show such a separation by chance, so this is a hint and no proof. It fits what the formula says.
#
# **Shows too:** nothing else can be told apart. A single turn, either set of weights, a bare score, no tool term: all lie
# within the default's seeds or beside them, and seeds of one variant lie up to 9 points apart. Where the code runs its
# pictures are judged lower in 18 of 21 policies. Second turns repair no more at the end than at first: what is learned here is
# the first draft.
#
# **Does not show:** what 7 billion parameters would do with the same changes. A run has 384 episodes; the paper's have
# hundreds of thousands.
#
# **Try next:** a variant of your own in `reproduce/ablations.yaml` (`max_turns: 3`, `attach_render: true`) and `make
# ablations`: what is finished is not trained again.
