"""Evaluates one policy on one evaluation set of a study: joins question, judge, rubric and limits for the runner.

    Evaluation(study, "chartmimic").run("base", "Qwen/Qwen2.5-VL-7B-Instruct", Path("runs/eval/base"))

Everything besides the policy that changes the scores is written into every record (`Provenance`) and into the heads of
the tables.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from rrvf.benchmarks import registry
from rrvf.benchmarks.kept import KeptMetrics
from rrvf.benchmarks.pairs import References
from rrvf.benchmarks.questions import question
from rrvf.benchmarks.replies import (
    best_replies,
    endpoint_replies,
    file_replies,
    local_replies,
    oracle_replies,
)
from rrvf.benchmarks.run import BLOCK, REPLIES, Replies, Run
from rrvf.benchmarks.runner import evaluate
from rrvf.data import DataConfig, prompts, recipe
from rrvf.domains import domain
from rrvf.judge.rubrics import OWN, Rubric, official
from rrvf.outputs import say
from rrvf.policies.address import BestOf, Model, Settings, asked_how, identity, is_endpoint, is_hosted, open_policy
from rrvf.records import Provenance, Sample
from rrvf.render import Limits, Renderer
from rrvf.rollout import Tools
from rrvf.rows import Row

if TYPE_CHECKING:
    from rrvf.study import Study

Shard = tuple[int, int] | None


class Evaluation:
    """An evaluation set of the profile, with everything that decides how it is asked and judged.

    own_prompt: ask with our prompt, even if the set asks with the benchmark's. If the set uses the benchmark's texts
    and they are missing, they are downloaded.
    """

    def __init__(self, study: Study, set_name: str, own_prompt: bool = False) -> None:
        self.study, self.set_name = study, set_name
        self.config = study.section("evaluations", set_name)
        if own_prompt:
            self.config = self.config.model_copy(update={"prompt": "own"})
        self.root = study.data / self.config.dataset
        if (self.config.prompt, self.config.judge_prompt) != ("own", "own"):
            _download_once(study.prompts)
        self.question = question(self.config, study.profile.policy.prompts, study.prompts)
        self._fallback = ""
        self.rubric = self._rubric()

    def _rubric(self) -> Rubric | None:
        """The benchmark's own rubric. None where the profile does not ask for it or it cannot be used (`_fallback`)."""
        if self.config.judge_prompt == "own":
            return None
        text = prompts.text(f"{self.config.benchmark}-judge", self.study.prompts)
        if text and self.study.profile.table_judge.url:
            return official(self.config.benchmark, text)
        why = "the embedded judge reads only our prompts" if text else "run `rrvf data prompts` for the benchmark's own"
        self._fallback = f"{self.set_name}: the judge is asked with our rubric, not the benchmark's ({why})"
        return None

    def tell_rubric(self) -> None:
        """Print once, before anything is judged, that our rubric is used although the profile asks for another."""
        if self._fallback:
            say(self._fallback)
        self._fallback = ""

    @property
    def limits(self) -> Limits:
        """The limits of one render. The canvas is the profile's where the set says so, else that of its pictures."""
        if self.config.owned_canvas:
            limits = self.study.limits(self.config.domain)
        else:
            limits = Limits(canvas=DataConfig.read(self.study.profile.data).canvas(self.config.dataset))
        seconds = self.config.timeout_s
        return replace(limits, wall_s=seconds, cpu_s=seconds) if seconds else limits

    @property
    def inputs(self) -> dict[str, str]:
        """The inputs of a stage besides the profile: hashes of the benchmark's texts, or of what replaces them.

        Empty where the set uses only our texts.
        """
        found = {} if self.config.prompt == "own" else {"question": f"{self.question.id} {self.question.sha256}"}
        asked = (
            {} if self.config.judge_prompt == "own" else {"rubric": self.rubric.prompt.sha256 if self.rubric else OWN}
        )
        return found | asked

    def run(self, policy: str, model: Model, out: Path, samples: list[Sample], shard: Shard = None) -> dict:
        """Evaluate `model` on `samples` into `out` and return the summary.

        model: None for the calibration policy called `policy`.
        """

        def replies(renderer: Renderer, stack: ExitStack) -> Replies:
            if isinstance(model, BestOf):
                return self._best(model, renderer, stack)
            return self._oracle(policy) if model is None else self._policy(model, renderer, stack, out)

        # An endpoint's answer costs money, so no sample is asked twice to complete a block. A server on our own GPUs
        # gets the largest pictures first, so that pictures of like size are batched.
        endpoint = is_endpoint(model)
        how = {"block": None if endpoint else BLOCK, "longest_first": endpoint and not is_hosted(model)}
        return self.evaluated(policy, self.who(policy, model), out, samples, replies, shard=shard, **how)

    def score(self, policy: str, path: Path, out: Path, samples: list[Sample], judge_only: bool = False) -> dict:
        """Score replies that were made elsewhere: a file with a line `{"id", "reply"}` for each sample.

        judge_only: the file is an earlier run's; its renders and metrics are kept, and only the judge is asked.
        """
        made, digest = file_replies(path, samples, self.root)
        who = {"policy": policy, "weights": f"replies {digest}", **self._asked_on}
        kept = path.parent if judge_only else None
        return self.evaluated(policy, who, out, samples, lambda renderer, stack: made, kept)

    def evaluated(
        self, policy: str, who: dict, out: Path, samples: list[Sample], replies: Callable, kept: Path | None = None,
        **how,
    ) -> dict:  # fmt: skip
        """Render, measure and judge replies, and return the summary.

        replies: makes them from the renderer and a stack that closes what it opens. kept: an earlier run whose renders
        and metrics are kept. how: further fields of `Run`.
        """
        config, study = self.config, self.study
        judging = study.profile.table_judge.max_in_flight
        self.tell_rubric()
        with (
            ExitStack() as stack,
            Renderer(config.domain, study.profile.workers, self.limits) as renderer,
            study.judge(study.profile.table_judge, self.rubric) as judge,
        ):
            benchmark = registry.load(config, study.profile, renderer, self.root)
            made_by = self._provenance(benchmark.protocol, judge.card(config.domain).id)
            if kept:
                benchmark = KeptMetrics(benchmark, kept, made_by.metric_version)
            run = Run(
                benchmark, samples, self.root, judge, made_by, out, study.profile.workers, who, self.set_name, policy,
                judging, **how,
            )  # fmt: skip
            return evaluate(run, replies(renderer, stack))

    @property
    def _settings(self) -> dict:
        return self.config.model_dump(exclude={"limit", "title"})

    def who(self, policy: str, model: Model) -> dict:
        """What tells one run's records from another's: the policy with its weights, the set, the decoding."""
        profile = self.study.profile
        here = {} if model is None or is_hosted(model) else {"dtype": profile.policy.dtype}
        made_by = here | asked_how(model, profile.judge.identity)
        return {"policy": policy, "weights": identity(model), **self._asked_on, **made_by}

    @property
    def _asked_on(self) -> dict:
        """The set with its settings, the recipe of its pictures, and the canvas that answers are drawn on."""
        data, canvas = DataConfig.read(self.study.profile.data), self.limits.canvas
        name = self.config.dataset
        made = hashlib.sha256(recipe(name, data).encode()).hexdigest()[:16] if name in data.root else None
        return {"set": self._settings, "pictures": made, "canvas": asdict(canvas) if canvas else None}

    def _provenance(self, protocol: str, judge: str) -> Provenance:
        penalty = self.config.repetition_penalty
        choices = {
            "question": self.question.id,
            "figure size": "told" if self.question.tells_size else "not told",
            "time limit of a render": f"{self.limits.wall_s:g} s",
            "repetition_penalty": "as the model's files say" if penalty is None else f"{penalty:g}",
        }
        made = self.study.provenance(protocol, self.question.sha256, judge)
        return made.model_copy(update={"judge_protocol": self.rubric.id if self.rubric else OWN, "choices": choices})

    def _oracle(self, policy: str) -> Replies:
        from rrvf.policies.oracle import Blank, Reference

        return oracle_replies({"reference": Reference, "blank": Blank}[policy](domain(self.config.domain)), self.root)

    def _best(self, model: BestOf, renderer: Renderer, stack: ExitStack) -> Replies:
        """As for rft, the judge of training picks the best answer. The judge of the tables scores it."""
        profile = self.study.profile
        judge = stack.enter_context(self.study.judge())
        tools = Tools({self.config.domain: renderer}, judge, profile.workers + profile.judge.max_in_flight)
        stack.callback(tools.close)
        settings, text = replace(self.decoding, temperature=model.temperature), self.question.text()
        read = registry.reader(self.config)

        def reply(samples: list[Sample]) -> list[str | None]:
            if not loaded:
                loaded.append(open_policy(model.model, settings, stack))
            return best_replies(loaded[0], model.count, self.root, text, tools, profile.seed, read)(samples)

        loaded: list = []
        return reply

    def _policy(self, model: str | Row, renderer: Renderer, stack: ExitStack, out: Path) -> Replies:
        def reply(samples: list[Sample]) -> Iterable:
            # The model is loaded when the first answer is missing, since a finished run needs none.
            if samples and not loaded:
                policy = open_policy(model, self.decoding, stack)
                made = local_replies
                if hasattr(policy, "answers"):
                    policy.answered, made = (out / REPLIES).is_file(), endpoint_replies
                loaded.append(made(policy, self.root, self._asked(renderer)))
            return loaded[0](samples) if samples else []

        loaded: list[Replies] = []
        return reply

    @property
    def decoding(self) -> Settings:
        """How a policy runs and decodes here. It leaves GPU memory to a judge that is served on the same machine."""
        config, profile = self.config, self.study.profile
        left = profile.judge.gpu_left
        return Settings(profile.policy.dtype, config.max_new_tokens, config.repetition_penalty, left)

    def _asked(self, renderer: Renderer) -> Callable[[Sample], str]:
        """The text of the question for each sample. A figure's size is read from its true script, traced once."""
        if not self.question.tells_size:
            return lambda sample: self.question.text()
        references = References(renderer, "plot2code")

        def asked(sample: Sample) -> str:
            items = None
            with suppress(OSError, UnicodeDecodeError):  # the runner leaves such a sample out, and says why
                items = references.items((self.root / sample.code).read_text(encoding="utf-8"))
            return self.question.text(items["size"] if items else (6.4, 4.8))  # Matplotlib's default

        return asked


#: Once per process: without a network, each evaluation would wait again.
_download_once = cache(prompts.download_if_possible)
