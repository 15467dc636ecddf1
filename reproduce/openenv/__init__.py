"""The episode of Alg. 1 as an OpenEnv environment, for any trainer that supports it: `make openenv` (docs/scale.md)."""
