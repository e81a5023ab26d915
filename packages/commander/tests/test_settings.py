"""Settings: from the environment and the file, and the errors of wrong ones."""

from pathlib import Path

import pytest
from commander.settings import BadSetting, load_settings


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "commander.toml").write_text('port = 9000\nreport_every_s = 5\npublic_url = "https://farm.example"\n')
    settings = load_settings({"COMMANDER_DATA_DIR": str(tmp_path), "COMMANDER_PORT": "9001", "HOME": "/root"})
    assert (settings.port, settings.report_every_s, settings.public_url) == (9001, 5, "https://farm.example")
    assert settings.database_url == f"sqlite:///{tmp_path / 'commander.db'}"


def test_an_empty_setting_is_none(tmp_path: Path) -> None:
    settings = load_settings({"COMMANDER_DATA_DIR": str(tmp_path), "COMMANDER_PASSWORD": "", "COMMANDER_PORT": ""})
    assert (settings.password, settings.port) == (None, 8443)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COMMANDER_PORT", "eighty"),
        ("COMMANDER_PORT", "70000"),
        ("COMMANDER_TLS", "maybe"),
        ("COMMANDER_TLS_CERT", "/nowhere.pem"),
        ("COMMANDER_PUBLIC_URL", "farm.example"),
        ("COMMANDER_DATABASE_URL", "mysql://farm"),
        ("COMMANDER_REPORT_EVERY_S", "0"),
        ("COMMANDER_STALE_AFTER_S", "5"),
        ("COMMANDER_OFFLINE_AFTER_S", "30"),
        ("COMMANDER_PASWORD", "misspelt"),
        ("COMMANDER_NATS_URL", "http://queue"),
        ("COMMANDER_NATS_PREFIX", "a.b"),
        ("COMMANDER_QUEUE_REPLICAS", "2"),
        ("COMMANDER_INGEST_HERE", "perhaps"),
        ("COMMANDER_INGEST_METRICS", "9464"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, name: str, value: str) -> None:
    more = {"COMMANDER_TLS": "files"} if name == "COMMANDER_TLS_CERT" else {}
    with pytest.raises(BadSetting, match=name):
        load_settings({"COMMANDER_DATA_DIR": str(tmp_path), **more, name: value})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('port = "eighty"', "port in {path} is not what was expected: a port number"),
        ("port = [8443]", "port in {path} is not"),
        ("host = 5", "host in {path} is not"),
        ("tls_cert = 5", "tls_cert in {path} is not"),
        ("password = 123456789012", "password in {path} is not"),
        ("ingest_here = 7", "ingest_here in {path} is not"),
        ("report_every_s = true", "report_every_s in {path} is not"),
        ("stale_after_s = nan", "stale_after_s in {path} is not"),
        ("minutes_kept_d = 1e9", "minutes_kept_d in {path} is not"),
        ('[tls]\ncert = "a.pem"', "tls in {path} is not what was expected: auto, files or off"),
        ("portt = 8443", "portt in {path} is not a setting"),
        ("COMMANDER_PORT = 8443", "COMMANDER_PORT in {path} is not a setting"),
        ('data_dir = "/elsewhere"', "data_dir in {path} can't name another folder"),
        ('tls = "off"', "tls in {path} is “off”"),
        ('nats_url = "nats://one:4222"', "nats_url in {path} is for several"),
    ],
)
def test_a_line_of_the_file_is_blamed_by_its_file_and_its_name_there(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "commander.toml"
    path.write_text(f"{line}\n")
    with pytest.raises(BadSetting) as caught:
        load_settings({"COMMANDER_DATA_DIR": str(tmp_path)})
    assert str(caught.value).startswith(said.format(path=path))


def test_what_the_environment_says_itself_is_blamed_by_its_variable(tmp_path: Path) -> None:
    (tmp_path / "commander.toml").write_text("port = 9000\n")
    with pytest.raises(BadSetting, match=r"^COMMANDER_PORT is not"):
        load_settings({"COMMANDER_DATA_DIR": str(tmp_path), "COMMANDER_PORT": "eighty"})


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "commander.toml").write_text("port = = 1")
    with pytest.raises(BadSetting, match=r"commander\.toml"):
        load_settings({"COMMANDER_DATA_DIR": str(tmp_path)})


def test_plain_http_is_refused_where_others_could_listen(tmp_path: Path) -> None:
    off = {"COMMANDER_DATA_DIR": str(tmp_path), "COMMANDER_TLS": "off"}
    with pytest.raises(BadSetting, match="COMMANDER_TRUSTED_PROXIES"):
        load_settings(off)
    assert load_settings(off | {"COMMANDER_HOST": "127.0.0.1"}).public_url == "http://127.0.0.1:8443"
    assert load_settings(off | {"COMMANDER_TRUSTED_PROXIES": "10.0.0.5"})


def test_a_queue_needs_a_database_that_several_can_share(tmp_path: Path) -> None:
    queue = {"COMMANDER_DATA_DIR": str(tmp_path), "COMMANDER_NATS_URL": "nats://one:4222,nats://two:4222"}
    with pytest.raises(BadSetting, match="PostgreSQL"):
        load_settings(queue)
    assert load_settings(queue | {"COMMANDER_DATABASE_URL": "postgresql://farm@database/farm"}).ingest_here


def test_the_password_is_in_no_log(tmp_path: Path) -> None:
    settings = load_settings({"COMMANDER_DATA_DIR": str(tmp_path), "COMMANDER_PASSWORD": "hunter22"})
    assert "hunter22" not in repr(settings)


@pytest.mark.parametrize(
    "text", ["*", "garbage", "0.0.0.0/0", "::/0", "10.0.0.0/7", "10.0.0.5, *", "proxy.example", "10.0.0.300"]
)
def test_a_proxy_that_is_no_address_or_nearly_every_address_is_refused(text: str) -> None:
    with pytest.raises(BadSetting, match=r"COMMANDER_TRUSTED_PROXIES is not what was expected: addresses or networks"):
        load_settings({"COMMANDER_TRUSTED_PROXIES": text})


@pytest.mark.parametrize("text", ["10.0.0.5", "10.0.0.5,10.77.0.0/24", " 2001:db8::5 , fd00::/8"])
def test_addresses_and_networks_of_proxies_are_taken(text: str) -> None:
    assert load_settings({"COMMANDER_TRUSTED_PROXIES": text}).trusted_proxies


@pytest.mark.parametrize("text", ["https://farm.lan", "a b", "farm.lan:8443", "*"])
def test_a_name_of_the_commander_is_a_name_alone(text: str) -> None:
    with pytest.raises(BadSetting, match="COMMANDER_HOSTS"):
        load_settings({"COMMANDER_HOSTS": text})
