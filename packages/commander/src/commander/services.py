"""Builds what the commander is made of, from its settings alone."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from commander.accounts.access_actions import AccessActions
from commander.accounts.actions import AccountActions
from commander.accounts.confirmations import Confirmations
from commander.accounts.cookies import cookies_of
from commander.accounts.second_factor_actions import TOTP_PURPOSE, SecondFactorActions
from commander.certificate_renewal import CertificateRenewal
from commander.db import Database
from commander.history.event_flush import EventFlush
from commander.history.watch import RigWatch
from commander.intake import asic as asic_intake
from commander.intake import cpu_gpu as intake
from commander.intake.counts import LogCounts
from commander.intake.group_commit import GroupCommit
from commander.intake.log_stored import log_stored
from commander.intake.sentry_runs import shared_runs
from commander.intake.sink import LogSink
from commander.jobs.leadership import Leadership
from commander.jobs.loop import new_holder
from commander.live.badge import Badge
from commander.live.channels import Channels
from commander.live.cluster import RIGS, SESSIONS, TOKENS, Cluster, RigKey, SingleNode
from commander.live.frames import Frames
from commander.live.hang_up import HangUp
from commander.live.inbox import Inbox
from commander.live.inbox_endpoint import InboxEndpoint
from commander.live.long_poll import LongPoll
from commander.live.open_sockets import OpenSockets
from commander.live.operational_index import OperationalIndex
from commander.live.rig_state import RigState
from commander.live.rigs import LiveRigs
from commander.live.source import LiveViews
from commander.machines.store import forget_machines
from commander.notifications.alerts_page import AlertsPage
from commander.notifications.outbox import Outbox
from commander.noun import Core
from commander.nouns import NOUNS
from commander.playbooks import endpoint
from commander.playbooks.actions import PlaybookActions
from commander.playbooks.dependents import RigPlaybooks, playbooks_by_address, playbooks_by_software
from commander.playbooks.sync import PlaybookSync
from commander.raw_logs.store import NewLog
from commander.registry.budgets import RigBudgets
from commander.registry.kinds import RigKind
from commander.registry.tokens import Tokens
from commander.rigs.actions import RigActions
from commander.rigs.adoption_actions import AdoptionActions
from commander.rigs.asic_responses import asic_json, asic_log_json
from commander.rigs.cpu_gpu_responses import log_json, rig_json
from commander.rigs.site_token_actions import SiteTokenActions
from commander.saved_views.actions import SavedViewActions
from commander.saved_views.links import ViewLinks
from commander.sealing import Sealer
from commander.settings import Settings
from commander.signing import Signer
from commander.tls import CertificateFacts
from commander.web.body_budget import BodyBudget

if TYPE_CHECKING:
    from commander.scaled.nats_cluster import NatsCluster
    from commander.scaled.node import ScaledNode


class Services:
    """The commander's objects. Handlers ask for them by name, see `commander.routes`; `running` sets them to work."""

    def __init__(
        self,
        settings: Settings,
        certificate: CertificateFacts | None,
        long_poll: LongPoll,
        signer: Signer | None = None,
    ) -> None:
        self.settings = settings
        self.certificate = CertificateRenewal(settings, certificate)
        self.database = Database(settings.database_url)
        self.holder = new_holder()
        self.channels = Channels()
        self.badge = Badge()
        self.open_sockets = OpenSockets()
        nats = _join_cluster(settings)
        self.cluster: Cluster = nats or SingleNode()
        self.lives = {
            RigKind.CPU_GPU: self._live(RigKind.CPU_GPU, rig_json, log_json),
            RigKind.ASIC: self._live(RigKind.ASIC, asic_json, asic_log_json),
        }
        self.tokens = Tokens(self.database, on_forget=lambda token_hash: self.cluster.publish(TOKENS, token_hash))
        pin = certificate.pin if certificate else None
        self.signer = signer
        self.inbox = Inbox(long_poll, self.cluster, self.signer, is_approved=self.lives[RigKind.CPU_GPU].is_approved)
        self.playbook_sync = PlaybookSync(
            self.database, self.lives[RigKind.CPU_GPU], long_poll, self.inbox, self.cluster
        )
        self.inbox.add(self.playbook_sync, before_approval=True)
        self.lives[RigKind.CPU_GPU].index.on_approval = self.playbook_sync.rig_approved
        self.leadership = Leadership(self.database, holder=self.holder, is_alone=nats is None)
        self.outbox = Outbox(self.lives)
        self.alerts = AlertsPage(self.cluster)
        self.playbook_actions = PlaybookActions(self.database, self.playbook_sync)
        dependents = {RigKind.CPU_GPU: RigPlaybooks(self.playbook_sync)}
        self.rig_actions = {
            kind: RigActions(
                self.database,
                live,
                self.tokens,
                pin=pin,
                playbooks=dependents.get(kind),
                forget_machines=forget_machines if kind is RigKind.CPU_GPU else None,
            )
            for kind, live in self.lives.items()
        }
        self.site_token_actions = SiteTokenActions(
            self.database, self.tokens, pin=pin, asics=self.rig_actions[RigKind.ASIC]
        )
        self.adoption_actions = AdoptionActions(
            self.database, self.lives[RigKind.ASIC], self.tokens, pin=pin, rigs_of_site=settings.site_rigs
        )
        self.hang_up = HangUp(self.channels, lambda: self.frames)
        self.second_factors = SecondFactorActions(
            self.database, Sealer(settings, TOTP_PURPOSE, "The secret of the second factor")
        )
        self.account_actions = AccountActions(
            self.database,
            on_end=self._sender_ended,
            cookies=cookies_of(settings),
            second_factors=self.second_factors,
        )
        self.access_actions = AccessActions(self.database, self.account_actions, on_end=self._sender_ended)
        self.saved_views = SavedViewActions(self.database, is_alone=nats is None, on_end=self._sender_ended)
        self.view_links = ViewLinks(self.database, on_end=self._sender_ended)
        self.confirmations = Confirmations(self.database, self.account_actions, self.second_factors)
        self.nouns = [noun.build(self._core()) for noun in NOUNS]
        self.live_views = LiveViews(view for noun in self.nouns for view in noun.live_views)
        self.live_sources = self.live_views.sources()
        self.watches = {kind: RigWatch(kind, live.index) for kind, live in self.lives.items()}
        self.event_flush = EventFlush(self.database, self.watches, holder=self.holder, is_alone=nats is None)
        on_stored = partial(log_stored, self.lives, self.watches)
        self.commit = GroupCommit(self.database, on_stored)
        self.counts = LogCounts()
        self.bodies = BodyBudget()
        # Apart from logs: a rig that sends old logs for hours still gets its commands, and says what became of them.
        self.report_budgets = self._budgets("rig")
        self.runs = shared_runs(self.lives, self.cluster)
        self.scaled = self._as_one_of_several(nats, on_stored) if nats else None
        self.cluster.subscribe(TOKENS, self.tokens.drop)
        self.cluster.on_gap(self.tokens.drop_all)
        self.cluster.subscribe(SESSIONS, self.hang_up.close)
        self.sink: LogSink = self.scaled.intake if self.scaled else self.commit
        self.intake = intake.Intake(
            self.tokens,
            self.sink,
            self.lives[RigKind.CPU_GPU],
            runs=self.runs[RigKind.CPU_GPU],
            counts=self.counts,
            bodies=self.bodies,
            budgets=self._budgets("rig"),
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
            budgets=self._budgets("ASIC"),
        )

    def _budgets(self, title: str) -> RigBudgets:
        every_s, mb_a_day = self.settings.report_every_s, self.settings.rig_mb_a_day
        return RigBudgets(report_every_s=every_s, mb_a_day=mb_a_day, title=title)

    def _core(self) -> Core:
        return Core(
            settings=self.settings,
            database=self.database,
            cluster=self.cluster,
            channels=self.channels,
            badge=self.badge,
            inbox=self.inbox,
            outbox=self.outbox,
            leadership=self.leadership,
            alerts=self.alerts,
            check_queue=self.check_queue,
            lives=self.lives,
            tokens=self.tokens,
            pin=self.certificate.facts.pin if self.certificate.facts else None,
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
            notify_nodes=lambda rig_id: self.cluster.publish(RIGS, RigKey(kind, rig_id)),
            lag_s=lambda: self.scaled.watch.lag_s() if self.scaled else 0.0,
        )

    def check_queue(self) -> None:
        """Raises an error while logs can't be taken: the queue is away, or the database can't be written."""
        if self.scaled:
            self.scaled.bus.check()
        else:
            self.commit.check()

    def _sender_ended(self, owner: str) -> None:
        """Closes the WebSockets of a session, an API key or a view link, at all nodes."""
        self.hang_up.close(owner)
        self.cluster.publish(SESSIONS, owner)

    def _as_one_of_several(self, cluster: "NatsCluster", on_stored: Callable[[NewLog, datetime], None]) -> "ScaledNode":
        from commander.scaled.node import ScaledNode

        return ScaledNode(
            self.settings,
            self.database,
            cluster,
            self.lives,
            on_stored=on_stored,
            on_playbooks=self.playbook_sync.read_again,
            packer=self.commit.packer,
        )


def _join_cluster(settings: Settings) -> "NatsCluster | None":
    """Returns None in the embedded form, which does not load NATS."""
    if not settings.nats_url:
        return None
    from commander.scaled.node import join_cluster

    return join_cluster(settings)
