"""Sections of a profile can have any name, and tables find the policies that they train."""

from __future__ import annotations

import pytest

from rrvf.errors import UserError
from rrvf.preconditions import check_labels
from rrvf.profile import Profile, load_profile, trained_policies
from rrvf.records import Sample
from rrvf.report.sets import evaluated_sets, model_title
from rrvf.study import Study


@pytest.fixture
def profile() -> Profile:
    nano = load_profile("nano")
    chart, web = nano.grpo["chart"], nano.grpo["web"]
    sections = {"hot": chart, "chart": chart, "pages": web}
    return nano.model_copy(update={"grpo": sections, "sft": {"pairs": nano.sft["chart"]}, "rft": {}})


def test_every_section_of_a_domain_has_a_policy(profile):
    assert trained_policies(profile, "chart") == {
        "sft": ("sft", "pairs"),
        "rrvf": ("grpo", "chart"),
        "rrvf_hot": ("grpo", "hot"),
    }
    assert trained_policies(profile, "web") == {"rrvf": ("grpo", "pages")}


def test_a_section_of_both_domains_counts_for_each(profile):
    both = profile.grpo["hot"].model_copy(update={"domain": "both"})
    mixed = profile.model_copy(update={"grpo": {"mixed": both}, "sft": {}})
    assert [trained_policies(mixed, name) for name in ("chart", "web")] == [{"rrvf": ("grpo", "mixed")}] * 2


def test_study_and_tables_name_the_same_policies(profile, tmp_path):
    study = Study(profile, tmp_path, tmp_path)
    tables = {s.name: list(s.policies) for s in evaluated_sets([], profile)}
    assert tables == {name: study.policies(name) for name in profile.evaluations}
    assert model_title("rrvf_hot").endswith("section hot") and model_title("http://x/v1#a_b") == "http://x/v1#a_b"


def test_a_policy_is_made_by_its_own_section(profile, tmp_path, monkeypatch):
    study, asked = Study(profile, tmp_path, tmp_path), []
    monkeypatch.setattr(study, "train_grpo", lambda name: asked.append(name))
    study.model_of("rrvf_hot", "chart")
    study.model_of("rrvf", "web")
    assert asked == ["hot", "pages"]
    with pytest.raises(UserError, match="rrvf_hot"):
        study.model_of("rrvf_cold", "chart")


def test_a_base_with_other_weights_is_another_training(profile, tmp_path, monkeypatch):
    base, keys = tmp_path / "base", []

    class Seen(Exception):
        pass

    def stage(name, kind, inputs, is_made):
        keys.append(inputs["weights"])
        raise Seen

    base.mkdir()
    policy = profile.policy.model_copy(update={"model": str(base)})
    study = Study(profile.model_copy(update={"policy": policy}), tmp_path / "runs", tmp_path)
    monkeypatch.setattr(study, "stage", stage)
    for weights in (b"a", b"b"):
        (base / "model.safetensors").write_bytes(weights)
        for train, name in ((study.train_grpo, "chart"), (study.train_sft, "pairs")):
            with pytest.raises(Seen):
                train(name)
    assert keys[0] == keys[1] != keys[2] == keys[3]


def test_pictures_without_code_are_refused_where_the_true_code_is_compared(profile):
    fields = dict(domain="chart", split="t", image="a.png", sha256="", phash="", source="", licence="")
    with pytest.raises(UserError, match="no code"):
        check_labels(profile.evaluations["charts"], [Sample(id="a", **fields)])
    check_labels(profile.evaluations["gallery"], [Sample(id="a", **fields)])
