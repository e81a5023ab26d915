"""Alerts, as the rest of the commander sees them."""

from commander.alerts import api, pages
from commander.alerts.channels_part import channels_part
from commander.jobs.loop import new_holder
from commander.notifications.alerts_page import SECTION
from commander.notifications.channel_actions import ChannelActions
from commander.notifications.deliveries import Deliveries, Sender
from commander.notifications.heartbeat import Heartbeat
from commander.notifications.kinds.kind import SafeNetwork
from commander.notifications.safe_http import SafeHttp
from commander.notifications.service import NotificationService
from commander.notifications.telegram_buttons import TelegramButtons
from commander.noun import Built, Core, Noun
from commander.sealing import Sealer


def build(core: Core) -> Built:
    service = _service(core)
    core.alerts.add(channels_part(service.actions))
    return Built(
        dependencies={"alerts_page": core.alerts, "channel_actions": service.actions},
        live_views=[core.alerts.live_view()],
        jobs=service.jobs(),
        on_start=service.start,
        tasks=[service.deliveries.run, service.buttons.run, service.heartbeat.run],
    )


def _service(core: Core) -> NotificationService:
    database, settings, sealer, holder = core.database, core.settings, Sealer(core.settings), new_holder()
    http = SafeHttp(loopback=settings.notify_loopback)
    sender = Sender(sealer, SafeNetwork(http, settings.notify_loopback), settings.public_url)
    changed = core.alerts.changed
    # Who sets the heartbeat's address may also use the machine: a proxy on it is fine.
    heartbeat_http = SafeHttp(loopback=True)
    return NotificationService(
        database,
        settings,
        sealer,
        ChannelActions(database, sealer, sender, changed, loopback=settings.notify_loopback),
        Deliveries(database, sender, core.outbox, changed),
        TelegramButtons(database, sealer, http, core.outbox, holder=holder),
        Heartbeat(database, settings.heartbeat_url, heartbeat_http, core.check_queue, holder=holder),
        core.lives,
    )


RIGHTS = """
/alerts                                          GET view
/alerts/channels                                 POST own confirmed
/alerts/channels/{channel_id}/edit               POST own confirmed
/alerts/channels/{channel_id}/remove             POST own confirmed
/alerts/channels/{channel_id}/test               POST own
/api/v1/notification-channels                    GET view, POST own confirmed
/api/v1/notification-channels/{channel_id}       PUT own confirmed, DELETE own confirmed
/api/v1/notification-channels/{channel_id}/test  POST own
?view=alerts                                     WS view
"""
NOUN = Noun(handlers=[*pages.HANDLERS, *api.HANDLERS], sections=[SECTION], build=build, rights=RIGHTS)
