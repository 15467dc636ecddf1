"""GRPO (the method) and SFT (the baseline) on TRL."""

#: Episodes of like length that go through the model together in training.
EPISODES = 8
