"""The checksums inside addresses. Each function returns an address's content, or raises `ValueError` in plain words."""

import hashlib
from collections.abc import Iterable

from commander.addresses.keccak import keccak256

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
WRONG_SUM = "its checksum does not fit: a character is wrong, missing or too many"
_BECH32_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CASH_GENERATOR = (0x98F2BC8E61, 0x79B76D99E2, 0xF33E5FB3C4, 0xAE2EABE2A8, 0x1E4F43E470)
_BECH32_CONSTANTS = {0: 1}  # witness version 0: bech32; all others: bech32m
_BECH32M = 0x2BC830A3
# Monero's base58 packs 8 bytes into 11 characters; how many characters the last, shorter block has.
_BLOCK_BYTES = {0: 0, 2: 1, 3: 2, 5: 3, 6: 4, 7: 5, 9: 6, 10: 7, 11: 8}


def base58(text: str) -> bytes:
    """Bitcoin's base58, with its leading ones as zero bytes."""
    number = _base58_number(text)
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def base58check(text: str) -> bytes:
    """Version and payload of an address that ends in four bytes of double SHA-256."""
    raw = base58(text)
    payload, checksum = raw[:-4], raw[-4:]
    if len(raw) < 5 or hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4] != checksum:
        raise ValueError(WRONG_SUM)
    return payload


def blake_checked(text: str) -> bytes:
    """Ergo's: base58 with four bytes of BLAKE2b-256."""
    raw = base58(text)
    payload, checksum = raw[:-4], raw[-4:]
    if len(raw) < 5 or hashlib.blake2b(payload, digest_size=32).digest()[:4] != checksum:
        raise ValueError(WRONG_SUM)
    return payload


def cryptonote(text: str) -> bytes:
    """Monero's: base58 in blocks, with four bytes of Keccak-256. Returns prefix and keys."""
    blocks = [text[start : start + 11] for start in range(0, len(text), 11)]
    sizes = [_BLOCK_BYTES.get(len(block)) for block in blocks]
    try:
        raw = b"".join(
            _base58_number(block).to_bytes(size or 0, "big") for block, size in zip(blocks, sizes, strict=True)
        )
    except OverflowError as error:
        raise ValueError(WRONG_SUM) from error
    if None in sizes or len(raw) < 5 or keccak256(raw[:-4])[:4] != raw[-4:]:
        raise ValueError(WRONG_SUM)
    return raw[:-4]


def segwit(prefix: str, text: str) -> bytes:
    """The program of a bech32 (version 0) or bech32m address (BIP 173, BIP 350)."""
    values = _bech32_values(prefix + "1", text)
    expanded = [ord(each) >> 5 for each in prefix] + [0] + [ord(each) & 31 for each in prefix]
    if len(values) < 8 or _bech32_sum(expanded + values) != _BECH32_CONSTANTS.get(values[0], _BECH32M):
        raise ValueError(WRONG_SUM)
    program = _bytes_of(values[1:-6])
    if not 2 <= len(program) <= 40 or (values[0] == 0 and len(program) not in (20, 32)) or values[0] > 16:
        raise ValueError("it has a wrong length")
    return program


def cash(prefix: str, text: str, alphabet: str = BECH32) -> bytes:
    """Version and payload of a CashAddr-like address; `text` may stand without its prefix."""
    values = _bech32_values(prefix + ":", text if ":" in text else f"{prefix}:{text}", alphabet)
    if len(values) < 9 or _cash_sum([ord(each) & 31 for each in prefix] + [0] + values):
        raise ValueError(WRONG_SUM)
    return _bytes_of(values[:-8])


def eip55(text: str) -> None:
    """Ethereum's: the case of the letters is a checksum; without any capital, or only with them, there is none."""
    digits = text.removeprefix("0x")
    if digits in (digits.lower(), digits.upper()):
        return
    marks = keccak256(digits.lower().encode()).hex()
    if any(each.isalpha() and each.isupper() != (mark >= "8") for each, mark in zip(digits, marks, strict=False)):
        raise ValueError("its capital letters are a checksum, which does not fit: a character is wrong")


def _base58_number(text: str) -> int:
    number = 0
    for each in text:
        if each not in BASE58:
            raise ValueError(f"it can't hold the character “{each}”")
        number = number * 58 + BASE58.index(each)
    return number


def _bech32_values(start: str, text: str, alphabet: str = BECH32) -> list[int]:
    if text not in (text.lower(), text.upper()):
        raise ValueError("it must not mix small letters and capitals")
    lower = text.lower()
    if not lower.startswith(start):
        raise ValueError(f"it begins with {start}")
    for each in lower[len(start) :]:
        if each not in alphabet:
            raise ValueError(f"it can't hold the character “{each}”")
    return [alphabet.index(each) for each in lower[len(start) :]]


def _bech32_sum(values: Iterable[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_BECH32_GENERATOR):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum


def _cash_sum(values: Iterable[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 35
        checksum = (checksum & 0x07FFFFFFFF) << 5 ^ value
        for bit, generator in enumerate(_CASH_GENERATOR):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum ^ 1


def _bytes_of(values: list[int]) -> bytes:
    """Groups of five bits as bytes; what is left over must be zero."""
    number = 0
    for value in values:
        number = number << 5 | value
    spare = len(values) * 5 % 8
    if spare >= 5 or number & ((1 << spare) - 1):
        raise ValueError(WRONG_SUM)
    return (number >> spare).to_bytes(len(values) * 5 // 8, "big")
