"""The page `/alerts`, and the forms of channels."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect

from commander.alerts.channel_forms import ChannelForm, read_form
from commander.alerts.channels_part import ChannelDialog, add_dialog, edit_dialog, wrong
from commander.notifications.alerts_page import HOME, AlertsPage
from commander.notifications.channel_actions import (
    BadQuietHours,
    ChannelActions,
    ChannelNameTaken,
    ChannelNow,
    ChannelOrder,
    TooManyChannels,
)
from commander.notifications.domain import ChannelNotFound
from commander.notifications.kinds.kind import ChannelKind
from commander.notifications.settings_check import BadChannelSettings, kind_of
from commander.registry.names import BadName
from commander.selections.domain import BadSelection
from commander.web.shell import Html


@get(HOME, include_in_schema=False)
async def show(request: Request[Any, Any, Any], alerts_page: NamedDependency[AlertsPage]) -> Html:
    return await alerts_page.show({key: str(value) for key, value in request.query_params.items()})


@post("/alerts/channels", include_in_schema=False)
async def add(
    data: URLEncodedBody[ChannelForm],
    alerts_page: NamedDependency[AlertsPage],
    channel_actions: NamedDependency[ChannelActions],
) -> Html | Redirect:
    kind = kind_of(data.kind)
    errors = await _saved(channel_actions.add, kind, data)
    return await _answer(alerts_page, add_dialog(kind, data, errors))


@post("/alerts/channels/{channel_id:int}/edit", include_in_schema=False)
async def edit(
    channel_id: FromPath[int],
    data: URLEncodedBody[ChannelForm],
    alerts_page: NamedDependency[AlertsPage],
    channel_actions: NamedDependency[ChannelActions],
) -> Html | Redirect:
    now = await channel_actions.find(channel_id)

    async def change(order: ChannelOrder) -> ChannelNow:
        return await channel_actions.change(channel_id, order)

    errors = await _saved(change, kind_of(now.channel.kind), data)
    return await _answer(alerts_page, edit_dialog(now, data, errors))


@post("/alerts/channels/{channel_id:int}/remove", include_in_schema=False)
async def remove(channel_id: FromPath[int], channel_actions: NamedDependency[ChannelActions]) -> Redirect:
    try:
        await channel_actions.remove(channel_id)
    except ChannelNotFound:
        return Redirect(HOME, status_code=303)
    return Redirect(f"{HOME}?removed-channel=yes", status_code=303)


@post("/alerts/channels/{channel_id:int}/test", include_in_schema=False)
async def test(channel_id: FromPath[int], channel_actions: NamedDependency[ChannelActions]) -> Redirect:
    error = await channel_actions.test(channel_id)
    return Redirect(f"{HOME}?tested={'no' if error else 'yes'}", status_code=303)


HANDLERS: list[HTTPRouteHandler] = [show, add, edit, remove, test]


async def _saved(
    save: Callable[[ChannelOrder], Awaitable[ChannelNow]], kind: ChannelKind, data: ChannelForm
) -> dict[str, str]:
    """Saves the form, and returns what is wrong by field; nothing: it is saved."""
    order, errors = read_form(kind, data)
    if not order.name.strip():
        errors["name"] = "Give the channel a name."
    if errors:
        return errors
    try:
        await save(order)
    except (BadName, ChannelNameTaken, TooManyChannels) as error:
        return {"name": str(error)}
    except BadSelection as error:
        return {"select": str(error)}
    except BadQuietHours as error:
        return {"time_zone" if "time zone" in str(error) else "quiet_from": str(error)}
    except BadChannelSettings as error:
        return {error.name or kind.fields[0].name: str(error)}
    return {}


async def _answer(alerts_page: AlertsPage, dialog: ChannelDialog) -> Html | Redirect:
    if dialog.errors:
        return await alerts_page.show({}, wrong(dialog))
    return Redirect(HOME, status_code=303)
