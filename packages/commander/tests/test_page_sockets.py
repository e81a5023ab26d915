"""`/live`: an open page's socket, from its hello to the end of its session."""

import re

import pytest
from commander.web.security import is_cross_site
from commander_farm import RIGS, Farm, a_log
from websockets import ClientConnection, ConnectionClosed, InvalidStatus, connect


@pytest.fixture
async def person(served_farm: Farm) -> Farm:
    await served_farm.log_in()
    return served_farm


async def open_page(person: Farm, path: str) -> connect:
    """The socket that the page at `path` opens."""
    page = (await person.client.get(path)).text
    live, seq = (re.search(rf'data-{name}="([^"]+)"', page) for name in ("live", "seq"))
    assert live
    assert seq
    cookie = "; ".join(f"{name}={value}" for name, value in person.client.cookies.items())
    return person.socket(f"{live[1].replace('&amp;', '&')}&seq={seq[1]}", Cookie=cookie)


async def read_until(socket: ClientConnection, wanted: str) -> str:
    """Returns the frame. Several ticks may lie between a change and the frame that shows it."""
    while wanted not in (frame := str(await socket.recv())):
        pass
    return frame


async def test_an_index_page_hears_of_a_new_rig_and_of_its_figures(person: Farm) -> None:
    async with await open_page(person, "/cpu-gpu") as socket:
        rig = await person.add("rig-01")
        await read_until(socket, f'id="rig-{rig.id}"')
        await person.report(rig, a_log(hashrate_hs=5_000.0))
        await read_until(socket, "5.00 kH/s")


async def test_a_removed_rigs_page_is_sent_to_the_index(person: Farm) -> None:
    rig = await person.add("rig-01")
    async with await open_page(person, f"/cpu-gpu/{rig.id}") as socket:
        await person.client.delete(f"{RIGS}/{rig.id}", headers=person.auth)
        await read_until(socket, 'data-go="/cpu-gpu?removed=rig-01"')


async def test_without_a_session_the_page_is_told_why(served_farm: Farm) -> None:
    async with served_farm.socket("/live?view=rigs&seq=x") as socket:
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    assert socket.close_code == 4401


async def test_another_site_opens_no_socket(served_farm: Farm) -> None:
    with pytest.raises(InvalidStatus):
        async with served_farm.socket("/live?view=rigs&seq=x", Origin="https://evil.example"):
            pass


@pytest.mark.parametrize(
    ("scheme", "origin", "elsewhere"),
    [
        ("https", "https://farm.lan:8443", False),
        ("https", "http://farm.lan:8443", True),
        ("wss", "http://farm.lan:8443", True),
        ("http", "http://farm.lan:8443", False),
        ("http", "https://farm.lan:8443", False),  # a proxy ends TLS
        ("https", "https://farm.lan", True),
        ("https", "null", True),
        ("https", "http://[", True),
    ],
)
def test_an_origin_is_compared_with_its_scheme(scheme: str, origin: str, elsewhere: bool) -> None:
    scope = {"scheme": scheme, "headers": [(b"host", b"farm.lan:8443"), (b"origin", origin.encode())]}
    assert is_cross_site(scope) is elsewhere  # type: ignore[arg-type]  # the part of a scope that is looked at
