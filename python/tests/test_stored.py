"""What of a folder becomes a dependency."""

from __future__ import annotations

import os
import pathlib

import pytest
from conftest import page
from nbhook import _stored, asset, dependency


def test_a_folder_is_walked_without_what_is_hidden(tmp_path: pathlib.Path) -> None:
    for name in ("a.py", "sub/b.py", ".hidden", ".git/x", "__pycache__/a.pyc", "sub/.b"):
        file = tmp_path / "lib" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    assert dict(_stored.contents(str(tmp_path / "lib"), True)) == {"./a.py": b"a.py", "./sub/b.py": b"sub/b.py"}
    assert [*_stored.contents(str(tmp_path / "lib/a.py"), False)] == [("a.py", b"a.py")]
    with pytest.raises(IsADirectoryError):
        [*_stored.contents(str(tmp_path / "lib"), False)]
    with pytest.raises(FileNotFoundError):
        [*_stored.contents(str(tmp_path / "none"), True)]


def test_links_that_leave_the_folder_are_refused(tmp_path: pathlib.Path) -> None:
    lib = tmp_path / "lib"
    lib.mkdir()
    (lib / "a.py").write_text("a")
    os.symlink("a.py", lib / "inside.py")
    assert len([*_stored.contents(str(lib), True)]) == 2
    (tmp_path / "secret").write_text("s")
    os.symlink(tmp_path / "secret", lib / "out")
    with pytest.raises(ValueError, match="leaves the folder"):
        [*_stored.contents(str(lib), True)]
    os.unlink(lib / "out")
    os.symlink(tmp_path, lib / "folder")
    with pytest.raises(ValueError, match="link to a folder"):
        [*_stored.contents(str(lib), True)]


def test_a_run_without_a_token_skips_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NBHOOK_RUN", "r")
    monkeypatch.delenv("NBHOOK_TOKEN", raising=False)
    assert asset.add("x.png") == ""
    assert dependency.add("x.csv") is None
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_file_of_a_run_lies_beside_its_notebook(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "run-1"
    (folder / "charts").mkdir(parents=True)
    os.symlink(folder, tmp_path / "link")
    monkeypatch.setenv("NBHOOK_RUN", "r")
    monkeypatch.setenv("NBHOOK_RUN_PATH", "reports/sales.ipynb")
    monkeypatch.setenv("NBHOOK_RUN_FOLDER", str(folder))
    monkeypatch.chdir(folder / "charts")
    assert _stored.place("a.html")[1] == "reports/charts/a.html"
    assert _stored.place("../a.html")[1] == "reports/a.html"
    assert _stored.place(tmp_path / "link" / "a.html")[1] == "reports/a.html"
    assert _stored.place("/elsewhere/a.html")[1] == "elsewhere/a.html"
    monkeypatch.setenv("NBHOOK_RUN_PATH", "sales.ipynb")
    assert _stored.place("a.html")[1] == "charts/a.html"
    with pytest.raises(ValueError, match="name the file"):
        _stored.place(None)


def test_a_run_adds_assets_with_its_own_credential_and_no_dependencies(server, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setenv("NBHOOK_RUN", "r")
    monkeypatch.setenv("NBHOOK_RUN_URL", server.url)
    monkeypatch.setenv("NBHOOK_RUN_TOKEN", "nbr_of_this_run")
    monkeypatch.delenv("NBHOOK_TOKEN")
    monkeypatch.setenv("NBHOOK_RUN_PATH", "sales.ipynb")
    monkeypatch.setenv("NBHOOK_RUN_FOLDER", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.html").write_text("<p>")
    server.on("POST", "/v1/assets", {"path": "a.html", "url": "http://x/assets/t"})
    assert asset.add("a.html") == "http://x/assets/t"
    assert server.only("POST", "/v1/assets").headers["Authorization"] == "Bearer nbr_of_this_run"
    assert dependency.add("a.html") is None
    assert dependency.clear("a.html") == []
    server.on("GET", "/v1/dependencies", lambda request: page(request, [{"path": "a.csv"}]))
    assert [row["path"] for row in dependency.currents()] == ["a.csv"]
    assert "owner" not in server.only("GET", "/v1/dependencies").query
