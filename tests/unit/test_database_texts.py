"""Texts that may be shown: passwords are taken out wherever they stand."""

import pytest

from assets.warehouse.database import redact, safe_error


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://u:hunter2@h:5432/d", "postgresql://u:***@h:5432/d"),
        ("postgresql://u:hunt@er2@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u@h/d?password=hunter2&sslmode=require", "postgresql://u@h/d?password=***&sslmode=require"),
        ("host=h password=hunter2 user=u", "host=h password=*** user=u"),
        (r"password='hunt\' er2' user=u", "password=*** user=u"),
        ('{"password": "hunter2", "user": "u"}', '{"password": ***, "user": "u"}'),
        ("postgresql://u@h:5432/d", "postgresql://u@h:5432/d"),
        ('password authentication failed for user "u"', 'password authentication failed for user "u"'),
    ],
)
def test_redact(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_safe_error_is_one_line_without_password() -> None:
    assert safe_error(ValueError("no host in\n postgresql://u:hunter2@/d")) == (
        "ValueError: no host in postgresql://u:***@/d"
    )
    assert safe_error(TimeoutError()) == "TimeoutError"
