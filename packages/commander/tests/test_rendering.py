"""From a spec to what a sentry is given, without a database."""

from dataclasses import replace
from typing import Any

import pytest
from commander.addresses.domain import Address, AddressKind
from commander.playbooks.domain import BadPlaybook, PlaybookSpec, WorkSpec, needs_restart, platform_of
from commander.playbooks.rendering import RenderInput, rendered
from commander.software.catalogue import shipped
from commander.software.checks import checked_software
from commander.software.domain import BadSoftware, Download, MiningSoftware
from commander.software.placeholders import API_PORT_NAME, KNOWN, names_in, own_variables
from protocol.playbook_messages import Archive, Platform, PlaybookWork

ADDRESSES = {
    1: Address(1, AddressKind.POOL, "Pool", "Monero", "pool.example:3333"),
    2: Address(2, AddressKind.WALLET, "Wallet", "Monero", "44AFFq5kSi"),
    3: Address(3, AddressKind.POOL, "TLS", None, "stratum+ssl://[2001:db8::1]:443"),
    4: Address(4, AddressKind.WALLET, "Kaspa", "Kaspa", "kaspa:qpauq"),
}
DOWNLOAD = Download(url="https://x.example/a.tar.gz", executable="dir/miner", script="x {api_port}")
SOFTWARE = MiningSoftware(name="Miner", software="xmrig", version="1", algorithms=2, linux=DOWNLOAD, windows=DOWNLOAD)
GIVEN = RenderInput(7, "rig-07", SOFTWARE, ADDRESSES)
CATALOGUE = shipped()
# Programs whose API always listens on every address; their notes say so.
NO_BINDING = {"srbminer-3-4-6", "wildrig-0-49-6", "gminer-3-44", "nanominer-3-10-0"}


def a_spec(script: str = "x {api_port}", **more: Any) -> PlaybookSpec:
    spec = PlaybookSpec(
        name="Test",
        software_id=1,
        platform=Platform.LINUX,
        script=script,
        works=[WorkSpec(algorithm="rx/0", pool_id=1, wallet_id=2)],
    )
    return replace(spec, **more)


def script_of(template: str, given: RenderInput = GIVEN, **more: Any) -> str:
    return rendered(a_spec(template + " {api_port}", **more), given).script.removesuffix(" {api_port}\n")


def errors_of(spec: PlaybookSpec, given: RenderInput = GIVEN) -> dict[str, str]:
    with pytest.raises(BadPlaybook) as refused:
        rendered(spec, given)
    return refused.value.fields


@pytest.mark.parametrize(
    ("template", "script"),
    [
        ("{pool} {pool_host} {pool_port} {pool_hostport}", "pool.example:3333 pool.example 3333 pool.example:3333"),
        ("{pool_url} {pool_tls} {pool_ssl} {pool_use_tls}", "stratum+tcp://pool.example:3333 off 0 false"),
        ("{wallet}.{worker} {password} {algorithm} {coin}", "44AFFq5kSi.rig-07 x rx/0 Monero"),
        ("./{executable} {rig_id}", "./dir/miner 7"),
    ],
    ids=["pool", "pool-more", "wallet", "rig"],
)
def test_placeholders_are_filled_in(template: str, script: str) -> None:
    assert script_of(template) == script


def test_the_second_coin_has_its_own() -> None:
    works = [
        WorkSpec(algorithm="a", pool_id=1, wallet_id=2),
        WorkSpec(algorithm="b", pool_id=3, wallet_id=4, password="y"),
    ]
    template = "{algorithm}+{algorithm2} {wallet2} {password2} {coin2} {pool2_port} {pool2_tls} {pool2_ssl}"
    assert script_of(template, works=works) == "a+b kaspa:qpauq y Kaspa 443 on 1"
    assert script_of("{pool2_url}", works=works) == "'stratum+ssl://[2001:db8::1]:443'"
    wire = rendered(a_spec(works=works), GIVEN)
    assert wire.works[1] == PlaybookWork(
        algorithm="b", coin="Kaspa", pool="stratum+ssl://[2001:db8::1]:443", user="kaspa:qpauq"
    )


def test_what_travels_says_all_that_a_sentry_needs() -> None:
    wire = rendered(a_spec(), GIVEN, playbook_id=3, revision=2, paused=True)
    assert (wire.id, wire.revision, wire.paused, wire.has_api) == ("3", 2, True, True)
    assert (wire.package.software, wire.package.executable, wire.package.sha256) == ("xmrig", "dir/miner", None)
    assert wire.script == "x {api_port}\n"
    assert rendered(a_spec("x {api_port} {api_token}"), GIVEN).script == "x {api_port} {api_token}\n"
    assert "{{api_token}}" in errors_of(a_spec("x {api_port} {{api_token}}"), GIVEN)["script"]


def test_a_rig_s_name_is_quoted_where_it_has_to_be() -> None:
    given = RenderInput(7, "rig 7 (cellar)", SOFTWARE, ADDRESSES)
    assert script_of("-w {worker}", given) == "-w 'rig 7 (cellar)'"
    windows = a_spec("-w {worker} {executable} {api_port}", platform=Platform.WINDOWS)
    assert rendered(windows, given).script == '-w "rig 7 (cellar)" dir\\miner {api_port}\n'


def test_everything_that_is_wrong_is_said_beside_its_field() -> None:
    spec = a_spec(
        "{pool} {wallet2} {mine} {algorithm}",
        name="<b>",
        works=[WorkSpec(algorithm="rx 0", pool_id=2, wallet_id=99, coin="<i>")],
        variables={"Worker": "x", "worker": "y"},
    )
    errors = errors_of(spec)
    assert set(errors) == {
        *("name", "script", "works.0.algorithm", "works.0.pool_id", "works.0.wallet_id", "works.0.coin"),
        *("works.1.wallet_id", "variables.mine", "variables.Worker", "variables.worker"),
    }
    assert "{mine} is not a known placeholder" in errors["variables.mine"]
    assert "{api_port}" in errors["script"]


def test_a_wallet_that_is_a_command_never_gets_into_a_script() -> None:
    """Even if it came past every other check."""
    for evil in ("; rm -rf /", "$(reboot)", "`reboot`", "a\nreboot"):
        addresses = {**ADDRESSES, 2: Address(2, AddressKind.WALLET, "Evil", "Monero", evil)}
        given = RenderInput(7, "rig-07", SOFTWARE, addresses)
        assert "works.0.wallet_id" in errors_of(a_spec('x "{wallet}" {api_port}'), given)


def test_software_without_an_api_needs_no_port() -> None:
    silent = replace(SOFTWARE, has_api=False)
    wire = rendered(a_spec("x"), RenderInput(7, "rig", silent, ADDRESSES))
    assert (wire.script, wire.has_api) == ("x\n", False)


def test_software_that_is_not_there_or_has_no_download_is_an_error() -> None:
    for software in (
        None,
        replace(SOFTWARE, linux=None),
        replace(SOFTWARE, linux=Download()),
    ):
        assert "software_id" in errors_of(a_spec(), RenderInput(7, "rig", software, ADDRESSES))


def test_two_coins_need_software_for_two() -> None:
    single = RenderInput(7, "rig", replace(SOFTWARE, algorithms=1), ADDRESSES)
    assert "works" in errors_of(a_spec(works=[WorkSpec(), WorkSpec()]), single)


def test_only_software_and_script_make_a_restart() -> None:
    before = rendered(a_spec(), GIVEN)
    assert not needs_restart(before, rendered(a_spec(name="Other"), GIVEN, revision=5, paused=True))
    assert needs_restart(before, rendered(a_spec("y {api_port}"), GIVEN))


@pytest.mark.parametrize(
    ("os", "platform"),
    [
        (None, Platform.LINUX),
        ("Debian 12", Platform.LINUX),
        ("Windows 11", Platform.WINDOWS),
        ("darwin", Platform.LINUX),
    ],
    ids=["unknown", "debian", "windows", "other"],
)
def test_a_rig_runs_linux_unless_it_says_windows(os: str | None, platform: Platform) -> None:
    assert platform_of(os) is platform


def test_sixteen_programs_are_shipped() -> None:
    assert len(CATALOGUE) == 16
    assert len({about.software for about in CATALOGUE.values()}) == 16


@pytest.mark.parametrize("platform", ["linux", "windows"])
@pytest.mark.parametrize("key", CATALOGUE)
def test_every_shipped_script_renders_with_one_pool_and_one_wallet(key: str, platform: str) -> None:
    about = CATALOGUE[key]
    download = about.download(Platform(platform))
    assert download
    side: dict[str, Any] = {platform: replace(download, url="https://x.example/y")}
    given = replace(about, **side)
    spec = a_spec(download.script, platform=Platform(platform))
    wire = rendered(spec, RenderInput(7, "rig-07", given, ADDRESSES))
    assert "44AFFq5kSi" in wire.script
    assert "{api_port}" in wire.script
    assert own_variables(download.script) == []
    assert ("127.0.0.1" in download.script) != (key in NO_BINDING)
    assert key not in NO_BINDING or "127.0.0.1 only" in about.note


@pytest.mark.parametrize("key", CATALOGUE)
def test_every_shipped_entry_would_be_taken_from_a_person(key: str) -> None:
    about = CATALOGUE[key]
    without_address = [each for each in (about.linux, about.windows) if each and not each.url]
    assert not without_address or "fill in" in about.note
    given = replace(about, linux=with_address(about.linux), windows=with_address(about.windows))
    assert checked_software(given) == given


def with_address(download: Download | None) -> Download | None:
    return download and replace(download, url=download.url or "https://x.example/y")


@pytest.mark.parametrize("key", CATALOGUE)
def test_notes_name_only_placeholders_that_there_are(key: str) -> None:
    assert set(names_in(CATALOGUE[key].note)) <= set(KNOWN) - {API_PORT_NAME}


BAD_DOWNLOADS = [
    ("url", "ftp://x.example/a"),
    ("url", "https://user:secret@x.example/a"),
    ("url", "https://x.example/a b"),
    ("url", "https:///a"),
    ("url", "x"),
    ("sha256", "abc"),
    ("sha256", "zz" * 32),
    ("executable", "../miner"),
    ("executable", "/bin/sh"),
    ("executable", "a/../../b"),
    ("executable", "a\\b"),
    ("executable", "a;b"),
    ("executable", ""),
    ("script", ""),
    ("script", "a\0b"),
    ("script", "x" * 40_000),
    ("archive", Archive.UNKNOWN),
]


@pytest.mark.parametrize(
    ("field", "value"), BAD_DOWNLOADS, ids=[f"{field}-{at}" for at, (field, _) in enumerate(BAD_DOWNLOADS)]
)
def test_a_bad_download_is_refused_beside_its_field(field: str, value: Any) -> None:
    wrong: dict[str, Any] = {field: value}
    download = replace(DOWNLOAD, **wrong)
    with pytest.raises(BadSoftware) as refused:
        checked_software(replace(SOFTWARE, linux=download))
    assert list(refused.value.fields) == [f"linux.{field}"]


def test_plain_http_needs_a_hash() -> None:
    plain = replace(DOWNLOAD, url="http://x.example/a")
    with pytest.raises(BadSoftware) as refused:
        checked_software(replace(SOFTWARE, linux=plain))
    assert list(refused.value.fields) == ["linux.sha256"]
    hashed = replace(plain, sha256="AB" * 32)
    kept = checked_software(replace(SOFTWARE, linux=hashed)).linux
    assert kept
    assert kept.sha256 == "ab" * 32
