"""The playbook that an address names."""

from commander.playbooks.actions import PlaybookActions
from commander.playbooks.domain import PlaybookNotFound, StoredPlaybook


async def playbook_of_rig(playbook_actions: PlaybookActions, rig_id: int, playbook_id: int) -> StoredPlaybook:
    playbook = await playbook_actions.find(playbook_id)
    if playbook.rig_id != rig_id:
        raise PlaybookNotFound("This rig has no such playbook; it may have been removed.")
    return playbook
