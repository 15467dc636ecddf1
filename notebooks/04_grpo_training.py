# %% [markdown]
# # 4. Training from pictures alone
#
# **Does a policy that only sees pictures, renders and feedback get better, and at what?**
#
# **After this notebook you can** read a GRPO run: the reward and each of its terms, execution rate, length, entropy; tell
# learning from a collapse to short programs; and follow one episode from draft to answer.
#
# **Time:** twenty minutes of reading. The first run trains, about 25 minutes on two cores; later runs take a minute.
# **Prerequisites:** notebooks 1 to 3; the idea of a policy gradient.
#
# Here the parts come together. The policy sees a picture and writes code; the sandbox of notebook 1 draws it; the judge of
# notebook 2 says what differs; after at most four turns (two in this profile: a draft and an answer) the reward of notebook
# 3 says what the episode was worth. Eight episodes are played of each picture, and **GRPO** makes those that did better than
# their group more likely.
#
# The paper: Qwen2.5-VL-7B on 8 GPUs and its judge on 8 more, groups of eight, learning rate 1e-6, no KL penalty, at
# most four turns and 16,384 tokens. Its headline: from images alone the execution rate of the 7B model on ChartMimic rises
# from 68.8 to 97.8 %, above the same model fine-tuned on 1,800 pictures **with** their code (69.0 %).
#
# Here, on two CPU cores: a policy of four million parameters with the same architecture, pre-trained by this project on
# generated pairs. It is **careless**, as much code on the web is: it can write titles, labels, legends and colours and often
# does not, and it misremembers some calls (docs/nano_card.md). That is where the paper's base model starts, too. RL can teach
# such a policy to do what the picture shows. The optimiser is TRL's GRPOTrainer, the same that trains the large model in the
# other profiles.

# %%
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
from IPython.display import display

from rrvf.benchmarks.runner import read_results
from rrvf.benchmarks.turns import play
from rrvf.domains import domain
from rrvf.policies.local import LocalPolicy
from rrvf.profile import load_profile
from rrvf.protocol import load_prompt
from rrvf.report.ablations import later_turns
from rrvf.report.contact_sheet import contact_sheet
from rrvf.report.episodes import best_loop, gain, kept_pictures, place, read_trajectories, typical, worth
from rrvf.report.figures import learning_curve, loop_figure
from rrvf.report.runs import seed_folders
from rrvf.study import Study
from rrvf.training.checkpoints import kept_weights, read_log
from rrvf.training.grpo import reward_rule

# %matplotlib inline

# %% [markdown]
# `episodes` is the number of test pictures on which we watch single episodes. How long training takes stands in the
# profile (`steps`), where its hash can see it.

# %% tags=["parameters"]
profile = "nano"
results = None  # a folder; None means runs/<profile>
episodes = 12

# %%
study = Study(load_profile(profile), Path(results) if results else None)
settings = study.profile
print(study.describe())

# %%
study.prepare_data(progress=False)
name = next(iter(settings.grpo))
config, task = settings.grpo[name], domain(settings.grpo[name].domain)
print(config.model_dump_json(indent=1))

# %% [markdown]
# ## What the policy is told
#
# The picture, and this text. The small policy has a short prompt of its own; the large ones get the grammar spelt out
# (`rrvf/protocol/prompts/`).

# %%
prompt = load_prompt(task, "tools", settings.policy.prompts, config.max_turns)
print(prompt.text)

# %% [markdown]
# ## One episode, before any training
#
# The test pictures of notebook 1, the policy as it was shipped, greedy decoding. `play` is Alg. 1 of the paper, many episodes
# side by side; the training loop plays the same `Episode`, driven by TRL.

# %%
policy = LocalPolicy(settings.policy.model, settings.policy.dtype, config.max_turn_tokens)
print(f"{sum(p.numel() for p in policy.model.parameters()) / 1e6:.1f} million parameters")

# %%
test_set = next(e for e in settings.evaluations.values() if e.domain == task.name)
samples = study.split(test_set.dataset)[:episodes]
files = {s.id: study.data / s.split / s.image for s in samples}
open_tools = ExitStack()
tools = open_tools.enter_context(study.tools(task.name))


# %%
def played(policy):
    root, rule = study.data / test_set.dataset, reward_rule(settings)
    found = play(samples, root, prompt.text, policy.chat, tools, config.max_turns)
    return [t.model_copy(update={"reward": rule.terms(t)}) for t in found]


def strip(trajectory, note):
    target = files[trajectory.sample_id].read_bytes()
    return loop_figure(trajectory, target, kept_pictures({})(trajectory).turns, note)


# %%
before = played(policy)
for t in before[:6]:
    turns = " > ".join(turn.action + ("" if turn.render is None or turn.render.ok else " (failed)") for turn in t.turns)
    print(f"{t.sample_id:15} {turns:45} {worth(t) or 'no picture'}")

# %% [markdown]
# Of these we look at the **typical** one: in the middle by its reward. Under each draft stands what came back to the policy:
# the judge's words, or the error where the code failed; the last line says where the episode stands among the others.

# %%
shown = typical(before)
display(strip(shown, f"Before training, {place(shown, before)}."))

# %%
print(shown.turns[0].text)

# %% [markdown]
# ## Training
#
# Now GRPO, in each domain. This is the long cell. It is a **stage**: it writes a checkpoint every few steps, so you may
# stop the kernel and run the cell again, and it goes on where it was, bit for bit on the CPU. A finished stage is skipped as
# long as profile, code and data are the same.
#
# What one step does: take a few pictures; play eight episodes of each, all at once, so that rendering and judging overlap
# with each other; compute the three reward terms for every episode; subtract each group's mean and divide by its standard
# deviation; and move the weights so that every token **that the policy wrote** becomes more or less likely by its
# episode's advantage. What the tool said is in the context and carries no gradient: the policy is not to learn to speak
# for the judge.
#
# Only prompts and pictures enter. The dataset that the trainer reads has no column for code.

# %%
trained = {section: study.train_grpo(section) for section in settings.grpo}

# %% [markdown]
# And a rival: the supervised baseline of the paper's ablation, the same policy, the same pictures, this time **with** their
# code. It is a harder rival than it looks: it sees the one thing that RRVF never sees. (A fairer one, **RFT**, sees what RRVF
# sees: the policy draws as many answers as RRVF plays episodes, eight to a picture, and learns by heart those that the judge
# picks. `make seeds` runs it; its row stands in notebook 5.)

# %%
supervised = {section: study.train_sft(section) for section in settings.sft}

# %% [markdown]
# ## What happened
#
# The curves that anyone watches during GRPO. Where other seeds lie beside this run (`make seeds`), the line is the mean over
# the seeds, and the band goes from the least to the greatest. A reward alone hides what moves it, so its terms are apart;
# execution rate and similarity are apart too, since a policy can raise one and not the other. Judge errors must be none,
# and where many groups have no variance there is nothing to learn from. The entropy falls as the policy becomes sure of
# itself; near zero it would have nothing left to try. The KL to the policy at the start is logged where it has a weight
# (`kl`); the paper's is 0.

# %%
runs = [study.results, *seed_folders(study.results)]
logs = {section: read_log(study.results / f"train/rrvf_{section}/log.jsonl") for section in settings.grpo}
folder = study.results / "report"
folder.mkdir(parents=True, exist_ok=True)
for section, log in logs.items():
    of_seeds = [read_log(run / f"train/rrvf_{section}/log.jsonl") for run in runs]
    figure = learning_curve([found for found in of_seeds if len(found) == len(log)])
    figure.suptitle(f"RRVF, {section}: {len(log)} steps", y=1.02)
    figure.savefig(folder / f"learning_curve_{section}.png", bbox_inches="tight")
    display(figure)

# %% [markdown]
# The same in numbers, of this run: the mean over the first fifth of the steps and over the last.

# %%
watched = [
    "reward",
    "rewards/vision/mean",
    "rrvf/exec_rate",
    "rrvf/draft_exec_rate",
    "rrvf/similarity_given_exec",
    "rrvf/tool_calls",
    "rrvf/turns",
    "entropy",
    "completions/mean_length",
]


def ends(log):
    frame, fifth = pd.DataFrame(log).reindex(columns=watched), max(1, len(log) // 5)
    return pd.DataFrame({"first fifth": frame[:fifth].mean(), "last fifth": frame[-fifth:].mean()})


print(pd.concat({section: ends(log) for section, log in logs.items()}, axis=1).round(2).to_string())

# %% [markdown]
# What are the later turns for? **Repair**: the draft gave no picture, and this turn does. **Refinement**: both do, and this
# turn's is closer to the target; a draft's similarity is only known where the judge gives it a score. The share of the cases
# of each kind:

# %%
print(later_turns(pd.concat(pd.DataFrame(log).assign(variant=section) for section, log in logs.items())).to_string())

# %%
for section in settings.sft:
    loss = [line["loss"] for line in read_log(study.results / f"train/sft_{section}/log.jsonl") if "loss" in line]
    print(f"SFT, {section}: loss {loss[0]:.3f} at the first step, {loss[-1]:.3f} after {len(loss)}")

# %% [markdown]
# ## The same pictures, step by step
#
# The film of a run: the first four test pictures, answered in a single turn by the policy as it was at the start and after every
# tenth step. The profile says which weights are kept (`keep_every`); the film is of the first seed whose run has them all.

# %%
target = study.data / test_set.dataset
every = config.keep_every or config.steps
kept = [kept_weights(run / f"train/rrvf_{name}", every) for run in runs]
weights = {0: settings.policy.model} | max(kept, key=len) | ({} if any(kept) else {config.steps: trained[name]})
test_name = next(n for n, e in settings.evaluations.items() if e == test_set)
for step, model in weights.items():
    study.evaluate_model(test_name, f"step {step}", str(model), study.results / "film" / f"step_{step}", limit=4)
frames = [study.results / "film" / f"step_{step}" for step in weights]
drawn = [[target / s.image, *(frame / "renders" / f"{s.id}.png" for frame in frames)] for s in samples[:4]]
names = ["target", *(f"step {step}" for step in weights)]
figure = contact_sheet([p if p.is_file() else None for row in drawn for p in row], names * len(drawn), len(names), 13)
figure.savefig(folder / "film.png", bbox_inches="tight")
display(figure)

# %% [markdown]
# And with the tool: the picture from above again, with the trained policy; it may have got better or worse. Then the episode of
# all these that **gained** most from its draft to its answer, by the judge's score; what is typical stands in its last line.

# %%
after = played(LocalPolicy(str(trained[name]), settings.policy.dtype, config.max_turn_tokens))
again = next(t for t in after if t.sample_id == shown.sample_id)
display(strip(again, f"After training, the picture from above, {place(again, after, before)}."))

# %%
with study.judge() as judge:
    gains = [gain(t, files[t.sample_id].read_bytes(), judge.score) for t in after]
best, known = best_loop(after, gains), [found for found in gains if found is not None] or [0.0]
note = f"The answer is closer than the draft by {max(known):+.2f}, the most of {len(known)} test pictures with a draft"
figure = strip(best, f"{note} (mean {sum(known) / len(known):+.2f}). It is {place(best, after)}.")
figure.savefig(folder / "loop.png")
display(figure)
totals = pd.DataFrame({"before": [t.reward.total for t in before], "after": [t.reward.total for t in after]})
print(totals.rename_axis("reward of the episodes").describe().loc[["mean", "min", "50%", "max"]].round(2).to_string())
open_tools.close()

# %% [markdown]
# ## Before and after, on the test set
#
# A handful of episodes proves nothing. The evaluation does as the paper does: **single turn, no tools**, the whole test
# set; what was practised with feedback must show without it. With 95 % intervals:

# %%
sets = {e.domain: set_name for set_name, e in reversed(settings.evaluations.items())}
summaries = {
    (set_name, p): study.evaluate(set_name, p)
    for set_name in sets.values()
    for p in study.policies(set_name)
    if p == "base" or p.startswith("rrvf")
}

# %%
for (set_name, policy_name), summary in summaries.items():
    for metric in ("exec_rate", "judge"):
        m = summary["metrics"][metric]
        print(f"{set_name:8} {policy_name:5} {metric:10} {m['value']:6.2f}  [{m['low']:.1f}, {m['high']:.1f}]")

# %% [markdown]
# What changed in the programs? The share of the test answers that write each part, beside the true programs. The base could
# write every one of these parts before training: it was taught them, and taught to leave them out. So a share that rises
# towards that of the true programs is what RL brought out, from pictures alone: no program was shown to it. A share that
# falls, or programs that get shorter than the true ones, would be a **collapse**: short programs fail less often, and a reward
# that pays for running alone teaches them. That is why the table also has the mean length in characters. Colours count as
# written whichever they are; whether they are right is for the judge and the Color score to say.

# %%
parts = {
    "chart": {
        "title": "title",
        "axis label": r"label\(|label=",
        "legend": r"legend\(",
        "colour": "color=",
        "grid": r"grid\(",
    },
    "web": {"header": "padding:8px", "heading": "<h2", "footer": "padding:4px", "colour": "color:white"},
}


def written(codes, words):
    codes = pd.Series(codes, dtype=str)
    shares = {part: codes.str.contains(word).mean() for part, word in words.items()}
    return shares | {"characters": codes.str.len().mean()}


# %%
for domain_name, set_name in sets.items():
    records = {p: read_results(study.results / "eval" / set_name / p) for s, p in summaries if s == set_name}
    codes = {p: [r.code or "" for r in found.values()] for p, found in records.items()}
    true = study.split(settings.evaluations[set_name].dataset)
    codes["true"] = [(study.data / s.split / s.code).read_text() for s in true]
    table = {p: written(texts, parts[domain_name]) for p, texts in codes.items()}
    print(pd.DataFrame(table).round(2).to_string(), "\n")

# %% [markdown]
# When did it change? The same shares in the drafts of the training episodes that were kept, four of each step, by fifths of the
# run, over all seeds whose episodes lie here. These are sampled, on the training pictures.


# %%
def by_fifths(section):
    found = [read_trajectories(run / f"train/rrvf_{section}/episodes.jsonl") for run in runs]
    words, fifths = parts[settings.grpo[section].domain], {}
    for fifth in range(5):
        some = [t for ts in found for t in ts[fifth * len(ts) // 5 : (fifth + 1) * len(ts) // 5]]
        fifths[f"fifth {fifth + 1}"] = written([t.turns[0].code or "" for t in some], words) | {"drafts": len(some)}
    return pd.DataFrame(fifths).round(2)


for section in settings.grpo:
    print(section, by_fifths(section).to_string(), sep="\n")

# %% [markdown]
# ## What this shows, and what it does not
#
# **Shows:** the whole loop of the paper at work with nothing simulated: code that runs or fails in a sandbox, a judge behind
# HTTP, Eq. (2), TRL's GRPO; and whether, at this scale, pictures alone move the execution rate and the similarity. Read the
# intervals before the means.
#
# **Does not show:** the paper's result. The policy is a stand-in that only knows generated charts and pages, the judge is
# OpenCV, and the steps are few. A band over three seeds says how far a seed goes, and not more.
#
# **Try next:** `seed`, `steps` or `reward: {preset: literal}` in a copy of the profile; `advantage: max`, the form that the
# paper prints; `tensorboard --logdir runs/nano/train` for every quantity that TRL logs. With a GPU, `profile = "gpu"` runs this
# same notebook on Qwen2.5-VL-3B.
#
# **Exercises**
#
# 1. The execution rate rises and the mean length falls. Which two tables of this notebook tell learning from collapse?
#
# <details><summary>Answer</summary>
#
# The table of parts (do the shares of titles, labels and colours rise towards those of the true programs, or fall?) and the
# similarity where the code runs. In a collapse both fall while the execution rate rises.
#
# </details>
#
# 2. All eight episodes of a group fail. What does the group teach?
#
# <details><summary>Answer</summary>
#
# Nothing: equal rewards have advantage 0 (notebook 3). With a base that never runs, GRPO has no signal; that is why the base
# must already succeed now and then.
#
# </details>
#
# 3. On average the answer here is no closer than its draft. Why do two turns still train the draft?
#
# <details><summary>Answer</summary>
#
# The advantage of the episode goes to every token of it, drafts included. An episode whose answer keeps a good draft is
# rewarded, so good drafts become more likely. Drafts run more often at the end of the run than at its start.
#
# </details>
