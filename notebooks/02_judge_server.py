# %% [markdown]
# # 2. The judge
#
# A picture cannot be compared with a program. So RRVF compares pictures: the policy's code is rendered, and a second
# model, the **visual judge**, looks at the target and at the render. It is asked for two things (Fig. 2c and 2d of the
# paper):
#
# - during an episode, **feedback**: what differs, in words, by aspect. It goes back to the policy, which tries again;
# - at the end, a **score** in [0, 1], which becomes R_vision, the visual part of the reward.
#
# In the paper the judge is Qwen2.5-VL-72B behind vLLM on eight GPUs; its prompts are unpublished. Here it is any
# OpenAI-compatible endpoint, asked with prompts of our own, whose hash stands in every result. By default it is the
# **embedded judge**: OpenCV behind the same protocol, milliseconds on one core. It is a stand-in, and this notebook
# measures how good a stand-in.

# %%
import time
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
import psutil
from IPython.display import display

from rrvf.judge.calibration import calibrate
from rrvf.judge.card import EMBEDDED_NOTE
from rrvf.judge.child import running_server
from rrvf.judge.client import JudgeClient
from rrvf.judge.embedded import judge_pair
from rrvf.judge.probes import order_gap, plea_gain
from rrvf.judge.prompts import POINTS, load_judge_prompt
from rrvf.profile import load_profile
from rrvf.records import Render, Trajectory
from rrvf.render import render
from rrvf.report.contact_sheet import contact_sheet
from rrvf.report.figures import calibration_figure
from rrvf.reward import RewardRule
from rrvf.study import Study

# %matplotlib inline

# %% [markdown]
# `pictures` is the number of pictures per family of damage in the calibration below: three take some seconds, twelve give
# the figures of the judge's card.

# %% tags=["parameters"]
profile = "nano"
results = None  # a folder; None means runs/<profile>
pictures = 3

# %%
study = Study(load_profile(profile), Path(results) if results else None)
print(study.describe())

# %% [markdown]
# ## A server in its own process
#
# The judge runs beside the training, not inside it: on a GPU machine it would be vLLM on other cards. `running_server`
# starts the embedded one as a child process on a free port and stops it with the block; an `ExitStack` keeps the block
# open across cells. `JudgeClient` is what training and evaluation use too.

# %%
servers = ExitStack()
url = servers.enter_context(running_server())
judge = JudgeClient(url, max_retries=1)
print(f"listening at {url}")

# %% [markdown]
# Its **card** says who judges and how it was asked: model, prompts by hash, sampling. Two scores compare only where their
# cards agree, since a judge swap moves every number.

# %%
# NBVAL_CHECK_OUTPUT
print(judge.card("chart").id)

# %% [markdown]
# What it is asked (the feedback prompt for charts; a large model gets the same text):

# %%
print(load_judge_prompt("chart", "feedback").text)

# %% [markdown]
# ## One comparison
#
# A target, and a draft with four faults: the title misspelt, the series in another colour, one bar at the wrong height,
# and no label on the x axis.

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
display(contact_sheet([target, draft], ["target", "draft"], columns=2, width=7))

# %% [markdown]
# What it says about them. This text, by aspect as in the paper's figure, is all that comes back to the policy:

# %%
# NBVAL_CHECK_OUTPUT
print(judge.compare(target, draft, "chart").feedback)

# %% [markdown]
# And what the draft is worth. The five parts are shares of a rubric of 100 points. Layout and type count only as far as
# text, colour and data agree, since two unrelated bar charts share both; so unrelated pictures come near 0.

# %%
# NBVAL_CHECK_OUTPUT
judgement = judge.score(target, draft, "chart")
table = pd.DataFrame({"points": POINTS, "share": judgement.parts}).round(2)
print(table.to_string(), f"\n\nscore {judgement.score:.2f}")

# %%
axes = table["share"].plot.barh(xlim=(0, 1), figsize=(6, 2.2), title="The draft, by aspect", color="tab:orange")

# %% [markdown]
# Two ends of the scale, which a judge must have right: the target against itself, and against empty axes.

# %%
# NBVAL_CHECK_OUTPUT
empty = render("chart", "import matplotlib.pyplot as plt\nplt.subplots()", limits).png
print("itself    ", f"{judge.score(target, target, 'chart').score:.2f}")
print("empty axes", f"{judge.score(target, empty, 'chart').score:.2f}")

# %% [markdown]
# Pages are judged alike, by other measures: blocks instead of marks and axes.

# %%
# NBVAL_CHECK_OUTPUT
page = "<body style='font-family: sans-serif'><h1 style='background: navy; color: white'>Library</h1><p>Open daily</p></body>"
other = page.replace("navy", "crimson").replace("<p>Open daily</p>", "")
web = [render("web", html, study.limits("web")).png for html in (page, other)]
print(judge.compare(*web, "web").feedback)

# %%
display(contact_sheet(web, ["target", "draft"], columns=2, width=7))

# %% [markdown]
# ## How far can it be trusted?
#
# Take a picture, damage it in steps whose order is known, and see whether the score falls with every step. Spearman's
# rho is 1 where it always does. Each family damages one thing: the colour, the text, the data, the layout, the kind of
# mark. The seeds are others than those that the judge was tuned on.

# %%
families = calibrate(pictures=pictures)
rho = pd.Series({name: family.spearman for name, family in families.items()}).sort_values()
print(f"mean rho {rho.mean():.2f} over {len(rho)} families of {pictures} pictures; the weakest:")

# %%
print(rho.head(5).round(2).to_string())

# %%
display(calibration_figure(families))

# %% [markdown]
# A faint line is one picture, the bold one their mean. Where the line is flat the judge does not see the damage; where
# it drops at once, it sees it but cannot grade it. What it cannot see at all stands on its card:

# %%
# NBVAL_CHECK_OUTPUT
print(EMBEDDED_NOTE)

# %% [markdown]
# Two weaknesses of judges have a number on the card too: what it does to a score when the two pictures change places, and
# what words in the picture that ask for a score gain over other words at their place. (`rrvf judge card` prints the whole
# card, of this judge or of any endpoint.)

# %%
print(f"order {order_gap(judge_pair, 'chart', pictures):.4f}, pleas {plea_gain(judge_pair, 'chart', pictures):+.4f}")

# %% [markdown]
# ## Speed
#
# Judging must not be what training waits for. Milliseconds per comparison through HTTP, cache off, one at a time:

# %%
started = time.perf_counter()
for _ in range(20):
    judge.score(target, draft, "chart")
print(f"{50 * (time.perf_counter() - started):.0f} ms")

# %% [markdown]
# ## When the judge fails
#
# Judges fail: servers die, time out, answer nonsense. The tempting default, score 0, is a lie that trains: the policy
# would be punished for a good picture because a server was down. Here a failed judge is its own outcome, `judge_error`,
# without a number. We stop the server and ask again:

# %%
# NBVAL_CHECK_OUTPUT
servers.close()
failed = judge.score(target, draft, "chart")
print(f"{failed.status}, score {failed.score}, reason: {failed.reason.partition(':')[0]}")

# %% [markdown]
# An episode with such a judgement has no reward, and so no advantage: it leaves its group of eight, and the other seven
# are compared among themselves. (In an evaluation, more than one per cent of judge errors and no table is printed.)

# %%
# NBVAL_CHECK_OUTPUT
drawn = Render(status="ok", width=280, height=224)
episode = Trajectory(
    sample_id="demo", domain="chart", turns=(), final_code=draft_code, final_render=drawn, judgement=failed
)
print(RewardRule().terms(episode))

# %% [markdown]
# The server comes back at its old address; the same client goes on. Answers can also be kept on disk by picture, prompt and
# card, so what was judged before a fault is not judged twice.

# %%
# NBVAL_CHECK_OUTPUT
servers.enter_context(running_server(port=int(url.rpartition(":")[2])))
again = judge.score(target, draft, "chart")
print(f"{again.status}, the same score as before the fault: {again.score == judgement.score}")

# %% [markdown]
# A training run would rather wait than lose its groups. With `outage_s` a client says on one line that the judge is gone,
# asks on until it is back, and says that too. Here the server is killed under it. `running_server` starts a dead
# child again, as a supervisor would:

# %%
patient = JudgeClient(url, max_retries=0, outage_s=60)
process = next(p for p in psutil.Process().children() if "rrvf.judge.server" in p.cmdline())
process.kill()
waited = patient.score(target, draft, "chart")
print(f"{waited.status}, the same score: {waited.score == judgement.score}")

# %%
patient.close()
judge.close()
servers.close()

# %% [markdown]
# ## What this shows, and what it does not
#
# **Shows:** one protocol for every judge; words that name the faults; a score that falls with most kinds of damage; a
# fault that stays a fault.
#
# **Does not show:** that it sees as a 72B model sees. It compares ink, colours and alignment, reads no letter and knows no
# meaning: a wrong word of the right length costs little. Its scores are on its own scale, and a table made with it stands
# beside the paper's and never in its columns.
#
# **Try next:** serve a real judge (`make judge`, needs a GPU), put its address into a profile as `judge: {url: ...}`, and
# run this notebook's comparison with `JudgeClient(url)`. Ask it in both orders, several times (`rrvf judge compare
# --swap --repeats 5`), to learn its spread, and measure its card (`rrvf judge card --url ...`).
# Or raise `pictures` to 12 and look for the families in which the embedded judge is blind.
