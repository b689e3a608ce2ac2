"""The path the server knows a notebook by, and the current notebook outside of a kernel (kernels: test_kernel.py)."""

from __future__ import annotations

import os

import pytest

import nbhook
from nbhook import _paths


def test_one_notebook_has_one_path_however_it_is_named(home, notebook, monkeypatch):
    names = ["report.ipynb", "./report.ipynb", "../work/report.ipynb", "~/work/report.ipynb", str(notebook), notebook]
    assert {_paths.notebook(name).remote for name in names} == {"work/report.ipynb"}
    monkeypatch.chdir("/")
    assert _paths.notebook(notebook).remote == "work/report.ipynb"


def test_outside_home_it_is_the_whole_path_wherever_the_working_folder_is(tmp_path, home, monkeypatch):
    monkeypatch.setenv("HOME", str(home / "nobody"))
    for folder in (tmp_path, "/"):
        monkeypatch.chdir(folder)
        assert _paths.notebook(tmp_path / "a" / "b.ipynb").remote == str(tmp_path).lstrip("/") + "/a/b.ipynb"


def test_a_home_reached_through_a_link(home, notebook, tmp_path, monkeypatch):
    link = tmp_path / "link"
    link.symlink_to(home)
    monkeypatch.setenv("HOME", str(link))
    assert _paths.notebook(notebook).remote == "work/report.ipynb"
    assert _paths.notebook(link / "work" / "report.ipynb").remote == "work/report.ipynb"


def test_a_folder_whose_name_only_starts_like_home(home, monkeypatch):
    other = f"{home}-2/x.ipynb"
    assert _paths.notebook(other).remote == other.lstrip("/")


def test_unusual_names_stay_as_they_are(home):
    assert _paths.notebook("naïve & co 🚀.ipynb").remote == "work/naïve & co 🚀.ipynb"


def test_no_argument_and_no_kernel():
    with pytest.raises(nbhook.NotebookPathError, match="pass path="):
        nbhook.webhook.add()


def test_session_name_absolute(notebook, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", str(notebook))
    assert _paths.current_notebook() == str(notebook)


@pytest.mark.parametrize("name", ["work/report.ipynb", "report.ipynb", "deep/er/work/report.ipynb"])
def test_session_name_relative_to_a_root_we_do_not_know(home, notebook, monkeypatch, name):
    # The kernel is started in the notebook's folder; the root is somewhere above, or a link makes the names disagree.
    monkeypatch.setenv("JPY_SESSION_NAME", name)
    assert _paths.current_notebook() == str(notebook)


def test_the_exact_place_wins_over_a_namesake_here(home, monkeypatch):
    for folder in ("a/work", "work"):
        os.makedirs(home / folder, exist_ok=True)
        (home / folder / "r.ipynb").write_text("{}")
    monkeypatch.setenv("JPY_SESSION_NAME", "a/work/r.ipynb")
    monkeypatch.chdir(home)
    assert _paths.current_notebook() == str(home / "a" / "work" / "r.ipynb")


@pytest.mark.parametrize("name", ["Console 1", "console-1-1f2e", "work/gone.ipynb", "/no/where.ipynb", "report.ipynb.txt", "work"])
def test_a_session_that_is_no_notebook_file(home, notebook, monkeypatch, name):
    monkeypatch.setenv("JPY_SESSION_NAME", name)
    with pytest.raises(nbhook.NotebookPathError, match="pass path=") as caught:
        nbhook.webhook.find()
    assert name in str(caught.value)


def test_vscode_on_a_jupyter_server_has_a_made_up_session_name(notebook, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "report-jvsc-0f1e2d3c.ipynb")
    with pytest.raises(nbhook.NotebookPathError, match="not known here"):
        _paths.current_notebook()
