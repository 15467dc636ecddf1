"""GRPO (the method) and SFT (the baseline) on TRL."""
