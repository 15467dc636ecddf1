"""RRVF's departures from TRL's GRPOTrainer, each in one method."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import groupby

import torch
from torch.nn.functional import pad
from trl import GRPOTrainer
from trl.generation.vllm_generation import VLLMGeneration
from trl.trainer.utils import split_pixel_values_by_grid, unsplit_pixel_values_by_grid

from rrvf.policies.tokens import picture_tokens
from rrvf.training import EPISODES
from rrvf.training.adapters import adapted_layers, merged, sampler_weights
from rrvf.training.advantage import against_best
from rrvf.training.checkpoints import SafeCheckpoints
from rrvf.training.phases import Phases


class RRVFTrainer(SafeCheckpoints, GRPOTrainer):
    """GRPOTrainer with overlapping tools, the choice of baseline (decisions D1), seconds by phase and a safe resume.

    Set after construction: advantage. Read by callbacks: phases.
    """

    advantage: str = "mean"

    def __init__(self, *args, **kwargs) -> None:
        self.phases = Phases()
        super().__init__(*args, **kwargs)
        if self.use_vllm:
            keep_base_exact(self.vllm_generation)

    def _get_tool_suffix_ids(self, tool_messages):
        # Called after every call of the round was started: here the futures are waited for, all at once in effect.
        with self.phases("tools"):
            for message in tool_messages:
                if isinstance(message["content"], list):
                    message["content"] = _resolved(message["content"])
        return super()._get_tool_suffix_ids(tool_messages)

    def _get_per_token_logps_and_entropies(self, *args, **kwargs):
        # Outside the loss the KL term asks for these, and with vLLM the correction for what its sampler saw.
        with nullcontext() if torch.is_grad_enabled() else self.phases("reference"):
            return self._by_length(*args, **kwargs)

    def _by_length(self, model, input_ids, attention_mask, logits_to_keep, batch_size=None, **inputs):
        # Stock TRL gives all episodes of a step the width of the longest, thrice the mean here.
        inputs = split_pixel_values_by_grid({name: value for name, value in inputs.items() if value is not None})
        together = attention_mask.sum(dim=1).argsort().split(min(batch_size or EPISODES, EPISODES))
        # Outside the loss, which TRL shuffles for, neighbours share their picture: looked at once (`policies.vision`).
        together, parts = [rows.sort().values for rows in together], []
        for rows in together:
            kept = int(attention_mask[rows, -logits_to_keep:].sum(dim=1).max())
            width = input_ids.shape[1] - logits_to_keep + kept
            *both, loss = super()._get_per_token_logps_and_entropies(
                model, input_ids[rows, :width], attention_mask[rows, :width], kept, **_of_rows(inputs, rows, width)
            )
            parts.append([None if t is None else pad(t, (0, logits_to_keep - kept)) for t in both] + [loss])
        back = torch.cat(together).argsort()
        logps, entropies, losses = zip(*parts, strict=True)
        return (
            torch.cat(logps)[back],
            None if entropies[0] is None else torch.cat(entropies)[back],
            None if losses[0] is None else torch.stack(losses).mean(),
        )

    def _generate_single_turn(self, prompt_ids, images, *args, **kwargs):
        if self.use_vllm and images is not None:
            prompt_ids = [one_pad_a_picture(ids, self.model.config.image_token_id) for ids in prompt_ids]
        plain = self.args.bf16 and not self.use_vllm
        with self.phases("generation"), _plain(self.model) if plain else nullcontext():
            completion_ids, *rest = super()._generate_single_turn(prompt_ids, images, *args, **kwargs)
        # Samplers are told not to write tokens of pictures; one that does all the same must not end the run.
        instead = self._tokenizer.encode("?", add_special_tokens=False)[0]
        pictures = dict.fromkeys(picture_tokens(self._tokenizer), instead)
        return [[pictures.get(token, token) for token in ids] for ids in completion_ids], *rest

    def _calculate_rewards(self, *args, **kwargs):
        with self.phases("reward"):
            rewards = super()._calculate_rewards(*args, **kwargs)
        self._unscored = torch.isnan(rewards).all(dim=1)
        return rewards

    def _generate_and_score_completions(self, inputs):
        with self.phases("rollout"):
            output = super()._generate_and_score_completions(inputs)
            if self.advantage == "max":
                output["advantages"] = self._against_best(output["advantages"])
            return output

    def _against_best(self, advantages: torch.Tensor) -> torch.Tensor:
        """`against_best` over the groups of all processes; what comes back is this process's part."""
        group = self.num_generations if self.model.training else self.num_generations_eval
        everyone = self.accelerator.gather(advantages).view(-1, group)
        shifted = against_best(everyone, self._unscored.view(-1, group)).flatten()
        self._logs["advantages"].extend(shifted.tolist())
        start = len(advantages) * self.accelerator.process_index
        return shifted[start : start + len(advantages)]

    def _save_checkpoint(self, model, trial):
        with self.phases("saving"):
            super()._save_checkpoint(model, trial)

    def train(self, *args, **kwargs):
        """As TRL's, with the clock of the phases started."""
        self.phases.start()
        return super().train(*args, **kwargs)

    def log(self, logs, start_time=None):
        """As TRL's, with the seconds of each phase since the last step's line."""
        if "loss" in logs:
            logs |= self.phases.take()
        super().log(logs, start_time)


def keep_base_exact(engine: VLLMGeneration) -> None:
    """Let vLLM have weights with adapters laid in, without TRL's merging into the base and out of it at every step."""
    if adapted_layers(engine.model):
        engine._iter_named_params = partial(sampler_weights, engine.model, engine._iter_named_params)


@contextmanager
def _plain(model: torch.nn.Module) -> Iterator[None]:
    """`model` without what only training needs and every written token would pay for.

    Accelerate's autocast around it, which casts all weights anew, and adapters beside the weights, which are laid into
    them.
    """
    cast = vars(model).pop("forward", None)  # DeepSpeed casts in its own way
    try:
        with merged(model):
            yield
    finally:
        if cast is not None:
            model.forward = cast


def _of_rows(inputs: dict, rows: torch.Tensor, width: int) -> dict:
    """`inputs` of some episodes; pictures come as lists, by episode, and what is a tensor goes by token."""

    def pick(value):
        if isinstance(value, list):
            return [value[i] for i in rows]
        return value[rows, :width] if isinstance(value, torch.Tensor) else value

    return unsplit_pixel_values_by_grid({name: pick(value) for name, value in inputs.items()})


def _resolved(content: list) -> str | list[dict]:
    """A tool's content with its future replaced by the text; with a picture in front it stays a list of blocks."""
    *pictures, feedback = content
    text = feedback.result()
    return [*pictures, {"type": "text", "text": text}] if pictures else text


def one_pad_a_picture(ids: list[int], image_pad: int) -> list[int]:
    """Each run of image tokens as one token.

    TRL hands vLLM ids that the processor has expanded already, and vLLM expands the first of each run once more (TRL
    issue 6294). Two pictures never touch: `<|vision_end|><|vision_start|>` stands between them.
    """
    return [token for token, run in groupby(ids) for token in ([token] if token == image_pad else run)]
