"""Policies: a model behind one call. `local` runs transformers, `endpoint` any OpenAI-compatible server, `oracle` the
calibration rows of the tables."""
