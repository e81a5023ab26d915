"""Why a playbook does not mine: what a try later may mend, and what it can't."""

from sentry_kit.errors import SentryError


class Refused(SentryError):
    """What is asked for is wrong or dangerous: the same thing is not tried again until it is changed."""


class Trouble(SentryError):
    """The network, the disk or the mining software: tried again after a while."""
