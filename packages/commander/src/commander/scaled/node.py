"""Builds the objects that a web node needs only if there are several nodes.

Loaded only where `COMMANDER_NATS_URL` is set: the embedded form does not load NATS.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime

from commander.db import Database
from commander.live.rigs import LiveRigs
from commander.raw_logs.codec import Packer
from commander.raw_logs.store import NewLog
from commander.registry.kinds import RigKind
from commander.scaled.nats_bus import Bus
from commander.scaled.nats_cluster import NatsCluster
from commander.scaled.queue_watch import QueueWatch
from commander.scaled.replica import Replica
from commander.scaled.stream import QueueLimits, StreamNames
from commander.scaled.stream_sink import StreamIntake
from commander.scaled.worker import Ingest
from commander.settings import Settings
from commander.web.exposition import Metric


def join_cluster(settings: Settings) -> NatsCluster:
    """Returns the farm's cluster, to which this node connects when its bus runs."""
    return NatsCluster(Bus(settings.nats_url), StreamNames(settings.nats_prefix))


class ScaledNode:
    """One of several web nodes."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        cluster: NatsCluster,
        lives: Mapping[RigKind, LiveRigs],
        *,
        on_stored: Callable[[NewLog, datetime], None],
        on_playbooks: Callable[[Collection[int] | None], Awaitable[None]],
        packer: Packer,
    ) -> None:
        limits, names = limits_of(settings), cluster.names
        self.bus = cluster.bus
        self.intake = StreamIntake(self.bus, names, limits)
        self.replica = Replica(database, cluster, lives, on_stored=on_stored, on_playbooks=on_playbooks)
        self.watch = QueueWatch(self.bus, names)
        self.ingest = Ingest(database, self.bus, names, limits, packer) if settings.ingest_here else None

    def metrics(self) -> list[Metric]:
        ingested = self.ingest.counts.metrics() if self.ingest else []
        return [*self.intake.metrics(), *self.watch.metrics(), *ingested]


def limits_of(settings: Settings) -> QueueLimits:
    return QueueLimits(settings.queue_max_mb * 1_000_000, settings.queue_kept_h * 3_600, settings.queue_replicas)
