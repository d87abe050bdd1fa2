"""Many faces or pairs, one model: the loops that write a run and continue an interrupted one."""

from canonface.pipeline.pairs import verify
from canonface.pipeline.photos import audit
from canonface.pipeline.regions import RegionSummary, audit_regions
from canonface.progress import Progress

__all__ = ["Progress", "RegionSummary", "audit", "audit_regions", "verify"]
