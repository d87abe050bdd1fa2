"""Insertion of benchmark results into documents."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

END = "<!-- end -->"


def insert(path: Path, command: str, text: str) -> None:
    """Replace the text between a command's two marks in a page."""
    begin = f"<!-- made by {command} -->"
    before, found, rest = path.read_text().partition(begin)
    if not found:
        raise SystemExit(f"{path} has no line {begin}: nothing was written.")
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{begin}\n\n{text}\n\n{END}{after}")


def machine() -> dict[str, Any]:
    """Return the machine and the versions of this benchmark."""
    import torch

    import canonface

    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        cpu = next(
            (line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line),
            cpu,
        )
    return {
        "processor": cpu,
        "threads": torch.get_num_threads(),
        "vector": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "canonface": canonface.__version__,
    }


def machine_words() -> str:
    """Return the machine as a sentence."""
    found = machine()
    threads = "1 thread" if found["threads"] == 1 else f"{found['threads']} threads"
    return (
        f"{found['processor']}, {threads}, {found['vector']}; Python {found['python']}, torch "
        f"{found['torch']}, canonface {found['canonface']}."
    )
