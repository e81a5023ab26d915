"""Reads from messages what people search rigs by, besides metrics."""

from collections.abc import Iterable
from sys import intern
from typing import NamedTuple

import msgspec
from protocol.asic_messages import AsicLog
from protocol.messages import CpuGpuLog, MinerReading

READINGS_SEARCHED = 64  # of a rig; one log can't fill the memory


class RigHardware(msgspec.Struct, frozen=True):
    """The hardware of a rig, from its specs.

    `cards` are the addresses of its GPUs. `texts` are all words by which people may search for it.
    """

    gpus: tuple[str, ...] = ()
    gpu_count: int = 0
    cards: tuple[str, ...] = ()
    drivers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    firmware: tuple[str, ...] = ()
    sentries: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()


NO_HARDWARE = RigHardware()


class Account(NamedTuple):
    """The pool, and the wallet or account there, that a miner reports for one algorithm."""

    pool: str | None
    user: str | None


class PlaybookMiner(NamedTuple):
    """The accounts of a miner that a playbook has started, for the wallet guard."""

    playbook_id: str
    accounts: tuple[Account, ...]


class Mining(msgspec.Struct, frozen=True, omit_defaults=True):
    """The searchable parts of a rig's newest log. `workers` are wallets and accounts, as miners report them."""

    ip: str | None = None
    software: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()
    of_playbooks: tuple[PlaybookMiner, ...] = ()


NO_MINING = Mining()


def mining_of_cpu_gpu(log: CpuGpuLog) -> Mining:
    readings = [each for miner in log.miners for each in miner.algorithms][:READINGS_SEARCHED]
    return Mining(
        ip=log.lan_ip,
        software=_distinct([miner.software for miner in log.miners]),
        pools=_distinct([each.pool for each in readings]),
        workers=_distinct([each.user for each in readings]),
        of_playbooks=tuple(
            [PlaybookMiner(each.playbook_id, accounts_of(each)) for each in log.miners if each.playbook_id]
        ),
    )


def accounts_of(miner: MinerReading) -> tuple[Account, ...]:
    return tuple([Account(each.pool, each.user) for each in miner.algorithms[:READINGS_SEARCHED]])


def mining_of_asic(log: AsicLog) -> Mining:
    return Mining(
        ip=log.lan_ip,
        pools=_distinct(pool.url for pool in log.pools),
        workers=_distinct(pool.user for pool in log.pools),
    )


class _Gpu(msgspec.Struct, gc=False):
    pci_address: str | None = None
    vendor: str | None = None
    name: str | None = None
    driver_version: str | None = None


class _Cpu(msgspec.Struct, gc=False):
    name: str | None = None


class _Motherboard(msgspec.Struct, gc=False):
    vendor: str | None = None
    name: str | None = None
    bios_version: str | None = None


class _Specs(msgspec.Struct, gc=False):
    """The specs of either kind of rig: what the other kind has stays None."""

    hostname: str | None = None
    cpu: _Cpu | None = None
    motherboard: _Motherboard | None = None
    gpus: list[_Gpu] = []
    sentry_version: str | None = None
    make: str | None = None
    model: str | None = None
    model_variant: str | None = None
    firmware_version: str | None = None
    software_version: str | None = None
    mac: str | None = None
    serial_number: str | None = None


_decoder = msgspec.json.Decoder(_Specs)


def hardware_of(specs: bytes | None) -> RigHardware:
    """Returns the hardware in the JSON of a rig's specs."""
    if specs is None:
        return NO_HARDWARE
    read = _decoder.decode(specs)
    board, cpu = read.motherboard or _Motherboard(), read.cpu or _Cpu()
    gpus = _distinct(_joined(gpu.vendor, gpu.name) for gpu in read.gpus)
    models = _distinct([_joined(read.make, read.model, read.model_variant), _joined(board.vendor, board.name)])
    return RigHardware(
        gpus=gpus,
        gpu_count=len(read.gpus),
        cards=_distinct(gpu.pci_address for gpu in read.gpus),
        drivers=_distinct(gpu.driver_version for gpu in read.gpus),
        models=models + _distinct([cpu.name]),
        firmware=_distinct([read.firmware_version, read.software_version, board.bios_version]),
        sentries=_distinct([read.sentry_version]),
        texts=gpus + models + _distinct([cpu.name, read.mac, read.serial_number, read.hostname]),
    )


def _joined(*words: str | None) -> str:
    return " ".join(filter(None, words))


def _distinct(texts: Iterable[str | None]) -> tuple[str, ...]:
    named = [intern(text) for text in texts if text]  # farms have many rigs of one model
    return tuple(named) if len(named) < 2 else tuple(dict.fromkeys(named))
