"""Evaluates a policy over several turns: plays the episodes of Alg. 1, then scores them as of each turn."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from rrvf.benchmarks.lines import append_lines
from rrvf.benchmarks.questions import Question
from rrvf.benchmarks.registry import reader
from rrvf.benchmarks.replies import UNREAD, picture_of
from rrvf.benchmarks.results import usage_of
from rrvf.benchmarks.run import BLOCK, REPLIES
from rrvf.benchmarks.turns import Remembered, as_of, fault, play, without_feedback
from rrvf.domains import domain
from rrvf.errors import UserError
from rrvf.evaluation import Evaluation
from rrvf.folders import claim, owned
from rrvf.policies.address import open_policy
from rrvf.policies.names import Feedback, feedback_of
from rrvf.protocol import load_prompt
from rrvf.records import Sample, Trajectory, json_lines
from rrvf.rows import Row

EPISODES = "episodes.jsonl"


def evaluate_turns(
    evaluation: Evaluation, policy: str, model: str | Row, out: Path, samples: list[Sample], max_turns: int
) -> dict:
    """Play the episodes, then score them as of each turn in `out/turn_N`.

    Returns what `out/turns.json` holds. The judge of training gives the feedback, in the form that the policy was
    trained with. The judge of the tables gives the scores.
    """
    profile, domain_name = evaluation.study.profile, evaluation.config.domain
    prompt = load_prompt(domain(domain_name), "tools", profile.policy.prompts, max_turns)
    evaluation.question = Question(f"{profile.policy.prompts}-tools, {max_turns} turns", prompt.text)
    heard = feedback_of(model) if isinstance(model, str) else Feedback()
    who = evaluation.who(policy, model) | {
        "turns": max_turns,
        "feedback": profile.judge.identity,
        **({} if heard == Feedback() else asdict(heard)),
        "prompt_hash": evaluation.question.sha256[:12],
    }
    _play_missing(evaluation, model, prompt.text, out, samples, max_turns, who, heard)
    found = {x["sample_id"]: Trajectory.model_validate(x) for x in json_lines(out / EPISODES)}
    by_turn = []
    for turn in range(1, max_turns + 1):
        made = {s.id: as_of(found[s.id], turn) if s.id in found else UNREAD for s in samples}
        summary = evaluation.evaluated(
            f"{policy}, turn {turn}", who | {"turn": turn}, out / f"turn_{turn}", samples,
            lambda renderer, stack, made=made: lambda wanted: [made[s.id] for s in wanted], turn=turn,
        )  # fmt: skip
        by_turn.append({"turn": turn, "outcomes": summary["outcomes"], "metrics": summary["metrics"]})
    played = [found[s.id] for s in samples if s.id in found]
    result = {
        "n": len(samples), "policy": policy, "set": evaluation.set_name, "turns": by_turn,
        "drafts_without_feedback": without_feedback(played),
        "usage": usage_of(out, [*played, *(turn for episode in played for turn in episode.turns)]),
    }  # fmt: skip
    (out / "turns.json").write_text(json.dumps(result, indent=1) + "\n")
    return result


def _play_missing(
    evaluation: Evaluation,
    model: str | Row,
    prompt: str,
    out: Path,
    samples: list[Sample],
    max_turns: int,
    who: dict,
    heard: Feedback,
) -> None:
    """Play the episodes that `out/episodes.jsonl` lacks.

    An episode in which the endpoint or a render failed is not written, so the next run plays it again. UserError where
    an episode failed so.
    """
    broken: list[str] = []
    with owned(out), ExitStack() as stack:
        # An endpoint's turns are on disk before the first episode ends.
        claim(out, who, begun=REPLIES if (out / REPLIES).is_file() else EPISODES)
        known = {x["sample_id"] for x in json_lines(out / EPISODES)}
        todo = [s for s in samples if s.id not in known and picture_of(evaluation.root, s)]
        if not todo:
            return
        policy = open_policy(model, evaluation.decoding, stack)
        chat = Remembered(policy, out / REPLIES).chat if hasattr(policy, "answers") else policy.chat
        study, task = evaluation.study, evaluation.config.domain
        tools = stack.enter_context(study.tools(task, bare_score=heard.bare_score, limits=evaluation.limits))
        read = reader(evaluation.config)
        for start in tqdm(range(0, len(todo), BLOCK), desc=f"play {out.name}", unit="block"):
            played = play(
                todo[start : start + BLOCK], evaluation.root, prompt, chat, tools, max_turns, read, heard.hint
            )
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
