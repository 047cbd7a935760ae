"""When the coverage of an interval is below its goal."""

import numpy as np
from scipy.stats import norm

FEW_EVENTS = 10
GOAL = 0.94
_SIGNIFICANT = norm.ppf(0.95)


def is_below_goal(coverage: float, events: float, studies: int, goal_of_few: float) -> bool:
    """Whether the share of studies whose interval holds the truth is significantly below GOAL, or where fewer than
    FEW_EVENTS are expected below `goal_of_few`."""
    goal = GOAL if events >= FEW_EVENTS else goal_of_few
    return bool(coverage < goal - _SIGNIFICANT * np.sqrt(goal * (1 - goal) / studies))
