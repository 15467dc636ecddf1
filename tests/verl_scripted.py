"""verl's configuration, data set and agent-loop worker, with a policy that writes a test's script."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import hydra
import tiny_policy
from scripted import Judge, Renderer, profile_of
from verl.trainer.ppo.v1 import agent_loop_tq
from verl.utils.dataset.rl_dataset import RLHFDataset
from verl.workers.rollout.replica import TokenOutput

from reproduce.verl import loop
from reproduce.verl.data import write_parquet
from rrvf.policies.local import load_processor
from rrvf.records import Sample
from rrvf.reward import RewardRule
from rrvf.rollout import Tools

FOLDER = Path(loop.__file__).parent
#: Qwen2.5-VL's template without videos.
TEMPLATE = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful "
    "assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}"
    "{{ message['content'] }}<|im_end|>\n{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' "
    "or 'image' in content %}<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}"
    "{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def configuration(name: str, *changes: str):
    """The configuration of `verl.trainer.main_ppo --config-dir reproduce/verl --config-name NAME CHANGES`."""
    with hydra.initialize_config_dir(str(FOLDER), version_base=None):
        return hydra.compose(name, ["hydra.searchpath=[pkg://verl.trainer.config]", *changes])


def build_policy(folder: Path) -> Path:
    """A tiny Qwen2.5-VL with the template of its family, which has a system turn."""
    tiny_policy.build(folder)
    processor = load_processor(str(folder))
    processor.chat_template = processor.tokenizer.chat_template = TEMPLATE
    processor.save_pretrained(folder)
    return folder


class Watched(RewardRule):
    """The profile's reward rule, which also stores the trajectories it scores."""

    seen: list = []

    def terms(self, trajectory):
        self.seen.append(trajectory)
        return super().terms(trajectory)


class Server:
    """Replaces verl's client of its vLLM servers. Turn t of picture i is `write(i, t)`. Stores its requests."""

    def __init__(self, tokenizer, write) -> None:
        self.tokenizer, self.write, self.asked = tokenizer, write, []

    async def generate(self, request_id, *, prompt_ids, sampling_params, image_data=None, **_) -> TokenOutput:
        turn = sum(asked["request_id"] == request_id for asked in self.asked)
        shown = [picture.copy() for picture in image_data]
        self.asked.append(dict(request_id=request_id, ids=prompt_ids, sampling=sampling_params, pictures=shown))
        ids = self.tokenizer(self.write(image_data[0].getpixel((0, 0))[0], turn), add_special_tokens=False)["input_ids"]
        ids = [*ids, self.tokenizer.eos_token_id][: sampling_params["max_tokens"]]
        steps = {"global_steps": turn, "min_global_steps": turn, "max_global_steps": turn}
        return TokenOutput(token_ids=ids, log_probs=[-0.5] * len(ids), extra_fields=steps)


def play(monkeypatch, policy: Path, samples: list[Sample], root: Path, write, judge=None, n=1, changes=(), **grpo):
    """All episodes of `samples` through verl's worker.

    Returns verl's stored data by (sample id, session), the trajectories, and the server.
    """
    profile = profile_of(policy, prompts_per_step=len(samples), group_size=max(2, n), **grpo)
    settings, tools = profile.grpo["chart"], Tools({"chart": Renderer()}, judge or Judge())
    rule = Watched()
    rule.seen.clear()
    monkeypatch.setattr(loop, "_workplace", lambda *_: (settings, tools, rule))
    data = root / "pictures.parquet"
    study = SimpleNamespace(profile=profile, data=root, pictures=lambda config: samples)
    write_parquet(study, settings, data)
    config = configuration(
        "paper", f"data.train_files={data}", f"+data.cache_dir={root}", f"actor_rollout_ref.model.path={policy}",
        "data.max_prompt_length=512", f"data.max_response_length={settings.max_completion_tokens}",
        f"actor_rollout_ref.rollout.n={n}", *changes,
    )  # fmt: skip
    stored = {}

    async def keep(keys, fields, **_):
        stored.update({tuple(key.split("_")[:2]): fields[i] for i, key in enumerate(keys)})

    async def ignore(**_):
        pass

    store = SimpleNamespace(init=lambda: None, async_kv_put=ignore, async_kv_batch_put=keep)
    monkeypatch.setattr(agent_loop_tq, "tq", store)
    worker_class = agent_loop_tq.AgentLoopWorkerTQ.__ray_metadata__.modified_class
    tokenizer = load_processor(str(policy)).tokenizer
    server = Server(tokenizer, write)

    async def run():
        worker = worker_class(config, server, None, None)
        rows = RLHFDataset([str(data)], worker.tokenizer, config.data, worker.processor)
        sampling = dict(temperature=1.0, top_p=1.0, top_k=-1, repetition_penalty=1.0, logprobs=True)
        at = dict(step=1, sample_index=0, rollout_n=0, validate=False)
        for i, sample in enumerate(samples):
            prompt = rows[i] | {"uid": sample.id, "global_steps": 1, "agent_name": "rrvf"}
            await worker._run_prompt(prompt, sampling, trajectory=at)

    asyncio.run(run())
    tools.close()
    return stored, list(rule.seen), server
