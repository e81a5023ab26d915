"""The least role that each route needs: one table for pages, the API and WebSockets.

A route that is not in the table needs `own`. `{…}` stands for one part of an address. An address without it wins over
one with it, so a line may also be about a part of a route: `…/{playbook_id}/pause`. Routes that need no log-in are not
here: their handlers say `opt={OPEN: True}`.

`confirmed`: it moves money or gives access, so a person types the password again if that was more than 10 minutes ago
(`web/step_up.py`). Playbooks of more than ten rigs need that too: `Confirmations.check_for_rigs`.

Some rights depend on what a request says, not on its address. Its handler then calls `check_role`: to rename a rig,
and for the commands `shutdown` and `update_sentry`.
"""

import re
from collections import defaultdict
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qs

from commander.accounts.domain import Role

SOCKET = "WS"
LIVE = "/live"
_TABLE = """
/                                                                      GET view
/access                                                                GET view, POST own confirmed
/access/password                                                       POST view
/access/recovery-codes                                                 POST view confirmed
/access/second-factor                                                  POST view confirmed
/access/second-factor/off                                              POST view confirmed
/access/sessions/end-others                                            POST view
/access/view-links                                                     POST own confirmed
/access/view-links/{link_id}/revoke                                    POST own
/access/{access_id}                                                    POST own confirmed
/access/{access_id}/remove                                             POST own confirmed
/alerts                                                                GET view
/alerts/channels                                                       POST own confirmed
/alerts/channels/{channel_id}/edit                                     POST own confirmed
/alerts/channels/{channel_id}/remove                                   POST own confirmed
/alerts/channels/{channel_id}/test                                     POST own
/alerts/maintenance                                                    POST operate
/alerts/maintenance/{maintenance_id}/end                               POST operate
/alerts/rules                                                          POST own
/alerts/rules/{alert_rule_id}/edit                                     POST own
/alerts/rules/{alert_rule_id}/remove                                   POST own
/alerts/rules/{alert_rule_id}/switch                                   POST own
/api/v1/accesses                                                       GET view, POST own confirmed
/api/v1/accesses/{access_id}                                           PATCH own confirmed, DELETE own confirmed
/api/v1/addresses                                                      GET view, POST own confirmed
/api/v1/addresses/{address_id}                                         PUT own confirmed, DELETE own confirmed
/api/v1/alert-rules                                                    GET view, POST own
/api/v1/alert-rules/preview                                            POST view
/api/v1/alert-rules/{alert_rule_id}                                    PUT own, DELETE own
/api/v1/asic-rigs                                                      GET view, POST own
/api/v1/asic-rigs/{rig_id}                                             GET view, PATCH operate, DELETE own
/api/v1/asic-rigs/{rig_id}/conditions                                  GET view
/api/v1/asic-rigs/{rig_id}/history                                     GET view
/api/v1/asic-rigs/{rig_id}/logs                                        GET view
/api/v1/asic-rigs/{rig_id}/token                                       POST own
/api/v1/asic-stats                                                     GET view
/api/v1/asic-stats/history                                             GET view
/api/v1/audit                                                          GET view
/api/v1/commands                                                       GET view, POST operate
/api/v1/commands/{command_id}                                          GET view
/api/v1/commands/{command_id}/cancel                                   POST operate
/api/v1/commands/{command_id}/retry                                    POST operate
/api/v1/commands/{command_id}/rigs/{rig_id}                            GET view
/api/v1/confirmation                                                   POST view
/api/v1/cpu-gpu-rigs                                                   GET view, POST own
/api/v1/cpu-gpu-rigs/approve                                           POST own
/api/v1/cpu-gpu-rigs/{rig_id}                                          GET view, PATCH operate, DELETE own
/api/v1/cpu-gpu-rigs/{rig_id}/conditions                               GET view
/api/v1/cpu-gpu-rigs/{rig_id}/history                                  GET view
/api/v1/cpu-gpu-rigs/{rig_id}/logs                                     GET view
/api/v1/cpu-gpu-rigs/{rig_id}/output                                   GET view
/api/v1/cpu-gpu-rigs/{rig_id}/playbooks                                GET view, POST own
/api/v1/cpu-gpu-rigs/{rig_id}/playbooks/order                          PUT own
/api/v1/cpu-gpu-rigs/{rig_id}/playbooks/preview                        POST own
/api/v1/cpu-gpu-rigs/{rig_id}/token                                    POST own
/api/v1/cpu-gpu-rigs/{rig_id}/watchdog-events                          GET view
/api/v1/cpu-gpu-stats                                                  GET view
/api/v1/cpu-gpu-stats/history                                          GET view
/api/v1/events                                                         WS view
/api/v1/farm-tokens                                                    GET own, POST own
/api/v1/farm-tokens/{farm_token_id}                                    DELETE own
/api/v1/incidents                                                      GET view
/api/v1/incidents/{incident_id}                                        GET view
/api/v1/incidents/{incident_id}/acknowledge                            POST operate
/api/v1/incidents/{incident_id}/mute                                   POST operate
/api/v1/incidents/{incident_id}/unmute                                 POST operate
/api/v1/maintenance                                                    GET view, POST operate
/api/v1/maintenance/{maintenance_id}                                   DELETE operate
/api/v1/mining-software                                                GET view, POST own
/api/v1/mining-software/{software_id}                                  PUT own, DELETE own
/api/v1/notification-channels                                          GET view, POST own confirmed
/api/v1/notification-channels/{channel_id}                             PUT own confirmed, DELETE own confirmed
/api/v1/notification-channels/{channel_id}/test                        POST own
/api/v1/playbooks/pause                                                POST operate
/api/v1/playbooks/resume                                               POST operate
/api/v1/playbooks/{playbook_id}                                        GET view, PUT own, DELETE own
/api/v1/playbooks/{playbook_id}/copy                                   POST own
/api/v1/playbooks/{playbook_id}/copy/preview                           POST own
/api/v1/playbooks/{playbook_id}/pause                                  POST operate
/api/v1/playbooks/{playbook_id}/resume                                 POST operate
/api/v1/playbooks/{playbook_id}/revisions                              GET view
/api/v1/playbooks/{playbook_id}/revisions/{revision}/use               POST own
/api/v1/site-tokens                                                    GET view, POST own
/api/v1/site-tokens/{site_id}                                          DELETE own
/api/v1/site-tokens/{site_id}/rigs                                     DELETE own
/api/v1/tags                                                           GET view, POST operate
/api/v1/watchdog-rules                                                 GET view, POST own
/api/v1/watchdog-rules/{rule_id}                                       PUT own, DELETE own
/asics                                                                 GET view, POST own
/asics/tags                                                            POST operate
/asics/views                                                           POST own
/asics/views/{view_id}/remove                                          POST own
/asics/{rig_id}                                                        GET view
/asics/{rig_id}/log                                                    GET view
/asics/{rig_id}/log.csv                                                GET view
/asics/{rig_id}/remove                                                 POST own
/asics/{rig_id}/rename                                                 POST own
/asics/{rig_id}/tags                                                   POST operate
/asics/{rig_id}/token                                                  POST own
/audit                                                                 GET view
/audit.csv                                                             GET view
/commands                                                              GET view, POST operate
/commands/new                                                          GET operate
/commands/{command_id}                                                 GET view
/commands/{command_id}/cancel                                          POST operate
/commands/{command_id}/retry                                           POST operate
/commands/{command_id}/rigs/{rig_id}                                   GET view
/cpu-gpu                                                               GET view, POST own
/cpu-gpu/approve                                                       POST own
/cpu-gpu/command                                                       POST operate
/cpu-gpu/copy                                                          POST own
/cpu-gpu/farm-tokens                                                   GET own, POST own
/cpu-gpu/farm-tokens/{farm_token_id}/revoke                            POST own
/cpu-gpu/pause                                                         POST operate
/cpu-gpu/resume                                                        POST operate
/cpu-gpu/tags                                                          POST operate
/cpu-gpu/update                                                        POST own
/cpu-gpu/views                                                         POST own
/cpu-gpu/views/{view_id}/remove                                        POST own
/cpu-gpu/{rig_id}                                                      GET view
/cpu-gpu/{rig_id}/commands                                             POST operate
/cpu-gpu/{rig_id}/log                                                  GET view
/cpu-gpu/{rig_id}/log.csv                                              GET view
/cpu-gpu/{rig_id}/playbooks                                            GET view, POST own
/cpu-gpu/{rig_id}/playbooks/new                                        GET own
/cpu-gpu/{rig_id}/playbooks/{playbook_id}                              GET view
/cpu-gpu/{rig_id}/playbooks/{playbook_id}/copies                       POST own
/cpu-gpu/{rig_id}/playbooks/{playbook_id}/copy                         GET own
/cpu-gpu/{rig_id}/playbooks/{playbook_id}/edit                         GET own, POST own
/cpu-gpu/{rig_id}/playbooks/{playbook_id}/pause                        POST operate
/cpu-gpu/{rig_id}/playbooks/{playbook_id}/resume                       POST operate
/cpu-gpu/{rig_id}/playbooks/{playbook_id}/revisions/{revision}/use     POST own
/cpu-gpu/{rig_id}/playbooks/{playbook_id}/{action}                     POST own
/cpu-gpu/{rig_id}/remove                                               POST own
/cpu-gpu/{rig_id}/rename                                               POST own
/cpu-gpu/{rig_id}/shutdown                                             GET own, POST own
/cpu-gpu/{rig_id}/tags                                                 POST operate
/cpu-gpu/{rig_id}/token                                                POST own
/incidents                                                             GET view
/incidents/{incident_id}                                               GET view
/incidents/{incident_id}/acknowledge                                   POST operate
/incidents/{incident_id}/mute                                          POST operate
/incidents/{incident_id}/unmute                                        POST operate
/live                                                                  WS view
/logout                                                                POST view
/metrics                                                               GET metrics
/mining-software                                                       GET view, POST own
/mining-software/new                                                   GET own
/mining-software/{software_id}                                         GET own, POST own
/mining-software/{software_id}/remove                                  POST own
/playbooks/copy                                                        GET own
/schema/openapi.json                                                   GET view
/schema/raw                                                            GET view
/schema/raw/elements                                                   GET view
/schema/raw/oauth2-redirect.html                                       GET view
/schema/raw/openapi.json                                               GET view
/schema/raw/openapi.yaml                                               GET view
/schema/raw/openapi.yml                                                GET view
/schema/raw/rapidoc                                                    GET view
/schema/raw/redoc                                                      GET view
/schema/raw/swagger                                                    GET view
/schema/raw/{path}                                                     GET view
/settings                                                              GET view
/settings/api-keys                                                     POST own confirmed
/settings/api-keys/{key_id}/revoke                                     POST own
/settings/sessions/{session_id}/end                                    POST view
/settings/site-tokens                                                  POST own
/settings/site-tokens/{site_id}/remove-asics                           POST own
/settings/site-tokens/{site_id}/revoke                                 POST own
/tags                                                                  GET view
/tags.csv                                                              GET view
/tags/import                                                           POST operate
/tags/preview                                                          POST operate
/templates                                                             GET view, POST own confirmed
/templates/{address_id}/edit                                           POST own confirmed
/templates/{address_id}/remove                                         POST own confirmed
/watchdog                                                              GET view, POST own
/watchdog/{rule_id}/edit                                               POST own
/watchdog/{rule_id}/remove                                             POST own
"""
# The dialog that a page shows for `?dialog=…`, and the least role for it. One that is not here needs `own`.
DIALOGS = {
    **dict.fromkeys(("tags", "add-maintenance", "end-maintenance"), Role.OPERATE),
    **dict.fromkeys(("password", "second-factor", "second-factor-off", "codes"), Role.VIEW),  # of one's own access
}
# The view of an open page, `/live?view=…`, and the least role for it. One that is not here needs `own`.
LIVE_VIEWS = dict.fromkeys(
    (
        *("alerts", "asic", "asic-log", "asics", "command", "commands", "incident", "incidents", "names", "overview"),
        *("playbooks", "quiet", "rig", "rig-log", "rigs", "tags"),
    ),
    Role.VIEW,
)
_PART = re.compile(r"\{\w+\}")


class Right(NamedTuple):
    """The least role for a route, and whether a person has to confirm it by the password."""

    role: Role
    is_confirmed: bool = False


def _read(table: str) -> dict[tuple[str, str], Right]:
    lines = (line.split(maxsplit=1) for line in table.strip().splitlines())
    rights = ((path, right.split()) for path, rest in lines for right in rest.split(", "))
    return {(method, path): Right(Role(role), more == ["confirmed"]) for path, (method, role, *more) in rights}


RIGHTS = _read(_TABLE)  # by method and address


def _matchers() -> dict[str, list[tuple[re.Pattern[str], Right]]]:
    """Returns by method what matches an address, those with the fewest `{…}` first."""
    found = defaultdict(list)
    for (method, path), right in sorted(RIGHTS.items(), key=lambda each: each[0][1].count("{")):
        pattern = "[^/]+".join(re.escape(text) for text in _PART.split(path))
        found[method].append((re.compile(pattern), right))
    return found


_MATCHERS = _matchers()


def least_role(method: str, path: str, query: str = "") -> Role:
    """Returns the least role for a request to this address; of several dialogs or views the highest one counts."""
    name, roles = ("view", LIVE_VIEWS) if (method, path) == (SOCKET, LIVE) else ("dialog", DIALOGS)
    named = parse_qs(query).get(name, []) if method in ("GET", SOCKET) else []
    return max([_right(method, path).role, *(roles.get(each, Role.OWN) for each in named)], key=list(Role).index)


def needs_confirmation(method: str, path: str) -> bool:
    """Returns whether a person has to type their password again for this request, if that was some time ago."""
    return _right(method, path).is_confirmed


@lru_cache(maxsize=4096)
def _right(method: str, path: str) -> Right:
    matching = (right for pattern, right in _MATCHERS.get(method, ()) if pattern.fullmatch(path))
    return next(matching, Right(Role.OWN))
