"""CPU/GPU rigs for people's scripts: what differs from ASICs."""

import msgspec
from protocol.messages import CpuGpuLog
from protocol.reading import Reader
from protocol.tokens import Token

from commander.live.rig_state import RigState
from commander.raw_logs.pagination import RawLogPage
from commander.registry.kinds import RigKind
from commander.registry.names import enroll_command
from commander.rigs.api import KindApi, handlers_of
from commander.rigs.cpu_gpu_responses import RigAnswer, rig_answer
from commander.settings import Settings

_log = Reader(CpuGpuLog)


class RigWithToken(msgspec.Struct, frozen=True, kw_only=True):
    """A rig's token can be read here and never again; `enroll_command` is what to type on the rig."""

    id: int
    name: str
    token: str
    commander_url: str
    enroll_command: str


class LogPage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Logs as they were sent, newest first; without `cursor` it is the last page."""

    logs: list[CpuGpuLog]
    cursor: str | None = None


def with_token(rig: RigState, token: Token, settings: Settings) -> RigWithToken:
    return RigWithToken(
        id=rig.id,
        name=rig.name,
        token=str(token),
        commander_url=settings.public_url,
        enroll_command=enroll_command(settings.public_url, token),
    )


def cpu_gpu_log_page(page: RawLogPage) -> LogPage:
    return LogPage(logs=[_log.decode(body) for body in page.logs], cursor=page.cursor)


HANDLERS = handlers_of(
    KindApi(
        kind=RigKind.CPU_GPU,
        tag="rigs",
        noun="rig",
        a_noun="a rig",
        plural="CPU/GPU rigs",
        infix="",
        about_removal="Remove a rig and all its data; its sentry stops mining.",
        about_stats="The farm's totals, of the rigs that are alive.",
        answer=RigAnswer,
        answer_of=rig_answer,
        with_token=RigWithToken,
        with_token_of=with_token,
        log_page=LogPage,
        log_page_of=cpu_gpu_log_page,
    )
)
