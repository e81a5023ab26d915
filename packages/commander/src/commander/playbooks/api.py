"""Playbooks for people's scripts."""

from dataclasses import replace
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import Body, FromPath, QueryParameter
from litestar.types import ControllerRouterHandler
from protocol.playbook_messages import Platform

from commander.accounts.confirmations import Confirmations
from commander.accounts.domain import author_of
from commander.db import Database
from commander.live.playbooks import PlaybookNow
from commander.live.rigs import LiveRigs
from commander.playbooks import output
from commander.playbooks.actions import PlaybookActions
from commander.playbooks.differences import diff
from commander.playbooks.domain import PlaybookSpec, StoredPlaybook, WorkSpec
from commander.playbooks.responses import PlaybookAnswer, RevisionAnswer, playbook_answer, revision_answer
from commander.web.api_docs import BEARER, problems

AnyRequest = Request[Any, Any, Any]
Word = Annotated[str, msgspec.Meta(max_length=256)]
Number = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]


class WorkBody(msgspec.Struct, frozen=True, kw_only=True):
    """One algorithm, its coin, pool and wallet. Without `coin` it is the coin of the wallet or the pool."""

    algorithm: Word = ""
    coin: Word = ""
    pool_id: Number | None = None
    wallet_id: Number | None = None
    password: Word = "x"  # noqa: S105 - what pools expect where they want none


class PlaybookBody(msgspec.Struct, frozen=True, kw_only=True):
    """A playbook. An empty `script` is the software's template for the rig's platform, an empty `name` names its work.

    `paused` and `root` stay as they are where they are not given. `root`: where the sentry is root, it runs as root
    too, and not as the account `minewarden-miner`.
    """

    software_id: Number
    name: Word = ""
    script: Annotated[str, msgspec.Meta(max_length=65_536)] = ""
    works: Annotated[list[WorkBody], msgspec.Meta(max_length=2)] = []
    variables: Annotated[dict[Word, Word], msgspec.Meta(max_length=64)] = {}
    paused: bool | None = None
    root: bool | None = None


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """The script that the rig would run; its sentry fills in `{api_port}`."""

    platform: Platform
    script: str


class PlaybookOrder(msgspec.Struct, frozen=True, kw_only=True):
    playbooks: Annotated[list[int], msgspec.Meta(max_length=1_000)]


class LineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`line` counts from 0 in each `run` of the software."""

    run: str
    line: int
    text: str


class PlaybookOutput(msgspec.Struct, frozen=True, kw_only=True):
    playbook_id: int
    name: str
    lines: list[LineAnswer]


class OutputAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The lines that each playbook's software printed, oldest first."""

    output: list[PlaybookOutput]


class RigPlaybooksApi(Controller):
    """The playbooks of a rig."""

    path = "/api/v1/cpu-gpu-rigs/{rig_id:int}"
    tags = ("playbooks",)
    security = BEARER

    @get("/playbooks", responses=problems(400, 401, 404))
    async def list_playbooks(
        self, rig_id: FromPath[int], playbook_actions: NamedDependency[PlaybookActions], live: NamedDependency[LiveRigs]
    ) -> list[PlaybookAnswer]:
        """All of them, in the operator's order."""
        now = _now_of(live, rig_id)
        return [playbook_answer(each, now.get(each.id)) for each in await playbook_actions.of_rig(rig_id)]

    @post("/playbooks", responses=problems(400, 401, 404, 409, 413, 415, 422))
    async def add_playbook(
        self,
        rig_id: FromPath[int],
        data: Annotated[PlaybookBody, Body()],
        request: AnyRequest,
        playbook_actions: NamedDependency[PlaybookActions],
        confirmations: NamedDependency[Confirmations],
    ) -> PlaybookAnswer:
        """Add one; its sentry starts it at once."""
        confirmations.check_for_rigs(request.user, [rig_id])
        author = author_of(request.user)
        added = await playbook_actions.add(rig_id, _spec(data), author=author, paused=bool(data.paused))
        return playbook_answer(added, None)

    @post("/playbooks/preview", status_code=200, responses=problems(400, 401, 404, 413, 415, 422))
    async def preview_playbook(
        self,
        rig_id: FromPath[int],
        data: Annotated[PlaybookBody, Body()],
        playbook_actions: NamedDependency[PlaybookActions],
    ) -> Preview:
        """The final script for this rig; nothing is kept."""
        wire = await playbook_actions.preview(rig_id, _spec(data))
        return Preview(platform=wire.platform, script=wire.script)

    @put("/playbooks/order", status_code=204, responses=problems(400, 401, 404, 413, 415, 422))
    async def order_playbooks(
        self,
        rig_id: FromPath[int],
        data: Annotated[PlaybookOrder, Body()],
        playbook_actions: NamedDependency[PlaybookActions],
        live: NamedDependency[LiveRigs],
    ) -> None:
        """Put the named ones in this order; the others follow."""
        _now_of(live, rig_id)
        await playbook_actions.order(rig_id, data.playbooks)

    @get("/output", responses=problems(400, 401, 404, 422))
    async def show_output(
        self,
        rig_id: FromPath[int],
        live: NamedDependency[LiveRigs],
        database: NamedDependency[Database],
        tail: Annotated[int, QueryParameter(ge=1, le=output.LINES_KEPT)] = 200,
    ) -> OutputAnswer:
        """The newest `tail` lines of each playbook; 2,000 or 512 KB of each are kept."""
        now = _now_of(live, rig_id)
        async with database.reading() as db:
            tails = {playbook_id: await output.tail(db, playbook_id, tail) for playbook_id in now}
        return OutputAnswer(
            output=[
                PlaybookOutput(
                    playbook_id=each.id,
                    name=each.wire.name,
                    lines=[LineAnswer(run=line.run, line=line.line, text=line.text) for line in tails[each.id]],
                )
                for each in now.values()
            ]
        )


class PlaybooksApi(Controller):
    """One playbook."""

    path = "/api/v1/playbooks/{playbook_id:int}"
    tags = ("playbooks",)
    security = BEARER

    @get(responses=problems(400, 401, 404))
    async def show_playbook(
        self,
        playbook_id: FromPath[int],
        playbook_actions: NamedDependency[PlaybookActions],
        live: NamedDependency[LiveRigs],
    ) -> PlaybookAnswer:
        """One playbook, with the newest status from its sentry."""
        return _answer(await playbook_actions.find(playbook_id), live)

    @put(responses=problems(400, 401, 404, 409, 413, 415, 422))
    async def change_playbook(
        self,
        playbook_id: FromPath[int],
        data: Annotated[PlaybookBody, Body()],
        request: AnyRequest,
        playbook_actions: NamedDependency[PlaybookActions],
        confirmations: NamedDependency[Confirmations],
        live: NamedDependency[LiveRigs],
    ) -> PlaybookAnswer:
        """Change it; its sentry restarts it if software or script differ."""
        author, spec, was = author_of(request.user), _spec(data), await playbook_actions.find(playbook_id)
        confirmations.check_for_rigs(request.user, [was.rig_id])
        if data.root is None:
            spec = replace(spec, root=was.spec.root)
        return _answer(await playbook_actions.change(playbook_id, spec, author=author, paused=data.paused), live)

    @delete(responses=problems(400, 401, 404))
    async def remove_playbook(
        self, playbook_id: FromPath[int], playbook_actions: NamedDependency[PlaybookActions]
    ) -> None:
        """Remove it; its sentry stops it."""
        await playbook_actions.remove(playbook_id)

    @post("/pause", status_code=200, responses=problems(400, 401, 404, 409))
    async def pause_playbook(
        self,
        playbook_id: FromPath[int],
        request: AnyRequest,
        playbook_actions: NamedDependency[PlaybookActions],
        live: NamedDependency[LiveRigs],
    ) -> PlaybookAnswer:
        """Stop it and leave it installed."""
        return _answer(await playbook_actions.pause(playbook_id, True, author=author_of(request.user)), live)

    @post("/resume", status_code=200, responses=problems(400, 401, 404, 409))
    async def resume_playbook(
        self,
        playbook_id: FromPath[int],
        request: AnyRequest,
        playbook_actions: NamedDependency[PlaybookActions],
        live: NamedDependency[LiveRigs],
    ) -> PlaybookAnswer:
        """Let a paused one run."""
        return _answer(await playbook_actions.pause(playbook_id, False, author=author_of(request.user)), live)

    @get("/revisions", responses=problems(400, 401, 404))
    async def list_revisions(
        self, playbook_id: FromPath[int], playbook_actions: NamedDependency[PlaybookActions]
    ) -> list[RevisionAnswer]:
        """The revisions, newest first: what changed, when and by whom."""
        revisions = await playbook_actions.revisions(playbook_id)
        return [
            revision_answer(each, "\n".join(diff(before, each)))
            for each, before in zip(revisions, [*revisions[1:], None], strict=True)
        ]

    @post("/revisions/{revision:int}/use", status_code=200, responses=problems(400, 401, 404, 409, 422))
    async def use_revision(
        self,
        playbook_id: FromPath[int],
        revision: FromPath[int],
        request: AnyRequest,
        playbook_actions: NamedDependency[PlaybookActions],
        confirmations: NamedDependency[Confirmations],
        live: NamedDependency[LiveRigs],
    ) -> PlaybookAnswer:
        """Make an earlier revision the newest again."""
        confirmations.check_for_rigs(request.user, [(await playbook_actions.find(playbook_id)).rig_id])
        return _answer(await playbook_actions.use_again(playbook_id, revision, author=author_of(request.user)), live)


HANDLERS: list[ControllerRouterHandler] = [RigPlaybooksApi, PlaybooksApi]


def _spec(data: PlaybookBody) -> PlaybookSpec:
    works = [msgspec.convert(work, WorkSpec, from_attributes=True) for work in data.works] or [WorkSpec()]
    return PlaybookSpec(
        name=data.name,
        software_id=data.software_id,
        platform=Platform.UNKNOWN,  # the rig's, read from the database later
        script=data.script,
        works=works,
        variables=data.variables,
        root=bool(data.root),
    )


def _now_of(live: LiveRigs, rig_id: int) -> dict[int, PlaybookNow]:
    return {each.id: each for each in live.find(rig_id).playbooks}


def _answer(stored: StoredPlaybook, live: LiveRigs) -> PlaybookAnswer:
    state = live.index.rigs.get(stored.rig_id)
    now = next((each for each in state.playbooks if each.id == stored.id), None) if state else None
    return playbook_answer(stored, now)
