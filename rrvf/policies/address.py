"""Opens a policy by its address: `nano`, a folder, a hub id, an endpoint (`http://…/v1#model`), or a row of the tables.

On a machine with GPUs and vLLM, vLLM serves a local policy, with a copy of the weights on each GPU. Otherwise
transformers runs it in this process. `nano` and what is trained from it always run in this process.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from rrvf.errors import UserError, first_line
from rrvf.outputs import say
from rrvf.policies.names import checked, hub_parts, is_url
from rrvf.policies.shipped import CHECKPOINT, is_nano
from rrvf.rows import Row
from rrvf.served import free_port, serving

_HUB_S = 20.0
#: Tokens of a prompt with its pictures and of a long answer.
_CONTEXT = 32_768


@dataclass(frozen=True)
class BestOf:
    """Used instead of an address: the policy gives `count` answers at `temperature`, and the judge picks one."""

    model: str
    count: int
    temperature: float


#: What is evaluated: an address, the best of several answers, a row of the paper's tables, or None for a calibration
#: policy.
Model = str | BestOf | Row | None


@dataclass(frozen=True)
class Settings:
    """How a policy runs and decodes.

    temperature: 0 is greedy. repetition_penalty: None leaves it to the model's own files. gpu_share: the fraction of
    each GPU's memory that vLLM uses. server: a command used instead of vLLM's.
    """

    dtype: str = "float32"
    max_new_tokens: int = 4_096
    repetition_penalty: float | None = None
    gpu_share: float = 0.9
    server: tuple[str, ...] = ()
    temperature: float = 0.0


def identity(model: Model) -> str | None:
    """The identity of a model for a run's key.

    For a folder with weights, 16 hex digits of their sha256; for a row, its model with revision or host; any other
    address as it is. None for a calibration policy.
    """
    if isinstance(model, BestOf):
        return f"best of {model.count} at {model.temperature:g}: {identity(model.model)}"
    if isinstance(model, Row):
        return f"{model.model} at {urlsplit(model.url).hostname}" if model.url else f"{model.model}@{revision(model)}"
    folder = CHECKPOINT if model == "nano" else Path(model or "")
    weights = sorted(folder.glob("*.safetensors")) if model else []
    found = hashlib.sha256()
    for path in weights:
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                found.update(part)
    return found.hexdigest()[:16] if weights else model


def asked_how(model: Model, picker: dict) -> dict:
    """What decides a model's answers besides its weights: the decoding of a row, the judge that picks a best of N."""
    if isinstance(model, Row):
        return {"decoding": model.decoding.model_dump()}
    return {"picked_by": picker} if isinstance(model, BestOf) else {}


def open_policy(model: str | Row, settings: Settings, stack: ExitStack):
    """The policy at an address. Closing `stack` frees what it holds, such as a vLLM server.

    Modules that load torch are imported only where they are used.
    """
    if isinstance(model, Row):
        if model.url:
            return _hosted(model, settings)
        name, version, gpus = model.model, revision(model), model.gpus
    elif is_url(model):
        from rrvf.policies.endpoint import EndpointPolicy

        url, _, name = model.partition("#")
        return EndpointPolicy(
            url, name or "default", settings.max_new_tokens, temperature=settings.temperature,
            repetition_penalty=settings.repetition_penalty,
        )  # fmt: skip
    else:
        (name, version), gpus = hub_parts(model), 1
    if settings.server or not is_nano(name) and _vllm_here():
        return _served(name, version, gpus, settings, stack)
    from rrvf.policies.local import LocalPolicy

    local = f"{name}@{version}" if version else name
    return LocalPolicy(
        local, settings.dtype, settings.max_new_tokens, settings.repetition_penalty, settings.temperature
    )


def load_policy(model: str, dtype: str, max_new_tokens: int):
    """The policy at an address for a few pictures: an endpoint is called, everything else runs by transformers here."""
    if is_url(checked(model)):
        with ExitStack() as nothing_held:
            return open_policy(model, Settings(dtype, max_new_tokens), nothing_held)
    from rrvf.policies.local import LocalPolicy

    return LocalPolicy(model, dtype, max_new_tokens)


def is_hosted(model: Model) -> bool:
    """Whether a call to the model may cost money: it goes to an endpoint that we do not start ourselves."""
    return isinstance(model, Row) and model.route == "openai" or isinstance(model, str) and is_url(model)


def is_endpoint(model: Model) -> bool:
    """Whether each sample is a separate call. Then a failed one is asked again without its neighbours."""
    if isinstance(model, BestOf):
        return False
    if isinstance(model, Row):
        return model.route == "openai" or model.route == "vllm" and _vllm_here()
    return model is not None and (is_url(model) or not is_nano(model) and _vllm_here())


def revision(row: Row) -> str:
    """The commit of a row's weights: the one in the row, else the one in this machine's cache, else the hub's newest.

    Raises UserError if none is known, because a result must say which weights answered.
    """
    if row.revision:
        return row.revision
    from huggingface_hub import HfApi, try_to_load_from_cache

    here = try_to_load_from_cache(row.model, "config.json")
    if isinstance(here, str):
        return Path(here).parent.name
    try:
        return HfApi().model_info(row.model, timeout=_HUB_S).sha
    except Exception as error:  # the hub's client raises many types of network and token errors
        why = first_line(error)[:160]
        raise UserError(
            f"cannot ask the hub for {row.model} ({why}): check the network, or name its `revision`"
        ) from None


def _hosted(row: Row, settings: Settings):
    from rrvf.policies.endpoint import EndpointPolicy

    if row.key not in os.environ:
        raise UserError(f"set {row.key}: the key for {row.model} at {row.url} ({row.access})")
    tokens = row.decoding.max_tokens or settings.max_new_tokens
    return EndpointPolicy(row.url, row.model, tokens, key=row.key, temperature=row.decoding.temperature)


def _vllm_here() -> bool:
    if find_spec("vllm") is None:
        return False
    import torch

    return torch.cuda.is_available()


def context_of(name: str, version: str | None) -> int:
    """The tokens of a conversation that vLLM is asked to hold: 32,768, or the model's context where that is shorter.

    A model whose configuration is not on this machine yet gets 32,768.
    """
    from transformers import PretrainedConfig

    try:
        config, _ = PretrainedConfig.get_config_dict(name, revision=version, local_files_only=True)
    except (OSError, ValueError):
        config = {}
    own = (config.get("text_config") or config).get("max_position_embeddings") or _CONTEXT
    return min(_CONTEXT, own)


def _served(name: str, version: str | None, gpus: int, settings: Settings, stack: ExitStack):
    """Start vLLM with one copy of the weights per `gpus` GPUs. Returns a policy for its endpoint."""
    import torch

    from rrvf.policies.endpoint import EndpointPolicy

    copies, port = max(1, torch.cuda.device_count() // gpus), free_port()
    command = settings.server or (sys.executable, "-m", "vllm.entrypoints.openai.api_server")
    options = {
        "model": name, "served-model-name": "policy", "port": port, "host": "127.0.0.1",
        "tensor-parallel-size": gpus, "data-parallel-size": copies, "gpu-memory-utilization": settings.gpu_share,
        "dtype": "auto", "max-model-len": context_of(name, version), "seed": 0, "limit-mm-per-prompt": '{"image": 1}',
    } | ({"revision": version} if version else {})  # fmt: skip
    log = Path(tempfile.gettempdir()) / f"rrvf-vllm-{port}.log"
    say(f"vLLM serves {name} on {copies} x {gpus} GPUs, its log is {log}")
    words = [part for key, value in options.items() for part in (f"--{key}", str(value))]
    url = f"http://127.0.0.1:{port}/v1"
    stack.enter_context(serving([*command, *words], url, log))
    return EndpointPolicy(
        url, "policy", settings.max_new_tokens, in_flight=64 * copies, temperature=settings.temperature,
        repetition_penalty=settings.repetition_penalty,
    )  # fmt: skip
