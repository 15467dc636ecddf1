"""What each stage of a profile needs from a machine: GPUs and their memory, driver, disk, main memory, hours.

Disk and main memory are conservative estimates. They assume that nothing is on the machine yet, and that the files of
each stage remain, because finished work is never deleted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rrvf.benchmarks.run import BLOCK
from rrvf.data import DataConfig
from rrvf.errors import UserError
from rrvf.plan.judges import JudgeNeed, judge_need
from rrvf.plan.latencies import Latencies, load_latencies
from rrvf.plan.machine import Machine, driver_problem
from rrvf.plan.memory import Memory, evaluation_memory, grpo_memory, sft_memory
from rrvf.plan.models import shape
from rrvf.plan.planner import plan
from rrvf.profile import Profile, SupervisedSection, drawn_policies, trained_policies

GB = 10**9
#: GB of .venv with CUDA's torch and vLLM, .venv-plot and the browser; and GB of all files of a profile without GPUs.
ENVIRONMENTS, WITHOUT_GPUS = 25.0, 5.0
#: GB of a split's source, by kind. WebSight's pool is streamed: 15,000 rows of 200 kB. The others are estimates.
SOURCES = {"websight": 3.0, "chartmimic": 1.0, "plot2code": 0.5, "cold_start": 1.0}
#: Checkpoints on disk at once: two are kept, and a third is being written.
KEPT, WRITING = 2, 1
#: GB of main memory: of one render worker with its browser, and of everything else.
WORKER, REST = 0.5, 6.0
#: Seconds of transformers per layer and token, whatever the batch size. Measured on an H100 (docs/decisions.md, Scale).
LAYER_S = 0.0027


@dataclass(frozen=True)
class Stage:
    """A stage of `make reproduce`. found: what it needs. change: how to make it fit; empty if it fits."""

    name: str
    fits: bool
    found: str
    change: str = ""


@dataclass
class _Ledger:
    """The machine, and the disk space that earlier stages have used. disk: in GB."""

    profile: Profile
    times: Latencies
    machine: Machine
    disk: float = 0.0

    @property
    def gpus(self) -> int:
        return self.times.gpus.policy

    def stage(
        self, name: str, found: list[str], problems: list[str], left: float = 0.0, during: float = 0.0, ram: float = 0.0
    ) -> Stage:
        """A checked stage.

        left: GB of disk that remain used. during: further GB while the stage runs. ram: GB of main memory.
        """
        self.disk += left
        most, machine = self.disk + during, self.machine
        writes = bool(left or during)
        if writes and most > machine.disk_gb:
            problems = [
                *problems,
                f"{most:.0f} GB of free disk are needed by then, {machine.disk_gb:.0f} are there: make room",
            ]
        if ram > machine.ram_gb:
            problems = [
                *problems,
                f"{ram:.0f} GB of main memory are needed, {machine.ram_gb:.0f} are there: take a machine with more",
            ]
        took = [
            *found,
            *([f"disk {most:.0f} GB by then"] if writes else []),
            *([f"main memory {ram:.0f} GB"] if ram else []),
        ]
        return Stage(name, not problems, ", ".join(took), "; ".join(problems))

    def gpu_problems(self, refusal: str, gpus: int | None = None) -> list[str]:
        """Why the policy's GPUs do not fit. refusal: from `Memory.refusal`. gpus: None: the profile's number."""
        machine, needed = self.machine, gpus or self.gpus
        if machine.gpus < needed:
            other = ", or take PROFILE=gpu (one GPU)" if needed > 1 else ""
            return [
                f"{_gpus(needed)} needed, {machine.gpus or 'none'} there: rent {'it' if needed == 1 else 'them'}{other}"
            ]
        return [problem for problem in (driver_problem(machine), refusal) if problem]

    @property
    def weights(self) -> float:
        return 2 * shape(self.profile.policy.model).parameters / GB

    def ram(self, processes: int) -> float:
        """GB of main memory. Every process reads the weights into it before it copies them to its GPU."""
        return processes * self.weights + WORKER * self.profile.workers + REST


def _gpus(number: int) -> str:
    return "1 GPU" if number == 1 else f"{number} GPUs"


def _time(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.0f} min"


def stages(profile: Profile, machine: Machine, judge_answers: bool = False) -> list[Stage]:
    """All stages in the order in which they run. judge_answers: the judge's URL was asked and answers.

    Raises UserError if the latencies or the sizes of the profile's model are not known.
    """
    book = _Ledger(profile, load_latencies(profile), machine)
    found = [_data(book), _judge(book, judge_answers)]
    found += [_grpo(book, name) for name in profile.grpo]
    found += [_sft(book, f"SFT {name}", section) for name, section in profile.sft.items()]
    found += [_sft(book, f"RFT {name}", section) for name, section in profile.rft.items()]
    return [*found, _evaluation(book), Stage("tables", True, "minutes, no GPU")]


def _data(book: _Ledger) -> Stage:
    """The environments, the profile's splits, and downloaded weights."""
    kinds = {split.kind for split in DataConfig.read(book.profile.data).root.values()}
    if not book.gpus:
        return book.stage("data", [], [], left=WITHOUT_GPUS, ram=WORKER * book.profile.workers + REST)
    left = ENVIRONMENTS + sum(SOURCES.get(kind, 0.1) for kind in kinds) + book.weights
    return book.stage("data", ["environments, splits and the policy's weights"], [], left=left)


def _judge(book: _Ledger, answers: bool) -> Stage:
    profile, machine, judge = book.profile, book.machine, judge_need(book.profile)
    if profile.judge.url is None:
        return Stage("judge", True, "embedded, no GPU")
    if answers and not profile.judge.serve:
        return Stage("judge", True, f"answers at {profile.judge.url}")
    if judge is None:
        model = profile.judge.model or "the model there"
        return Stage("judge", True, f"{model} at {profile.judge.url}, served by others: its sizes are not known here")
    weights = 2 * shape(profile.judge.model).parameters / GB
    took = [f"{judge.name} on {_gpus(judge.gpus)}", f"{judge.needed:.1f} GiB on each at least"]
    if profile.judge.serve:
        took[0] = f"{judge.name} on {judge.taken:.2f} of the policy's GPU"
        if machine.gpus:
            took.append(f"{judge.questions(machine.gpu_memory_gb)} full questions at once")
        return book.stage("judge", took, book.gpu_problems(_share_problem(judge, machine)), left=weights)
    free = machine.judge_gpus or machine.gpus - book.gpus
    if free < judge.gpus:
        return Stage(
            "judge", False, ", ".join(took),
            f"{_gpus(judge.gpus)} beside the policy's are needed: take a second machine (`judge_gpus` in a "
            f"description), run `make judge JUDGE={judge.name}` there, and name its address as judge.url in the "
            "profile",
        )  # fmt: skip
    problems = [problem for problem in (driver_problem(machine), _share_problem(judge, machine)) if problem]
    return book.stage("judge", [*took, f"started by `make judge JUDGE={judge.name}`"], problems,
                      left=0 if machine.judge_gpus else weights)  # fmt: skip


def _share_problem(judge: JudgeNeed, machine: Machine) -> str:
    share = judge.taken * machine.gpu_memory_gb
    return "" if judge.needed <= share else (
        f"the judge {judge.name} gets {share:.1f} GiB of a GPU of {machine.gpu_memory_gb:g} GB: take GPUs with more "
        "memory"
    )  # fmt: skip


def _grpo(book: _Ledger, name: str) -> Stage:
    profile, gpus = book.profile, book.gpus
    hours = plan(profile, name, gpus, book.times.gpus.judge).hours
    if not gpus:
        return book.stage(f"GRPO {name}", [_time(hours)], [], ram=WORKER * profile.workers + REST)
    gpu_gb = book.machine.gpu_memory_gb
    memory = grpo_memory(profile, profile.grpo[name], gpus, gpu_gb, profile.judge.serve)
    config = profile.grpo[name]
    return _trained(book, f"GRPO {name}", memory, hours, config.steps // config.keep_every if config.keep_every else 0)


def _sft(book: _Ledger, name: str, config: SupervisedSection) -> Stage:
    """Training on answers. For an rft section, the time to sample the answers is not counted."""
    profile, times = book.profile, book.times
    tokens = config.steps * config.batch * (times.prompt_tokens.value + times.turn_tokens.value)
    hours = tokens * times.train.value / max(1, book.gpus) / 3600
    if not book.gpus:
        return book.stage(name, [_time(hours)], [], ram=WORKER * profile.workers + REST)
    memory = sft_memory(profile, config, book.gpus, book.machine.gpu_memory_gb, profile.judge.serve)
    return _trained(book, name, memory, hours)


def _trained(book: _Ledger, name: str, memory: Memory, hours: float, kept: int = 0) -> Stage:
    """A training stage. Checkpoints hold optimiser and weights, the result only weights.

    A checkpoint of DeepSpeed holds the weights twice: as the policy's files, and beside the optimiser's. kept: copies
    of the trained weights, which are adapters in a LoRA run.
    """
    size, rank = shape(book.profile.policy.model), book.profile.policy.lora_rank
    checkpoint = (12 * size.adapters(rank) if rank else (16 if book.gpus > 1 else 14) * size.parameters) / GB
    copy = 4 * size.adapters(rank) / GB if rank else book.weights
    found = [f"{book.gpus} x {memory.peak.total:.1f} of {memory.limit:.1f} GiB ({memory.peak.name})", _time(hours)]
    if book.machine.gpus < book.gpus:
        found = [_gpus(book.gpus), _time(hours)]
    return book.stage(
        name, found, book.gpu_problems(memory.refusal()),
        left=KEPT * checkpoint + kept * copy + book.weights, during=WRITING * checkpoint, ram=book.ram(book.gpus),
    )  # fmt: skip


def _evaluation(book: _Ledger) -> Stage:
    """Evaluation by transformers on one GPU. Every batch is assumed to reach max_new_tokens: the hours are a bound."""
    profile, data = book.profile, DataConfig.read(book.profile.data).root
    if not book.gpus:
        return book.stage("evaluation", ["minutes"], [], ram=WORKER * profile.workers + REST)
    tokens, uncounted = 0, False
    for config in profile.evaluations.values():
        if config.dataset not in data:
            raise UserError(f"profile {profile.name} has no split {config.dataset!r}: name it under `data`")
        split = data[config.dataset]
        count = config.limit or getattr(split, "count", None) or getattr(split, "size", 0)
        uncounted = uncounted or not count
        drawn = drawn_policies(profile, config.domain).values()
        policies = 1 + sum(section.samples for section in drawn) + len(trained_policies(profile, config.domain))
        tokens += policies * math.ceil(count / BLOCK) * config.max_new_tokens
    memory = evaluation_memory(profile, book.machine.gpu_memory_gb, profile.judge.serve)
    hours = tokens * LAYER_S * shape(profile.policy.model).layers / 3600
    found = [f"{memory.peak.total:.1f} of {memory.limit:.1f} GiB"] if book.machine.gpus else ["1 GPU"]
    problems = book.gpu_problems(memory.refusal(), gpus=1)
    bound = "hours unknown: a split has no `count`" if uncounted else f"at most {_time(hours)}"
    return book.stage("evaluation", [*found, bound], problems, ram=book.ram(1))
