"""TRL's GRPOTrainer with the changes that RRVF needs, each in one method."""

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
    """GRPOTrainer with parallel tool calls, a choice of baseline (decisions D1), seconds by phase and safe checkpoints.

    advantage: `mean` or `max`, the baseline; set it after construction. phases: the clock.
    """

    advantage: str = "mean"

    def __init__(self, *args, **kwargs) -> None:
        self.phases = Phases()
        super().__init__(*args, **kwargs)
        if self.use_vllm:
            keep_base_exact(self.vllm_generation)
            forget_pictures(self.vllm_generation)

    def _get_tool_suffix_ids(self, tool_messages):
        # TRL calls this once all tool calls of the round have started, so their results can be awaited in turn.
        with self.phases("tools"):
            for message in tool_messages:
                if isinstance(message["content"], list):
                    message["content"] = _resolved(message["content"])
        return super()._get_tool_suffix_ids(tool_messages)

    def _get_per_token_logps_and_entropies(self, *args, **kwargs):
        # Without gradients, this computes the KL term's reference or, with vLLM, the importance correction's.
        with nullcontext() if torch.is_grad_enabled() else self.phases("reference"):
            return self._by_length(*args, **kwargs)

    def _by_length(self, model, input_ids, attention_mask, logits_to_keep, batch_size=None, **inputs):
        # TRL pads all episodes of a step to the longest, three times the mean length here. Batch episodes by length.
        inputs = split_pixel_values_by_grid({name: value for name, value in inputs.items() if value is not None})
        together = attention_mask.sum(dim=1).argsort().split(min(batch_size or EPISODES, EPISODES))
        # Keep a batch in its original order. Outside the loss (for which TRL shuffles), neighbours share their picture,
        # which the vision tower then encodes once (`policies.vision`).
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
        # Samplers are told not to write picture tokens. If one does all the same, replace them: they would end the run.
        question_mark = self._tokenizer.encode("?", add_special_tokens=False)[0]
        replaced = dict.fromkeys(picture_tokens(self._tokenizer), question_mark)
        return [[replaced.get(token, token) for token in ids] for ids in completion_ids], *rest

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
        """`against_best` over the groups of all processes. Takes and returns this process's advantages."""
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
        """TRL's `train`, after starting the clock of the phases."""
        self.phases.start()
        return super().train(*args, **kwargs)

    def log(self, logs, start_time=None):
        """TRL's `log`; a step's line also gets the seconds of each phase since the line before."""
        if "loss" in logs:
            logs |= self.phases.take()
        super().log(logs, start_time)


def keep_base_exact(engine: VLLMGeneration) -> None:
    """Give vLLM merged weights, without TRL's merging and unmerging in place at every step (see `adapters`)."""
    if adapted_layers(engine.model):
        engine._iter_named_params = partial(sampler_weights, engine.model, engine._iter_named_params)


def forget_pictures(engine: VLLMGeneration) -> None:
    """Drop vLLM's embeddings of pictures after each weight update.

    vLLM keeps them by the picture alone, so a picture that comes again would be seen with older weights (TRL issue
    7198).
    """
    sync = engine.sync_weights

    def synced() -> None:
        sync()
        engine.llm.llm_engine.reset_encoder_cache()

    engine.sync_weights = synced


@contextmanager
def _plain(model: torch.nn.Module) -> Iterator[None]:
    """Inside the block `model` samples faster, without what only training needs.

    Accelerate's autocast is off: it would cast all weights again for every token. Adapters are merged into the weights.
    """
    cast = vars(model).pop("forward", None)  # None with DeepSpeed, which casts in its own way
    try:
        with merged(model):
            yield
    finally:
        if cast is not None:
            model.forward = cast


def _of_rows(inputs: dict, rows: torch.Tensor, width: int) -> dict:
    """The part of `inputs` for the episodes `rows`. Lists (pictures) are by episode, tensors by episode and token."""

    def pick(value):
        if isinstance(value, list):
            return [value[i] for i in rows]
        return value[rows, :width] if isinstance(value, torch.Tensor) else value

    return unsplit_pixel_values_by_grid({name: pick(value) for name, value in inputs.items()})


def _resolved(content: list) -> str | list[dict]:
    """The content of a tool message, with the text in place of its future. With a picture it stays a list of blocks."""
    *pictures, feedback = content
    text = feedback.result()
    return [*pictures, {"type": "text", "text": text}] if pictures else text


def one_pad_a_picture(ids: list[int], image_pad: int) -> list[int]:
    """Replace each run of image tokens by a single one.

    TRL passes vLLM ids that the processor has already expanded, and vLLM expands the first token of each run again (TRL
    issue 6294). Runs of two pictures never touch: `<|vision_end|><|vision_start|>` separates them.
    """
    return [token for token, run in groupby(ids) for token in ([token] if token == image_pad else run)]
