"""Simulates one optimiser step as events: rounds of generation, queues for renderers and judge, rewards, training.

As in a real step, a process begins a turn when all drafts of its previous turn have their feedback (TRL's loop).
Processes do not wait for each other until training begins, and all of them share the judge.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from rrvf.plan.latencies import Latencies
from rrvf.training import EPISODES

#: Coefficient of variation of lengths and latencies. An estimate.
SPREAD = 0.35
#: Time of a forward pass over the episodes outside the loss, relative to training on them. Measured in the nano profile
#: (1.3 s of 4.8 s).
REFERENCE = 0.27


@dataclass(frozen=True)
class Workload:
    """The work of one step.

    turns and turn_tokens are means per episode and per turn. answered: the share of episodes that end in an answer.
    render_workers: of all processes together. passes: forward passes over the episodes outside the loss.
    """

    domain: str
    episodes: int
    processes: int
    max_turns: int
    max_turn_tokens: int
    turns: float
    turn_tokens: float
    answered: float
    prompt_tokens: float
    feedback_tokens: float
    render_workers: int
    judge_in_flight: int
    judge_gpus: int
    passes: int = 0


class Clock:
    """Runs callbacks in the order of their simulated time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Run `call` after `seconds` of simulated time. Callbacks of the same time run in the order of these calls."""
        heapq.heappush(self._due, (self.now + seconds, next(self._order), call))

    def run(self) -> None:
        """Run all callbacks, also those that callbacks add."""
        while self._due:
            self.now, _, call = heapq.heappop(self._due)
            call()


@dataclass
class Station:
    """Several servers with one queue. busy: seconds of work, summed over servers.

    Used for render workers, for the judge's throughput and for its open requests.
    """

    clock: Clock
    servers: int
    busy: float = 0.0
    _serving: int = 0
    _waiting: deque = field(default_factory=deque)

    def serve(self, seconds: float, then: Callable[[], None]) -> None:
        """Queue a job that takes a server `seconds`; `then` is called at its end."""
        self._waiting.append((seconds, then))
        self._next()

    def _next(self) -> None:
        if self._waiting and self._serving < self.servers:
            seconds, then = self._waiting.popleft()
            self._serving += 1
            self.busy += seconds
            self.clock.after(seconds, partial(self._done, then))

    def _done(self, then: Callable[[], None]) -> None:
        self._serving -= 1
        then()
        self._next()


@dataclass(frozen=True)
class StepTime:
    """phases: seconds by phase, as `seconds/PHASE` in a run's log. busy: by station, its busy share of the rollout."""

    phases: dict[str, float]
    busy: dict[str, float]

    @property
    def seconds(self) -> float:
        """Seconds of the whole step, as the sum of its phases."""
        return sum(self.phases.values())


class Step:
    """The simulation of one step."""

    def __init__(self, work: Workload, times: Latencies, seed: int) -> None:
        self._work, self._times, self._rng = work, times, random.Random(seed)
        self._clock = Clock()
        share = work.render_workers // work.processes
        self._renders = [Station(self._clock, max(1, share)) for _ in range(work.processes)]
        self._throughput = Station(self._clock, 1)
        self._answers = Station(self._clock, work.judge_in_flight)
        self._phases: Counter[str] = Counter()
        #: Tokens of each episode of each process.
        self._lengths = [[0.0] * (work.episodes // work.processes) for _ in range(work.processes)]

    def run(self) -> StepTime:
        """Simulate the step from the first turn to the optimiser's update. Returns its simulated seconds."""
        for process, lengths in enumerate(self._lengths):
            self._turn(process, list(range(len(lengths))), 1)
        self._clock.run()
        rollout = self._clock.now
        phases = {phase: seconds / self._work.processes for phase, seconds in self._phases.items()}
        # Processes that end early wait for the last one: TRL gathers the rewards, so the wait falls into that phase.
        phases["reward"] += rollout - sum(phases.values())
        phases["training"] = self._times.train.value * max(self._trained(lengths) for lengths in self._lengths)
        phases["reference"] = REFERENCE * phases["training"] * self._work.passes
        phases["other"] = self._times.step.value
        servers = sum(s.servers for s in self._renders)
        busy = {"renders": sum(s.busy for s in self._renders) / servers, "judge": self._throughput.busy}
        return StepTime(phases, {station: seconds / max(rollout, 1e-9) for station, seconds in busy.items()})

    def _trained(self, lengths: list[float]) -> float:
        """Tokens of a process's training batch, with padding.

        Episodes are sorted by length and trained in groups; each group is padded to its longest episode.
        """
        longest_first = sorted(lengths, reverse=True)
        groups = [longest_first[i : i + EPISODES] for i in range(0, len(lengths), EPISODES)]
        return sum(len(group) * group[0] for group in groups)

    def _turn(self, process: int, writing: list[int], turn: int) -> None:
        """Turn `turn` of the episodes `writing` of a process, those that have not ended."""
        w, t, lengths = self._work, self._times, self._lengths[process]
        for episode in writing:
            lengths[episode] += w.prompt_tokens if turn == 1 else w.feedback_tokens
        reread = sum(lengths[e] - w.prompt_tokens for e in writing)
        new = [min(w.max_turn_tokens, self._vary(w.turn_tokens)) for _ in writing]
        longest = max(lengths[e] for e in writing)
        wide = (longest + max(new) / 2) / t.decode_width if t.decode_width else 1.0
        for episode, tokens in zip(writing, new, strict=True):
            lengths[episode] += tokens
        in_batch = sum(new) if t.continuous else len(new) * max(new)
        seconds = len(new) * t.prefill.value + t.reread.value * reread
        seconds += t.decode.value * max(new) + t.decode_each.value * wide * in_batch
        self._phases["generation"] += seconds
        goes_on = self._goes_on() if turn < w.max_turns else 0.0
        calling = [episode for episode in writing if self._rng.random() < goes_on]
        if calling:
            again = partial(self._turn, process, calling, turn + 1)
            after = partial(self._tools, process, len(calling), "tools", "compare", again)
        else:
            answers = max(1, round(w.answered * len(self._lengths[process])))
            after = partial(self._tools, process, answers, "reward", "score", lambda: None)
        self._clock.after(seconds, after)

    def _tools(self, process: int, calls: int, phase: str, question: str, then: Callable[[], None]) -> None:
        """Render and judge `calls` drafts or answers, then call `then`."""
        begun, left = self._clock.now, [calls]

        def done() -> None:
            left[0] -= 1
            if not left[0]:
                self._phases[phase] += self._clock.now - begun
                then()

        for _ in range(calls):
            seconds = self._vary(self._times.render_s(self._work.domain))
            self._renders[process].serve(seconds, partial(self._ask, process, question, done))

    def _ask(self, process: int, question: str, done: Callable[[], None]) -> None:
        wait = self._vary(getattr(self._times, question).value)
        reference = self._times.judge_reference_gpus
        if not reference:
            self._renders[process].serve(self._times.judge_busy.value + wait, done)
            return
        busy = self._times.judge_busy.value * reference / self._work.judge_gpus
        self._throughput.serve(busy, lambda: self._answers.serve(wait, done))

    def _goes_on(self) -> float:
        """The probability p of another turn at which the mean number of turns, the sum of p^k, is `turns`."""
        low, high = 0.0, 1.0
        for _ in range(30):
            p = (low + high) / 2
            mean = sum(p**k for k in range(self._work.max_turns))
            low, high = (p, high) if mean < self._work.turns else (low, p)
        return low

    def _vary(self, mean: float) -> float:
        """A log-normal random value with this mean."""
        sigma = math.sqrt(math.log(1 + SPREAD**2))
        return mean * self._rng.lognormvariate(-sigma * sigma / 2, sigma)
