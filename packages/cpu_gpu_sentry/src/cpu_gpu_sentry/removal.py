"""What leaves the rig together with its enrolment (F4): when the commander removed it, and on `leave`.

Everything that this sentry started is stopped, and the playbooks and the mining software that it installed are
deleted. What the operator runs without a playbook is watched only, and is never stopped.
"""

import logging
from pathlib import Path

from protocol.reasons import reason
from sentry_kit.errors import StorageError

from cpu_gpu_sentry.playbooks import folders as disk
from cpu_gpu_sentry.playbooks import runs, system
from cpu_gpu_sentry.playbooks.folders import Folders

log = logging.getLogger(__name__)


def stop_and_delete_mining(data_dir: Path) -> None:
    """Blocks until it is done, 10 s or a little more for miners that do not want to end. Whoever calls it has said
    in the store before that nothing is wanted: a sentry that runs beside starts nothing then.
    """
    folders = Folders(data_dir)
    with system.held(data_dir / runs.CHANGING):
        runs.end_all(folders)
        try:
            disk.delete_all(folders)
        except OSError as error:
            raise StorageError(
                f"Not everything under {data_dir} could be deleted ({reason(error)}); delete the folders "
                "playbooks, software and downloads there."
            ) from error
    log.info("mining_removed")
