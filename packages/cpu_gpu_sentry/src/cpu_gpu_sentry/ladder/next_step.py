"""The ladder: one pure function that says what the rig does next by itself."""

from protocol.command_messages import LadderSettings

from cpu_gpu_sentry.ladder.cards import card_step
from cpu_gpu_sentry.ladder.facts import Facts
from cpu_gpu_sentry.ladder.heat import cool_step, heat_step
from cpu_gpu_sentry.ladder.history import History
from cpu_gpu_sentry.ladder.observe import is_left_alone
from cpu_gpu_sentry.ladder.reboots import is_rebooting
from cpu_gpu_sentry.ladder.slow import slow_step
from cpu_gpu_sentry.ladder.steps import Step


def next_step(facts: Facts, history: History, limits: LadderSettings, now_s: float) -> Step | None:
    """Returns the next step, or None.

    1. A critical temperature stops mining in any case.
    2. Nothing else happens in maintenance, after a person has stopped mining, while the network is down, or while the
       rig reboots.
    3. What has cooled down resumes.
    4. A card that is gone or broken: reboot once, then go on without it.
    5. A slow playbook: restart it twice, then reboot, then give up.

    `history` has been brought up to date by `observed`; the step is noted in it before it is carried out.
    """
    if (step := heat_step(facts, history, limits, now_s)) is not None:
        return step
    if is_left_alone(facts, history, now_s) or is_rebooting(facts, history, now_s):
        return None
    return (
        cool_step(facts, history, limits, now_s)
        or card_step(facts, history, limits, now_s)
        or slow_step(facts, history, limits, now_s)
    )
