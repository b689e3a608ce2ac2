"""What the cells of several notebooks here check with."""

import contextlib
import io


def raises(kind, function, *arguments, **named):
    """The error that the function must raise."""
    try:
        function(*arguments, **named)
    except kind as error:
        return error
    raise AssertionError(f"{function.__name__} did not raise {kind.__name__}")


def quietly(function, *arguments, **named):
    """What the function returns, and what it prints."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        return function(*arguments, **named), said.getvalue()
