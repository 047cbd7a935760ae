"""A project folder with a record of some experiments, as `tests.monitoring` has it."""

from tests.monitoring.conftest import add

__all__ = ["add"]
