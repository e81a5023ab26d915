import pytest
from asic_sentry.coins import coin_of
from hypothesis import given
from hypothesis import strategies as st
from protocol.asic_messages import AsicPool, PoolState


def pool(url: str, user: str = "worker.1", state: PoolState | None = PoolState.CONNECTED) -> AsicPool:
    return AsicPool(url=url, user=user, state=state)


@pytest.mark.parametrize(
    ("algorithm", "url", "user", "coin"),
    [
        ("SHA-256", "stratum+tcp://btc.example:3333", "x", "Bitcoin"),
        ("SHA-256", "stratum+tcp://bch.viabtc.example:3333", "x", "Bitcoin Cash"),
        ("SHA-256", "stratum+tcp://viabtc.example:3333", "x", "usual"),
        ("SHA-256", "pool.example:3333", "bitcoincash:qq0", "Bitcoin Cash"),
        ("SHA-256", "ssl://pool.example:443/#xnsub", "ltc.worker", "usual"),
        ("Scrypt", "stratum+tcp://doge.pool.example:1", "x", "Dogecoin"),
        ("Scrypt", "stratum+tcp://ltcdoge.example:1", "x", "usual"),
        ("kHeavyHash", "stratum+tcp://pool.example:1", "kaspa:qq", "Kaspa"),
        ("X11", "btc.example:1", "x", "usual"),
        (None, "btc.example:1", "x", "usual"),
    ],
)
def test_the_pool_in_use_tells_the_coin(algorithm: str | None, url: str, user: str, coin: str) -> None:
    assert coin_of(algorithm, [pool(url, user)], "usual") == coin


def test_a_pool_that_is_not_in_use_tells_nothing() -> None:
    idle = pool("bch.example:1", state=PoolState.STANDBY)
    assert coin_of("SHA-256", [idle, pool("btc.example:1")], "usual") == "Bitcoin"
    assert coin_of("SHA-256", [idle], "Bitcoin") == "Bitcoin"
    assert coin_of("SHA-256", [], None) is None


@given(st.text(), st.text())
def test_no_text_breaks_it(url: str, user: str) -> None:
    assert coin_of("SHA-256", [pool(url, user)], "usual")
