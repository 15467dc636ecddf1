"""A study: one profile's data, trainings and evaluations on disk.

The command line, the notebooks and `make reproduce` all work through `Study`:

    study = Study(load_profile("nano"))
    study.prepare_data()
    study.train_grpo("chart")
    study.evaluate("chartmimic", "rrvf")

Everything that takes long is a stage (`rrvf.stages`). A stage that is finished with the same inputs is skipped. A
broken stage continues. A stage whose inputs have changed starts again.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rrvf import runtime, stages
from rrvf.data import DataConfig, is_ready, load_split, prepare, prompts, recipe
from rrvf.data.manifest import MANIFEST
from rrvf.domains import DOMAINS
from rrvf.equipment import open_judge, open_tools, render_limits
from rrvf.errors import UserError
from rrvf.judge.client import JudgeClient
from rrvf.judge.rubrics import Rubric
from rrvf.places import CHECKOUT, DATA, RUNS
from rrvf.policies.address import BestOf, Model, asked_how, identity
from rrvf.policies.names import hub_parts
from rrvf.preconditions import check_apart, check_labels, check_pairs
from rrvf.profile import (
    WITHOUT_EFFECT,
    GRPOConfigSection,
    JudgeConfig,
    Profile,
    baselines,
    drawn_policies,
    table_policies,
    trained_policies,
    training_folder,
)
from rrvf.records import Provenance, Sample
from rrvf.render import Limits
from rrvf.rollout import Tools
from rrvf.rows import Row, find_row, load_rows

REPOSITORY = CHECKOUT or Path.cwd()


class Study:
    """One profile's data, runs and results.

    results: by default `runs/<profile>`. data: by default $RRVF_DATA, or `<profile>` in the data folder.
    """

    def __init__(self, profile: Profile, results: Path | None = None, data: Path | None = None) -> None:
        self.profile = profile
        self.results = results or RUNS / profile.name
        self.data = data or Path(os.environ.get("RRVF_DATA") or DATA / profile.name)
        self._targets: dict[str, dict[str, Path]] = {}

    def describe(self) -> str:
        """The head of a notebook: the profile, the hash of its settings, policy, judge, and the versions."""
        names = ("rrvf", "torch", "transformers", "trl")
        versions = ", ".join(f"{name} {version(name)}" for name in names)
        judge = self.profile.judge.url or "the embedded judge"
        return (
            f"profile {self.profile.name}, settings {self.profile.hash}, seed {self.profile.seed}\n"
            f"policy {self.profile.policy.model}, judge {judge}\n"
            f"Python {platform.python_version()}, {versions}"
        )

    def prepare_data(self, progress: bool = True, names: Collection[str] | None = None) -> None:
        """Build the missing splits among `names` (None: all), and check them against their manifests.

        With None it also downloads the benchmarks' own prompts, if an evaluation uses them. UserError for a profile
        that evaluates on pictures that it trains on, or that has SFT learn from pictures without code.
        """
        if names is None:
            check_apart(self.profile)
        # Profiles share equal splits, in a folder beside their own.
        store = DATA / "splits" if self.data.parent == DATA else None
        prepare(self.profile.data, self.data, progress, names, store)
        if names is None:
            check_pairs(self.profile, self.split)
        if names is None and any({s.prompt, s.judge_prompt} != {"own"} for s in self.profile.evaluations.values()):
            prompts.download_if_possible(self.prompts)

    @property
    def prompts(self) -> Path:
        """The folder of the benchmarks' own prompts, if they are downloaded (`rrvf.data.prompts`)."""
        return (DATA if self.data.parent == DATA else self.data) / "prompts"

    def split(self, name: str) -> list[Sample]:
        """The samples of one split. Builds it if it is missing."""
        config = DataConfig.read(self.profile.data)
        if name in config.root and not is_ready(name, config, self.data):
            self.prepare_data(names=[name])
        return load_split(name, self.data)

    def target(self, set_name: str, sample_id: str) -> Path | None:
        """The picture of a sample of an evaluation set; None if it is not on this machine.

        A set that the profile does not name is a user's folder of pictures. It is searched in the data of all profiles,
        because its name contains the hash of its pictures.
        """
        known = self.profile.evaluations.get(set_name)
        dataset, roots = (known.dataset, [self.data]) if known else (set_name, [self.data, *sorted(DATA.glob("*"))])
        if dataset not in self._targets:
            root = next((root for root in roots if (root / dataset / MANIFEST).is_file()), None)
            samples = {s.id: root / s.split / s.image for s in load_split(dataset, root)} if root else {}
            self._targets[dataset] = samples
        return self._targets[dataset].get(sample_id)

    def judge(
        self, config: JudgeConfig | None = None, rubric: Rubric | None = None
    ) -> AbstractContextManager[JudgeClient]:
        """A client of a judge. config: None: the judge of training. rubric: how it is asked for scores; None: ours.

        UserError if the judge does not answer. Open it before weights are loaded, to find that out early.
        """
        return open_judge(config or self.profile.judge, rubric)

    def limits(self, domain_name: str) -> Limits:
        """The limits of a render in a domain, with the profile's canvas."""
        return render_limits(self.profile, domain_name)

    def tools(
        self, *domains: str, bare_score: bool = False, limits: Limits | None = None
    ) -> AbstractContextManager[Tools]:
        """The renderers of these domains and the judge of training. bare_score: see `rrvf.rollout.Tools`.

        limits: of one render; None: those of training.
        """
        return open_tools(self.profile, domains, bare_score, limits)

    def tools_of(self, config: GRPOConfigSection) -> AbstractContextManager[Tools]:
        """The tools that a grpo section trains with."""
        return self.tools(*config.domains, bare_score=config.feedback == "score")

    def train_grpo(self, name: str) -> Path:
        """Train with RRVF, as the grpo section `name` says; returns the folder of the trained policy."""
        config = self.section("grpo", name)
        inputs = self._inputs("reward", sets=config.train_sets, domains=config.domains)
        inputs |= config.model_dump(exclude=WITHOUT_EFFECT)
        inputs |= {"judge": self.profile.judge.identity}
        return self._trained("grpo", name, inputs, lambda: self.pictures(config))

    def pictures(self, config: GRPOConfigSection) -> list[Sample]:
        """The samples that a grpo section trains on, with paths relative to the data folder."""
        return [
            sample.model_copy(update={"image": f"{name}/{sample.image}"})
            for name in config.train_sets
            for sample in self.split(name)
        ]

    def train_sft(self, name: str) -> Path:
        """Train the supervised baseline of the sft section `name`; returns the folder of the trained policy."""
        config = self.section("sft", name)
        inputs = self._inputs(sets=(config.train_set,), domains=(config.domain,))
        inputs |= config.model_dump(exclude=WITHOUT_EFFECT)
        return self._trained("sft", name, inputs, lambda: self.split(config.train_set))

    def train_rft(self, name: str) -> Path:
        """Sample answers and train on the best, as the rft section `name` says; returns the trained policy's folder."""
        config = self.section("rft", name)
        inputs = self._inputs(sets=(config.train_set,), domains=(config.domain,))
        inputs |= config.model_dump(exclude=WITHOUT_EFFECT) | {"judge": self.profile.judge.identity}
        return self._trained("rft", name, inputs, lambda: self.split(config.train_set))

    def _trained(self, kind: str, name: str, inputs: dict, samples: Callable[[], list[Sample]]) -> Path:
        """The folder of a section's trained policy. Trains it if it is not there yet, made with these settings.

        A policy that was trained by hand (`rrvf train`, `launch/train.sh`) is used if it was made with them too. One of
        fewer steps goes on. UserError for any other: it cost hours, so it is not replaced.
        """
        config = self.section(kind, name)
        if Path(self.profile.policy.model).is_dir():  # a folder may hold other weights next time
            inputs = inputs | {"weights": identity(self.profile.policy.model)}

        def made() -> dict[str, Any]:
            from rrvf.training.checkpoints import how_made

            return how_made(self.profile, config, self.profile.seed, samples())

        def is_made(out: Path) -> bool:
            # Labels of pictures are no part of its record, so supervised training is made again where anything changed.
            if kind == "sft" or not (out / "final").is_dir():
                return False
            from rrvf.training.checkpoints import steps_of

            return bool(steps_of(out / "final", made()) == config.steps)

        place = self.results / training_folder(kind, name)
        done = None if (place / "key").is_file() else _done_by_hand(kind, config, place, made)
        with self.stage(training_folder(kind, name), "train", inputs, is_made) as (out, finished):
            if not finished and done != config.steps:
                from rrvf.training.apart import run_section

                run_section(self, kind, name, out)
        return out / "final"

    def policies(self, set_name: str) -> list[str]:
        """The policies to evaluate on a set: calibration rows, the base, and the profile's trained ones for its domain.

        Best of N and RFT are not among them: `make seeds` evaluates those.
        """
        config = self.section("evaluations", set_name)
        left_out = baselines(self.profile, config.domain)
        if config.benchmark == "pictures":  # it has no true code
            left_out = [*left_out, "reference"]
        return [policy for policy in table_policies(self.profile, config.domain) if policy not in left_out]

    def evaluate(self, set_name: str, policy: str) -> dict:
        """Evaluate a policy (one of `policies`) on a set of the profile, as a stage; returns its summary."""
        model = self.model_of(policy, self.section("evaluations", set_name).domain)
        return self.evaluate_as(f"eval/{set_name}/{policy}", set_name, policy, model)

    def evaluate_as(self, name: str, set_name: str, policy: str, model: Model, limit: int | None = None) -> dict:
        """Evaluate `model` on a set of the profile as the stage `name`; returns its summary. limit: of pictures."""
        config = self.section("evaluations", set_name)
        inputs = self._inputs("chartmimic_protocol", sets=(config.dataset,)) | config.model_dump()
        inputs |= {"limit": limit} if limit else {}
        inputs |= {"policy": policy, "weights": identity(model), "judge": self.profile.table_judge.identity}
        inputs |= asked_how(model, self.profile.judge.identity)
        if isinstance(model, Row):
            inputs |= {"row_prompt": model.prompt}
        if (config.prompt, config.judge_prompt) != ("own", "own"):
            from rrvf.evaluation import Evaluation

            inputs |= Evaluation(self, set_name).inputs
        with self.stage(name, "eval", inputs) as (out, finished):
            if not finished:
                self.evaluate_model(set_name, policy, model, out, limit)
        summary: dict = json.loads((out / "summary.json").read_text())
        return summary

    def evaluate_model(
        self, set_name: str, policy: str, model: Model, out: Path, limit: int | None = None,
        shard: tuple[int, int] | None = None,
    ) -> dict:  # fmt: skip
        """Evaluate `model` on a set of the profile, and write the results to `out`; returns the summary.

        model: None: the calibration policy called `policy`. limit: of pictures, instead of the set's own.
        shard: (i, n): every n-th picture, starting with the i-th (from 1).
        """
        # Imported here, as in the other methods: it loads torch, which most of a study does not need.
        from rrvf.evaluation import Evaluation

        own = isinstance(model, BestOf) or isinstance(model, Row) and model.prompt == "own"
        samples = self.samples(set_name, limit, shard)
        return Evaluation(self, set_name, own).run(policy, model, out, samples, shard)

    def evaluate_turns(
        self, set_name: str, policy: str, model: str | Row | None, out: Path, turns: int, limit: int | None = None
    ) -> dict:
        """Evaluate over up to `turns` turns, with the tool as in training; returns the scores by turn."""
        from rrvf.evaluation import Evaluation
        from rrvf.evaluation.turns import evaluate_turns

        if model is None:
            raise UserError(f"{policy} is a calibration row and plays no turns: name a policy that sees the pictures")
        return evaluate_turns(Evaluation(self, set_name), policy, model, out, self.samples(set_name, limit), turns)

    def score_replies(
        self, set_name: str, policy: str, path: Path, out: Path, limit: int | None = None, judge_only: bool = False
    ) -> dict:
        """Score replies that were made elsewhere. path: JSON lines `{"id", "reply"}`, one per sample of the set.

        See `Evaluation.score`.
        """
        from rrvf.evaluation import Evaluation

        return Evaluation(self, set_name).score(policy, path, out, self.samples(set_name, limit), judge_only)

    def estimate(
        self, set_name: str, policy: str, model: Model, limit: int | None, shard: tuple[int, int] | None, turns: int = 1
    ) -> str:
        """Estimate calls, tokens, price and time of an evaluation, without calling the model."""
        from rrvf.evaluation import Evaluation
        from rrvf.evaluation.estimate import estimate_costs

        return estimate_costs(Evaluation(self, set_name), policy, model, self.samples(set_name, limit, shard), turns)

    def samples(self, set_name: str, limit: int | None = None, shard: tuple[int, int] | None = None) -> list[Sample]:
        """The samples of an evaluation set, or a part of them. limit, shard: as in `evaluate_model`.

        UserError if the benchmark compares with true code and a sample has none.
        """
        config = self.section("evaluations", set_name)
        samples = self.split(config.dataset)[: limit or config.limit]
        check_labels(config, samples)
        return samples[shard[0] - 1 :: shard[1]] if shard else samples

    def model_of(self, policy: str, domain_name: str) -> Model:
        """The model of a policy's name. If the profile trains that policy, this trains it first.

        `base`, `bestN`, `sft`, `rft` and `rrvf` belong to the profile. Other rows of the paper's tables come from
        `reproduce/models.yaml`. None for a calibration policy.
        """
        if policy in ("reference", "blank"):
            return None
        if policy == "base":
            row, model = load_rows().get(policy), self.profile.policy.model
            hub_id, commit = hub_parts(model)
            return row if row and row.model == hub_id and commit in (None, row.revision) else model
        if (drawn := drawn_policies(self.profile, domain_name).get(policy)) is not None:
            return BestOf(self.profile.policy.model, drawn.samples, drawn.temperature)
        trained = trained_policies(self.profile, domain_name)
        if policy not in trained and policy in load_rows():
            row = find_row(policy)
            if row.route == "trained":
                raise UserError(
                    f"profile {self.profile.name} trains no {policy} for the {domain_name} domain: add a section for it"
                )
            return row
        if policy not in trained:
            known = ", ".join((*table_policies(self.profile, domain_name), *load_rows()))
            raise UserError(f"no policy called {policy!r} for the {domain_name} domain: choose one of {known}")
        kind, name = trained[policy]
        train = {"sft": self.train_sft, "rft": self.train_rft, "grpo": self.train_grpo}[kind]
        return str(train(name))

    def section(self, kind: str, name: str) -> Any:
        """A named section of the profile; `kind` is grpo, sft, rft or evaluations."""
        sections = getattr(self.profile, kind)
        if name not in sections:
            known = ", ".join(sections) or "none"
            raise UserError(f"profile {self.profile.name} has no {kind} called {name!r}: it has {known}")
        return sections[name]

    def provenance(self, protocol: str, prompt_hash: str, judge: str) -> Provenance:
        """The record of what produced the results of this study."""
        names = ("torch", "transformers", "trl", "playwright")
        return Provenance(
            protocol=protocol,
            prompt_hash=prompt_hash[:12],
            judge=judge,
            metric_version=version("rrvf"),
            versions={n: version(n) for n in names} | {"matplotlib (sandbox)": runtime.pins()["matplotlib"]},
            seed=self.profile.seed,
            profile_hash=self.profile.hash,
        )

    def _inputs(self, *more: str, sets: tuple[str, ...], domains: Iterable[str] = DOMAINS) -> dict:
        """The inputs of a stage: the settings that decide its result, and the recipes of its pictures.

        more: further top-level settings to include. The judge is not among them: its URL and time limits change no
        result, so a stage adds `judge.identity` itself.
        """
        data = DataConfig.read(self.profile.data)
        shared = self.profile.model_dump(include={"seed", *more})
        shared["canvas"] = self.profile.canvas.model_dump(include=set(domains))
        shared["model"] = self.profile.policy.model_dump()
        return shared | {"pictures": {name: recipe(name, data) for name in sets}}

    def stage(
        self, name: str, kind: str, inputs: dict, is_made: Callable[[Path], bool] = lambda out: False
    ) -> AbstractContextManager[tuple[Path, bool]]:
        """The folder of a stage of this study, and whether it is finished (`rrvf.stages.stage`)."""
        return stages.stage(self.results, name, kind, inputs, is_made)


def _done_by_hand(kind: str, config: Any, place: Path, made: Callable[[], dict[str, Any]]) -> int | None:
    """The steps of a policy in `place` that no stage trained; None if there is none. made: how the study would make it.

    UserError if its settings are not those of `config`, or if it can't be trained for the steps that are missing: the
    rate of supervised training depends on their number.
    """
    final = (place / "final").is_dir()
    if not final and not (place / "log.jsonl").is_file():
        return None
    from rrvf.training.checkpoints import begun_otherwise, steps_of

    done = steps_of(place / "final", made()) if final else None
    fits = done is not None and (done == config.steps or kind == "grpo" and done < config.steps)
    if (final and not fits) or (not final and begun_otherwise(place, made())):
        raise UserError(
            f"{place} holds a training with other settings, or of other steps: move it away, or use its settings"
        )
    return done
