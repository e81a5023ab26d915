"""The least role of each route, dialog, live view and channel, written by hand.

It is not read from the commander: who changes a right there has to change it here too, where a review sees it.
"""

from commander.accounts.domain import Role

OPEN = "open"  # without a log-in; a sentry's token or a view link may still be needed
SOCKET = "WS"

_ROUTES = {
    OPEN: """
/api/v1/sentry                                                       GET
/api/v1/sentry/asic-logs                                             POST
/api/v1/sentry/asic-rigs                                             POST
/api/v1/sentry/commands/status                                       PUT
/api/v1/sentry/enrol                                                 POST
/api/v1/sentry/events                                                POST
/api/v1/sentry/identity                                              PUT
/api/v1/sentry/inbox                                                 GET
/api/v1/sentry/installed                                             POST
/api/v1/sentry/logs                                                  POST
/api/v1/sentry/output                                                POST
/api/v1/sentry/playbooks                                             GET
/api/v1/sentry/playbooks/status                                      PUT
/api/v1/sentry/specs                                                 PUT
/assets/{name}                                                       GET
/ca.pem                                                              GET
/healthz                                                             GET
/install/asic.sh                                                     GET
/install/cpu-gpu.ps1                                                 GET
/install/cpu-gpu.sh                                                  GET
/login                                                               GET POST
/packages                                                            GET
/packages/files/{name}                                               GET
/packages/{project}                                                  GET
/view/{token}                                                        GET WS
""",
    Role.METRICS: """
/metrics                                                             GET
""",
    Role.VIEW: """
/                                                                    GET
/access                                                              GET
/access/password                                                     POST
/access/recovery-codes                                               POST
/access/second-factor                                                POST
/access/second-factor/off                                            POST
/access/sessions/end-others                                          POST
/alerts                                                              GET
/api/v1/accesses                                                     GET
/api/v1/addresses                                                    GET
/api/v1/alert-rules                                                  GET
/api/v1/alert-rules/preview                                          POST
/api/v1/asic-rigs                                                    GET
/api/v1/asic-rigs/{rig_id}                                           GET
/api/v1/asic-rigs/{rig_id}/conditions                                GET
/api/v1/asic-rigs/{rig_id}/history                                   GET
/api/v1/asic-rigs/{rig_id}/logs                                      GET
/api/v1/asic-stats                                                   GET
/api/v1/asic-stats/history                                           GET
/api/v1/audit                                                        GET
/api/v1/commands                                                     GET
/api/v1/commands/{command_id}                                        GET
/api/v1/commands/{command_id}/rigs/{rig_id}                          GET
/api/v1/confirmation                                                 POST
/api/v1/cpu-gpu-rigs                                                 GET
/api/v1/cpu-gpu-rigs/{rig_id}                                        GET
/api/v1/cpu-gpu-rigs/{rig_id}/conditions                             GET
/api/v1/cpu-gpu-rigs/{rig_id}/history                                GET
/api/v1/cpu-gpu-rigs/{rig_id}/logs                                   GET
/api/v1/cpu-gpu-rigs/{rig_id}/output                                 GET
/api/v1/cpu-gpu-rigs/{rig_id}/playbooks                              GET
/api/v1/cpu-gpu-rigs/{rig_id}/watchdog-events                        GET
/api/v1/cpu-gpu-stats                                                GET
/api/v1/cpu-gpu-stats/history                                        GET
/api/v1/events                                                       WS
/api/v1/incidents                                                    GET
/api/v1/incidents/{incident_id}                                      GET
/api/v1/maintenance                                                  GET
/api/v1/mining-software                                              GET
/api/v1/notification-channels                                        GET
/api/v1/playbooks/{playbook_id}                                      GET
/api/v1/playbooks/{playbook_id}/revisions                            GET
/api/v1/site-tokens                                                  GET
/api/v1/tags                                                         GET
/api/v1/watchdog-rules                                               GET
/asics                                                               GET
/asics/{rig_id}                                                      GET
/asics/{rig_id}/log                                                  GET
/asics/{rig_id}/log.csv                                              GET
/audit                                                               GET
/audit.csv                                                           GET
/commands                                                            GET
/commands/{command_id}                                               GET
/commands/{command_id}/rigs/{rig_id}                                 GET
/cpu-gpu                                                             GET
/cpu-gpu/{rig_id}                                                    GET
/cpu-gpu/{rig_id}/log                                                GET
/cpu-gpu/{rig_id}/log.csv                                            GET
/cpu-gpu/{rig_id}/playbooks                                          GET
/cpu-gpu/{rig_id}/playbooks/{playbook_id}                            GET
/incidents                                                           GET
/incidents/{incident_id}                                             GET
/live                                                                WS
/logout                                                              POST
/mining-software                                                     GET
/schema/openapi.json                                                 GET
/schema/raw                                                          GET
/schema/raw/elements                                                 GET
/schema/raw/oauth2-redirect.html                                     GET
/schema/raw/openapi.json                                             GET
/schema/raw/openapi.yaml                                             GET
/schema/raw/openapi.yml                                              GET
/schema/raw/rapidoc                                                  GET
/schema/raw/redoc                                                    GET
/schema/raw/swagger                                                  GET
/schema/raw/{path}                                                   GET
/settings                                                            GET
/settings/sessions/{session_id}/end                                  POST
/tags                                                                GET
/tags.csv                                                            GET
/templates                                                           GET
/watchdog                                                            GET
""",
    Role.OPERATE: """
/alerts/maintenance                                                  POST
/alerts/maintenance/{maintenance_id}/end                             POST
/api/v1/asic-rigs/{rig_id}                                           PATCH
/api/v1/commands                                                     POST
/api/v1/commands/{command_id}/cancel                                 POST
/api/v1/commands/{command_id}/retry                                  POST
/api/v1/cpu-gpu-rigs/{rig_id}                                        PATCH
/api/v1/incidents/{incident_id}/acknowledge                          POST
/api/v1/incidents/{incident_id}/mute                                 POST
/api/v1/incidents/{incident_id}/unmute                               POST
/api/v1/maintenance                                                  POST
/api/v1/maintenance/{maintenance_id}                                 DELETE
/api/v1/playbooks/pause                                              POST
/api/v1/playbooks/resume                                             POST
/api/v1/playbooks/{playbook_id}/pause                                POST
/api/v1/playbooks/{playbook_id}/resume                               POST
/api/v1/tags                                                         POST
/asics/tags                                                          POST
/asics/{rig_id}/tags                                                 POST
/commands                                                            POST
/commands/new                                                        GET
/commands/{command_id}/cancel                                        POST
/commands/{command_id}/retry                                         POST
/cpu-gpu/command                                                     POST
/cpu-gpu/pause                                                       POST
/cpu-gpu/resume                                                      POST
/cpu-gpu/tags                                                        POST
/cpu-gpu/{rig_id}/commands                                           POST
/cpu-gpu/{rig_id}/tags                                               POST
/incidents/{incident_id}/acknowledge                                 POST
/incidents/{incident_id}/mute                                        POST
/incidents/{incident_id}/unmute                                      POST
/tags/import                                                         POST
/tags/preview                                                        POST
""",
    Role.OWN: """
/access                                                              POST
/access/view-links                                                   POST
/access/view-links/{link_id}/revoke                                  POST
/access/{access_id}                                                  POST
/access/{access_id}/remove                                           POST
/alerts/channels                                                     POST
/alerts/channels/{channel_id}/edit                                   POST
/alerts/channels/{channel_id}/remove                                 POST
/alerts/channels/{channel_id}/test                                   POST
/alerts/rules                                                        POST
/alerts/rules/{alert_rule_id}/edit                                   POST
/alerts/rules/{alert_rule_id}/remove                                 POST
/alerts/rules/{alert_rule_id}/switch                                 POST
/api/v1/accesses                                                     POST
/api/v1/accesses/{access_id}                                         DELETE PATCH
/api/v1/addresses                                                    POST
/api/v1/addresses/{address_id}                                       DELETE PUT
/api/v1/alert-rules                                                  POST
/api/v1/alert-rules/{alert_rule_id}                                  DELETE PUT
/api/v1/asic-rigs                                                    POST
/api/v1/asic-rigs/{rig_id}                                           DELETE
/api/v1/asic-rigs/{rig_id}/token                                     POST
/api/v1/cpu-gpu-rigs                                                 POST
/api/v1/cpu-gpu-rigs/approve                                         POST
/api/v1/cpu-gpu-rigs/{rig_id}                                        DELETE
/api/v1/cpu-gpu-rigs/{rig_id}/playbooks                              POST
/api/v1/cpu-gpu-rigs/{rig_id}/playbooks/order                        PUT
/api/v1/cpu-gpu-rigs/{rig_id}/playbooks/preview                      POST
/api/v1/cpu-gpu-rigs/{rig_id}/token                                  POST
/api/v1/farm-tokens                                                  GET POST
/api/v1/farm-tokens/{farm_token_id}                                  DELETE
/api/v1/mining-software                                              POST
/api/v1/mining-software/{software_id}                                DELETE PUT
/api/v1/notification-channels                                        POST
/api/v1/notification-channels/{channel_id}                           DELETE PUT
/api/v1/notification-channels/{channel_id}/test                      POST
/api/v1/playbooks/{playbook_id}                                      DELETE PUT
/api/v1/playbooks/{playbook_id}/copy                                 POST
/api/v1/playbooks/{playbook_id}/copy/preview                         POST
/api/v1/playbooks/{playbook_id}/revisions/{revision}/use             POST
/api/v1/site-tokens                                                  POST
/api/v1/site-tokens/{site_id}                                        DELETE
/api/v1/site-tokens/{site_id}/rigs                                   DELETE
/api/v1/watchdog-rules                                               POST
/api/v1/watchdog-rules/{rule_id}                                     DELETE PUT
/asics                                                               POST
/asics/views                                                         POST
/asics/views/{view_id}/remove                                        POST
/asics/{rig_id}/remove                                               POST
/asics/{rig_id}/rename                                               POST
/asics/{rig_id}/token                                                POST
/cpu-gpu                                                             POST
/cpu-gpu/approve                                                     POST
/cpu-gpu/copy                                                        POST
/cpu-gpu/farm-tokens                                                 GET POST
/cpu-gpu/farm-tokens/{farm_token_id}/revoke                          POST
/cpu-gpu/update                                                      POST
/cpu-gpu/views                                                       POST
/cpu-gpu/views/{view_id}/remove                                      POST
/cpu-gpu/{rig_id}/playbooks                                          POST
/cpu-gpu/{rig_id}/playbooks/new                                      GET
/cpu-gpu/{rig_id}/playbooks/{playbook_id}/copies                     POST
/cpu-gpu/{rig_id}/playbooks/{playbook_id}/copy                       GET
/cpu-gpu/{rig_id}/playbooks/{playbook_id}/edit                       GET POST
/cpu-gpu/{rig_id}/playbooks/{playbook_id}/revisions/{revision}/use   POST
/cpu-gpu/{rig_id}/playbooks/{playbook_id}/{action}                   POST
/cpu-gpu/{rig_id}/remove                                             POST
/cpu-gpu/{rig_id}/rename                                             POST
/cpu-gpu/{rig_id}/shutdown                                           GET POST
/cpu-gpu/{rig_id}/token                                              POST
/mining-software                                                     POST
/mining-software/new                                                 GET
/mining-software/{software_id}                                       GET POST
/mining-software/{software_id}/remove                                POST
/playbooks/copy                                                      GET
/settings/api-keys                                                   POST
/settings/api-keys/{key_id}/revoke                                   POST
/settings/site-tokens                                                POST
/settings/site-tokens/{site_id}/remove-asics                         POST
/settings/site-tokens/{site_id}/revoke                               POST
/templates                                                           POST
/templates/{address_id}/edit                                         POST
/templates/{address_id}/remove                                       POST
/watchdog                                                            POST
/watchdog/{rule_id}/edit                                             POST
/watchdog/{rule_id}/remove                                           POST
""",
}
DIALOGS = {
    Role.VIEW: "password second-factor second-factor-off codes",
    Role.OPERATE: "tags add-maintenance end-maintenance",
}  # of a page, `?dialog=…`; any other one is for the owner
LIVE_VIEWS = {
    Role.VIEW: """
    alerts asic asic-log asics command commands incident incidents names overview playbooks quiet rig rig-log rigs tags
    """,
    Role.OWN: "farm-tokens",
}  # of `/live?view=…`
VIEWS_OF_ONE = {"asic", "asic-log", "command", "incident", "playbooks", "rig", "rig-log"}  # they need an id
CHANNELS = [
    *(f"{kind}-mining-rig-{name}" for kind in ("cpu-gpu", "asic") for name in ("index", "index-operation-stats")),
    *(f"{kind}-mining-rig{name}:1" for kind in ("cpu-gpu", "asic") for name in ("", "-operation-stats")),
    *("commands", "incidents"),
]  # of `/api/v1/events?channels=…`: for the role view and the higher ones


def routes() -> dict[tuple[str, str], str]:
    """Returns the least role, or `OPEN`, by method and address."""
    found: dict[tuple[str, str], str] = {}
    for role, lines in _ROUTES.items():
        for line in lines.strip().splitlines():
            path, *methods = line.split()
            found |= {(method, path): role for method in methods}
    return found


def by_name(table: dict[Role, str]) -> dict[str, Role]:
    """Returns the least role of each dialog or live view."""
    return {name: role for role, names in table.items() for name in names.split()}
