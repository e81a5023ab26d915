"""A noun of the farm, such as tags or commands, as the rest of the commander sees it.

Each noun's folder has a file `noun.py` with one value, `NOUN`. `nouns.py` lists them; routes, navigation, jobs and live
pages come from that list. Templates need no list: `page("tags/list.html", …)` is found in `tags/templates/`, and an
error is its class, see `problems.py`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field

from litestar.types import ControllerRouterHandler

from commander.db import Database
from commander.dependents import Dependents
from commander.jobs.leadership import Leadership
from commander.jobs.loop import Job
from commander.live.badge import Badge
from commander.live.channels import Channels
from commander.live.cluster import Cluster
from commander.live.inbox import Inbox
from commander.live.rigs import Lives
from commander.live.source import LiveView
from commander.notifications.alerts_page import AlertsPage
from commander.notifications.outbox import Outbox
from commander.registry.kinds import RigKind
from commander.registry.tokens import Tokens
from commander.settings import Settings
from commander.web.shell import Section


@dataclass(frozen=True, kw_only=True)
class Core:
    """The services that all nouns may use. A process has one.

    `check_queue` raises an error while the queue of logs, if there is one, is away. `pin` is the fingerprint of the
    commander's own authority that goes into tokens, if it has one.
    """

    settings: Settings
    database: Database
    cluster: Cluster
    channels: Channels
    badge: Badge
    lives: Lives
    tokens: Tokens
    pin: str | None
    inbox: Inbox
    outbox: Outbox
    leadership: Leadership
    alerts: AlertsPage
    check_queue: Callable[[], None]
    playbooks_by_address: Dependents
    playbooks_by_software: Dependents


async def nothing() -> None:
    """Does nothing at the start."""


@dataclass(frozen=True, kw_only=True)
class Built:
    """A noun's own objects, made once for a process.

    `dependencies` are handed to all handlers that ask for them by name; of those `of_kind` a handler gets the one of
    its kind of rig. `on_start` is called once, when the database is there and the rigs are in the operational index.
    From then on `tasks` run in each web node, each until its event is set; one that fails ends the commander.
    """

    dependencies: Mapping[str, object] = field(default_factory=dict)
    of_kind: Mapping[str, Mapping[RigKind, object]] = field(default_factory=dict)
    jobs: Mapping[str, Job] = field(default_factory=dict)
    live_views: Sequence[LiveView] = ()
    on_start: Callable[[], Awaitable[None]] = nothing
    tasks: Sequence[Callable[[asyncio.Event], Coroutine[None, None, None]]] = ()


def nothing_of_its_own(core: Core) -> Built:
    """For a noun whose handlers use only what others have made."""
    return Built()


@dataclass(frozen=True, kw_only=True, eq=False)
class Noun:
    """A noun of the farm. It equals only itself.

    `handlers` answer requests. `rig_handlers` do so under the address of each kind of rig: "/{rig_id:int}/tags" becomes
    `/cpu-gpu/7/tags` and `/asics/7/tags`. `sections` are entries of the navigation. `build` makes the objects that they
    use. `rights` has a line with the least role for each route, see `accounts/route_roles.py`.
    """

    handlers: Sequence[ControllerRouterHandler] = ()
    rig_handlers: Sequence[ControllerRouterHandler] = ()
    sections: Sequence[Section] = ()
    build: Callable[[Core], Built] = nothing_of_its_own
    rights: str = ""
