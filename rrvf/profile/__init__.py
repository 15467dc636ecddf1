"""A profile: one typed configuration in YAML (`reproduce/profiles/{nano,gpu,paper}.yaml`), hashed into every result."""

from __future__ import annotations

from rrvf.profile.episode import CanvasConfig, JudgeConfig, PolicyConfig, RewardConfig
from rrvf.profile.evaluation import EvalSet
from rrvf.profile.files import PROFILES, SUFFIXES, checked, laid_over, load_profile, profile_file, shipped_profiles
from rrvf.profile.policies import (
    CALIBRATION,
    baselines,
    drawn_policies,
    table_policies,
    trained_policies,
    training_folder,
)
from rrvf.profile.section import Section
from rrvf.profile.settings import Profile
from rrvf.profile.training import (
    WITHOUT_EFFECT,
    GRPOConfigSection,
    GuardConfig,
    RFTConfigSection,
    SFTConfigSection,
    SupervisedSection,
    Tracker,
)

__all__ = [
    "CALIBRATION",
    "PROFILES",
    "SUFFIXES",
    "WITHOUT_EFFECT",
    "CanvasConfig",
    "EvalSet",
    "GRPOConfigSection",
    "GuardConfig",
    "JudgeConfig",
    "PolicyConfig",
    "Profile",
    "RFTConfigSection",
    "RewardConfig",
    "SFTConfigSection",
    "Section",
    "SupervisedSection",
    "Tracker",
    "baselines",
    "checked",
    "drawn_policies",
    "laid_over",
    "load_profile",
    "profile_file",
    "shipped_profiles",
    "table_policies",
    "trained_policies",
    "training_folder",
]
