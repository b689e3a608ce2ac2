"""respond_*: wrong arguments are refused in plain words, and plain Python is no reason to crash. The marks: test_kernel.py."""

from __future__ import annotations

import os

import pytest

from nbhook import _display, _images, webhook

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
GOOD = {
    "respond_html": ("<p>",),
    "respond_json": ({},),
    "respond_image": (PNG,),
    "respond_svg": ("<svg/>",),
    "respond_text": ("",),
    "respond_markdown": ("# x",),
    "respond_csv": ("a,b",),
    "respond_file": (__file__,),
    "respond_notebook": (),
    "respond_error": (404, "no such customer"),
}


@pytest.mark.parametrize("name", GOOD)
def test_plain_python_gets_a_note(name, capsys):
    assert getattr(webhook, name)(*GOOD[name]) is None
    output = capsys.readouterr().out
    assert output.count("\n") == 1
    assert output.startswith(f"response set: {name[8:]} (status {404 if name == 'respond_error' else 200})")


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "line\r\nSet-Cookie: x"},
        {"X A": "v"},
        {"": "v"},
        {"X:": "v"},
        {"Content-Length": "3"},
        {"transfer-encoding": "chunked"},
        {"X-A": "\u2603"},
        {"X-A": "nul\0"},
    ],
)
def test_bad_headers(name, headers):
    with pytest.raises(ValueError, match="header") as caught:
        getattr(webhook, name)(*GOOD[name], headers=headers)
    assert "Set-Cookie" not in str(caught.value)


@pytest.mark.parametrize("headers", [["X-A: v"], "X-A: v", {"X-A": None}, {"X-A": b"v"}, {"X-A": True}])
def test_headers_of_a_wrong_type(headers):
    with pytest.raises(TypeError, match="header"):
        webhook.respond_text("x", headers=headers)


def test_a_callback_in_plain_python_shows_what_would_be_sent(capsys):
    assert webhook.callback("paid", {"paid": True, "note": "é" * 3000}) is None
    output = capsys.readouterr().out
    assert output.startswith('callback paid; outside a run it is not sent:\n{\n  "paid": true,')
    assert "… (3" in output and len(output) < 2200
    for name in ("", None, 7):
        with pytest.raises(TypeError, match="the name of a declared callback"):
            webhook.callback(name, {})
    with pytest.raises(TypeError, match=r"\$\.at"):
        webhook.callback("paid", {"at": object()})


def test_good_headers_are_cleaned():
    assert _display.check_headers({"X-A": " é\t1 ", "Content-Type": "text/x", "Age": 5}) == {
        "X-A": "é\t1",
        "Content-Type": "text/x",
        "Age": "5",
    }


@pytest.mark.parametrize("name", [name for name in GOOD if name != "respond_error"])
@pytest.mark.parametrize("status", [100, 199, 600, "200", 200.0, True])
def test_bad_status(name, status):
    with pytest.raises(ValueError, match="status must be an int from 200 to 599"):
        getattr(webhook, name)(*GOOD[name], status=status)


@pytest.mark.parametrize("name", ["respond_html", "respond_svg", "respond_text", "respond_markdown", "respond_csv"])
@pytest.mark.parametrize("data", [None, 5, b"bytes", ["x"]])
def test_text_answers_take_text(name, data):
    with pytest.raises(TypeError, match=f"{name} takes a str, not {type(data).__name__}: "):
        getattr(webhook, name)(data)


def test_half_a_character():
    for respond in (webhook.respond_text, webhook.respond_html, webhook.respond_csv):
        with pytest.raises(ValueError, match="lone surrogate"):
            respond("\ud83d")
    with pytest.raises(ValueError, match="lone surrogate"):
        webhook.respond_json({"a": "\ud83d"})


def test_svg_without_svg():
    with pytest.raises(ValueError, match="no <svg>"):
        webhook.respond_svg("logo.svg")


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0JFIF", "image/jpeg"),
        (b"GIF89a123", "image/gif"),
        (b"GIF87a123", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
    ],
)
def test_images_are_told_by_their_first_bytes(content, media_type, tmp_path, home):
    assert _images.image_bytes(content) == (content, media_type)
    assert _images.image_bytes(bytearray(content)) == (content, media_type)
    (home / "work" / "wrong.txt").write_bytes(content)
    assert _images.image_bytes("wrong.txt") == (content, media_type)
    with open("wrong.txt", "rb") as file:
        assert _images.image_bytes(file) == (content, media_type)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"BM6\0\0\0", "not PNG, JPEG, GIF or WebP.*convert it"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "not PNG"),
        (b"\x89PN", "not PNG"),
        (b"  <svg xmlns=''/>", "use respond_svg"),
        (b"<!DOCTYPE html><html>", "download probably failed"),
    ],
)
def test_what_is_no_image(content, words):
    with pytest.raises(ValueError, match=words):
        webhook.respond_image(content)


def test_image_arguments(home):
    with pytest.raises(FileNotFoundError, match=r"no image file gone\.png in .*/work"):
        webhook.respond_image("gone.png")
    with pytest.raises(ValueError, match="takes no URL"):
        webhook.respond_image("https://example.org/a.png")
    with pytest.raises(TypeError, match="bytes, a file name, a PIL image or a matplotlib figure, not list"):
        webhook.respond_image([1, 2])
    for arguments in ((), (PNG, "x.png")):
        with pytest.raises(TypeError, match="either data or filename"):
            webhook.respond_image(*arguments)


def test_file_arguments(home):
    with pytest.raises(FileNotFoundError, match=r"no file .*/work/gone\.csv: write it before"):
        webhook.respond_file("gone.csv")
    with pytest.raises(ValueError, match="not a regular file"):
        webhook.respond_file(str(home))
    os.mkfifo("pipe")
    with pytest.raises(ValueError, match="not a regular file"):
        webhook.respond_file("pipe")
    for name in ("a/b.csv", "..\\b", "", "line\nbreak"):
        with pytest.raises(ValueError, match="bare file name"):
            webhook.respond_file(__file__, name=name)
    for media_type in ("csv", "text/csv\r\nX: y", "", "text/", 5):
        with pytest.raises(ValueError, match="not a media type"):
            webhook.respond_file(__file__, media_type=media_type)
    webhook.respond_file(__file__, name="é.py", media_type="text/x-python; charset=utf-8")


@pytest.mark.parametrize("name", [name for name in GOOD if name != "respond_notebook"])
def test_early_is_yes_or_no(name):
    getattr(webhook, name)(*GOOD[name], early=True)
    for early in (1, None, "yes"):
        with pytest.raises(TypeError, match="early must be True or False"):
            getattr(webhook, name)(*GOOD[name], early=early)


def test_notebook_arguments():
    with pytest.raises(ValueError, match='"html" or "ipynb", not \'pdf\''):
        webhook.respond_notebook("pdf")


def test_error_arguments():
    for status in (200, 303, 600, "404", True):
        with pytest.raises(ValueError, match="status must be an int from 400 to 599"):
            webhook.respond_error(status, "x")
    for detail in ("", "  "):
        with pytest.raises(ValueError, match="detail is empty"):
            webhook.respond_error(400, detail)
    with pytest.raises(TypeError, match="respond_error takes a str, not dict"):
        webhook.respond_error(400, {})
    with pytest.raises(TypeError, match="failed must be True or False"):
        webhook.respond_error(400, "x", failed=0)
