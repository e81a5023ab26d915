"""An agent's interval and how it introduces itself."""

from importlib.metadata import version

import pytest
from protocol.messages import SentryWelcome
from sentry_kit.agent import interval_s, user_agent


def welcome(report_every_s: float) -> SentryWelcome:
    return SentryWelcome(kind="asic", report_every_s=report_every_s, playbooks_every_s=60, commander_version="1")


@pytest.mark.parametrize(
    ("setting_s", "commanders_s", "interval"),
    [(None, None, 10), (None, 30, 30), (5, 30, 5), (5, None, 5), (None, 0.2, 1)],
)
def test_the_setting_here_comes_before_the_commanders_interval(
    setting_s: float | None, commanders_s: float | None, interval: float
) -> None:
    assert interval_s(setting_s, welcome(commanders_s) if commanders_s else None) == interval


def test_a_sentry_sends_its_name_and_version() -> None:
    assert user_agent("minewarden-sentry-kit") == f"minewarden-sentry-kit/{version('minewarden-sentry-kit')}"
