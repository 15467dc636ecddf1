"""RRVF: visual reinforcement learning with reasoning, rendering and visual feedback (arXiv 2507.20766)."""

__version__ = "0.1.0"
