"""Rewrite the table of regions in ``docs/mesh.md``: ``python docs/scripts/region_table.py``."""

from __future__ import annotations

from pathlib import Path

from canonface.mesh import HALO_SOURCES, Canvas, load_mesh, region_area_px, region_sources

PAGE = Path(__file__).parents[1] / "mesh.md"
BEGIN, END = "<!-- regions: begin -->\n", "<!-- regions: end -->\n"


def region_table() -> str:
    """Return one row per region; a pair shares a row, as its halves are mirror images."""
    base, canvas = load_mesh(0, halo=True), Canvas()
    rows = ["| region | vertices, subdivision 0 / 1 | area, px | source |", "|---|---|---|---|"]
    for name, source in region_sources().items():
        if name.startswith("left_"):
            continue
        label = f"`{name}`" + (f", `{name.replace('right_', 'left_')}`" if name.startswith("right_") else "")
        counts = " / ".join(
            str(len(load_mesh(subdivision, halo=True).regions[name])) for subdivision in (0, 1)
        )
        area = f"{region_area_px(base, name, canvas):.0f}" if name not in HALO_SOURCES else "halo"
        rows.append(f"| {label} | {counts} | {area} | {source} |")
    return "\n".join(rows) + "\n"


def with_table(page: str) -> str:
    """Return the page with the table between its marks regenerated."""
    head, rest = page.split(BEGIN)
    return head + BEGIN + region_table() + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
