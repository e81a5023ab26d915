"""The page `/access`: who may log in, with which role; one's own password and second factor; sessions."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect

from commander.accounts.access_actions import AccessActions
from commander.accounts.access_domain import (
    Access,
    AccessNameTaken,
    BadAccessName,
    OwnerStays,
    TooManyAccesses,
    WrongCode,
    checked_access_role,
)
from commander.accounts.actions import AccountActions
from commander.accounts.confirmations import Confirmations
from commander.accounts.domain import (
    BadDays,
    BadNewPassword,
    BadRole,
    NotSignedIn,
    ProxySession,
    Role,
    Session,
    WrongConfirmation,
    check_not_of_proxy,
    is_enough,
)
from commander.accounts.second_factor_actions import SecondFactorActions
from commander.accounts.views import ROLE_WORDS, session_view
from commander.problems import CommanderError
from commander.saved_views.actions import SavedViewActions
from commander.saved_views.domain import LINKS_AT, NoSuchView, TooManyLinks
from commander.saved_views.links import ViewLinks
from commander.settings import Settings
from commander.settings_pages.access_views import (
    ROLES,
    AccessDialog,
    MadeAccess,
    MadeLink,
    OwnAccessView,
    access_view,
    app_view,
    link_views,
    view_choices,
)
from commander.settings_pages.pages import SECTION, back_of, days_in, sessions_of
from commander.web.ids import id_in
from commander.web.shell import Html, Page, page

PATH = "/access"
WRONG = 422
OWN_DIALOGS = ("password", "second-factor", "second-factor-off", "codes")
NOTICES = {
    "password": "Your password is changed, and your other sessions have ended.",
    "sessions": "The other sessions have ended.",
    "off": "Your second factor is off.",
    "link": "The view link is revoked. Open pages of it close within 2 seconds.",
}
SessionRequest = Request[Session, Any, Any]
BAD_FIELDS = (AccessNameTaken, BadAccessName, BadNewPassword, BadRole, TooManyAccesses)


class AccessForm(msgspec.Struct, frozen=True):
    """An empty password: one is made (add), or it stays (edit)."""

    name: str = ""
    role: str = Role.VIEW
    password: str = ""
    forget: str = ""


class PasswordForm(msgspec.Struct, frozen=True):
    """`old` is the present password."""

    old: str = ""
    new: str = ""


class SecondFactorForm(msgspec.Struct, frozen=True):
    """`code` shows that the app has the secret."""

    secret: str = ""
    code: str = ""


class ViewLinkForm(msgspec.Struct, frozen=True):
    """`view` is the id of a saved view."""

    view: str = ""
    days: str = ""


class SessionsForm(msgspec.Struct, frozen=True):
    """`back` is the page to show afterwards."""

    back: str = PATH


class AccessPage:
    """Renders the page for one request."""

    def __init__(
        self,
        request: SessionRequest,
        accounts: AccountActions,
        accesses: AccessActions,
        second_factors: SecondFactorActions,
        settings: Settings,
        *,
        saved_views: SavedViewActions,
        view_links: ViewLinks,
    ) -> None:
        self.session = request.user
        self.accounts = accounts
        self.accesses = accesses
        self.second_factors = second_factors
        self.view_links = view_links
        self._saved_views = saved_views
        self._public_url = settings.public_url
        self._query = {name: str(value) for name, value in request.query_params.items()}

    async def show(
        self,
        dialog: AccessDialog | None = None,
        *,
        made: MadeAccess | None = None,
        codes: list[str] | None = None,
        made_link: MadeLink | None = None,
    ) -> Html:
        """Shows the page; without `dialog` with the one that its address names."""
        me, may_own = self.session, is_enough(self.session.role, Role.OWN)
        everybody, all_sessions = await self.accesses.all(), await self.accounts.sessions()
        views = [access_view(each, all_sessions, me) for each in everybody]
        mine = next((each for each in everybody if each.id == me.access_id), None) or _of_proxy(me)
        if mine is None:
            raise NotSignedIn("Your access was removed.")
        dialog = dialog or self._asked(mine, everybody)
        links = link_views(await self.view_links.all(), now=datetime.now(UTC)) if may_own else []
        answers = (dialog and dialog.errors) or made or codes or made_link  # the address has a form's, not the page's
        return page(
            "settings_pages/access.html",
            Page(title="Access", section=SECTION, url=PATH if answers else ""),
            status=WRONG if dialog and dialog.errors else 200,
            may_own=may_own,
            mine=OwnAccessView(
                name=mine.name,
                role=ROLE_WORDS[mine.role],
                is_owner=mine.is_owner,
                by_proxy=isinstance(me, ProxySession),
                totp=mine.totp,
                recovery_codes=await self.second_factors.codes_left(me),
            ),
            accesses=views,
            sessions=[session_view(each, me) for each in sessions_of(me, all_sessions)],
            roles=ROLES,
            dialog=dialog,
            target=next((each for each in views if dialog and each.id == dialog.access_id), None),
            made=made,
            codes=codes,
            links=links,
            link=next((each for each in links if dialog and each.id == dialog.link_id), None),
            view_choices=view_choices(await self._saved_views.all()) if may_own else [],
            made_link=made_link,
            notice=NOTICES.get(self._query.get("done", "")),
        )

    def link_address(self, token: str) -> str:
        return f"{self._public_url}{LINKS_AT}/{token}"

    def app_dialog(self, secret: str = "", errors: dict[str, str] | None = None) -> AccessDialog:
        """The dialog with the QR code, of a new secret or of the one in a form that comes back."""
        app = app_view(self.session.access_name, urlsplit(self._public_url).netloc, secret)
        return AccessDialog("second-factor", app=app, errors=errors or {})

    def _asked(self, mine: Access, everybody: list[Access]) -> AccessDialog | None:
        kind, access_id = self._query.get("dialog", ""), self._query.get("access", "")
        target = next((each for each in everybody if str(each.id) == access_id and not each.is_owner), None)
        if kind == "view-link":
            return AccessDialog(kind, view=self._query.get("view", ""))
        if kind == "view-link-revoke":
            return AccessDialog(kind, link_id=id_in(self._query.get("link", "")))
        if kind in ("edit", "remove"):
            return AccessDialog(kind, target.id, name=target.name, role=target.role) if target else None
        if isinstance(self.session, ProxySession) and kind in OWN_DIALOGS:
            return None
        if kind == "second-factor":
            return None if mine.totp else self.app_dialog()
        if kind in ("second-factor-off", "codes") and not mine.totp:
            return None
        return AccessDialog(kind) if kind in ("add", *OWN_DIALOGS) else None


def access_page(
    request: SessionRequest,
    account_actions: NamedDependency[AccountActions],
    access_actions: NamedDependency[AccessActions],
    second_factors: NamedDependency[SecondFactorActions],
    settings: NamedDependency[Settings],
    saved_views: NamedDependency[SavedViewActions],
    view_links: NamedDependency[ViewLinks],
) -> AccessPage:
    """Litestar's dependency `access_page`."""
    return AccessPage(
        request,
        account_actions,
        access_actions,
        second_factors,
        settings,
        saved_views=saved_views,
        view_links=view_links,
    )


DEPENDENCIES = {"access_page": Provide(access_page, sync_to_thread=False)}


@get(PATH, dependencies=DEPENDENCIES, include_in_schema=False)
async def show_access(access_page: NamedDependency[AccessPage]) -> Html:
    return await access_page.show()


@post(PATH, status_code=200, dependencies=DEPENDENCIES, include_in_schema=False)
async def add_access(data: URLEncodedBody[AccessForm], access_page: NamedDependency[AccessPage]) -> Html | Redirect:
    try:
        access, made = await access_page.accesses.add(data.name, checked_access_role(data.role), data.password or None)
    except BAD_FIELDS as error:
        return await access_page.show(AccessDialog("add", name=data.name, role=data.role, errors=errors_of(error)))
    return await access_page.show(made=MadeAccess(access.name, made)) if made else done()


@post(PATH + "/{access_id:int}", dependencies=DEPENDENCIES, include_in_schema=False)
async def edit_access(
    access_id: FromPath[int], data: URLEncodedBody[AccessForm], access_page: NamedDependency[AccessPage]
) -> Html | Redirect:
    try:
        await access_page.accesses.change(
            access_id,
            name=data.name,
            role=checked_access_role(data.role),
            password=data.password or None,
            forget_second_factor=data.forget == "yes",
        )
    except BAD_FIELDS as error:
        wrong = AccessDialog("edit", access_id, name=data.name, role=data.role, errors=errors_of(error))
        return await access_page.show(wrong)
    return done()


@post(PATH + "/{access_id:int}/remove", include_in_schema=False)
async def remove_access(access_id: FromPath[int], access_actions: NamedDependency[AccessActions]) -> Redirect:
    await access_actions.remove(access_id)
    return done()


@post(PATH + "/password", dependencies=DEPENDENCIES, include_in_schema=False)
async def change_password(
    data: URLEncodedBody[PasswordForm],
    access_page: NamedDependency[AccessPage],
    confirmations: NamedDependency[Confirmations],
) -> Html | Redirect:
    check_not_of_proxy(access_page.session)
    try:
        session = await confirmations.confirm(access_page.session, password=data.old)
        await access_page.accesses.change_own_password(session, data.new)
    except (WrongConfirmation, BadNewPassword, OwnerStays) as error:
        field = "new" if isinstance(error, BadNewPassword) else "old"
        return await access_page.show(AccessDialog("password", errors={field: str(error)}))
    return done("password")


@post(PATH + "/second-factor", status_code=200, dependencies=DEPENDENCIES, include_in_schema=False)
async def switch_on(data: URLEncodedBody[SecondFactorForm], access_page: NamedDependency[AccessPage]) -> Html:
    check_not_of_proxy(access_page.session)
    try:
        codes = await access_page.second_factors.switch_on(access_page.session, data.secret, data.code)
    except WrongCode as error:
        return await access_page.show(access_page.app_dialog(data.secret, errors_of(error)))
    return await access_page.show(codes=codes)


@post(PATH + "/second-factor/off", include_in_schema=False)
async def switch_off(request: SessionRequest, second_factors: NamedDependency[SecondFactorActions]) -> Redirect:
    check_not_of_proxy(request.user)
    await second_factors.switch_off(request.user)
    return done("off")


@post(PATH + "/recovery-codes", status_code=200, dependencies=DEPENDENCIES, include_in_schema=False)
async def replace_codes(access_page: NamedDependency[AccessPage]) -> Html:
    check_not_of_proxy(access_page.session)
    return await access_page.show(codes=await access_page.second_factors.replace_recovery_codes(access_page.session))


@post(PATH + "/sessions/end-others", include_in_schema=False)
async def end_others(
    data: URLEncodedBody[SessionsForm], request: SessionRequest, access_actions: NamedDependency[AccessActions]
) -> Redirect:
    await access_actions.end_other_sessions(request.user)
    return Redirect(back_of(data.back, PATH), status_code=303)


@post(PATH + "/view-links", status_code=200, dependencies=DEPENDENCIES, include_in_schema=False)
async def make_view_link(data: URLEncodedBody[ViewLinkForm], access_page: NamedDependency[AccessPage]) -> Html:
    try:
        name, token = await access_page.view_links.make(id_in(data.view) or 0, days_in(data.days))
    except (NoSuchView, BadDays, TooManyLinks) as error:
        wrong = AccessDialog("view-link", view=data.view, days=data.days, errors=errors_of(error))
        return await access_page.show(wrong)
    return await access_page.show(made_link=MadeLink(name, access_page.link_address(token)))


@post(PATH + "/view-links/{link_id:int}/revoke", include_in_schema=False)
async def revoke_view_link(link_id: FromPath[int], view_links: NamedDependency[ViewLinks]) -> Redirect:
    await view_links.revoke(link_id)
    return done("link")


HANDLERS: list[HTTPRouteHandler] = [
    *(show_access, add_access, edit_access, remove_access, change_password),
    *(switch_on, switch_off, replace_codes, end_others, make_view_link, revoke_view_link),
]


def _of_proxy(session: Session) -> Access | None:
    """Returns the access of a person whom a proxy has logged in, for this page; None for another session."""
    if not isinstance(session, ProxySession):
        return None
    return Access(session.access_id, session.access_name, session.role, totp=False, created_at=session.created_at)


def errors_of(error: CommanderError) -> dict[str, str]:
    return {
        "password" if isinstance(error, BadNewPassword) else each.field: each.message for each in error.field_errors()
    }


def done(notice: str = "") -> Redirect:
    return Redirect(f"{PATH}?done={notice}" if notice else PATH, status_code=303)
