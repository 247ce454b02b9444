"""Secrets are taken out of whatever leaves a process, in every spelling in which a host may send them back."""

from __future__ import annotations

import base64
import io
import json
import logging
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmart.contract.logs import JsonFormatter
from gitmart.contract.redaction import Scrubber, scrub_logging

SECRETS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=12, max_size=40)


@given(SECRETS, st.binary(max_size=5), st.binary(max_size=5))
def test_no_spelling_of_a_secret_remains(secret: str, before: bytes, after: bytes) -> None:
    clean = Scrubber([secret]).clean
    raw = secret.encode()
    encoded = base64.b64encode(before + raw + after).decode()
    # What is left of base64 tells at most the characters that it shares with what stands beside the secret.
    least = base64.b64encode(raw).decode().rstrip("=")[4:-4]

    assert secret not in clean(f"x{secret}y")
    assert secret not in json.loads(clean(json.dumps([secret])))
    for spelled in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        assert "*****" in clean(f"x{spelled}y")
        assert "*****" in clean(f"x{spelled.lower() if secret.islower() else spelled}y")
    assert "*****" in clean(encoded)
    assert "*****" in clean(base64.urlsafe_b64encode(before + raw + after).decode())
    assert least not in clean(base64.b64encode(raw).decode())


def test_bytes_are_cleaned_as_a_text_is() -> None:
    scrubber = Scrubber(["sécret-canary", "byte-\udce9-canary"])
    text = '{"a": "sécret-canary s\\u00e9cret-canary", "b": "s%C3%A9cret-canary", "c": 1}'

    assert scrubber.clean_bytes(text.encode()) == scrubber.clean(text).encode()
    assert scrubber.clean_bytes(b"byte-\xe9-canary") == b"*****"


def test_a_fact_is_cleaned_however_deep_it_stands() -> None:
    fact = {"errors": [{"secret-canary": "it was secret-canary"}, 3, None], "head": ("secret-canary",)}

    assert Scrubber(["secret-canary"]).clean_fact(fact) == {
        "errors": [{"*****": "it was *****"}, 3, None],
        "head": ["*****"],
    }


def test_a_short_secret_hides_no_honest_base64() -> None:
    assert Scrubber(["ab"]).clean("YWJj") == "YWJj"


def test_a_traceback_is_cleaned_too(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    handler.setFormatter(JsonFormatter())
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    scrub_logging(Scrubber(["secret-canary"]))

    try:
        raise ValueError("secret-canary")
    except ValueError:
        logging.getLogger("gitmart").exception("it was %s", "secret-canary", extra={"fact": "secret-canary"})

    line = json.loads(said.getvalue())
    assert (line["message"], line["fact"]) == ("it was *****", "*****")
    assert "ValueError: *****" in line["traceback"]
