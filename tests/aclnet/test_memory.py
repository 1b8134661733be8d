from __future__ import annotations

from pathlib import Path

from aclnet.memory import container_bytes


def test_files_that_were_read_take_no_memory_from_a_container(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("900\n")
    (tmp_path / "memory.stat").write_text("anon 300\nactive_file 400\ninactive_file 200\n")
    assert container_bytes(tmp_path) == 700
    (tmp_path / "memory.max").write_text("max\n")
    assert container_bytes(tmp_path) is None
