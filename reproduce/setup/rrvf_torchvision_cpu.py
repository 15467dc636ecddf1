"""Lets the registry's torchvision, a CUDA build, be imported beside a CPU build of torch.

Its import looks for two compiled operators and fails without them; nothing here calls them. Declaring the two is enough
for the transforms that transformers and open_clip use. This file and a one-line `.pth` lie beside the installed
packages, so that every interpreter start imports it. It imports nothing of this project: at start-up it is not yet
settled which checkout `import rrvf` means. It does nothing where torchvision imports by itself.
"""

import sys
from importlib.machinery import PathFinder

MISSING = "operator torchvision::nms does not exist"


class Finder:
    """Finds torchvision as usual, but runs it a second time, with the operators declared, where the first run fails."""

    library = None

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        """Let torchvision be imported by `execute`."""
        if name != "torchvision":
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module
            spec.loader.exec_module = lambda module: cls.execute(run, module)
        return spec

    @classmethod
    def execute(cls, run, module) -> None:
        """Import torchvision; where its operators are missing, declare them and import it again."""
        try:
            run(module)
        except RuntimeError as error:
            if MISSING not in str(error):
                raise
            cls.declare()
            run(module)

    @classmethod
    def declare(cls) -> None:
        """Give torch the two operators' signatures, which torchvision only wants to have seen."""
        import torch

        # Kept on the class: the declarations vanish with the object.
        cls.library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            cls.library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


sys.meta_path.insert(0, Finder)
