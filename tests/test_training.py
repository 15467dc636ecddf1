"""Alg. 1 and Eq. (2) in TRL: what is run, masked and rewarded. Generation is scripted; the loss is real."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from PIL import Image
from scripted import ANSWER, BROKEN, CALL, PAGE, Judge, Model, Renderer, profile_of, run
from transformers import AutoModelForImageTextToText, AutoProcessor, PretrainedConfig

from rrvf.domains import CHART
from rrvf.errors import UserError
from rrvf.policies.local import LocalPolicy
from rrvf.policies.tokens import picture_tokens
from rrvf.protocol import first_message, load_prompt
from rrvf.records import Render
from rrvf.training import trainer
from rrvf.training.logs import read_log
from rrvf.training.mix import mixed
from rrvf.training.settings import grpo_settings
from rrvf.training.trainer import RRVFTrainer, one_pad_a_picture


@pytest.fixture
def batches(monkeypatch):
    """(trainer, output) of each batch that the trainer generates and scores."""
    seen = []
    original = RRVFTrainer._generate_and_score_completions

    def spy(self, inputs):
        seen.append((self, original(self, inputs)))
        return seen[-1][1]

    monkeypatch.setattr(RRVFTrainer, "_generate_and_score_completions", spy)
    return seen


#: The one run of `two_turns`.
PLAYED = []


@pytest.fixture
def two_turns(policy, samples, tmp_path, script, batches):
    """Renderer, episodes, log line and batch of a run whose episodes call the tool and then answer. All tests share it."""
    if not PLAYED:
        script["write"] = lambda turn, row: [CALL, ANSWER][turn]
        _, renderer, episodes = run(policy, samples, tmp_path)
        PLAYED.extend([renderer, episodes, read_log(tmp_path / "run/log.jsonl")[0], batches[0]])
    return PLAYED


def test_a_call_then_an_answer_is_one_episode_of_two_turns(two_turns):
    renderer, episodes, _, _ = two_turns
    assert [[t["action"] for t in e["turns"]] for e in episodes] == [["tool_call", "answer"]] * 4
    assert renderer.codes == ["plt.plot([1])"] * 8


def test_turns_end_at_the_maximum(policy, samples, tmp_path, script):
    script["write"] = lambda turn, row: CALL
    _, renderer, episodes = run(policy, samples, tmp_path, max_turns=4)
    assert {len(e["turns"]) for e in episodes} == {4}
    assert len(renderer.codes) == 3 * 4 and all(e["final_code"] is None for e in episodes)


def test_a_malformed_call_gets_its_error_back_and_the_episode_goes_on(policy, samples, tmp_path, script):
    script["write"] = lambda turn, row: ["<tool_call>{oops</tool_call>", ANSWER][turn]
    _, _, episodes = run(policy, samples, tmp_path)
    first = episodes[0]["turns"][0]
    assert (first["action"], first["feedback"]) == ("none", "---Error: the <tool_call> is not valid JSON")
    assert episodes[0]["final_code"] == "plt.plot([1])"


def test_reward_is_the_weighted_sum_of_equation_2(two_turns):
    _, _, line, _ = two_turns
    assert line["reward"] == pytest.approx(0.2 * 0.5 + 0.8 * 1 + 1.0 / 3)


def test_tool_tokens_carry_no_loss(two_turns):
    *_, (trainer, output) = two_turns
    ids, mask = output["completion_ids"][0], output["tool_mask"][0].bool()
    learned = trainer._tokenizer.decode(ids[mask & output["completion_mask"][0].bool()])
    assert learned == CALL + "<|im_end|>" + ANSWER + "<|im_end|>"


def test_a_failed_judge_leaves_the_group_instead_of_scoring_zero(policy, samples, tmp_path, script):
    judge = Judge()
    judge.score_value = None
    run(policy, samples, tmp_path, judge=judge)
    line = read_log(tmp_path / "run/log.jsonl")[0]
    assert line["rrvf/judge_errors"] == 1.0
    assert line["reward"] is None and line["grad_norm"] == 0.0


def test_a_harness_that_fails_everywhere_stops_the_run_without_a_reward(policy, samples, tmp_path, script, monkeypatch):
    failed = Render(status="harness_error", message="no memory")
    monkeypatch.setattr(Renderer, "render", lambda self, code: failed)
    with pytest.raises(UserError, match=r"not because of their code.*--resume"):
        run(policy, samples, tmp_path, steps=9, save_every=9)
    (line,) = read_log(tmp_path / "run/log.jsonl")
    assert line["rrvf/harness_errors"] == 1.0 and line["reward"] is None and line["grad_norm"] == 0.0


def test_a_target_that_nobody_can_look_at_is_excluded_and_said(policy, samples, tmp_path, script, capsys):
    Image.new("RGB", (20, 5000)).save(tmp_path / "2.png")
    script["write"] = lambda turn, row: ANSWER
    _, _, episodes = run(policy, samples, tmp_path)
    assert episodes and "2.png: the picture is 20 x 5000" in capsys.readouterr().err


@pytest.mark.parametrize(("advantage", "signs"), [("mean", (-1, 1)), ("max", (-1, 0))])
def test_baseline_decides_the_sign_of_the_best_and_moves_the_weights(
    policy, samples, tmp_path, script, batches, advantage, signs
):
    script["write"] = lambda turn, row: [ANSWER, BROKEN][row % 2]
    final, _, _ = run(policy, samples, tmp_path, advantage=advantage)
    assert set(torch.sign(batches[0][1]["advantages"]).int().tolist()) == set(signs)
    before, after = (Model.from_pretrained(p).state_dict() for p in (policy, final))
    assert any(not torch.equal(before[k], after[k]) for k in before)


@pytest.mark.parametrize("advantage", ["mean", "max"])
def test_an_episode_without_a_score_has_no_advantage(policy, samples, tmp_path, script, batches, advantage):
    """For both kinds of baseline. With `max`, its zero must not become the distance to the best episode."""
    script["write"] = lambda turn, row: BROKEN if turn else [ANSWER, BROKEN, CALL][row % 3]
    judge = Judge()
    judge.score_value = None
    run(policy, samples, tmp_path, judge=judge, prompts_per_step=1, group_size=6, micro_batch=6, advantage=advantage)
    advantages = batches[0][1]["advantages"].tolist()
    assert [advantages[0], advantages[3]] == [0.0, 0.0]


@pytest.mark.parametrize("attach_render", [False, True])
def test_episodes_in_groups_of_like_length_have_the_loss_of_all_together(
    policy, samples, tmp_path, script, monkeypatch, attach_render
):
    script["write"] = lambda turn, row: CALL if turn < row else [ANSWER, BROKEN][row % 2]
    monkeypatch.setattr(trainer, "EPISODES", 2)
    run(policy, samples, tmp_path, out="ours", attach_render=attach_render)
    monkeypatch.delattr(RRVFTrainer, "_get_per_token_logps_and_entropies")
    script["turn"] = 0
    run(policy, samples, tmp_path, out="stock", attach_render=attach_render)
    ours, stock = (read_log(tmp_path / out / "log.jsonl")[0] for out in ("ours", "stock"))
    for figure in ("loss", "grad_norm", "entropy"):
        assert ours[figure] == pytest.approx(stock[figure], rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("lora_rank", [None, 2])
def test_the_kl_term_measures_from_where_the_run_began(policy, samples, tmp_path, script, lora_rank):
    script["write"] = lambda turn, row: [ANSWER, BROKEN][row % 2]
    run(policy, samples, tmp_path, steps=3, lora_rank=lora_rank, kl=0.1)
    first, *_, last = read_log(tmp_path / "run/log.jsonl")
    assert first["kl"] == pytest.approx(0, abs=1e-7) and last["kl"] > 1e-4
    assert last["seconds/reference"] > 0


def test_the_rate_rises_over_the_warm_up(policy, samples, tmp_path, script):
    script["write"] = lambda turn, row: [ANSWER, BROKEN][row % 2]
    run(policy, samples, tmp_path, steps=3, warmup_steps=2)
    assert [line["learning_rate"] for line in read_log(tmp_path / "run/log.jsonl")] == [0.0, 0.005, 0.01]


def test_autocast_reaches_the_loss_alone(policy, samples, tmp_path, script, monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")  # restored after the test
    seen = {}

    def spy(cls, method):
        original = getattr(cls, method)

        def spied(self, *args, **kwargs):
            seen[method] = "forward" in vars(self.model if cls is RRVFTrainer else self)
            return original(self, *args, **kwargs)

        monkeypatch.setattr(cls, method, spied)

    spy(Model, "generate")
    spy(RRVFTrainer, "compute_loss")
    script["write"] = lambda turn, row: [ANSWER, BROKEN][row % 2]
    final, _, _ = run(policy, samples, tmp_path, autocast=True)
    assert seen == {"generate": False, "compute_loss": True}
    assert {t.dtype for t in Model.from_pretrained(final).state_dict().values()} == {torch.float32}


def test_adapters_lie_in_the_weights_while_the_policy_writes_and_leave_no_trace(policy):
    model = get_peft_model(Model.from_pretrained(policy), LoraConfig(r=2, target_modules="all-linear"))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    ids = torch.arange(8)[None]
    model.forward = model.forward  # as after accelerate's wrapping
    with torch.no_grad():
        beside = model(input_ids=ids).logits
        with trainer._plain(model):
            assert all(module.merged for module in model.modules() if isinstance(module, LoraLayer))
            within = model(input_ids=ids).logits
        with model.disable_adapter():
            without = model(input_ids=ids).logits
    torch.testing.assert_close(within, beside, atol=1e-4, rtol=1e-3)
    assert (without - beside).abs().max() > 0.01
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_a_call_whose_response_does_not_fit_is_no_turn(policy, samples, tmp_path, script):
    """TRL removes the response after the call has run. The call counts neither as a turn nor for R_tool."""
    script["write"] = lambda turn, row: CALL
    room = len(script["tokenizer"](CALL)["input_ids"]) + 5
    _, renderer, episodes = run(policy, samples, tmp_path, max_completion_tokens=room, max_turn_tokens=room)
    assert len(renderer.codes) == 4
    assert {(len(e["turns"]), e["reward"]["tool"]) for e in episodes} == {(1, 0.0)}


def test_a_call_cut_by_the_token_limit_is_not_run(policy, samples, tmp_path, script):
    script["write"] = lambda turn, row: CALL[:-15]
    _, renderer, episodes = run(policy, samples, tmp_path)
    assert renderer.codes == [] and {e["turns"][0]["action"] for e in episodes} == {"none"}


@pytest.mark.parametrize("hint", [True, False])
def test_the_response_before_the_last_turn_says_so(policy, samples, tmp_path, script, hint):
    script["write"] = lambda turn, row: [CALL, CALL, ANSWER][turn]
    _, _, episodes = run(policy, samples, tmp_path, max_turns=3, last_turn_hint=hint)
    said = [turn["feedback"] for turn in episodes[0]["turns"]]
    assert "last draft" not in said[0] and ("last draft" in said[1]) is hint


@pytest.mark.parametrize(("max_turns", "mode"), [(1, "direct"), (2, "tools")])
def test_a_single_turn_is_asked_for_the_answer_at_once_and_runs_no_tool(
    policy, samples, tmp_path, script, batches, max_turns, mode
):
    script["write"] = lambda turn, row: CALL
    _, renderer, episodes = run(policy, samples, tmp_path, max_turns=max_turns)
    asked = script["tokenizer"].decode(batches[0][1]["prompt_ids"][0])
    assert load_prompt(CHART, mode, "nano").text in asked
    assert {len(e["turns"]) for e in episodes} == {max_turns} and len(renderer.codes) == 4 * (max_turns - 1)


def test_attached_renders_reach_the_loss(policy, samples, tmp_path, script, batches):
    """The draft's picture has the target's size; a draft that did not run has a white picture."""
    script["write"] = lambda turn, row: [CALL if row % 2 else CALL.replace("([1])", "([1]"), ANSWER][turn]
    run(policy, samples, tmp_path, attach_render=True)
    _trainer, output = batches[0]
    assert output["num_images"] == [2, 2, 2, 2]
    assert output["image_grid_thw"].tolist() == [[1, 4, 4]] * 8
    drafts = output["pixel_values"].view(4, 2, 16, -1)[:, 1]
    white, drawn = drafts[0], drafts[1]
    assert white.min() == white[0, 0] and drawn.min() < white.min()
    assert read_log(tmp_path / "run/log.jsonl")[0]["grad_norm"] > 0


def test_both_domains_train_in_one_run(policy, samples, tmp_path, script):
    pages = [s.model_copy(update={"id": f"page-{s.id}", "domain": "web"}) for s in samples[2:]]
    script["write"] = lambda turn, row: PAGE
    _, _, episodes = run(policy, samples[:2] + pages, tmp_path, domain="both", prompts_per_step=4, micro_batch=8)
    ran = {(e["domain"], e["final_code"] is not None) for e in episodes}
    assert ran == {("chart", True), ("web", True)}


def test_a_mix_has_the_first_settings_and_all_steps():
    chart = profile_of("x", steps=3, train_set="charts").grpo["chart"]
    web = profile_of("x", steps=2, train_set="pages", domain="web", learning_rate=9.0).grpo["chart"]
    both = mixed([chart, web])
    assert (both.domain, both.train_sets, both.steps) == ("both", ("charts", "pages"), 5)
    assert both.learning_rate == chart.learning_rate
    with pytest.raises(UserError, match="twice"):
        mixed([chart, chart])


def test_a_mix_beyond_the_paper_names_its_domains():
    sections = [profile_of("x", train_set=name, domain=name).grpo["chart"] for name in ("svg", "chart")]
    assert mixed(sections).domains == ("svg", "chart")


def test_pictures_that_share_an_id_are_refused(policy, samples, tmp_path):
    with pytest.raises(UserError, match="share an id"):
        run(policy, [*samples, samples[0]], tmp_path)


def test_vllm_gets_one_token_a_picture():
    """TRL issue 6294: expanded picture tokens would be expanded again."""
    assert one_pad_a_picture([1, 9, 9, 9, 2, 3, 3, 9, 9, 4], image_pad=9) == [1, 9, 2, 3, 3, 9, 4]


def test_a_released_checkpoint_is_loaded_by_its_hub_id(policy, monkeypatch):
    asked = []
    for kind in (AutoProcessor, AutoModelForImageTextToText):
        load = kind.from_pretrained

        def redirected(name, *args, load=load, **kwargs):
            asked.append(name)
            return load(policy, *args, **kwargs)

        monkeypatch.setattr(kind, "from_pretrained", redirected)
    known = PretrainedConfig.get_config_dict
    monkeypatch.setattr(PretrainedConfig, "get_config_dict", lambda name, **kwargs: known(policy, **kwargs))
    released = LocalPolicy("chenzju/rrvf_chartmimic", max_new_tokens=2)
    assert asked == ["chenzju/rrvf_chartmimic"] * 2
    assert len(released.reply([Image.new("RGB", (56, 56))], "Redraw.")) == 1


PICTURES = ["<|video_pad|>", "<|image_pad|>", "<|vision_start|>", "<|vision_start|><|image_pad|><|vision_end|>"]


@pytest.mark.parametrize("attach_render", [False, True])
def test_a_token_of_a_picture_in_a_turn_ends_no_run(policy, samples, tmp_path, script, attach_render):
    written = [f"<think>a {p} b</think>\n{CALL}" for p in PICTURES]
    script["write"] = lambda turn, row: [written[row], ANSWER.replace("<think>", f"<think>{PICTURES[row]}")][turn]
    _, _, episodes = run(policy, samples, tmp_path, attach_render=attach_render)
    assert [[t["action"] for t in e["turns"]] for e in episodes] == [["tool_call", "answer"]] * 4


def test_half_a_character_in_a_call_ends_no_run(policy, samples, tmp_path, script):
    halved = CALL.replace("plt.plot", "# \\ud83d\\nplt.plot")
    script["write"] = lambda turn, row: [halved, ANSWER][turn]
    _, _, episodes = run(policy, samples, tmp_path)
    assert episodes[0]["turns"][0]["code"] == "# \ufffd\nplt.plot([1])"


def test_no_sampler_here_writes_a_token_of_a_picture(policy, monkeypatch):
    local = LocalPolicy(str(policy), max_new_tokens=40)
    pictures = set(picture_tokens(local.processor.tokenizer))
    assert {local.processor.tokenizer.decode(i) for i in pictures} >= {"<|video_pad|>", "<|vision_start|>"}
    torch.nn.init.zeros_(local.model.lm_head.weight[: max(pictures) + 1].data)  # as likely as any other token
    seen = []
    monkeypatch.setattr(local.processor, "batch_decode", lambda ids, **_: seen.append(ids) or [""])
    local.chat([[first_message(Image.new("RGB", (56, 56)), "Redraw.")]] * 8, temperature=9.0)
    assert not pictures & set(seen[0].flatten().tolist())
    settings = grpo_settings(
        profile_of(policy).grpo["chart"], profile_of(policy), Path("x"), [1.0], 0, sorted(pictures)
    )
    assert settings.generation_kwargs["suppress_tokens"] == sorted(pictures)


def test_a_token_that_is_spelt_in_an_earlier_turn_is_no_picture(policy):
    talk = [
        first_message(Image.new("RGB", (56, 56)), "Redraw."),
        {"role": "assistant", "content": "<|image_pad|> <|im_end|>"},
    ]
    assert LocalPolicy(str(policy), max_new_tokens=2).chat([[*talk, {"role": "tool", "content": "<|video_pad|>"}]])
