"""The resources of a machine: those of this one, or those of a YAML description of one to rent."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import psutil
import yaml
from pydantic import Field, ValidationError, field_validator

from rrvf.errors import UserError, first_line
from rrvf.places import CHECKOUT, SHIPPED
from rrvf.profile import Section
from rrvf.wrong_keys import explained

TORCH_LOCK = SHIPPED / "torch-cuda.lock"
#: The oldest driver for each major CUDA version, from NVIDIA's CUDA Compatibility guide, table 1 (minor version
#: compatibility): https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
DRIVERS = {11: 450, 12: 525, 13: 580}


class Machine(Section):
    """The resources that decide whether a stage fits.

    gpu_memory_gb: of each GPU, as sold. disk_gb: free disk space. judge_gpus: GPUs of another machine for the judge.
    """

    gpus: int = Field(ge=0)
    gpu_memory_gb: float = Field(default=0.0, ge=0)
    driver: str = Field(default="", description="of the GPUs, as nvidia-smi prints it: 580.65.06")
    disk_gb: float = Field(ge=0)
    ram_gb: float = Field(ge=0)
    judge_gpus: int = Field(default=0, ge=0)

    @field_validator("driver", mode="before")
    @classmethod
    def _as_text(cls, driver: object) -> object:
        return str(driver) if isinstance(driver, int | float) else driver  # YAML reads 580.65 as a number

    def described(self) -> str:
        """GPUs, driver, disk and memory in one line."""
        gpus = (
            f"{self.gpus} x {self.gpu_memory_gb:g} GB, driver {self.driver or 'not named'}" if self.gpus else "no GPU"
        )
        more = f", {self.judge_gpus} for the judge elsewhere" if self.judge_gpus else ""
        return f"{gpus}{more}, {self.disk_gb:.0f} GB of free disk, {self.ram_gb:.0f} GB of memory"


def read_description(path: Path) -> Machine:
    """The machine that a YAML file with the fields of `Machine` describes. Raises UserError for a bad file."""
    try:
        return Machine.model_validate(yaml.safe_load(path.read_text()))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path} ({type(error).__name__}): name a YAML file of a machine") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {first_line(error)}") from None
    except ValidationError as error:
        raise UserError(f"{path}: {explained(error, Machine)}") from None


def this_machine() -> Machine:
    """This machine. With several kinds of GPU, all count as the smallest."""
    memories, driver = [], ""
    for line in _nvidia_smi().splitlines():
        memory, _, driver = (part.strip() for part in line.partition(","))
        memories.append(float(memory) / 1024)
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        names = [name.strip() for name in visible.split(",") if name.strip()]
        # CUDA ignores what follows a name that is no GPU's, and -1 is the usual way to hide all.
        memories = memories[: names.index("-1") if "-1" in names else len(names)]
    return Machine(
        gpus=len(memories),
        gpu_memory_gb=round(min(memories, default=0.0), 1),
        driver=driver,
        disk_gb=shutil.disk_usage(CHECKOUT or Path.cwd()).free / (1 << 30),
        ram_gb=psutil.virtual_memory().total / (1 << 30),
    )


def _nvidia_smi() -> str:
    """One line per GPU with its MiB and the driver's version. Empty without GPUs, or if nvidia-smi fails."""
    command = ["nvidia-smi", "--query-gpu=memory.total,driver_version", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    return "\n".join(re.findall(r"^\d+ *, *[\d.]+$", told, re.MULTILINE))


def cuda_wheels(lock: Path = TORCH_LOCK) -> tuple[int, int]:
    """The major CUDA version of the locked wheels, and the oldest driver that runs it."""
    family = int(re.search(r"^nvidia-cuda-runtime\S*==(\d+)", lock.read_text(), re.MULTILINE)[1])
    return family, DRIVERS.get(family, max(DRIVERS.values()))


def driver_problem(machine: Machine) -> str:
    """Why the driver cannot run the locked wheels, and how to mend it; empty if it can."""
    family, oldest = cuda_wheels()
    if not (version := re.match(r"\d+", machine.driver)):
        return f"the driver is not named: CUDA {family} of the locked wheels needs {oldest} or newer"
    if int(version[0]) >= oldest:
        return ""
    mend = f"take a machine with driver {oldest} or newer"
    return f"driver {machine.driver} is too old for the wheels' CUDA {family}: {mend}"
