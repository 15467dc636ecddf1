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
# # 2. The judge
#
# **How can a picture be graded without its code, and how far can the grade be trusted?**
#
# A picture cannot be compared with a program. So RRVF compares pictures: the policy's code is rendered, and a second
# model, the **visual judge**, compares the render with the target. The judge has two tasks (Fig. 2c and 2d of the paper):
#
# - during an episode it gives **feedback**: the differences in words, by aspect. The policy reads them and tries again;
# - at the end it gives a **score** in [0, 1], which becomes R_vision, the visual term of the reward.
#
# The paper's judge is Qwen2.5-VL-72B behind vLLM on eight GPUs, with unpublished prompts. Here the judge is any
# OpenAI-compatible endpoint with prompts of our own, whose hash stands in every result. The default is the **embedded
# judge**: OpenCV behind the same protocol, milliseconds on one core. It replaces a large model, and this notebook measures how
# well.
#
# **After this notebook you can** read a judgement, calibrate any judge by controlled damage, choose a similarity threshold,
# and say what happens when a judge fails.
#
# **Time:** ten minutes of reading, one minute to run. **Prerequisites:** notebook 1; Spearman's rank correlation.

# %%
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
import psutil

from rrvf.judge.calibration import calibrate
from rrvf.judge.card import EMBEDDED_NOTE
from rrvf.judge.child import running_server
from rrvf.judge.client import JudgeClient
from rrvf.judge.embedded import judge_pair
from rrvf.judge.probes import order_gap, plea_gain
from rrvf.judge.prompts import POINTS
from rrvf.profile import load_profile
from rrvf.render import render
from rrvf.report.contact_sheet import contact_sheet
from rrvf.report.judge_figures import calibration_figure, damage_figure, passed
from rrvf.report.knob import knob
from rrvf.report.shown import show
from rrvf.study import Study

# %% tags=["parameters"]
profile = "nano"
results = None  # a folder; None means runs/<profile>
pictures = 3  # per family of damage in the calibration; 12 give the figures of the judge's card

# %%
study = Study(load_profile(profile), Path(results) if results else None)
print(study.describe())

# %% [markdown]
# ## A server in its own process
#
# The judge runs beside the training, not inside it; on a GPU machine it is vLLM on other GPUs. `running_server` starts the
# embedded judge as a child process on a free port. Training and evaluation use `JudgeClient` too.
#
# The **card** names the model, the hash of its prompts and the sampling. Scores of different cards do not compare: another
# judge moves every number. The prompts lie in `rrvf/judge/prompts/`.

# %%
# NBVAL_CHECK_OUTPUT
servers = ExitStack()
url = servers.enter_context(running_server())
judge = JudgeClient(url, max_retries=1)
print(judge.card("chart").id)

# %% [markdown]
# ## One comparison
#
# A target, and a draft with four faults: the title is misspelt, the series has another colour, one bar has the wrong height,
# and the label of the x axis is missing.

# %%
target_code = """import matplotlib.pyplot as plt
plt.bar(['Mon', 'Tue', 'Wed', 'Thu'], [12, 30, 22, 41], color='tab:blue')
plt.title('Visitors per day')
plt.xlabel('Day')"""
draft_code = target_code.replace("41", "15").replace("tab:blue", "tab:orange").replace("Visitors", "Visitor")
draft_code = draft_code.replace("\nplt.xlabel('Day')", "")

# %%
limits = study.limits("chart")
target, draft = (render("chart", code, limits).png for code in (target_code, draft_code))
show(
    contact_sheet([target, draft], ["target", "draft"], columns=2, width=5),
    "Two bar charts. Target: blue bars titled 'Visitors per day' over an axis 'Day'. Draft: orange bars, the last one short, "
    "titled 'Visitor per day', without the axis label.",
    "the draft misses the target in colour, text and data, and keeps its layout and its kind of mark.",
)

# %% [markdown]
# The feedback is all that comes back to the policy. It is sorted by aspect, as in the paper's Figure 2:

# %%
# NBVAL_CHECK_OUTPUT
print(judge.compare(target, draft, "chart").feedback)

# %% [markdown]
# ## The score
#
# The judge grades five aspects $p_a \in [0, 1]$ by a rubric of 100 points. A large judge names the points, and we add them up. The embedded
# judge needs one more rule, since two unrelated bar charts share their layout and their type. With rubric weights $w_a$, the
# two frame aspects $F$ (layout, type) count as far as the content (text, colour, data) agrees:
#
# $$g = \frac{\sum_{a \notin F} w_a p_a}{\sum_{a \notin F} w_a}\Bigl(1 - \sum_{a \in F} w_a (1 - p_a)\Bigr), \qquad
# \text{score} = \frac{1}{1 + \bigl(k\,\frac{1 - g}{g}\bigr)^{1.4}}$$
#
# The constant $k$ belongs to the domain. The next cell computes $g$ from the parts that came over HTTP.

# %%
# NBVAL_CHECK_OUTPUT
judgement = judge.score(target, draft, "chart")
table = pd.DataFrame({"points": POINTS, "part": judgement.parts})
w, p, frame = table.points / 100, table.part, ["layout", "type"]
content = (w * p).drop(frame).sum() / w.drop(frame).sum()
g = content * (1 - (w * (1 - p))[frame].sum())
print(f"{table.round(2).to_string()}\n\ng {g:.2f}, score {judgement.score:.2f}")

# %% [markdown]
# A judge must have both ends of the scale right: the target against itself, and the target against empty axes.

# %%
# NBVAL_CHECK_OUTPUT
empty = render("chart", "import matplotlib.pyplot as plt\nplt.subplots()", limits).png
print("itself    ", f"{judge.score(target, target, 'chart').score:.2f}")
print("empty axes", f"{judge.score(target, empty, 'chart').score:.2f}")

# %% [markdown]
# ## Calibration: does the score fall with every step of damage?
#
# Take a picture, damage it in steps whose order is known, and look whether the score falls. Each family damages one thing:
# the colour, the text, the data, the layout, the kind of mark. The seeds differ from those that the judge was tuned on.
# Spearman's rho compares the ranks $R$ of the damage steps and of the falling scores over $n$ steps. It is 1 where the score
# falls at every step:
#
# $$\rho = 1 - \frac{6 \sum_i (R_i^{\text{step}} - R_i^{-\text{score}})^2}{n (n^2 - 1)}$$

# %%
families = calibrate(pictures=pictures)
rho = pd.Series({name: family.spearman for name, family in families.items()}).sort_values()
flat = max(families, key=lambda name: families[name].curve[-1])
show(
    calibration_figure(families),
    f"Two tables of blue cells, one for charts and one for pages: a row per family of damage, a column per step. Scores fall "
    f"from 1 at step 0. Weakest order: {rho.index[0]}, rho {rho.iloc[0]:.2f}. Flattest: {flat}.",
    f"mean ρ {rho.mean():.2f} over {len(rho)} families (lowest ρ {rho.iloc[0]:.2f}, {rho.index[0]}), but {flat} costs hardly anything.",
)

# %% [markdown]
# Where a row stays dark, the judge does not see the damage. Where it turns white at once, it sees the damage but cannot grade
# it. Its card names what it cannot see at all:

# %%
# NBVAL_CHECK_OUTPUT
print(EMBEDDED_NOTE)

# %% [markdown]
# ## The parts, and a threshold
#
# The paper grants the full tool reward where the similarity is above 0.95. What passes such a threshold? On the left is one
# picture of one family: the five parts and the score over the steps of damage, with the threshold dashed. On the right, over all
# families: the share of pictures above the threshold. Step 0 is the unharmed picture and must pass; all others are damaged
# and should not. In a live notebook, choose the family and move the threshold.


# %%
def damaged(family="chart/colour", threshold=0.95):
    shares = passed(families, threshold)
    words = ", ".join(f"step {step} {100 * share:.0f} %" for step, share in enumerate(shares))
    alt = f"Lines of the five parts and the score of {family}; bars of the pictures above {threshold:.2f}: {words}."
    one = f"{100 * shares[1]:.0f} % of the pictures still pass {threshold:.2f} after one step of damage."
    show(damage_figure(families, family, threshold), alt, one)


knob(damaged, family=list(families), threshold=(0.5, 1.0, 0.01))

# %% [markdown]
# ## Two known weaknesses of judges
#
# Does the score change when the two pictures change places? And does a picture that asks for a good score gain by it, over
# plain words of the same length? Both numbers stand on the card; `rrvf judge card` measures them for any endpoint.

# %%
print(f"order {order_gap(judge_pair, 'chart', pictures):.4f}, pleas {plea_gain(judge_pair, 'chart', pictures):+.4f}")

# %% [markdown]
# ## When the judge fails
#
# Servers die, time out, answer nonsense. The tempting default is a score of 0. It would train the policy away from good
# pictures because a server was down. Here a failed judge is an outcome of its own, `judge_error`, without a number. We stop
# the server and ask again:

# %%
# NBVAL_CHECK_OUTPUT
servers.close()
failed = judge.score(target, draft, "chart")
print(f"{failed.status}, score {failed.score}, reason: {failed.reason.partition(':')[0]}")

# %% [markdown]
# An episode with such a judgement has no reward, hence no advantage. It leaves its group of eight, and the other seven are
# compared among themselves. (An evaluation with more than one per cent of judge errors prints no table.)
#
# A training run waits rather than lose its groups. With `outage_s` a client says on one line that the judge is gone, asks
# again until it is back, and says that too. Here we start the server again, then kill it under the client. `running_server`
# restarts a dead child, as a supervisor would:

# %%
servers.enter_context(running_server(port=int(url.rpartition(":")[2])))
patient = JudgeClient(url, max_retries=0, outage_s=60)
process = next(p for p in psutil.Process().children() if "rrvf.judge.server" in p.cmdline())
process.kill()
waited = patient.score(target, draft, "chart")
print(f"{waited.status}, the same score as before: {waited.score == judgement.score}")
patient.close()
judge.close()
servers.close()

# %% [markdown]
# ## Summary
#
# **Shows:** one protocol for every judge; feedback that names the faults; a score that falls with most kinds of damage; a
# failure that stays a failure.
#
# **Does not show:** that it sees as a 72B model sees. It compares ink, colours and alignment. It reads no letter and knows no
# meaning, so a wrong word of the right length costs little. Its scores have their own scale. A table made with it stands
# beside the paper's values, never among them.
#
# **Try next: exercises**
#
# 1. Choose the family `chart/legend moved` in the figure of parts. Why does the score hardly fall, and is that right?
#
# <details><summary>Answer</summary>
#
# Only the place of the legend changes, and no part of the rubric but `layout` (15 of 100 points) sees it. A reader loses
# nothing by a moved legend, so a small cost is right. A benchmark that compares pixels would disagree.
#
# </details>
#
# 2. Which threshold lets no damaged picture pass, and what does it cost?
#
# <details><summary>Answer</summary>
#
# None. At 0.99 some damaged pictures still pass, such as those with a moved legend; at 1.00 the unharmed picture fails too, since
# its score must be *above* the threshold. A higher threshold also puts the full tool reward out of reach: the policy then
# earns it by a near-perfect copy only. The threshold trades false passes against that.
#
# </details>
#
# 3. Serve a large judge (`make judge`, needs a GPU), pass its address to `JudgeClient`, and ask it the same pair in both orders
#    (`rrvf judge compare A.png B.png --url URL --swap --repeats 5`). What do you learn that one call does not tell?
#
# <details><summary>Answer</summary>
#
# Its spread and its bias by order. A difference between two policies that is smaller than the spread of their judge is not a
# result. `rrvf judge card --url URL` measures the bias by order over many pairs.
#
# </details>
