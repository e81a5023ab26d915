"""Tokens: what they say, and what they keep to themselves."""

import pytest
from protocol.tokens import BadToken, TokenKind, hash_of, new_token, parse_token

PIN = "ab" * 32


@pytest.mark.parametrize("kind", list(TokenKind))
@pytest.mark.parametrize("pin", [None, PIN])
def test_a_token_reads_as_it_was_written(kind: TokenKind, pin: str | None) -> None:
    token = new_token(kind, pin=pin)
    assert parse_token(f"  {token}\n") == token
    assert str(token).startswith(f"mw_{kind}_")


def test_no_two_tokens_are_the_same() -> None:
    assert len({str(new_token(TokenKind.RIG, pin=None)) for _ in range(100)}) == 100


def test_the_hash_tells_kinds_apart_and_not_pins() -> None:
    token = new_token(TokenKind.RIG, pin=None)
    pinned = parse_token(f"{token}_{PIN}")
    other_kind = parse_token(str(token).replace("rig", "asic"))
    assert token.hash() == pinned.hash() != other_kind.hash()


def test_the_short_way_to_a_hash_leads_to_the_same_one() -> None:
    for kind in TokenKind:
        for pin in (None, PIN):
            token = new_token(kind, pin=pin)
            assert hash_of(str(token), kind) == token.hash()
            assert [hash_of(str(token), other) for other in TokenKind if other != kind] == [None, None, None]
    assert hash_of("mw_asic_", TokenKind.ASIC) is None


def test_a_token_in_a_log_is_masked() -> None:
    token = new_token(TokenKind.RIG, pin=PIN)
    assert token.secret[4:] not in repr(token)


@pytest.mark.parametrize("text", ["", "mw_rig_", "mw_gpu_" + "0" * 64, "mw_rig_" + "0" * 63, "mw_rig_" + "G" * 64])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(BadToken):
        parse_token(text)
