"""Login, logout and the settings page."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect

from commander.accounts.access_actions import AccessActions
from commander.accounts.access_domain import OWNER_ID, LoginFields
from commander.accounts.actions import AccountActions
from commander.accounts.auth import OPEN, sender
from commander.accounts.domain import (
    AccountError,
    BadDays,
    BadKeyName,
    BadRole,
    KeyNameTaken,
    Role,
    Session,
    TooManyTries,
    WrongPassword,
    check_not_of_proxy,
    checked_role,
)
from commander.accounts.known_senders import sender_is_known
from commander.accounts.views import (
    KEY_ROLES,
    CreatedKey,
    CreatedSite,
    KeyView,
    NewKeyView,
    api_key_view,
    certificate_view,
    key_view,
    session_view,
)
from commander.rigs.site_token_actions import SiteTokenActions
from commander.settings import Settings, in_clear_text
from commander.settings_pages.cookies import device_cookie, end_of_session, session_cookie
from commander.signing import unsigned_text
from commander.tls import CertificateFacts
from commander.web.assets import ASSETS_AT, NOTICES
from commander.web.shell import Html, Page, Section, page

WRONG, TOO_MANY = 422, 429
HOME = "/"
_LOCAL = re.compile(r"/(?![/\\])[^\x00-\x20\\\x7f]*")
NO_KEY = NewKeyView()
PASSWORD_ALONE = LoginFields(name=False, code=False)
SECTION = Section("Settings", "/settings", icon="M4 7h10M18 7h2M16 5v4M4 17h4M12 17h8M10 15v4")
PageRequest = Request[Session, Any, Any]


class LoginForm(msgspec.Struct, frozen=True):
    """`name` and `code` are asked for only where an access needs them."""

    password: str = ""
    name: str = ""
    code: str = ""
    next: str = HOME


class KeyForm(msgspec.Struct, frozen=True):
    """`days` is empty for a key that is valid until it is revoked. What is not sent is as in the empty form."""

    name: str = ""
    role: str = NO_KEY.role
    days: str = NO_KEY.days


def local_path(text: str) -> str:
    """`text` if it is an address on this commander to come back to, otherwise the first page."""
    parts = urlsplit(text) if _LOCAL.fullmatch(text) else None
    return text if parts and not parts.netloc and parts.path != "/login" else HOME


@get("/login", opt={OPEN: True}, include_in_schema=False)
async def login(
    request: Request[Any, Any, Any],
    account_actions: NamedDependency[AccountActions],
    access_actions: NamedDependency[AccessActions],
) -> Html | Redirect:
    going = local_path(request.query_params.get("next", HOME))
    if await sender(account_actions, request):
        return Redirect(going, status_code=303)
    return login_page(going, fields=await access_actions.login_fields())


@post("/login", opt={OPEN: True}, include_in_schema=False)
async def log_in(
    data: URLEncodedBody[LoginForm],
    request: Request[Any, Any, Any],
    account_actions: NamedDependency[AccountActions],
    access_actions: NamedDependency[AccessActions],
) -> Html | Redirect:
    going, cookies = local_path(data.next), account_actions.cookies.over(request.url.scheme)
    address = request.client.host if request.client else ""
    agent = request.headers.get("user-agent", "")[:256]
    device = request.cookies.get(cookies.device, "")
    try:
        session = await account_actions.log_in(
            data.password,
            address=address,
            user_agent=agent,
            device_cookie=device,
            name=data.name,
            code=data.code,
            former_cookie=request.cookies.get(cookies.session, ""),
        )
    except WrongPassword as error:
        fields = await access_actions.login_fields()
        return login_page(going, fields.wrong or str(error), WRONG, fields=fields, name=data.name)
    except TooManyTries as error:
        return too_many_page(error, going, fields=await access_actions.login_fields())
    sender_is_known(request.scope)
    answer = Redirect(going, status_code=303, cookies=[session_cookie(cookies, session)])
    if made := await account_actions.new_device_cookie(session, device):
        answer.set_cookie(device_cookie(cookies, made))
    return answer


@post("/logout", include_in_schema=False)
async def log_out(request: PageRequest, account_actions: NamedDependency[AccountActions]) -> Redirect:
    check_not_of_proxy(request.user)
    await account_actions.log_out(request.user)
    answer = Redirect("/login", status_code=303)
    answer.set_cookie(end_of_session(account_actions.cookies.over(request.url.scheme)))
    return answer


@get("/settings", include_in_schema=False)
async def show_settings(
    request: PageRequest,
    account_actions: NamedDependency[AccountActions],
    site_token_actions: NamedDependency[SiteTokenActions],
    settings: NamedDependency[Settings],
    certificate: NamedDependency[CertificateFacts | None],
) -> Html:
    query = request.query_params
    revoking, site = (query.get(name, "") if query.get("dialog") == "revoke" else "" for name in ("key", "site"))
    return await settings_page(
        request,
        account_actions,
        site_token_actions,
        settings,
        certificate,
        revoking=revoking,
        revoking_site=site,
        emptied_site=query.get("site", "") if query.get("dialog") == "remove-asics" else "",
    )


@post("/settings/sessions/{session_id:int}/end", include_in_schema=False)
async def end_session(
    session_id: FromPath[int], request: PageRequest, account_actions: NamedDependency[AccountActions]
) -> Redirect:
    await account_actions.end_session(session_id, by=request.user)
    return Redirect(back_of(str((await request.form()).get("back", "")), "/settings"), status_code=303)


@post("/settings/api-keys", status_code=200, include_in_schema=False)
async def create_key(
    data: URLEncodedBody[KeyForm],
    request: PageRequest,
    account_actions: NamedDependency[AccountActions],
    site_token_actions: NamedDependency[SiteTokenActions],
    settings: NamedDependency[Settings],
    certificate: NamedDependency[CertificateFacts | None],
) -> Html:
    try:
        role, days = checked_role(data.role), days_in(data.days)
        key, text = await account_actions.create_api_key(data.name, role, days=days)
    except (BadKeyName, KeyNameTaken, BadRole, BadDays) as error:
        return await settings_page(
            request, account_actions, site_token_actions, settings, certificate, new_key=wrong_key(data, error)
        )
    return await settings_page(
        request,
        account_actions,
        site_token_actions,
        settings,
        certificate,
        created=CreatedKey(key.name, text),
    )


@post("/settings/api-keys/{key_id:int}/revoke", include_in_schema=False)
async def revoke_key(key_id: FromPath[int], account_actions: NamedDependency[AccountActions]) -> Redirect:
    await account_actions.revoke_api_key(key_id)
    return Redirect("/settings", status_code=303)


HANDLERS: list[HTTPRouteHandler] = [login, log_in, log_out, show_settings, end_session, create_key, revoke_key]


def days_in(text: str) -> int | None:
    """Returns the days for which a key is to be valid; None for an empty field. Raises `BadDays`."""
    text = text.strip()
    if not text:
        return None
    return int(text) if text.isdecimal() and len(text) < 6 else 0  # 0 is refused, with the sentence that says why


def wrong_key(form: KeyForm, error: AccountError) -> NewKeyView:
    """Returns the form as it was sent, with its error beside its field."""
    errors = {each.field: each.message for each in error.field_errors()}
    return NewKeyView(name=form.name, role=form.role, days=form.days, errors=errors)


def back_of(text: str, usual: str) -> str:
    """Returns the page that has the sessions and sent a form: it is shown again."""
    return text if text in ("/settings", "/access") else usual


def sessions_of(me: Session, everybody: list[Session]) -> list[Session]:
    """Returns the sessions that a person may see and end: with the role `own` all, else those of the same access."""
    return [each for each in everybody if me.role is Role.OWN or each.access_id == me.access_id]


def login_page(
    going: str, error: str = "", status: int = 200, *, fields: LoginFields = PASSWORD_ALONE, name: str = ""
) -> Html:
    about = Page(title="Log in", section=None)
    return page("settings_pages/login.html", about, status=status, next=going, fields=fields, error=error, name=name)


def too_many_page(error: TooManyTries, going: str = HOME, *, fields: LoginFields = PASSWORD_ALONE) -> Html:
    """The log-in page for a sender that has to wait."""
    shown = login_page(going, str(error), TOO_MANY, fields=fields)
    shown.headers["Retry-After"] = str(error.retry_after_s)
    return shown


async def settings_page(
    request: PageRequest,
    account_actions: AccountActions,
    site_token_actions: SiteTokenActions,
    settings: Settings,
    certificate: CertificateFacts | None,
    *,
    revoking: str = "",
    new_key: NewKeyView = NO_KEY,
    created: CreatedKey | None = None,
    revoking_site: str = "",
    emptied_site: str = "",
    site_name: str = "",
    site_error: str = "",
    created_site: CreatedSite | None = None,
) -> Html:
    """`site_error` stands beside the field that holds `site_name`."""
    now = datetime.now(UTC)
    keys = [api_key_view(key, now=now) for key in await account_actions.api_keys()]
    site_views = [key_view(site) for site in await site_token_actions.all()]
    wrong = bool(new_key.errors or site_error)
    return page(
        "settings_pages/settings.html",
        Page(title="Settings", section=SECTION, url="/settings" if wrong or created or created_site else ""),
        status=WRONG if wrong else 200,
        sessions=[
            session_view(session, request.user)
            for session in sessions_of(request.user, await account_actions.sessions())
        ],
        may_own=request.user.role is Role.OWN,
        is_owner=request.user.access_id == OWNER_ID,
        keys=keys,
        certificate=certificate_view(certificate) if certificate else None,
        public_url=settings.public_url,
        unsigned=unsigned_text(settings),
        in_clear=in_clear_text(settings, came_by_https=request.url.scheme == "https"),
        notices=f"{ASSETS_AT}/{NOTICES}",
        revoking=_key_of(keys, revoking),
        new_key=new_key,
        roles=KEY_ROLES,
        created=created,
        sites=site_views,
        asics_of_site=await site_token_actions.count_rigs(),
        revoking_site=_key_of(site_views, revoking_site),
        emptied_site=_key_of(site_views, emptied_site),
        site_name=site_name,
        site_error=site_error,
        created_site=created_site,
    )


def _key_of(keys: Sequence[KeyView], key_id: str) -> KeyView | None:
    return next((key for key in keys if str(key.id) == key_id), None)
