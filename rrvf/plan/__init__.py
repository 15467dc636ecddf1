"""Plans a training run before it is paid for: step time, bottleneck, GPU-hours, price and memory.

    plan(load_profile("paper"), "chart", policy_gpus=8, judge_gpus=8)

The latencies are in `latencies.yaml`, each with its source. Rollouts, renders and judging are simulated.
"""

from rrvf.plan.latencies import Latencies, load_latencies
from rrvf.plan.planner import Plan, compare, plan
from rrvf.plan.show import show
from rrvf.plan.simulation import Workload

__all__ = ["Latencies", "Plan", "Workload", "compare", "load_latencies", "plan", "show"]
