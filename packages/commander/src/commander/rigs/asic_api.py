"""ASICs for people's scripts: what differs from CPU/GPU rigs."""

import msgspec
from protocol.asic_messages import AsicLog
from protocol.reading import Reader
from protocol.tokens import Token

from commander.live.rig_state import RigState
from commander.raw_logs.pagination import RawLogPage
from commander.readings.asic import add_command, connect_command
from commander.registry.kinds import RigKind
from commander.rigs.api import KindApi, handlers_of
from commander.rigs.asic_responses import AsicAnswer, asic_answer
from commander.settings import Settings

_log = Reader(AsicLog)


class AsicWithToken(msgspec.Struct, frozen=True, kw_only=True):
    """An ASIC's token can be read here and never again.

    `connect_command` is typed once beside the ASIC sentry, `enroll_command` for this ASIC, with its address in place of
    `ASIC_IP`.
    """

    id: int
    name: str
    token: str
    commander_url: str
    connect_command: str
    enroll_command: str


class AsicLogPage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Logs as they were sent, newest first; without `cursor` it is the last page."""

    logs: list[AsicLog]
    cursor: str | None = None


def with_token(rig: RigState, token: Token, settings: Settings) -> AsicWithToken:
    return AsicWithToken(
        id=rig.id,
        name=rig.name,
        token=str(token),
        commander_url=settings.public_url,
        connect_command=connect_command(settings.public_url),
        enroll_command=add_command(token),
    )


def asic_log_page(page: RawLogPage) -> AsicLogPage:
    return AsicLogPage(logs=[_log.decode(body) for body in page.logs], cursor=page.cursor)


HANDLERS = handlers_of(
    KindApi(
        kind=RigKind.ASIC,
        tag="asics",
        noun="ASIC",
        a_noun="an ASIC",
        plural="ASICs",
        infix="asic",
        about_removal="Remove an ASIC and all its data; its sentry shows an invalid token. "
        "The machine itself is left as it is.",
        about_stats="The totals of the ASICs that are alive.",
        answer=AsicAnswer,
        answer_of=asic_answer,
        with_token=AsicWithToken,
        with_token_of=with_token,
        log_page=AsicLogPage,
        log_page_of=asic_log_page,
    )
)
