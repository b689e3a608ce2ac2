"""What schemathesis need not try."""

import uuid

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    """Two calls with one key are one call, and a second that passes something else is refused: rightly, but no schema says it."""
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and key.isascii() and key.isprintable() and 0 < len(key) < 200:
        case.headers["Idempotency-Key"] = f"{uuid.uuid4()}{key}"


@schemathesis.hook
def filter_body(context, body):
    """In a multipart form names stand in headers, where such characters cannot be; they are left out everywhere."""
    return not isinstance(body, dict) or all(name.isprintable() for name in body)
