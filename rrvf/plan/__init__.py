"""What a run would take before it is paid for: step time, bottleneck, GPU-hours and price, from latencies with sources.

    plan(load_profile("paper"), "chart", policy_gpus=8, judge_gpus=8)

The latencies stand in `latencies.yaml`, each with where it comes from; rollouts, renders and judging are simulated.
"""

from rrvf.plan.latencies import Latencies, load_latencies
from rrvf.plan.planner import Plan, compare, plan
from rrvf.plan.show import show
from rrvf.plan.simulation import Workload

__all__ = ["Latencies", "Plan", "Workload", "compare", "load_latencies", "plan", "show"]
