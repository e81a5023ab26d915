"""Removes the mining from a rig that was removed from the commander, or that leaves.

Every process that this sentry started is stopped. The playbooks and the mining software that it installed are deleted.
Miners that the operator runs without a playbook are only watched, and never stopped.
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
    """Blocks until it is done: 10 s or a little more for miners that do not end by themselves.

    The store must say before that nothing is wanted, so that a running sentry starts nothing meanwhile.
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
