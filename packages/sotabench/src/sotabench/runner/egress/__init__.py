"""What of the network a sandbox reaches: one proxy for each stage, which knows the hosts that the stage may ask."""

from sotabench.runner.egress.index import index_rules
from sotabench.runner.egress.proxy import Caps, Egress
from sotabench.runner.egress.rules import Rules

__all__ = ["Caps", "Egress", "Rules", "index_rules"]
