"""The events of the ladder, as they are reported to the commander."""

import secrets
from datetime import UTC, datetime

from protocol.command_messages import LadderAct, LadderEvent

from cpu_gpu_sentry.ladder.sources import Boot
from cpu_gpu_sentry.ladder.steps import RIG, GiveUp, MarkLost, Reboot, RestartPlaybook, Step, StopForGood, StopHot


def event_of(step: Step, boot: Boot) -> LadderEvent:
    match step:
        case RestartPlaybook(playbook_id=name):
            return new_event(step.act, step.reason, boot, playbook_id=name)
        case Reboot() | MarkLost():
            return new_event(step.act, step.reason, boot, device=step.device, xid=step.xid)
        case GiveUp(subject=subject):
            playbook_id = None if subject == RIG else subject
            return new_event(step.act, step.reason, boot, playbook_id=playbook_id, device=step.device)
        case StopHot() | StopForGood() | _:
            playbook_id = step.playbook_ids[0] if len(step.playbook_ids) == 1 else None
            return new_event(step.act, step.reason, boot, playbook_id=playbook_id, device=step.device)


def new_event(
    act: LadderAct,
    reason: str,
    boot: Boot,
    *,
    playbook_id: str | None = None,
    device: str | None = None,
    xid: int | None = None,
) -> LadderEvent:
    return LadderEvent(
        id=secrets.token_hex(16),
        act=act,
        reason=reason[:512],
        at=datetime.now(UTC),
        playbook_id=playbook_id,
        device=device,
        boot_id=boot.id,
        xid=xid,
    )
