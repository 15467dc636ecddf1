"""Evaluates one policy on one evaluation set of a study: joins question, judge, rubric and limits for the runner.

    Evaluation(study, "chartmimic").run("base", "Qwen/Qwen2.5-VL-7B-Instruct", Path("runs/eval/base"))

Everything besides the policy that changes the scores is written into every record (`Provenance`) and into the heads of
the tables.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from rrvf.benchmarks import registry
from rrvf.benchmarks.kept import KeptMetrics
from rrvf.benchmarks.lines import append_lines
from rrvf.benchmarks.pairs import References
from rrvf.benchmarks.questions import Question, question
from rrvf.benchmarks.replies import (
    best_replies,
    endpoint_replies,
    file_replies,
    local_replies,
    oracle_replies,
    picture_of,
)
from rrvf.benchmarks.results import usage_of
from rrvf.benchmarks.run import BLOCK, REPLIES, Replies, Run
from rrvf.benchmarks.runner import evaluate
from rrvf.benchmarks.turns import Remembered, as_of, fault, play, without_feedback
from rrvf.data import DataConfig, prompts
from rrvf.domains import domain
from rrvf.errors import UserError
from rrvf.folders import claim, owned
from rrvf.judge.prompts import load_judge_prompt
from rrvf.judge.rubrics import OWN, Rubric, official
from rrvf.policies.address import BestOf, Model, Settings, identity, is_endpoint, is_url, open_policy
from rrvf.policies.local import picture_size
from rrvf.prices import Asked, characters, estimate, written_by
from rrvf.profile import JudgeConfig
from rrvf.protocol import load_prompt
from rrvf.records import Provenance, Sample, Trajectory, json_lines
from rrvf.render import Limits, Renderer
from rrvf.rollout import Tools
from rrvf.rows import Row

if TYPE_CHECKING:
    from rrvf.study import Study

Shard = tuple[int, int] | None
EPISODES = "episodes.jsonl"
#: Tokens of a judge's feedback on a draft, for the estimate of costs.
_FEEDBACK = 300


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
            _bring(study.prompts)
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
        self._fallback = f"rrvf: {self.set_name}: the judge is asked with our rubric, not the benchmark's ({why})"
        return None

    def _tell_rubric(self) -> None:
        """Print once, before anything is judged, that our rubric is used although the profile asks for another."""
        if self._fallback:
            print(self._fallback, file=sys.stderr, flush=True)
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
        how = {"block": None if endpoint else BLOCK, "longest_first": endpoint and not _hosted(model)}
        return self._evaluated(policy, self._who(policy, model), out, samples, replies, shard=shard, **how)

    def score(self, policy: str, path: Path, out: Path, samples: list[Sample], judge_only: bool = False) -> dict:
        """Score replies that were made elsewhere: a file with a line `{"id", "reply"}` for each sample.

        judge_only: the file is an earlier run's; its renders and metrics are kept, and only the judge is asked.
        """
        made, digest = file_replies(path, samples)
        who = {"policy": policy, "weights": f"replies {digest}", "set": self._settings}
        kept = path.parent if judge_only else None
        return self._evaluated(policy, who, out, samples, lambda renderer, stack: made, kept)

    def turns(self, policy: str, model: str | Row, out: Path, samples: list[Sample], max_turns: int) -> dict:
        """Evaluate over several turns: play the episodes, then score them as of each turn in `out/turn_N`.

        Returns what `out/turns.json` holds. As in training, the judge of training gives the feedback. The judge of the
        tables gives the scores.
        """
        config, study = self.config, self.study
        prompt = load_prompt(domain(config.domain), "tools", study.profile.policy.prompts, max_turns)
        self.question = Question(f"{study.profile.policy.prompts}-tools, {max_turns} turns", prompt.text)
        who = self._who(policy, model) | {
            "turns": max_turns,
            "feedback": study.profile.judge.identity,
            "prompt_hash": self.question.sha256[:12],
        }
        self._episodes(model, prompt.text, out, samples, max_turns, who)
        found = {x["sample_id"]: Trajectory.model_validate(x) for x in json_lines(out / EPISODES)}
        by_turn = []
        for turn in range(1, max_turns + 1):
            replies = [as_of(found[s.id], turn) if s.id in found else None for s in samples]
            made = dict(zip((s.id for s in samples), replies, strict=True))
            summary = self._evaluated(
                f"{policy}, turn {turn}", who | {"turn": turn}, out / f"turn_{turn}", samples,
                lambda renderer, stack, made=made: lambda wanted: [made[s.id] for s in wanted], turn=turn,
            )  # fmt: skip
            by_turn.append({"turn": turn, "outcomes": summary["outcomes"], "metrics": summary["metrics"]})
        played = [found[s.id] for s in samples if s.id in found]
        result = {
            "n": len(samples), "policy": policy, "set": self.set_name, "turns": by_turn,
            "drafts_without_feedback": without_feedback(played),
            "usage": usage_of(out, [*played, *(turn for episode in played for turn in episode.turns)]),
        }  # fmt: skip
        (out / "turns.json").write_text(json.dumps(result, indent=1) + "\n")
        return result

    def _episodes(
        self, model: str | Row, prompt: str, out: Path, samples: list[Sample], max_turns: int, who: dict
    ) -> None:
        """Play the episodes that `out/episodes.jsonl` lacks.

        An episode in which the endpoint or a render failed is not written, so the next run plays it again. UserError
        where there are any.
        """
        broken: list[str] = []
        with owned(out), ExitStack() as stack:
            # An endpoint's turns are on disk before the first episode ends.
            claim(out, who, begun=REPLIES if (out / REPLIES).is_file() else EPISODES)
            known = {x["sample_id"] for x in json_lines(out / EPISODES)}
            todo = [s for s in samples if s.id not in known and picture_of(self.root, s)]
            if not todo:
                return
            policy = open_policy(model, self.decoding, stack)
            chat = Remembered(policy, out / REPLIES).chat if hasattr(policy, "answers") else policy.chat
            tools = stack.enter_context(self.study.tools(self.config.domain))
            for start in tqdm(range(0, len(todo), BLOCK), desc=f"play {out.name}", unit="block"):
                played = play(todo[start : start + BLOCK], self.root, prompt, chat, tools, max_turns)
                fair = [t for t in played if isinstance(t, Trajectory) and not fault(t)]
                with append_lines(out / EPISODES) as file:
                    file.writelines(t.model_dump_json() + "\n" for t in fair)
                broken += filter(None, map(fault, played))
                if not fair:  # the next block would fail too
                    break
        if broken:
            raise UserError(
                f"{len(broken)} episodes failed in the harness ({broken[0]}): run `rrvf doctor`, then this again; the "
                "others are kept"
            )

    def estimate(self, policy: str, model: Model, samples: list[Sample], turns: int = 1) -> str:
        """Calls, tokens, price and time of a run, without making a call.

        It assumes that every sample is judged and that nothing is on disk. With several `turns`, it assumes that every
        episode takes all of them and that every turn is scored.
        """
        self._tell_rubric()
        sizes = [picture_size(self.root / s.image) for s in samples]
        parts = []
        if _hosted(model):
            name = model.model if isinstance(model, Row) else model.partition("#")[2] or model
            asked = tuple((size,) for size in sizes) * turns
            parts.append(Asked("policy", name, self._words_of_a_turn(name, turns), asked, 8))
        pairs, profile = tuple((size, size) for size in sizes), self.study.profile
        if turns > 1 and profile.judge.url:
            words = len(load_judge_prompt(self.config.domain, "feedback").text)
            parts.append(_judging("feedback", profile.judge, words, pairs * (turns - 1), _FEEDBACK))
        judge, own = profile.table_judge, load_judge_prompt(self.config.domain, "score")
        if judge.url:
            words, written = (len(self.rubric.prompt.text), 400) if self.rubric else (len(own.text), 60)
            parts.append(_judging("judge", judge, words, pairs * turns, written))
        local = "" if _hosted(model) else f"policy: {policy} runs here, no calls\n"
        return local + ("" if judge.url else "judge: embedded, no calls\n") + estimate(parts)

    def _words_of_a_turn(self, model: str, turns: int) -> int:
        """Characters of a question, on average over the turns. Each turn repeats the turns before it."""
        if turns == 1:
            return len(self.question.template)
        prompt = load_prompt(domain(self.config.domain), "tools", self.study.profile.policy.prompts, turns).text
        return len(prompt) + characters(written_by(model) + _FEEDBACK) * (turns - 1) // 2

    def _evaluated(
        self, policy: str, who: dict, out: Path, samples: list[Sample], replies: Callable, kept: Path | None = None,
        **how,
    ) -> dict:  # fmt: skip
        config, study = self.config, self.study
        judging = study.profile.table_judge.max_in_flight
        self._tell_rubric()
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

    def _who(self, policy: str, model: Model) -> dict:
        decoding = {"decoding": model.decoding.model_dump()} if isinstance(model, Row) else {}
        return {"policy": policy, "weights": identity(model), "set": self._settings, **decoding}

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

        def reply(samples: list[Sample]) -> list[str | None]:
            if not loaded:
                loaded.append(open_policy(model.model, settings, stack))
            return best_replies(loaded[0], model.count, self.root, text, tools, profile.seed)(samples)

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
        """How a policy runs and decodes on this set. Where the judge runs on the same GPUs, it leaves memory to it."""
        config, profile = self.config, self.study.profile
        share = 0.55 if profile.judge.serve else 0.9
        return Settings(profile.policy.dtype, config.max_new_tokens, config.repetition_penalty, share)

    def _asked(self, renderer: Renderer) -> Callable[[Sample], str]:
        """The text of the question for each sample. A figure's size is read from its true script, traced once."""
        if not self.question.tells_size:
            return lambda sample: self.question.text()
        references = References(renderer, "plot2code")

        def asked(sample: Sample) -> str:
            items = references.items((self.root / sample.code).read_text(encoding="utf-8"))
            return self.question.text(items["size"] if items else (6.4, 4.8))  # Matplotlib's default

        return asked


@cache
def _bring(folder: Path) -> None:
    """Download the benchmarks' texts that are missing; tried once per process.

    A failure is printed. Our texts are then used instead.
    """
    try:
        prompts.download(folder)
    except UserError as error:
        print(f"rrvf: {error}", file=sys.stderr, flush=True)


def _judging(who: str, judge: JudgeConfig, words: int, pairs: tuple, written: int) -> Asked:
    return Asked(who, judge.model or judge.url or "", words, pairs, judge.max_in_flight, written)


def _hosted(model: Model) -> bool:
    return isinstance(model, Row) and model.route == "openai" or isinstance(model, str) and is_url(model)
