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
# # 1. The pictures
#
# **Is anything in the test sets that the policy was trained on?** Every result of this project depends on the answer.
#
# RRVF ("Learning Only with Images", arXiv 2507.20766) trains a model to turn a picture of a chart or of a web page into
# the code that draws it. It trains **from pictures alone**: the policy never sees the code behind a training picture. The
# paper uses these sets:
#
# | | train | test |
# |---|---|---|
# | charts | ChartMimic, 1,800 pictures | ChartMimic, 600; Plot2Code, never trained on |
# | web pages | WebSight, 1,000 screenshots | WebSight, 500 others |
#
# They live on a model hub. The CPU profile `nano` replaces them by sets that it builds on your machine.
#
# **After this notebook you can** build and verify the sets of a profile, tell a held-out set from an out-of-distribution
# set, and test any two sets for duplicates.
#
# **Time:** five minutes of reading. The first run draws the pictures and takes a few minutes; later runs take seconds.
# **Prerequisites:** `make assets`; basic Python.

# %%
from pathlib import Path

import pandas as pd

from rrvf.data import DataConfig, load_split, split_digest, verify_split
from rrvf.profile import load_profile
from rrvf.report.contact_sheet import contact_sheet
from rrvf.report.knob import knob
from rrvf.report.neighbours import all_pairs, nearest_figure
from rrvf.report.shown import show
from rrvf.study import Study

# %% [markdown]
# The next cell is all there is to set. `profile` names a file in `reproduce/profiles/`, or is the path of your own.

# %% tags=["parameters"]
profile = "nano"
results = None  # a folder; None means runs/<profile>

# %%
study = Study(load_profile(profile), Path(results) if results else None)
settings = study.profile
print(study.describe())

# %% [markdown]
# ## What the profile asks for
#
# A split is a recipe: the kind of its source, the number of pictures, and a seed. The recipe belongs to the profile, and
# the hash of the profile stands in every result.

# %%
# NBVAL_CHECK_OUTPUT
recipes = DataConfig.read(settings.data).root
print(pd.DataFrame({name: {"kind": r.kind, "count": r.count, "domain": r.domain} for name, r in recipes.items()}).T)

# %% [markdown]
# ## Build and verify
#
# Our own generators write the programs of the generated charts and pages. They are drawn in the sandbox that later runs
# the policy's code. The gallery is matplotlib's own, at the version of the sandbox. The real pages come from packages under
# the MIT licence. Gallery and real pages are for testing only.
#
# A split is written to a temporary folder and renamed at the end, so a folder that exists is complete. If you stop the
# cell, run it again: it continues with the first missing split.

# %%
study.prepare_data(progress=False)

# %% [markdown]
# `verify_split` compares every file with its SHA-256. The digest is one hash for a whole split. If your digest equals that
# of a colleague, you both have the same pictures and the same code in the same order. (The digests of pages depend on the
# version of Chromium that drew them.)

# %%
# NBVAL_CHECK_OUTPUT
for name in settings.data:
    print(f"{name:13} {verify_split(name, study.data):4} pictures verified, digest {split_digest(name, study.data)}")

# %% [markdown]
# ## One sample
#
# Each picture has one line in its manifest. `code` is the label. Only the supervised baseline and the metrics of the
# evaluation read it. The dataset of GRPO has a prompt and a picture, and no column for code.

# %%
splits = {name: load_split(name, study.data) for name in settings.data}
trained_on = [name for config in settings.grpo.values() for name in config.train_sets]
tested_on = [config.dataset for config in settings.evaluations.values()]
example = splits[trained_on[0]][0]
print(f"{example.id}: {example.source}; licence {example.licence}; hash {example.phash}; label {example.code}")

# %%
# NBVAL_CHECK_OUTPUT
print((study.data / trained_on[0] / example.code).read_text() if example.code else "not known")

# %% [markdown]
# ## Look at every set
#
# Four pictures of each set. There are three kinds:
#
# - **Training sets** (`*_train`): generated, 280 x 224 pixels, so that a policy of a few million parameters can read them
#   on a laptop.
# - **Held-out sets** (`*_test`): the same generators with other seeds. They play the part of ChartMimic's and WebSight's
#   own test sets.
# - **Out-of-distribution sets**: wide charts and long pages have more categories, rows or items than any picture that RRVF trains
#   on (a tenth of the base's pre-training data was such).
#   The gallery (300 to 1,200 pixels wide) and the real pages (1280 x 720) differ in content and size too. They play the
#   part of Plot2Code, which the paper calls zero-shot.


# %%
def sheet(each=4):
    shown = [(name, s) for name in settings.data for s in splits[name][:each]]
    files = [study.data / name / s.image for name, s in shown]
    captions = [name if i % each == 0 else "" for i, (name, _) in enumerate(shown)]
    return contact_sheet(files, captions, columns=2 * each, width=9)


show(
    sheet(),
    "A grid of small pictures, four from each of the eight sets: charts, wide charts, web pages, long web pages, figures "
    "of the matplotlib gallery and screenshots of real pages.",
    "generated pictures are small and plain; the gallery and the real pages look like nothing in the training sets.",
)

# %% [markdown]
# ## Is anything in both train and test?
#
# The generators guard against it: no program occurs twice, neither in one split nor in two, and none occurs in the
# pre-training of the shipped policy. Here we check the files themselves, by two tests:
#
# 1. Is the code of a test picture equal to the code of a training picture?
# 2. How far apart are their perceptual hashes? A hash has 64 bits; the distance of two pictures is the number of bits in
#    which their hashes differ (Hamming distance):
#
# $$d(a, b) = \sum_{i=1}^{64} \left[h_i(a) \ne h_i(b)\right]$$

# %%
a, b = splits[trained_on[0]][:2]
print(f"d = {(int(a.phash, 16) ^ int(b.phash, 16)).bit_count()} bits between {a.id} and {b.id}")

# %%
# NBVAL_CHECK_OUTPUT
train = [sample for name in trained_on for sample in splits[name]]
pairs = all_pairs(train, {name: splits[name] for name in tested_on}, study.data)
print("test pictures whose code occurs in a training set:", int((pairs.same_code == True).sum()))  # noqa: E712

# %% [markdown]
# The figure shows, for each test set, how near its pictures lie to their nearest training picture. The hashes of unrelated
# pictures differ in about 32 bits. The hash sees 8 x 8 grey pixels. It is blind to colour and to words, so a small distance
# is a reason to look, not a verdict. In a live notebook, move the limit.

# %%
nearest = pairs.loc[pairs.groupby(["test_set", "second"]).distance.idxmin()]
middle = nearest.groupby("test_set", sort=False).distance.median()
near, far = middle.idxmin(), middle.idxmax()


def within(limit=4):
    shares = (nearest.distance <= limit).groupby(nearest.test_set, sort=False).mean()
    words = "; ".join(f"{name} {share:.0%}" for name, share in shares.items())
    alt = f"A rising curve per test set. Share of pictures within {limit} bits of a training picture: {words}."
    show(
        nearest_figure(nearest, limit),
        alt,
        f"median distance {middle[near]:.0f} bits in {near}, {middle[far]:.0f} in {far}.",
    )


knob(within, limit=(0, 32, 1))

# %% [markdown]
# The three nearest pairs, to judge by eye. The training picture is on top.

# %%
top = nearest.sort_values("distance", kind="stable").head(3)
train_files = {s.id: study.data / s.split / s.image for s in train}
test_files = {(name, s.id): study.data / name / s.image for name in tested_on for s in splits[name]}
rows = [[train_files[i] for i in top["first"]], [test_files[key] for key in zip(top.test_set, top.second, strict=True)]]
show(
    contact_sheet([*rows[0], *rows[1]], [*top["first"], *top["second"]], columns=3, width=5),
    "Three pairs of web pages, the training page above the test page. Layouts agree; colours and words differ.",
    f"pages of one layout can have distance {top.distance.min()} and still be different pages.",
)

# %% [markdown]
# ## The paper's own sets
#
# With access to the hub, the same code reads the paper's sets. The recipes below are checked when they are read. To build
# them, put them into a profile of your own and run `rrvf data prepare --profile my.yaml`.
#
# - **ChartMimic** comes from its ICLR archive, whose SHA-256 is pinned.
# - **Plot2Code** has 368 figures, but every execution rate that the paper prints for it is some k/132. 132 is the number of
#   its matplotlib figures, so 132 is our default (D7 in `docs/decisions.md`).
# - **WebSight** has no test split, though the paper speaks of one. Ours are rows of the train split, drawn by a fixed seed:
#   training takes the front of one permutation, test its back, so they cannot overlap (D6).

# %%
# NBVAL_CHECK_OUTPUT
paper = {
    "chartmimic_1800": {"kind": "chartmimic", "task": "direct_1800"},
    "chartmimic_600": {"kind": "chartmimic", "task": "direct_600"},
    "plot2code_132": {"kind": "plot2code"},
    "websight_1000": {"kind": "websight", "part": "train", "count": 1000},
    "websight_500": {"kind": "websight", "part": "test", "count": 500},
}
for name, recipe in DataConfig.read(paper).root.items():
    print(f"{name:16} {recipe.source:24} {recipe.domain}")

# %% [markdown]
# ## Summary
#
# **Shows:** every picture has a source, a licence and a hash. No test program occurs in a training set. Two test sets come
# from the world and not from our generators.
#
# **Does not show:** that generated pictures are as varied as ChartMimic's. They are not: sixteen kinds of chart, a small
# vocabulary, one size. A perceptual hash does not find every near-copy that a person would call one either.
#
# **Try next: exercises**
#
# 1. Two unrelated pictures have independent hash bits. What mean and standard deviation of the distance do you expect? Does
#    the figure agree?
#
# <details><summary>Answer</summary>
#
# The distance is binomial with n = 64 and p = 1/2: mean 32, standard deviation √(64 · ¼) = 4. The figure shows much smaller
# values for two reasons. It shows the *nearest* of some hundred training pictures, a minimum. And pictures of one generator
# are not unrelated: a title above, axes left and below.
#
# </details>
#
# 2. Change `seed` of `charts_test` to that of `charts_train` in a copy of `reproduce/profiles/nano.yaml`. What happens?
#
# <details><summary>Answer</summary>
#
# The generator never draws a program twice, so a second split with the same seed does not repeat the first one's programs.
# Its digest changes all the same. Run the cell with `same_code` again: it still prints 0.
#
# </details>
#
# 3. You have 50 screenshots in a folder and no code for them. How do you make them a split?
#
# <details><summary>Answer</summary>
#
# Use the kind `folder`: `{kind: folder, path: /my/screenshots, domain: web}` under `data:` of your profile. Code is not
# needed; metrics that compare code are then absent.
#
# </details>
