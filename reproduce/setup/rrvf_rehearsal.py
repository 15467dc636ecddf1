"""Make vLLM's and DeepSpeed's CPU forms do what the CUDA forms do, to rehearse a training on GPUs without one.

- On a CPU vLLM packs linear weights away once they are loaded, and what TRL writes into the engine after each step
  would be lost. Here they stay as they are, as they do on a GPU.
- vLLM's Qwen2.5-VL always uses the rotary base 10,000 in its vision tower. Here it uses the checkpoint's base, which
  differs in earlier checkpoints of the shipped policy.
- DeepSpeed compiles a kernel for sums over processes on one machine, minutes on two cores. Here gloo adds up.

This file and a one-line `.pth` lie beside the installed packages of .venv-vllm, so that every interpreter start imports
it. It imports nothing of this project, and does nothing until one of these modules is imported.
"""

import sys
from importlib.machinery import PathFinder


def keep_weights(module) -> None:
    """vllm.model_executor.layers.utils: no packing."""
    import torch

    def plain(layer, remove_weight=True):
        layer.cpu_linear = torch.nn.functional.linear

    module.dispatch_cpu_unquantized_gemm = plain


def own_base(module) -> None:
    """vllm.model_executor.models.qwen2_5_vl: the base of the checkpoint."""
    eye, stock = module.Qwen2_5_VisionTransformer, module.get_rope
    begin = eye.__init__

    def init(self, vision_config, *args, **kwargs):
        theta = (getattr(vision_config, "rope_parameters", None) or {}).get("rope_theta", 10_000.0)

        def get_rope(*a, rope_parameters, **k):
            return stock(*a, rope_parameters={**rope_parameters, "rope_theta": theta}, **k)

        module.get_rope = get_rope
        try:
            begin(self, vision_config, *args, **kwargs)
        finally:
            module.get_rope = stock

    eye.__init__ = init


def plain_sums(module) -> None:
    """deepspeed.comm.torch: no compiled kernel."""
    module.build_shm_op = lambda: None


CHANGES = {
    "vllm.model_executor.layers.utils": keep_weights,
    "vllm.model_executor.models.qwen2_5_vl": own_base,
    "deepspeed.comm.torch": plain_sums,
}


class Finder:
    """Finds these modules as usual, and changes each once it has run."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        """Let a module of CHANGES be changed right after it has been imported."""
        change = CHANGES.get(name)
        spec = PathFinder.find_spec(name, path, target) if change else None
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def execute(module):
                run(module)
                change(module)

            spec.loader.exec_module = execute
        return spec


sys.meta_path.insert(0, Finder)
