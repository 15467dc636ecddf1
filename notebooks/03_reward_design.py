# %% [markdown]
# # 3. The reward
#
# An episode ends with code. What is it worth? The paper's Eq. (2) adds three terms:
#
# $$R = w_v\,R_{vision} + w_f\,R_{format} + w_t\,R_{tool}$$
#
# - **R_vision**: the judge's similarity of the final render and the target, in [0, 1];
# - **R_format**: +1 if the final code runs, a penalty otherwise (its size is not printed; here -1, decisions D4);
# - **R_tool**: 1/3 for each tool call that rendered, at most 1, and 1 outright where the similarity is above 0.95.
#
# And it prints the weights as **"w_v = -0.2, w_f = 0.8, w_t = 1.0"**. A negative weight on similarity would reward
# pictures for being wrong. Is it a typo for 0.2? A dash that became a minus? This notebook does not guess: it makes each
# reading a preset, plays the same episodes under all of them, and looks at what each would teach. Then it does the same
# with a second oddity, the advantage.

# %%
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import display

from rrvf.domains import CHART
from rrvf.profile import load_profile
from rrvf.protocol import answer_text, tool_call_text
from rrvf.records import Judgement, Render, Trajectory, Turn
from rrvf.render import render
from rrvf.report.figures import loop_figure
from rrvf.reward import PRESETS, RewardRule
from rrvf.rollout import Episode, run_episode
from rrvf.study import Study

# %matplotlib inline

# %% tags=["parameters"]
profile = "nano"
results = None  # a folder; None means runs/<profile>

# %%
study = Study(load_profile(profile), Path(results) if results else None)
print(study.describe())

# %% [markdown]
# ## The readings
#
# `paper_abs` drops the minus and is our default, but for the nano profile. `literal` keeps it. `deepeyes` are the weights of
# DeepEyes, the project that the authors thank and whose recipe this resembles (decisions D2).

# %%
# NBVAL_CHECK_OUTPUT
print(pd.DataFrame({name: vars(weights) for name, weights in PRESETS.items()}).T)

# %% [markdown]
# ## Six episodes, written by hand
#
# No model yet: we play the policy ourselves, and the sandbox and the judge are the real ones. A target, and three
# programs: the true one, one with a wrong colour and wrong values, and one that does not run.

# %%
true_code = """import matplotlib.pyplot as plt
plt.plot(['Q1', 'Q2', 'Q3', 'Q4'], [12, 18, 9, 25], color='tab:green', marker='o')
plt.title('Orders')
plt.ylabel('Thousands')"""
rough_code = true_code.replace("tab:green", "tab:blue").replace("[12, 18, 9, 25]", "[12, 20, 15, 18]")
broken_code = true_code.replace("'Q4']", "'Q4'")

# %% [markdown]
# The episodes. A turn is a tool call (a draft: it is rendered, compared, and the feedback comes back) or an answer (it
# ends the episode).

# %%
draft, answer = (lambda code: tool_call_text(code, CHART)), (lambda code: answer_text(code, CHART))
scripts = {
    "perfect at once": [answer(true_code)],
    "perfect after one draft": [draft(rough_code), answer(true_code)],
    "rough at once": [answer(rough_code)],
    "three drafts, then rough": [draft(rough_code)] * 3 + [answer(rough_code)],
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


episodes = {name: play(name) for name in scripts}
tools_stack.close()

# %% [markdown]
# One of them as a strip: the target, the draft with what the judge said of it, and the answer. This is the loop of the
# paper's Figure 2, with nothing simulated but the policy.

# %%
shown = episodes["perfect after one draft"]
shown = shown.model_copy(update={"reward": RewardRule().terms(shown)})
display(loop_figure(shown, target, [shown.turns[0].render.png, shown.final_render.png]))

# %% [markdown]
# The three terms do not depend on the preset:

# %%
# NBVAL_CHECK_OUTPUT
terms = {name: RewardRule().terms(episode) for name, episode in episodes.items()}
print(pd.DataFrame({n: t.model_dump(exclude={"total"}) for n, t in terms.items()}).T.astype(float).round(2))

# %% [markdown]
# The sums do:

# %%
# NBVAL_CHECK_OUTPUT
totals = pd.DataFrame(
    {p: {n: RewardRule(weights).terms(e).total for n, e in episodes.items()} for p, weights in PRESETS.items()}
)
print(totals.round(2))

# %%
axes = totals.plot.barh(figsize=(9, 3.6), title="Reward of the same six episodes under each reading").invert_yaxis()

# %% [markdown]
# Which episode would each reading push up most, and in which order come the others?

# %%
# NBVAL_CHECK_OUTPUT
for preset in totals:
    ranks = totals[preset].rank(ascending=False, method="min").astype(int)
    print(f"{preset}: " + "; ".join(f"{rank}. {name}" for name, rank in ranks.sort_values(kind="stable").items()))

# %% [markdown]
# Two things stand out.
#
# **Under `literal`, three drafts and a rough answer beat a perfect answer at once.** Under `paper_abs` it is the reverse,
# but by little: w_t = 1.0 against w_v = 0.2 pays five times as much for calling the tool as for being right. The rule
# that sets R_tool to 1 above 0.95 is what keeps a policy that is already right from being taught to fuss.
#
# **Drafting without ever answering** still earns its R_tool, and loses R_format.
#
# ## Reward against similarity
#
# The same in one picture: the reward of an answer that runs, as a function of its similarity, for no and for two
# successful tool calls.


# %%
def reward_at(similarity, calls, weights):
    ok = Render(status="ok")
    turns = (Turn(text="", action="tool_call", render=ok),) * calls
    judged = Judgement(status="ok", score=similarity)
    episode = Trajectory(sample_id="", domain="chart", turns=turns, final_code="", final_render=ok, judgement=judged)
    return RewardRule(weights).terms(episode).total


grid = np.linspace(0, 1, 201)
curves = {f"{p}, {c} calls": [reward_at(s, c, w) for s in grid] for p, w in PRESETS.items() for c in (0, 2)}

# %%
frame = pd.DataFrame(curves, index=grid)
axes = frame.plot(
    figsize=(9, 3.8), style=["C0--", "C0-", "C3--", "C3-", "C2--", "C2-"], xlabel="similarity", ylabel="R"
)
_ = axes.legend(bbox_to_anchor=(1, 1), frameon=False)

# %%
# NBVAL_CHECK_OUTPUT
print(frame.loc[[0.0, 0.5, 0.9, 1.0]].T.round(2))

# %% [markdown]
# Below 0.95 the `literal` lines fall: each step towards the target costs. Above it the jump of R_tool hides the sign. A
# policy trained on it would be rewarded for a draft that runs and does not resemble, up to the very last step.
#
# ## The tool term
#
# A call counts if it **rendered**. A malformed call, or code that raises, earns nothing, so calling for calling's sake
# needs at least working code.

# %%
# NBVAL_CHECK_OUTPUT
for calls in range(5):
    print(calls, "calls that rendered:", " ".join(f"{reward_at(0.5, calls, w):5.2f}" for w in PRESETS.values()))

# %% [markdown]
# A small policy takes what pays most. With all of its weights trained at temperature 1, the nano policy learned under
# `paper_abs` to run by drawing fewer marks than it sees; with adapters, cooler and in two turns it still lost some of its
# similarity, and on pages, which all run, the call outweighs the similarity. So the nano profile trains under `deepeyes`.
# What else was tried stands in docs/log.md.

# %% [markdown]
# ## From reward to advantage
#
# GRPO plays eight episodes of one picture and asks which were better than the others. The usual advantage subtracts the
# group's **mean**: half of the group is pushed up, half down. The paper prints (D1)
#
# $$A_i = \frac{r_i - \max(r)}{\mathrm{std}(r)}$$
#
# with the **maximum**. Then nobody is ever above the baseline. The same eight rewards under both:

# %%
# NBVAL_CHECK_OUTPUT
rewards = np.array([-0.8, -0.8, 0.85, 0.87, 1.15, 1.25, 1.55, 2.0])
advantages = pd.DataFrame({"reward": rewards})
advantages["mean"] = (rewards - rewards.mean()) / rewards.std(ddof=1)
advantages["max"] = (rewards - rewards.max()) / rewards.std(ddof=1)
print(advantages.round(2).to_string())
print("\nsum of the advantages:", advantages[["mean", "max"]].sum().abs().round(2).to_dict())

# %%
axes = advantages[["mean", "max"]].plot.bar(figsize=(9, 3), title="Advantage of eight episodes of one picture")
axes.set(xlabel="episode, from worst to best", ylabel="advantage")
_ = axes.axhline(0, color="black", linewidth=0.8)

# %% [markdown]
# Under `max` the best episode gets **no** push, and every other one is pushed down. Both forms share the divisor, so the
# printed one is the usual one less a constant per group. In expectation such a constant changes nothing; with eight
# samples it is a push away from whatever was sampled, noise as large as the constant, and what was not sampled gains.

# %%
# NBVAL_CHECK_OUTPUT
shifted = advantages["mean"] - advantages["mean"].max()
print("the mean form less its largest value is the max form:", np.allclose(shifted, advantages["max"]))

# %% [markdown]
# We read it as a slip of the pen and train with the mean; `advantage: max` in a profile trains the printed form.
#
# Two more cases matter in practice. If all eight rewards are equal, nothing is better than anything and the group teaches
# nothing: the share of such groups is a panel of the learning curve in the next notebook. And an episode whose judge
# failed has no reward; it leaves the group, and the seven others are compared.

# %%
# NBVAL_CHECK_OUTPUT
equal, failed = np.full(8, 0.8), np.append(rewards[:7], np.nan)
print("all equal:", (equal - equal.mean()) / (equal.std(ddof=1) + 1e-4))
print("one without a judge:", ((failed - np.nanmean(failed)) / np.nanstd(failed, ddof=1)).round(2))

# %% [markdown]
# ## What this shows, and what it does not
#
# **Shows:** the printed weights, taken literally, rank a rough answer with drafts above a perfect one without; under every
# reading the tool term is a large part of the reward; the printed advantage never reinforces anything.
#
# **Does not show:** what the authors ran. Their code is unpublished, and their results are hard to square with a negative
# weight on similarity. Nor does a ranking of six hand-made episodes say how a policy would drift over a thousand steps.
#
# **Try next:** write an episode of your own into `scripts` (four drafts, each better?), or set `reward: {preset: literal}`
# in a copy of the profile and train twenty steps with the next notebook: watch tool calls and similarity part ways.
