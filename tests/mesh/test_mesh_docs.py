from __future__ import annotations

import runpy
from pathlib import Path

from canonface.mesh import REGION_GROUPS, load_mesh

DOCS = Path(__file__).parents[2] / "docs"


def test_the_table_of_regions_is_up_to_date():
    script = runpy.run_path(str(DOCS / "scripts" / "region_table.py"))
    page = (DOCS / "mesh.md").read_text(encoding="utf-8")
    assert script["with_table"](page) == page, "run: python docs/scripts/region_table.py"


def test_the_page_lists_subdivisions_and_groups():
    page = (DOCS / "mesh.md").read_text(encoding="utf-8")
    for subdivision in range(5):
        mesh = load_mesh(subdivision)
        assert f"| {subdivision} | {len(mesh.vertices):,} | {len(mesh.triangles):,} |" in page
    for group in REGION_GROUPS:
        assert f"`{group}`" in page
