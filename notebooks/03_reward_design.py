# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 3. The reward
#
# **What does the paper's reward teach, under each reading of its printed weights?**
#
# An episode ends with code. Its reward is the paper's Eq. (2):
#
# $$R = w_v\,R_{\text{vision}} + w_f\,R_{\text{format}} + w_t\,R_{\text{tool}} \tag{2}$$
#
# - **R_vision**: the judge's similarity of the final picture and the target, in [0, 1];
# - **R_format**: +1 if the final code runs, a penalty otherwise (its size is not printed; here -1, decision D4);
# - **R_tool**: 1/3 for each tool call that rendered, at most 1; and 1 where the similarity is above 0.95.
#
# The paper prints the weights as **"w_v = -0.2, w_f = 0.8, w_t = 1.0"**. A negative weight on similarity pays for pictures
# that are wrong. A typo for 0.2? A dash that became a minus? This notebook does not guess. It makes each reading a preset,
# scores the same episodes under all of them, and compares what they reward. Then it does the same with the printed advantage.
#
# **After this notebook you can** compute the reward of any episode by hand, predict what a set of weights reinforces, and
# explain what the baseline and the divisor of the advantage do.
#
# **Time:** fifteen minutes of reading, one minute to run. **Prerequisites:** notebooks 1 and 2; the idea of a policy
# gradient.

# %%
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd

from rrvf.domains import CHART
from rrvf.profile import load_profile
from rrvf.protocol import answer_text, tool_call_text
from rrvf.render import render
from rrvf.report.knob import knob
from rrvf.report.recorded import recorded_groups
from rrvf.report.reward_figures import advantage_figure, advantages, agreement, weights_figure
from rrvf.report.shown import show
from rrvf.report.turn_figure import turn_figure
from rrvf.reward import PRESETS, RewardRule, Weights
from rrvf.rollout import Episode, run_episode
from rrvf.study import Study

# %% tags=["parameters"]
profile = "nano"
results = None  # a folder; None means runs/<profile>

# %%
study = Study(load_profile(profile), Path(results) if results else None)
print(study.describe())

# %% [markdown]
# ## The readings
#
# `paper_abs` drops the minus; it is the default (`nano` and `nano-long` use `deepeyes`). `literal` keeps the minus. `deepeyes` has the
# weights of DeepEyes, the project that the authors thank and whose recipe this one resembles (decision D2).

# %% [markdown]
# ## Six episodes, written by hand
#
# There is no model yet. We play the policy ourselves; the sandbox and the judge are real. A target, and programs that miss
# it: by colour and values, by the title too, and by a syntax error.

# %%
true_code = """import matplotlib.pyplot as plt
plt.plot(['Q1', 'Q2', 'Q3', 'Q4'], [12, 18, 9, 25], color='tab:green', marker='o')
plt.title('Orders')
plt.ylabel('Thousands')"""
rough_code = true_code.replace("tab:green", "tab:blue").replace("[12, 18, 9, 25]", "[12, 20, 15, 18]")
bare_code = rough_code.replace("plt.title('Orders')\n", "").replace(", marker='o'", "")
broken_code = true_code.replace("'Q4']", "'Q4'")

# %% [markdown]
# A turn is either a tool call or an answer. A tool call is a draft: it is rendered and compared, and the feedback comes back.
# An answer ends the episode.

# %%
draft, answer = (lambda code: tool_call_text(code, CHART)), (lambda code: answer_text(code, CHART))

# %%
scripts = {
    "perfect at once": [answer(true_code)],
    "perfect after one draft": [draft(rough_code), answer(true_code)],
    "rough at once": [answer(rough_code)],
    "three drafts, then rough": [draft(bare_code), draft(bare_code), draft(rough_code), answer(rough_code)],
    "three drafts, no answer": [draft(rough_code)] * 4,
    "broken": [answer(broken_code)],
}

# %%
tools_stack = ExitStack()
tools = tools_stack.enter_context(study.tools("chart"))
target = render("chart", true_code, study.limits("chart")).png


def play(name):
    turns = iter(scripts[name])
    return run_episode(lambda messages: next(turns), "", None, Episode(name, CHART, target, tools))


# %%
episodes = {name: play(name) for name in scripts}
tools_stack.close()

# %% [markdown]
# One of them, turn by turn: this is the loop of the paper's Figure 2, and only the policy is simulated. In a live notebook,
# step through the turns.


# %%
def one_turn(turn=3):
    alt = f"Turn {turn} of an episode: the target, the picture that the turn drew, its code and the feedback."
    figure = turn_figure(episodes["three drafts, then rough"], target, turn)
    show(figure, alt, "the feedback names what is left to mend, by aspect.")


knob(one_turn, turn=(1, 4, 1))

# %% [markdown]
# ## Eq. (2), by hand
#
# The three terms do not depend on the weights. Eq. (2) is a matrix product of the terms (a row per episode) and the weights
# (a column per preset). `RewardRule` gives the same numbers.

# %%
# NBVAL_CHECK_OUTPUT
terms = {name: RewardRule().terms(episode) for name, episode in episodes.items()}
R = pd.DataFrame({n: t.model_dump(exclude={"total"}) for n, t in terms.items()}).T.astype(float)
w = pd.DataFrame({name: vars(weights) for name, weights in PRESETS.items()})
totals = R @ w  # Eq. (2)
print(R.join(totals).round(2).to_string())

# %%
# NBVAL_CHECK_OUTPUT
assert all(np.isclose(totals.loc[n, p], RewardRule(PRESETS[p]).terms(e).total) for n, e in episodes.items() for p in w)
print("ranks, 1 the best\n" + totals.rank(ascending=False, method="min").astype(int).to_string())

# %% [markdown]
# Three things stand out.
#
# **Under `literal`, three drafts and a rough answer beat a perfect answer at once.** Under `paper_abs` the order is reversed,
# but by little: with w_t = 1.0 and w_v = 0.2, calling the tool pays five times as much as being right. The rule that sets
# R_tool to 1 above 0.95 protects a policy that is already right from being taught superfluous calls.
#
# **Drafts without an answer** still earn R_tool. They lose R_format.
#
# **Under `literal`, each step towards the target costs reward** until the similarity passes 0.95: dR/dR_vision = w_v < 0.

# %% [markdown]
# ## Weights on recorded episodes
#
# Six episodes by hand prove little. Recorded beside this notebook are four groups of GRPO: eight episodes of each of four
# training pictures, played by the shipped policy at temperature 1 with up to four turns, before any training. Take all
# pairs of episodes of one picture whose final code runs in both. In which share of them is the closer picture paid more?

# %%
# NBVAL_CHECK_OUTPUT
groups = recorded_groups()
for name, weights in PRESETS.items():
    print(f"{name:10} pays the closer picture more in {agreement(groups, weights):.0%} of the pairs")

# %% [markdown]
# In a live notebook, turn the three weights. Watch whether the dots rise to the right, and what the calls add.


# %%
def weighed(w_v=0.8, w_f=0.2, w_t=1.2):
    weights = Weights(w_v, w_f, w_t)
    alt = f"Reward over similarity, a dot per recorded episode, at w_v {w_v}, w_f {w_f}, w_t {w_t}."
    one = f"at these weights the closer picture is paid more in {agreement(groups, weights):.0%} of the pairs."
    show(weights_figure(groups, weights), alt, one)


knob(weighed, w_v=(-1.0, 1.5, 0.1), w_f=(0.0, 1.5, 0.1), w_t=(0.0, 1.5, 0.1))

# %% [markdown]
# The green dot made two drafts that render and ended with a similarity of 0.16. It earns more than an episode without a draft
# that reached 0.62. A policy learns what pays most. Under `paper_abs` the nano policy learned to draw fewer marks than it sees,
# since short programs fail less often. So the nano profile trains under `deepeyes`. The trials stand in `docs/log.md`.
#
# ## From reward to advantage
#
# GRPO plays eight episodes of one picture and reinforces those that did better than the others. Its advantage subtracts the
# **mean** of the group. Below Eq. (1), the paper prints the **maximum** (decision D1):
#
# $$A_i^{\text{mean}} = \frac{r_i - \operatorname{mean}(r)}{\operatorname{std}(r)}, \qquad
# A_i^{\text{printed}} = \frac{r_i - \max(r)}{\operatorname{std}(r)}$$
#
# The same eight rewards under both:

# %%
# NBVAL_CHECK_OUTPUT
r = np.array([-0.8, -0.8, 0.85, 0.87, 1.15, 1.25, 1.55, 2.0])
A = pd.DataFrame({"reward": r, "mean": (r - r.mean()) / r.std(ddof=1), "max": (r - r.max()) / r.std(ddof=1)})
print(A.round(2).T.to_string(header=False))

# %% [markdown]
# Under `max` the best episode gets **no** push and every other one is pushed down. Both forms share the divisor, so the
# printed form is the usual one minus a constant per group. In expectation such a constant changes nothing. With eight samples
# it pushes down whatever was sampled, and what was not sampled gains: more variance and more entropy.
#
# In a live notebook, choose a group, the baseline, and whether to divide by the standard deviation (Dr. GRPO does not).


# %%
def pushed(picture=next(iter(groups)), baseline="mean", divide=True):
    rewards = [RewardRule(PRESETS["deepeyes"]).terms(t).total for t in groups[picture]]
    up = int((advantages(rewards, baseline, divide) > 1e-9).sum())
    alt = f"Bars of the advantages of eight recorded episodes of {picture}, from the lowest reward to the highest."
    show(advantage_figure(rewards, baseline, divide), alt, f"{up} of {len(rewards)} episodes are reinforced.")


knob(pushed, picture=list(groups), baseline=["mean", "max", "median"], divide=[True, False])

# %% [markdown]
# Two more cases matter in practice. If all eight rewards are equal, the group teaches nothing; the learning curve of the next
# notebook shows the share of such groups. And an episode whose judge failed has no reward: it leaves the group, and the seven
# others are compared.

# %%
# NBVAL_CHECK_OUTPUT
print("all equal:          ", advantages(np.full(8, 0.8)))
print("one without a judge:", advantages([*r[:7], np.nan]).round(2))

# %% [markdown]
# ## Summary
#
# **Shows:** the printed weights, taken literally, rank a rough answer with drafts above a perfect one without; under every
# reading the tool term is a large part of the reward; the printed advantage never reinforces anything. We read it as a slip
# and train with the mean; `advantage: max` in a profile trains the printed form.
#
# **Does not show:** what the authors ran. Their code is unpublished, and their results are hard to reconcile with a negative
# weight on similarity. A ranking of episodes does not say how a policy drifts over a thousand steps either.
#
# **Try next: exercises**
#
# 1. An episode makes two drafts that render and answers with similarity 0.7. Compute R under the three presets.
#
# <details><summary>Answer</summary>
#
# R_vision = 0.7, R_format = 1, R_tool = 2/3. `paper_abs`: 0.14 + 0.8 + 0.67 = 1.61. `literal`: -0.14 + 0.8 + 0.67 = 1.33.
# `deepeyes`: 0.56 + 0.2 + 0.8 = 1.56.
#
# </details>
#
# 2. At w_f = 0.2 and w_t = 1.2, how large must w_v be so that similarity 0.9 without a call beats similarity 0.5 with two calls?
#
# <details><summary>Answer</summary>
#
# 0.9 w_v > 0.5 w_v + 1.2 · 2/3, so w_v > 2. Under every preset the two calls win. Only the rule above 0.95 pays the policy
# that needs no draft.
#
# </details>
#
# 3. Why does the divisor std(r) make a group of nearly equal rewards loud?
#
# <details><summary>Answer</summary>
#
# Advantages have unit variance whatever the spread of the rewards. A group whose rewards differ by a hundredth, which may be
# noise of the judge, pushes as hard as one in which half of the programs failed. Dr. GRPO leaves the divisor out (in TRL:
# `scale_rewards`).
#
# </details>
