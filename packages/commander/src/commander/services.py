"""What the commander is made of, from its settings alone, and what it does by itself."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from commander.accounts.actions import AccountActions
from commander.chores import chores
from commander.db import Database, from_us
from commander.history.jobs import history_jobs
from commander.history.retention import kept_by
from commander.history.watch import RigWatch
from commander.intake import asic as asic_intake
from commander.intake import cpu_gpu as intake
from commander.intake.counts import LogCounts
from commander.intake.group_commit import GroupCommit
from commander.intake.sentry_runs import SentryRuns
from commander.intake.sink import LogSink
from commander.jobs.loop import leads, new_holder, rest, run_jobs
from commander.live.channels import Channels
from commander.live.cluster import RIGS, RUNS, SESSIONS, TOKENS, Cluster, RigKey, RunKey, SingleNode
from commander.live.frames import Frames
from commander.live.inbox import Inbox
from commander.live.inbox_endpoint import InboxEndpoint
from commander.live.long_poll import LongPoll
from commander.live.loop import run_live
from commander.live.operational_index import OperationalIndex, RigState
from commander.live.rigs import LiveRigs
from commander.live.source import LiveViews
from commander.metrics import live_metrics, process_metrics
from commander.noun import Core
from commander.nouns import NOUNS
from commander.playbooks import endpoint
from commander.playbooks.actions import PlaybookActions
from commander.playbooks.dependents import RigPlaybooks, playbooks_by_address, playbooks_by_software
from commander.playbooks.sync import PlaybookSync
from commander.raw_logs.store import NewLog
from commander.registry.kinds import RigKind
from commander.registry.tokens import Tokens
from commander.rig_pages.sparkline_data import keep_trends
from commander.rigs.actions import RigActions
from commander.rigs.adoption_actions import AdoptionActions
from commander.rigs.asic_responses import asic_json, asic_log_json
from commander.rigs.cpu_gpu_responses import log_json, rig_json
from commander.rigs.restore import store_newest
from commander.rigs.site_token_actions import SiteTokenActions
from commander.settings import Settings
from commander.tls import CertificateFacts, prepare_tls
from commander.web.body_budget import BodyBudget
from commander.web.exposition import Metric

if TYPE_CHECKING:
    from commander.scaled.nats_cluster import NatsCluster
    from commander.scaled.node import ScaledNode

log = logging.getLogger(__name__)
RENEWAL_LOOK_EVERY_S = 600


class Services:
    """What is wired to what. Doors ask for their parts by name, see `commander.routes`."""

    def __init__(self, settings: Settings, certificate: CertificateFacts | None, long_poll: LongPoll) -> None:
        self.settings = settings
        self.certificate = certificate
        self.database = Database(settings.database_url)
        self.holder = new_holder()
        self.channels = Channels()
        nats = _join_cluster(settings)
        self.cluster: Cluster = nats or SingleNode()
        self.lives = {
            RigKind.CPU_GPU: self._live(RigKind.CPU_GPU, rig_json, log_json),
            RigKind.ASIC: self._live(RigKind.ASIC, asic_json, asic_log_json),
        }
        self.tokens = Tokens(self.database, on_forget=lambda token_hash: self.cluster.publish(TOKENS, token_hash))
        pin = certificate.pin if certificate else None
        self.inbox = Inbox(long_poll, self.cluster)
        self.playbook_sync = PlaybookSync(
            self.database, self.lives[RigKind.CPU_GPU], long_poll, self.inbox, self.cluster
        )
        self.inbox.add(self.playbook_sync)
        self.playbook_actions = PlaybookActions(self.database, self.playbook_sync)
        dependents = {RigKind.CPU_GPU: RigPlaybooks(self.playbook_sync)}
        self.rig_actions = {
            kind: RigActions(self.database, live, self.tokens, pin=pin, playbooks=dependents.get(kind))
            for kind, live in self.lives.items()
        }
        self.site_token_actions = SiteTokenActions(self.database, self.tokens, pin=pin)
        self.adoption_actions = AdoptionActions(self.database, self.lives[RigKind.ASIC], self.tokens, pin=pin)
        self.account_actions = AccountActions(self.database, on_session_end=self._session_ended)
        self.nouns = [noun.build(self._core()) for noun in NOUNS]
        self.live_views = LiveViews(view for noun in self.nouns for view in noun.live_views)
        self.live_sources = self.live_views.sources()
        self.commit = GroupCommit(self.database, self._stored)
        self.watches = {kind: RigWatch(kind, live.index) for kind, live in self.lives.items()}
        self.counts = LogCounts()
        self.bodies = BodyBudget()
        self.runs = {kind: SentryRuns(partial(self._tell_run, kind)) for kind in RigKind}
        self.scaled = self._as_one_of_several(nats) if nats else None
        self.cluster.subscribe(TOKENS, self.tokens.drop)
        self.cluster.subscribe(RUNS, self._other_run)
        self.cluster.subscribe(SESSIONS, self._hang_up)
        self.sink: LogSink = self.scaled.intake if self.scaled else self.commit
        self.intake = intake.Intake(
            self.tokens,
            self.sink,
            self.lives[RigKind.CPU_GPU],
            runs=self.runs[RigKind.CPU_GPU],
            counts=self.counts,
            bodies=self.bodies,
        )
        self.inbox_endpoint = InboxEndpoint(self.tokens, self.inbox)
        self.playbooks_endpoint = endpoint.PlaybooksEndpoint(self.tokens, self.playbook_sync)
        self.asic_intake = asic_intake.AsicIntake(
            self.tokens,
            self.sink,
            self.lives[RigKind.ASIC],
            self.rig_actions[RigKind.ASIC],
            runs=self.runs[RigKind.ASIC],
            counts=self.counts,
            bodies=self.bodies,
        )

    def _core(self) -> Core:
        return Core(
            settings=self.settings,
            database=self.database,
            cluster=self.cluster,
            channels=self.channels,
            inbox=self.inbox,
            lives=self.lives,
            tokens=self.tokens,
            playbooks_by_address=playbooks_by_address(self.playbook_sync),
            playbooks_by_software=playbooks_by_software(self.playbook_sync),
        )

    @property
    def frames(self) -> list[Frames]:
        """The frames of all open pages."""
        return [live.frames for live in self.lives.values()] + [source.frames for source in self.live_sources]

    def _live(
        self, kind: RigKind, describe: Callable[[RigState], bytes], describe_log: Callable[[bytes], bytes]
    ) -> LiveRigs:
        stale_after_s, offline_after_s = self.settings.stale_after_s, self.settings.offline_after_s
        index = OperationalIndex(stale_after_s=stale_after_s, offline_after_s=offline_after_s)
        return LiveRigs(
            kind,
            index,
            self.channels,
            describe=describe,
            describe_log=describe_log,
            tell=lambda rig_id: self.cluster.publish(RIGS, RigKey(kind, rig_id)),
            lag_s=lambda: self.scaled.watch.lag_s() if self.scaled else 0.0,
        )

    def _as_one_of_several(self, cluster: "NatsCluster") -> "ScaledNode":
        from commander.scaled.node import ScaledNode

        return ScaledNode(
            self.settings,
            self.database,
            cluster,
            self.lives,
            self.tokens,
            on_stored=self._noticed,
            on_playbooks=self.playbook_sync.read_again,
            packer=self.commit.packer,
        )

    def _other_run(self, seen: RunKey) -> None:
        two = self.runs[seen.kind].hear(seen.rig_id, seen.run, time.monotonic())
        self.lives[seen.kind].index.set_two_sentries(seen.rig_id, two)

    def _tell_run(self, kind: RigKind, rig_id: int, run: str) -> None:
        self.cluster.publish(RUNS, RunKey(kind, rig_id, run))

    @asynccontextmanager
    async def keeping(self) -> AsyncIterator[None]:
        """Logs are taken in, into the database or into the queue, as long as this lasts."""
        if self.scaled is None:
            async with self.commit.running():
                yield
            return
        async with asyncio.TaskGroup() as group, self.scaled.bus.running():
            replica = group.create_task(self.scaled.replica.run())
            try:
                yield
            finally:
                replica.cancel()

    def check_queue(self) -> None:
        if self.scaled:
            self.scaled.bus.check()

    def metrics(self) -> list[Metric]:
        live = live_metrics(self.lives, self.frames)
        queue = self.scaled.metrics() if self.scaled else self.commit.metrics()
        return [*self.counts.metrics(), *queue, *live, *process_metrics()]

    def _noticed(self, new: NewLog, reported_at: datetime) -> None:
        taken_at = from_us(new.taken_at_us)
        self.watches[new.kind].logged(new.rig_id, new.figures, taken_at=taken_at, now=reported_at)

    def _stored(self, new: NewLog) -> None:
        taken_at, now = from_us(new.taken_at_us), datetime.now(UTC)
        self._noticed(new, now)
        self.lives[new.kind].logged(
            new.rig_id,
            new.body,
            new.figures,
            taken_at=taken_at,
            reported_at=now,
            now_s=time.monotonic(),
        )

    @asynccontextmanager
    async def working(self, on_renewal: Callable[[], None]) -> AsyncIterator[None]:
        """What the commander does by itself, as long as this lasts."""
        jobs = chores(self.database, renew_certificate=partial(self._renew_certificate, on_renewal))
        indexes = {kind: live.index for kind, live in self.lives.items()}
        jobs |= history_jobs(self.database, kept_by(self.settings), indexes, self.commit.packer)
        for noun in self.nouns:
            jobs |= noun.jobs
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(run_jobs(self.database, jobs, stop, holder=self.holder))
            if self.scaled:  # one node leads the jobs, but each has a certificate
                group.create_task(self._keep_certificate(on_renewal, stop))
            group.create_task(keep_trends(self.database, self.lives, stop))
            live = run_live(
                self.lives.values(), self.live_sources, stop, on_offline=self._went_offline, look=self._look
            )
            group.create_task(live)
            try:
                yield
            finally:
                stop.set()

    async def _keep_certificate(self, on_renewal: Callable[[], None], stop: asyncio.Event) -> None:
        while not stop.is_set():
            await rest(stop, RENEWAL_LOOK_EVERY_S)
            await asyncio.to_thread(self._renew_certificate, on_renewal, datetime.now(UTC))

    def _renew_certificate(self, on_renewal: Callable[[], None], now: datetime) -> None:
        renewed = prepare_tls(self.settings, now=now)
        if renewed and renewed.facts != self.certificate:
            self.certificate = renewed.facts
            for note in renewed.facts.notes:
                log.warning("%s", note)
            on_renewal()

    async def _went_offline(self, kind: RigKind, states: list[RigState]) -> None:
        self.watches[kind].went_offline(states)
        await store_newest(self.database, kind, states)

    async def write_events(self) -> None:
        """All nodes notice what happens to a rig; the one that leads the jobs writes it down."""
        write_it = self.scaled is None or await leads(self.database, self.holder)
        for watch in self.watches.values():
            if write_it:
                await watch.write(self.database)
            else:
                watch.forget()

    async def _look(self) -> None:
        await self.write_events()
        await self._hang_up_ended()

    async def _hang_up_ended(self) -> None:
        """Sessions may be ended by another process (`commander set-password`)."""
        pages = (frames.sessions() for frames in self.frames)
        if looking := self.channels.sessions().union(*pages):
            alive = {str(session.id) for session in await self.account_actions.sessions()}
            for session in looking - alive:
                self._hang_up(session)

    def _session_ended(self, session: str) -> None:
        self._hang_up(session)
        self.cluster.publish(SESSIONS, session)

    def _hang_up(self, session: str) -> None:
        for frames in self.frames:
            frames.close_session(session)
        self.channels.close_session(session)


def _join_cluster(settings: Settings) -> "NatsCluster | None":
    """Returns None in the embedded form, which does not load NATS."""
    if not settings.nats_url:
        return None
    from commander.scaled.node import join_cluster

    return join_cluster(settings)
