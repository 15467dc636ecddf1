"""Episodes through a real OpenEnv server and its real client: `make test-openenv` (a minute).

Not collected by `make test`: it needs .venv-openenv, which `make test-openenv` builds.
"""

from __future__ import annotations

import base64
import functools
import io
import json
import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest
import uvicorn
import yaml
from openenv.core.env_server.http_server import create_app
from PIL import Image as Picture
from scripted import ANSWER, BROKEN, CALL, Judge, Model, png, profile_of
from scripted import Renderer as Balanced

from reproduce.openenv.client import Redraw, Told, Turn
from reproduce.openenv.server import RedrawEnvironment
from rrvf.domains import CHART
from rrvf.judge.child import running_server
from rrvf.judge.client import JudgeClient
from rrvf.judge.local import encode
from rrvf.judge.scenes import draw_chart, random_chart
from rrvf.profile import load_profile, profile_file
from rrvf.protocol import answer_text, load_prompt, tool_call_text
from rrvf.records import Judgement
from rrvf.render import Renderer
from rrvf.reward import reward_rule
from rrvf.rollout import Episode, Tools, run_episode
from rrvf.study import Study

#: Turns of a policy, each series with another end of the episode.
SCRIPTS = [
    (ANSWER,), (CALL, ANSWER), (CALL, CALL, ANSWER), (BROKEN,), (CALL, BROKEN), ("no code",), ("<tool_call>{</tool_call>", ANSWER),
    (CALL, CALL, CALL, CALL),
]  # fmt: skip


@contextmanager
def served(profile, judge=None, sessions=32, renderer=None):
    """The address of a server in this process, by default with stand-ins as tools."""
    tools = Tools({"chart": renderer or Balanced()}, judge or Judge())
    app = create_app(
        functools.partial(RedrawEnvironment, profile, "chart", tools), Turn, Told, max_concurrent_envs=sessions
    )
    server = uvicorn.Server(settings := uvicorn.Config(app, port=0, log_level="warning"))
    held = settings.bind_socket()
    held.listen()
    thread = threading.Thread(target=server.run, args=([held],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        tools.close()


def client(url: str):
    """The real client, with a long timeout for busy machines."""
    return Redraw(url, connect_timeout_s=120.0).sync()


def play(env, turns, target: bytes, **asked):
    """All results of an episode whose policy writes `turns`, from reset to the end."""
    results = [env.reset(picture=base64.b64encode(target).decode(), **asked)]
    for text in turns:
        results.append(env.step(Turn(text=text)))
        if results[-1].done:
            break
    return results


def alone(turns, target: bytes, profile, tools):
    """The same episode by `run_episode`: the replies, and the reward's terms."""
    config, script, heard = profile.grpo["chart"], iter(turns), []

    def generate(messages):
        heard.append(messages[-1]["content"])
        return next(script)

    episode = Episode("", CHART, target, tools, config.max_turns, config.last_turn_hint)
    trajectory = run_episode(generate, "", None, episode)
    return heard[1:], reward_rule(profile).terms(trajectory)


def programs(number: int) -> tuple[str, ...]:
    """A careless draft and a better answer, different for each episode."""
    draft = f"import matplotlib.pyplot as plt\nplt.bar(range(3), [{number}, 2, 3])"
    fixed = draft + f"\nplt.title('number {number}')"
    return (tool_call_text(draft, CHART), answer_text(fixed if number % 4 else "plt.bar(", CHART))


def test_sixteen_episodes_are_worth_what_they_are_without_a_server():
    """With the real renderer and judge, and no short time limit, for busy machines."""
    profile = load_profile("nano")
    targets = [encode(draw_chart(random_chart(random.Random(i)))) for i in range(16)]
    limits = replace(Study(profile).limits("chart"), wall_s=600.0, cpu_s=600.0)
    with (
        running_server(wait_s=600) as judge_url,
        JudgeClient(judge_url, timeout_s=300) as judge,
        Renderer("chart", 1, limits) as renderer,
        served(profile, judge, renderer=renderer) as url,
        client(url) as env,
    ):
        ours = [play(env, programs(i), target, domain="chart") for i, target in enumerate(targets)]
        tools = Tools({"chart": renderer}, judge)
        theirs = [alone(programs(i), target, profile, tools) for i, target in enumerate(targets)]
        tools.close()
    for results, (heard, terms) in zip(ours, theirs, strict=True):
        assert [r.observation.words for r in results[1:-1]] == heard and results[-1].reward == terms.total
        assert results[-1].done and results[-1].metadata == terms.model_dump()
    assert len({terms.total for _, terms in theirs}) > 8


def test_the_command_serves_what_its_profile_says(tmp_path):
    settings = yaml.safe_load(profile_file("nano").read_text())
    with running_server(wait_s=600) as judge:
        (tmp_path / "judged.yaml").write_text(yaml.safe_dump(settings | {"judge": {"url": judge}}))
        command = [sys.executable, "-m", "reproduce.openenv.server", "--profile", str(tmp_path / "judged.yaml")]
        with subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True) as server:
            try:
                url = json.loads(server.stdout.readline())["url"]
                with client(url) as env:
                    begun, ended = play(env, ("no code",), png(), domain="chart")
            finally:
                server.terminate()
    profile = load_profile("nano")
    assert begun.observation.words == load_prompt(CHART, "tools", "nano", profile.grpo["chart"].max_turns).text
    assert ended.done and ended.reward == reward_rule(profile).weights.format * profile.reward.format_penalty


@pytest.mark.parametrize("turns", SCRIPTS)
def test_every_end_of_an_episode_is_that_of_run_episode(turns):
    profile = profile_of("none", max_turns=4)
    tools = Tools({"chart": Balanced()}, Judge())
    heard, terms = alone(turns, png(), profile, tools)
    with served(profile) as url, client(url) as env:
        results = play(env, turns, png())
        assert env.state().step_count == len(results) - 1
    assert [r.observation.words for r in results[1:-1]] == heard
    assert (results[-1].reward, results[-1].metadata) == (terms.total, terms.model_dump())
    tools.close()


class PixelJudge(Judge):
    """A judge that reports which target it saw: the shade of its first pixel."""

    def compare(self, reference, generated, domain):
        return Judgement(status="ok", feedback=f"---Comments: {shade(reference)}")

    def score(self, reference, generated, domain):
        return Judgement(status="ok", score=shade(reference) / 255)


def shade(picture: bytes) -> int:
    return Picture.open(io.BytesIO(picture)).getpixel((0, 0))[0]


def test_thirty_two_sessions_at_once_do_not_mix():
    profile, gate = profile_of("none", max_turns=4), threading.Barrier(32)

    def session(number: int) -> tuple:
        with client(url) as env:
            gate.wait()  # all sessions are open before the first one resets
            results = play(env, (CALL, CALL, ANSWER), png(7 * number), episode_id=str(number))
            gate.wait()
            return [r.observation.words for r in results[1:3]], results[-1].metadata["vision"], env.state().episode_id

    with served(profile, PixelJudge()) as url, ThreadPoolExecutor(32) as pool:
        found = list(pool.map(session, range(32)))
    for number, (words, vision, name) in enumerate(found):
        assert name == str(number) and vision == 7 * number / 255
        assert all(word.startswith(f"---Comments: {7 * number}") for word in words)


def test_a_reset_names_the_prompt_and_a_draft_comes_back_as_it_was_drawn():
    profile = profile_of("none", max_turns=3)
    with served(profile) as url, client(url) as env:
        begun, told, ended = play(env, (CALL, ANSWER), png(), show_render=True)
        assert begun.observation.words == load_prompt(CHART, "tools", "nano", 3).text
        assert base64.b64decode(told.observation.picture) == base64.b64decode(ended.observation.picture) == png()
        assert play(env, (CALL,), png())[1].observation.picture is None


def test_an_episode_that_nobody_judged_has_no_reward():
    judge = Judge()
    judge.score_value = None
    with served(profile_of("none"), judge) as url, client(url) as env:
        ended = play(env, (ANSWER,), png())[-1]
    assert ended.done and ended.reward is None and ended.metadata["problem"] == "timeout"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"picture": "§"}, "not base64"), ({"picture": ""}, "not a PNG or JPEG"), ({"domain": "web"}, "name one of chart"),
        ({"picture": base64.b64encode(b"GIF89a").decode()}, "not a PNG or JPEG"),
    ],
)  # fmt: skip
def test_what_cannot_be_redrawn_is_refused_in_words_and_the_session_lives(asked, told):
    with served(profile_of("none")) as url, client(url) as env:
        with pytest.raises(Exception, match=told):
            env.reset(**{"picture": base64.b64encode(png()).decode()} | asked)
        with pytest.raises(Exception, match="call reset first"):
            env.step(Turn(text=ANSWER))
        assert play(env, (ANSWER,), png())[-1].done


def test_one_session_too_many_is_refused():
    with served(profile_of("none"), sessions=1) as url, client(url) as env:
        play(env, (ANSWER,), png())
        with pytest.raises(Exception, match="capacity"), client(url) as other:
            other.reset(picture="")


class Redrawn:
    """An environment as in TRL's OpenEnv guide: it holds the client, with one method per tool. See docs/scale.md."""

    url = ""

    def __init__(self) -> None:
        self._env = client(self.url)

    def reset(self, image, **_) -> None:
        file = io.BytesIO()
        image.save(file, "PNG")
        self._env.reset(picture=base64.b64encode(file.getvalue()).decode(), domain="chart")

    def render_and_compare(self, call: str) -> str:
        """Render the code of a tool call and compare the picture with the target.

        Args:
            call: The JSON between the tool_call tags.

        Returns:
            The judge's words.
        """
        return self._env.step(Turn(text=f"<tool_call>{call}</tool_call>")).observation.words

    def _ended(self, completion) -> float | None:
        return self._env.step(Turn(text=completion[-1]["content"])).reward


def test_trl_trains_two_steps_on_it(policy, samples, tmp_path, script):
    """TRL's own trainer; of this project it uses only the policy's templates."""
    from datasets import Dataset, Image
    from trl import GRPOConfig, GRPOTrainer

    from rrvf.policies.local import training_processor

    heard = []
    script["write"] = lambda turn, row: (CALL, ANSWER if row % 2 else BROKEN)[turn % 2]

    def reward(completions, environments, **_):
        heard.extend(m["content"] for c in completions for m in c if m["role"] == "tool")
        return [env._ended(c) for env, c in zip(environments, completions, strict=True)]

    rows = {
        "prompt": [[{"role": "user", "content": "Redraw."}]] * 4,
        "image": [str(tmp_path / s.image) for s in samples],
    }
    with served(profile_of(policy, max_turns=2)) as url:
        trainer = GRPOTrainer(
            model=Model.from_pretrained(policy),
            processing_class=training_processor(str(policy)),
            reward_funcs=reward,
            train_dataset=Dataset.from_dict(rows).cast_column("image", Image()),
            environment_factory=type("Here", (Redrawn,), {"url": url}),
            args=GRPOConfig(
                str(tmp_path / "run"), max_steps=2, per_device_train_batch_size=4, num_generations=2, learning_rate=1e-2,
                max_completion_length=2000, max_tool_calling_iterations=1, use_cpu=True, bf16=False, report_to=[], save_strategy="no",
                gradient_checkpointing=False, logging_steps=1,
            ),
        )  # fmt: skip
        trainer.train()
    assert len(heard) == 8 and all("title is missing" in str(words) for words in heard)
    lines = [line for line in trainer.state.log_history if "reward" in line]
    assert len(lines) == 2 and all(line["reward_std"] > 0 and line["grad_norm"] > 0 for line in lines)
