"""How calls are carried out: what they say, which blocks, and who runs them."""

from .call import Call, HostStep, Output, Step, run

__all__ = ["Call", "HostStep", "Output", "Step", "run"]
