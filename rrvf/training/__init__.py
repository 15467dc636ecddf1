"""GRPO (the method), SFT and RFT (the baselines) on TRL."""

#: Episodes per forward pass in training. Episodes of similar length share a pass.
EPISODES = 8
