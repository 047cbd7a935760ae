"""The commands: what each is called with, and where its work is. A command imports only what it needs, when it runs."""

import argparse
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
