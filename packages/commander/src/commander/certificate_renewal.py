"""Renews the commander's certificate while it runs."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from commander.jobs.loop import rest
from commander.settings import Settings
from commander.tls import CertificateFacts, prepare_tls

log = logging.getLogger(__name__)
LOOK_EVERY_S = 600


class CertificateRenewal:
    """`facts` describe the certificate that is in use; None without TLS."""

    def __init__(self, settings: Settings, facts: CertificateFacts | None) -> None:
        self.facts = facts
        self._settings = settings

    def renew(self, on_renewal: Callable[[], None], now: datetime) -> None:
        """Renews the certificate if it is due. `on_renewal` is called after its files have changed."""
        renewed = prepare_tls(self._settings, now=now)
        if renewed and renewed.facts != self.facts:
            self.facts = renewed.facts
            for note in renewed.facts.notes:
                log.warning("%s", note)
            on_renewal()

    async def keep(self, on_renewal: Callable[[], None], stop: asyncio.Event) -> None:
        """Looks every ten minutes, until `stop`."""
        while not stop.is_set():
            await rest(stop, LOOK_EVERY_S)
            await asyncio.to_thread(self.renew, on_renewal, datetime.now(UTC))
