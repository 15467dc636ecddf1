"""A vLLM server on the CPU as a child process, from .venv-vllm."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent
PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
#: Offline and silent, 1 GiB of cache; without compilation, which takes longer here than it saves.
SETTINGS = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "TORCH_COMPILE_DISABLE": "1",
}


@contextmanager
def running_vllm(config: Path, wait_s: float = 1200.0) -> Iterator[str]:
    """Serves a file of `reproduce/judges` during the block and yields its URL. Its log is .cache/vllm.log."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    module = "vllm.entrypoints.openai.api_server"
    command = [PYTHON, "-m", module, "--config", config, "--host", "127.0.0.1", "--port", str(port)]
    log = ROOT / ".cache" / "vllm.log"
    with log.open("w") as out:
        child = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | SETTINGS, stdout=out, stderr=out, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, child, time.monotonic() + wait_s)
        yield url
    finally:
        os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _wait(url: str, child: subprocess.Popen, until: float) -> None:
    while time.monotonic() < until and child.poll() is None:
        try:
            if httpx.get(f"{url}/health", trust_env=False).is_success:
                return
        except httpx.HTTPError:
            time.sleep(1)
    raise RuntimeError("vLLM did not come up: its words are in .cache/vllm.log")
