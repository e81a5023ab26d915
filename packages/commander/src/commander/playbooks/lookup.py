"""The playbook that an address names."""

from commander.playbooks.actions import PlaybookDesk
from commander.playbooks.domain import PlaybookNotFound, StoredPlaybook


async def the_playbook(desk: PlaybookDesk, rig_id: int, playbook_id: int) -> StoredPlaybook:
    playbook = await desk.find(playbook_id)
    if playbook.rig_id != rig_id:
        raise PlaybookNotFound("This rig has no such playbook; it may have been removed.")
    return playbook
