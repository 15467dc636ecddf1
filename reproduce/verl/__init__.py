"""RRVF on verl, for policies that TRL cannot train: sharded weights, several nodes. The method itself is in `rrvf`.

    bash reproduce/verl/train.sh paper chart       # Qwen2.5-VL-7B on 8 GPUs: the paper's setting
    bash reproduce/verl/train.sh qwen_32b chart    # Qwen2.5-VL-32B on 2 x 8 GPUs

- `loop`: one episode of Alg. 1 as verl's agent loop, with the reward of Eq. (2) at its end
- `data`: a profile's pictures as the parquet that verl reads
- `paper.yaml`, `qwen_32b.yaml`: verl's settings; the profile that they name defines episode and reward

verl pins other versions of torch, transformers and vLLM than the project, so it has its own environment, `.venv-verl`
(`bash reproduce/setup/install.sh verl`). `make test-verl` tests this folder against the real package, without a GPU.
"""
