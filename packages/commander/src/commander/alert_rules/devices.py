"""The devices that a rig has. Nothing will be known of one that was taken out, so its conditions must end. Pure."""

from typing import NamedTuple

from commander.alert_rules.domain import RuleName, Sensor
from commander.alert_rules.judgement import WHOLE_RIG
from commander.alert_rules.view import JudgedRig
from commander.registry.kinds import RigKind

_OF_DEVICES = frozenset({RuleName.TEMPERATURE, RuleName.FAN})
_OF_USUAL = frozenset({RuleName.HASHRATE_LOW, RuleName.POWER})


class ExpectedDevices(NamedTuple):
    """The devices that a rule may have conditions of, and why others are not there any more, for people."""

    names: frozenset[str]
    why_gone: str


def expected_devices(view: JudgedRig, rule: str) -> ExpectedDevices | None:
    """Returns None for a rule about whole rigs, and while the devices are not known.

    A card that fell off the bus stays in the specs and in the logs of its sentry, so it is lost, not removed.
    """
    if rule in _OF_USUAL:
        return _by_usual(view, rule)
    if rule not in _OF_DEVICES:
        return None
    return _boards(view) if view.kind is RigKind.ASIC else _cards(view)


def _cards(view: JudgedRig) -> ExpectedDevices | None:
    if view.state.specs is None:
        return None
    cards = {*view.state.hardware.cards, *(gpu.pci_address for gpu in view.gpus)}
    memories = {f"{card} {Sensor.MEMORY}" for card in cards}
    return ExpectedDevices(frozenset({WHOLE_RIG, Sensor.CPU.value, *cards, *memories}), "the card was removed")


def _boards(view: JudgedRig) -> ExpectedDevices | None:
    """A board counts as removed when it is not usual any more: after a day without it."""
    if view.usual.boards is None:
        return None
    slots = {*view.usual.boards, *(board.slot for board in view.asic_log.boards)}
    return ExpectedDevices(frozenset({WHOLE_RIG, *(f"board {slot}" for slot in slots)}), "the board was removed")


def _by_usual(view: JudgedRig, rule: str) -> ExpectedDevices | None:
    """A change of the playbook starts the usual values again. Then nothing is low or high any more."""
    usual = view.usual.hashrates_hs
    if not usual and view.usual.power_w is None:
        return ExpectedDevices(frozenset(), "what is usual is learnt again")
    if rule == RuleName.POWER or not usual:
        return None
    names = {WHOLE_RIG} if len(usual) == 1 else usual.keys()
    return ExpectedDevices(frozenset(names), "it is not mined any more")
