"""On a GPU each section of a study is trained in a process of its own."""

from __future__ import annotations

import os

import pytest
import torch

from rrvf.errors import UserError
from rrvf.training.apart import run_section


class Study:
    """Tells in which process it is asked."""

    def section(self, kind, name):
        raise UserError(str(os.getpid()))


@pytest.mark.parametrize("gpu", [False, True])
def test_a_training_has_its_own_process_on_a_gpu_and_its_error_comes_through(gpu, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    with pytest.raises(UserError) as caught:
        run_section(Study(), "sft", "chart", tmp_path)
    assert (int(str(caught.value)) != os.getpid()) == gpu
