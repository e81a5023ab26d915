"""The end of an answer, however the network cuts it into pieces."""

import pytest
from asic_sentry.failures import BadReply, FailureKind
from asic_sentry.framing import LIMIT_BYTES, Framing, after_length, http_body, until_nul
from hypothesis import given
from hypothesis import strategies as st

OK = b"HTTP/1.1 200 OK\r\nServer: x\r\n"
WHOLE = [
    (until_nul, b'{"a":1}\0', b'{"a":1}\0', False),
    (until_nul, b'{"a":1}', b'{"a":1}', True),
    (after_length, b"\x07\0\0\0" + b'{"a":1}', b'{"a":1}', False),
    (http_body, OK + b"content-length:  7\r\n\r\n" + b'{"a":1}', b'{"a":1}', False),
    (
        http_body,
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b'3;x=1\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n',
        b'{"a":1}',
        False,
    ),
    (http_body, OK + b"\r\n" + b'{"a":1}', b'{"a":1}', True),
]


@pytest.mark.parametrize(("framing", "sent", "answer", "ends"), WHOLE)
@given(data=st.data())
def test_an_answer_is_whole_at_its_last_byte(
    framing: Framing, sent: bytes, answer: bytes, ends: bool, data: st.DataObject
) -> None:
    part = sent[: data.draw(st.integers(0, len(sent) - 1))]
    tail = b"\r\n0\r\n\r\n" if b"chunked" in sent else b""
    if not (tail and len(part) > len(sent) - 4):
        assert framing(part, False) is None
    assert framing(sent, ends) == answer


@pytest.mark.parametrize(
    ("framing", "sent"),
    [
        (after_length, b"\xff\xff\xff\x7f"),
        (after_length, b"\x07\0\0\0{"),
        (after_length, b""),
        (http_body, b"SSH-2.0-OpenSSH"),
        (http_body, b"HTTP/1.1 what"),
        (http_body, OK + b"X: " + b"x" * 16_384 + b"\r\n\r\n"),
        (http_body, OK + b"Content-Length: 99999999\r\n\r\n"),
        (http_body, OK + b"Content-Length: 9\r\n\r\n{"),
        (http_body, OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        (http_body, OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"),
        (http_body, OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nab"),
        (http_body, OK + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\nab"),
    ],
)
def test_what_can_not_become_an_answer_is_refused(framing: Framing, sent: bytes) -> None:
    with pytest.raises(BadReply) as refused:
        framing(sent, True)
    assert refused.value.kind is FailureKind.BAD_RESPONSE


@pytest.mark.parametrize("end", [b"", b"\r\n", b"\r\n\r\n", b"\r\n\r\n{}"])
@pytest.mark.parametrize("ends", [False, True])
def test_headers_that_are_too_long_are_called_so_wherever_they_end(end: bytes, ends: bool) -> None:
    with pytest.raises(BadReply, match=r"^The answer's headers are larger than 16384 bytes\.$"):
        http_body(OK + b"X: " + b"x" * 16_384 + end, ends)


def test_an_unknown_path_is_not_this_dialect() -> None:
    with pytest.raises(BadReply) as refused:
        http_body(b"HTTP/1.1 404 Not Found\r\n\r\n", False)
    assert refused.value.kind is FailureKind.BAD_RESPONSE


def test_a_status_that_refuses_is_the_devices_no() -> None:
    with pytest.raises(BadReply) as refused:
        http_body(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", False)
    assert (refused.value.kind, str(refused.value)) == (FailureKind.ERROR_STATUS, "HTTP 401 Unauthorized")


@given(st.sampled_from([until_nul, after_length, http_body]), st.binary(max_size=200), st.booleans())
def test_random_bytes_give_bytes_or_the_one_error(framing: Framing, received: bytes, ended: bool) -> None:
    try:
        answer = framing(received, ended)
    except BadReply:
        return
    assert answer is None or isinstance(answer, bytes)
    assert len(answer or b"") <= LIMIT_BYTES


def test_a_status_of_any_length_leaves_room_for_what_to_do() -> None:
    with pytest.raises(BadReply) as refused:
        http_body(b"HTTP/1.1 401 " + b"x" * 5000 + b"\r\n\r\n", True)
    assert str(refused.value) == f"HTTP 401 {'x' * 64}"
