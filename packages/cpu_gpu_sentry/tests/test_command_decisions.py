"""Decisions about the commander's commands: what begins, and what becomes of one that a restart has cut off."""

import pytest
from command_orders import ALL, command, status
from cpu_gpu_sentry.commands.decide import after_restart, first_status
from cpu_gpu_sentry.settings import Settings, settings_from
from protocol.command_messages import Command, CommandAction, CommandState, CommandStatus
from sentry_kit.errors import BadSetting


@pytest.mark.parametrize(
    ("order", "allowed", "refusal", "now_s", "state", "text"),
    [
        (command("c"), ALL, None, 0.0, CommandState.BEGUN, "Begun."),
        (command("c"), ALL, None, 599.9, CommandState.BEGUN, "Begun."),
        (command("c"), ALL, None, 600.0, CommandState.EXPIRED, "The command came too late and was not begun."),
        (
            command("c", valid_s=0.0), ALL, None, 0.0, CommandState.EXPIRED,
            "The command came too late and was not begun.",
        ),
        (
            command("c", "overclock"), ALL, None, 0.0, CommandState.REFUSED,
            "This sentry is too old: it does not know the command overclock. Update it.",
        ),
        (
            command("c", "rm -rf /"), ALL, None, 0.0, CommandState.REFUSED,
            "This sentry is too old: it does not know the command rm -rf /. Update it.",
        ),
        (
            command("c", "shutdown"), ALL - {"shutdown"}, None, 0.0, CommandState.REFUSED,
            "The setting CPU_GPU_SENTRY_ALLOW of this rig does not allow shutdown.",
        ),
        (
            command("c", "reboot"), ALL, "The sentry does not run as root.", 0.0, CommandState.REFUSED,
            "The sentry does not run as root.",
        ),
        (
            command("c", "shutdown"), ALL - {"shutdown"}, None, 9e9, CommandState.REFUSED,
            "The setting CPU_GPU_SENTRY_ALLOW of this rig does not allow shutdown.",
        ),
    ],
)  # fmt: skip
def test_a_command_begins_if_it_is_known_allowed_possible_and_in_time(
    order: Command, allowed: frozenset[str], refusal: str | None, now_s: float, state: CommandState, text: str
) -> None:
    status = first_status(order, allowed, refusal, now_s=now_s, deadline_s=order.valid_s, boot_id="boot-1")
    assert (status.state, status.text, status.boot_id) == (state, text, "boot-1")


@pytest.mark.parametrize(
    ("begun", "boot_id", "begun_for_s", "state", "text"),
    [
        (status(), "boot-2", 5.0, CommandState.DONE, "The rig has rebooted."),
        (status("shutdown"), "boot-2", 5.0, CommandState.DONE, "The rig was off, and is on again."),
        (status(), "boot-1", 599.0, None, ""),
        (status(), "boot-1", 600.0, CommandState.FAILED, "The rig still runs 10 min later."),
        (status(boot_id=None), None, 5.0, None, ""),
        (status(boot_id=None), None, 600.0, CommandState.FAILED, "The rig still runs 10 min later."),
        (status(boot_id=None), None, -900.0, CommandState.DONE, "The rig has rebooted."),
        (
            status("stop_mining"), "boot-1", 5.0, CommandState.FAILED,
            "The sentry was ended while it carried this out. It is not begun again.",
        ),
        (
            status("stop_mining"), "boot-2", 5.0, CommandState.FAILED,
            "The sentry was ended while it carried this out. It is not begun again.",
        ),
    ],
)  # fmt: skip
def test_a_command_that_a_restart_has_cut_off_gets_a_result_and_is_not_begun_again(
    begun: CommandStatus, boot_id: str | None, begun_for_s: float, state: CommandState | None, text: str
) -> None:
    after = after_restart(begun, boot_id, begun_for_s)
    assert (after.state if after else None, after.text if after else "") == (state, text)


# --- the settings


def test_all_commands_but_shutdown_are_allowed_unless_the_rig_says_otherwise() -> None:
    assert Settings().allow == "restart_playbook,start_mining,stop_mining,reboot,diagnose,fetch_log,update_sentry"
    assert Settings().allowed_commands == frozenset(CommandAction) - {"shutdown"}
    assert settings_from({"CPU_GPU_SENTRY_ALLOW": "reboot, diagnose"}).allowed_commands == {"reboot", "diagnose"}
    assert settings_from({"CPU_GPU_SENTRY_ALLOW": "none"}).allowed_commands == frozenset()


@pytest.mark.parametrize("text", ["all", "reboot,", "reboot;diagnose", "overclock", "none,reboot"])
def test_a_mistyped_list_of_commands_stops_the_sentry_with_the_settings_name(text: str) -> None:
    with pytest.raises(BadSetting, match="CPU_GPU_SENTRY_ALLOW"):
        settings_from({"CPU_GPU_SENTRY_ALLOW": text})
