"""What an evaluation would cost: its calls, tokens, price and time, without making a call."""

from __future__ import annotations

from rrvf.domains import domain
from rrvf.evaluation import Evaluation
from rrvf.judge.prompts import load_judge_prompt
from rrvf.pictures import picture_size
from rrvf.policies.address import Model, is_hosted
from rrvf.prices import Asked, characters, estimate, written_by
from rrvf.profile import JudgeConfig
from rrvf.protocol import load_prompt
from rrvf.records import Sample
from rrvf.rows import Row

#: Tokens of a judge's feedback on a draft.
_FEEDBACK = 300


def estimate_costs(evaluation: Evaluation, policy: str, model: Model, samples: list[Sample], turns: int = 1) -> str:
    """Calls, tokens, price and time of a run, in lines.

    It assumes that every sample is judged and that nothing is on disk. With several `turns`, it assumes that every
    episode takes all of them and that every turn is scored.
    """
    evaluation.tell_rubric()
    sizes = [picture_size(evaluation.root / s.image) for s in samples]
    parts, hosted = [], is_hosted(model)
    if hosted:
        name = model.model if isinstance(model, Row) else model.partition("#")[2] or model
        asked = tuple((size,) for size in sizes) * turns
        parts.append(Asked("policy", name, _words_of_a_turn(evaluation, name, turns), asked, 8))
    pairs, profile = tuple((size, size) for size in sizes), evaluation.study.profile
    if turns > 1 and profile.judge.url:
        words = len(load_judge_prompt(evaluation.config.domain, "feedback").text)
        parts.append(_judging("feedback", profile.judge, words, pairs * (turns - 1), _FEEDBACK))
    judge, rubric = profile.table_judge, evaluation.rubric
    if judge.url:
        own = load_judge_prompt(evaluation.config.domain, "score")
        words, written = (len(rubric.prompt.text), 400) if rubric else (len(own.text), 60)
        parts.append(_judging("judge", judge, words, pairs * turns, written))
    local = "" if hosted else f"policy: {policy} runs here, no calls\n"
    return local + ("" if judge.url else "judge: embedded, no calls\n") + estimate(parts)


def _words_of_a_turn(evaluation: Evaluation, model: str, turns: int) -> int:
    """Characters of a question, on average over the turns. Each turn repeats the turns before it."""
    if turns == 1:
        return len(evaluation.question.template)
    prompts = evaluation.study.profile.policy.prompts
    prompt = load_prompt(domain(evaluation.config.domain), "tools", prompts, turns).text
    return len(prompt) + characters(written_by(model) + _FEEDBACK) * (turns - 1) // 2


def _judging(who: str, judge: JudgeConfig, words: int, pairs: tuple, written: int) -> Asked:
    return Asked(who, judge.model or judge.url or "", words, pairs, judge.max_in_flight, written)
