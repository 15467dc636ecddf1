"""The episode of Alg. 1 as an OpenEnv environment, for any trainer that speaks it: `make openenv` (docs/scale.md)."""
