"""The steps of the ladder. Each carries its reason, in the words in which people read it."""

from dataclasses import dataclass

from protocol.command_messages import LadderAct

RIG = "rig"  # the subject of a step that concerns no single playbook


@dataclass(frozen=True, slots=True)
class RestartPlaybook:
    playbook_id: str
    reason: str
    act = LadderAct.RESTARTED_PLAYBOOK


@dataclass(frozen=True, slots=True)
class Reboot:
    """`device` is the card because of which the rig reboots, `playbook_id` the playbook that no restart cured."""

    reason: str
    device: str | None = None
    playbook_id: str | None = None
    xid: int | None = None
    act = LadderAct.REBOOTED


@dataclass(frozen=True, slots=True)
class MarkLost:
    """Gives up a card, and goes on with the others."""

    device: str
    reason: str
    xid: int | None = None
    act = LadderAct.CARD_LOST


@dataclass(frozen=True, slots=True)
class StopHot:
    """Stops playbooks until `device` has cooled down to `resume_at_c`."""

    playbook_ids: tuple[str, ...]
    device: str
    sensor_key: str
    resume_at_c: float
    reason: str
    act = LadderAct.STOPPED_HOT


@dataclass(frozen=True, slots=True)
class StopForGood:
    """Stops playbooks until a person starts them: their device gets too hot again and again."""

    playbook_ids: tuple[str, ...]
    device: str
    sensor_key: str
    reason: str
    act = LadderAct.GAVE_UP


@dataclass(frozen=True, slots=True)
class ResumeCool:
    playbook_ids: tuple[str, ...]
    device: str
    reason: str
    act = LadderAct.RESUMED_COOL


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Stops acting on `subject`, a playbook or the rig, for a day or until a person acts."""

    subject: str
    reason: str
    device: str | None = None
    act = LadderAct.GAVE_UP


Step = RestartPlaybook | Reboot | MarkLost | StopHot | StopForGood | ResumeCool | GiveUp
