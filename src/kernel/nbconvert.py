"""Reads a notebook from standard input and writes it as one HTML page: nbconvert.py <title> <folder of images or ""> <"still" or "">."""

import sys

# With -c the first entry is the working directory, which is none of ours.
sys.path.pop(0)

import re
import warnings

warnings.simplefilter("ignore")

import nbconvert
import nbformat
from nbconvert.exporters import HTMLExporter

# nbconvert's page loads RequireJS and MathJax from a content delivery network, whatever it shows. Here it asks other
# hosts only for what the notebook uses. (Mermaid's loader looks for diagrams by itself.)
TEMPLATE = """
{%- extends "index.html.j2" -%}
{%- block html_head_js_requirejs -%}
{%- if resources.uses_require %}{{ super() }}{% endif -%}
{%- endblock html_head_js_requirejs -%}
{%- block html_head_js_mathjax -%}
{%- if resources.uses_math %}{{ super() }}{% endif -%}
{%- endblock html_head_js_mathjax -%}
"""

TEX = re.compile(r"\$[^$]+\$|\\\(|\\\[|\\begin\{")
HTML_TEX = re.compile(r"\$\$|\\\(|\\\[|MathJax")
REQUIRE = re.compile(r"\brequire(js)?\b|\bdefine\s*\(")
SCRIPT = re.compile(r"<script\b.*?</script\s*>", re.DOTALL | re.IGNORECASE)


def text(value):
    return "".join(value) if isinstance(value, list) else str(value)


def outputs(notebook, *types):
    """The text of all outputs of these media types."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            yield from (text(data[kind]) for kind in types if kind in data)


def uses_math(notebook):
    markdown = [text(cell.source) for cell in notebook.cells if cell.cell_type == "markdown"]
    markdown.extend(outputs(notebook, "text/markdown", "text/latex"))
    html = outputs(notebook, "text/html")
    return any(map(TEX.search, markdown)) or any(map(HTML_TEX.search, html))


def uses_require(notebook):
    scripts = outputs(notebook, "text/html", "application/javascript")
    return "widgets" in notebook.metadata or any(map(REQUIRE.search, scripts))


def main():
    title, folder, still = sys.argv[1:4]
    notebook = nbformat.reads(sys.stdin.buffer.read().decode(), as_version=4)
    if still:
        # So that a link can lead to a cell: the template has ids where cells have.
        for number, cell in enumerate(notebook.cells):
            cell["id"] = str(number)
    # Older ones would embed any file that a Markdown text names, also from outside the folder.
    embed = bool(folder) and nbconvert.version_info[:3] >= (7, 17, 1)
    exporter = HTMLExporter(template_name="lab", raw_template=TEMPLATE, embed_images=embed)
    resources = {
        "metadata": {"name": title, "path": folder if embed else ""},
        "uses_math": not still and uses_math(notebook),
        "uses_require": not still and uses_require(notebook),
    }
    page, _ = exporter.from_notebook_node(notebook, resources)
    if still:
        # Where no script runs none should be tried. (What keeps them from running is the policy that the page is served with.)
        page = SCRIPT.sub("", page)
    sys.stdout.buffer.write(page.encode("utf-8", "replace"))


main()
