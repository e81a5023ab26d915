"""Counts of the intake since the process started."""

from dataclasses import dataclass, field

from commander.web.exposition import Histogram, Metric, MetricKind, Sample, counter

BATCH_LOGS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000)
BATCH_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


@dataclass(slots=True)
class LogCounts:
    """Logs at the door. `refused` counts those of reports that were answered with an error, to be sent again."""

    received: int = 0
    stored: int = 0
    duplicates: int = 0
    rejected: int = 0
    refused: int = 0
    figures_left_out: int = 0

    def metrics(self) -> list[Metric]:
        outcomes = {
            "stored": self.stored,
            "duplicate": self.duplicates,
            "rejected": self.rejected,
            "refused": self.refused,
        }
        samples = [Sample(count, {"outcome": outcome}) for outcome, count in outcomes.items()]
        answered = "Logs by what became of them; refused ones will be sent again."
        left_out = "Impossible values that were left out of logs."
        return [
            counter("minewarden_logs_received_total", "Logs that sentries sent to this process.", self.received),
            counter("minewarden_figures_left_out_total", left_out, self.figures_left_out),
            Metric("minewarden_logs_answered_total", MetricKind.COUNTER, answered, samples),
        ]


@dataclass(slots=True)
class BatchCounts:
    """Transactions that wrote logs."""

    logs: Histogram = field(default_factory=lambda: Histogram(BATCH_LOGS))
    seconds: Histogram = field(default_factory=lambda: Histogram(BATCH_SECONDS))
    failed: int = 0

    def observe(self, logs: int, seconds: float) -> None:
        self.logs.observe(logs)
        self.seconds.observe(seconds)

    def metrics(self) -> list[Metric]:
        return [
            self.logs.metric("minewarden_batch_logs", "Logs in one transaction."),
            self.seconds.metric("minewarden_batch_seconds", "How long a transaction of logs took."),
            counter("minewarden_batch_failures_total", "Transactions of logs that the database refused.", self.failed),
        ]
