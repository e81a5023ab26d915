"""What leaves the rig together with its enrolment (F4): when the commander removed it, and on `leave`.

The one place that the playbooks will extend: stop them, delete them and the mining software that they
installed. What the operator runs without a playbook is watched only, and is never stopped.
"""

import logging

log = logging.getLogger(__name__)


def stop_and_delete_mining() -> None:
    """Stops and deletes what this sentry started. This version starts nothing, so there is nothing to
    stop."""
    log.info("nothing_to_stop this version runs no playbooks")
