"""Keccak-256 as Ethereum and Monero use it: SHA-3 before its padding was changed, which is why hashlib lacks it.

For checksums only: nothing secret goes through here, and a few kilobytes a day. The permutation is that of FIPS 202,
and the tests hold it against hashlib's SHA3-256.
"""

RATE_BYTES = 136
SHA3_PADDING = 0x06
KECCAK_PADDING = 0x01
_MASK = (1 << 64) - 1


def keccak256(data: bytes, *, padding: int = KECCAK_PADDING) -> bytes:
    padded = bytearray(data) + bytes([padding]) + bytes(-(len(data) + 1) % RATE_BYTES)
    padded[-1] |= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), RATE_BYTES):
        for lane in range(RATE_BYTES // 8):
            lanes[lane] ^= int.from_bytes(padded[start + 8 * lane : start + 8 * lane + 8], "little")
        lanes = _permuted(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _permuted(lanes: list[int]) -> list[int]:
    register = 1
    for _ in range(24):
        lanes = _mixed(lanes)
        for bit in range(7):  # iota: the round's constant comes out of a shift register
            register = ((register << 1) ^ ((register >> 7) * 0x71)) & 0xFF
            if register & 2:
                lanes[0] ^= 1 << ((1 << bit) - 1)
    return lanes


def _mixed(lanes: list[int]) -> list[int]:
    """Theta, rho, pi and chi; lane (x, y) is at x + 5 y."""
    columns = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
    parity = [columns[(x - 1) % 5] ^ _turned(columns[(x + 1) % 5], 1) for x in range(5)]
    lanes = [lane ^ parity[at % 5] for at, lane in enumerate(lanes)]
    x, y, moving = 1, 0, lanes[1]
    for turn in range(1, 25):
        x, y = y, (2 * x + 3 * y) % 5
        moving, lanes[x + 5 * y] = lanes[x + 5 * y], _turned(moving, turn * (turn + 1) // 2)
    rows = (lanes[start : start + 5] for start in range(0, 25, 5))
    return [row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]) for row in rows for x in range(5)]


def _turned(lane: int, bits: int) -> int:
    bits %= 64
    return ((lane << bits) | (lane >> (64 - bits))) & _MASK
