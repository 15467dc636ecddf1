"""Each family of models with its own template: its prompt, its answer, and whether it can be trained."""

from __future__ import annotations

import json

import pytest
import tiny_families
from PIL import Image
from scripted import profile_of, run
from trl.chat_template_utils import is_chat_template_prefix_preserving, supports_tool_calling

from rrvf.errors import UserError
from rrvf.policies.families import FAMILIES, family_of
from rrvf.policies.local import LocalPolicy, load_processor, training_processor
from rrvf.profile import SFTConfigSection
from rrvf.protocol import first_message
from rrvf.training.logs import read_log
from rrvf.training.sft import train_sft

PICTURE = Image.new("RGB", (56, 40), "red")
TRAINED = [kind for kind, family in FAMILIES.items() if family.turns]
OTHERS = [kind for kind in FAMILIES if kind not in TRAINED]


@pytest.fixture(autouse=True)
def words(monkeypatch):
    """SmolVLM's processor requires a package that it needs only for videos."""
    from transformers.models.smolvlm import processing_smolvlm

    monkeypatch.setattr(processing_smolvlm, "num2words", str)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Builds each family's model once."""
    built = {}

    def model(kind: str) -> str:
        if kind not in built:
            built[kind] = str(tiny_families.build(kind, tmp_path_factory.mktemp(kind)))
        return built[kind]

    return model


def prompt(processor) -> str:
    asked = [first_message(PICTURE, "Redraw it.")]
    return processor.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)


def test_every_family_has_a_model_here():
    assert set(tiny_families.BUILDERS) == set(FAMILIES)


@pytest.mark.parametrize("kind", FAMILIES)
def test_it_is_asked_in_its_family_s_own_words_and_answers(models, kind):
    path = models(kind)
    policy = LocalPolicy(path, max_new_tokens=3)
    _, processor = tiny_families.BUILDERS[kind]()
    assert policy.processor.chat_template == processor.chat_template
    assert len(policy.reply([PICTURE, PICTURE], "Redraw it.")) == 2
    turns = [{"role": "assistant", "content": "a draft"}, {"role": "tool", "content": "<|im_end|> no title"}]
    assert len(policy.chat([[first_message(PICTURE, "Redraw it."), *turns]])) == 1


@pytest.mark.parametrize("kind", TRAINED)
def test_training_adds_turns_of_a_tool_and_leaves_the_prompt_as_it_was(models, kind):
    trained = training_processor(models(kind))
    assert prompt(trained) == prompt(load_processor(models(kind)))
    assert supports_tool_calling(trained) and is_chat_template_prefix_preserving(trained)
    assert "{% generation %}" in trained.chat_template


@pytest.mark.parametrize("kind", OTHERS)
def test_what_trl_cannot_train_is_refused_in_one_line(models, kind):
    with pytest.raises(UserError, match="evaluated but not trained here: TRL needs") as refusal:
        training_processor(models(kind))
    assert FAMILIES[kind].name in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize("kind", TRAINED)
def test_a_step_of_grpo(models, samples, tmp_path, kind):
    final, _, episodes = run(models(kind), samples, tmp_path, max_turns=2, max_turn_tokens=8, micro_batch=2)
    assert episodes and (final / "model.safetensors").is_file()
    assert prompt(load_processor(str(final))) == prompt(load_processor(models(kind)))


@pytest.mark.parametrize("kind", TRAINED)
def test_a_step_of_sft(models, samples, tmp_path, kind):
    config = SFTConfigSection(domain="chart", train_set="t", steps=1, batch=2)
    final = train_sft(profile_of(models(kind)), config, samples, tmp_path, tmp_path / "sft")
    assert read_log(tmp_path / "sft/log.jsonl")[0]["loss"] > 0 and (final / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("kind", "line"),
    [("gemma3", "supported are Qwen2.5-VL"), ("internvl_chat", "take the -hf one"), (None, "'unknown'")],
)
def test_an_unknown_family_is_one_line_and_never_asked_in_another_s_words(tmp_path, kind, line):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind} if kind else {}))
    with pytest.raises(UserError, match=line) as refusal:
        family_of(str(tmp_path))
    assert "\n" not in str(refusal.value)


def test_a_template_that_is_not_the_family_s_is_not_trained_with(models, tmp_path):
    processor = load_processor(models("qwen2_5_vl"))
    processor.chat_template = "{% for message in messages %}USER: {{ message['content'] }}{% endfor %}"
    from rrvf.policies.families import with_tool_turns

    with pytest.raises(UserError, match=r"is not Qwen2\.5-VL's"):
        with_tool_turns(processor, "there", FAMILIES["qwen2_5_vl"])


def test_a_model_without_a_template_is_one_line(models, tmp_path):
    from rrvf.policies.families import own_template

    _, processor = tiny_families.BUILDERS["internvl"]()
    processor.chat_template = processor.tokenizer.chat_template = None
    with pytest.raises(UserError, match="has no chat template"):
        own_template(processor, "there", FAMILIES["internvl"])
