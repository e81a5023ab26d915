"""A farm of rigs that are broken, each in another way, and one of rigs that are well."""

from datetime import UTC, datetime, timedelta

from .people_and_sentries import Farm, Rig, gpu_of, log_of

BROKEN = {
    "rig-hot": "Too hot: GPU 03:00 97 °C",
    "rig-idle": "Not mining",
    "rig-dead-miner": "Miner failed",
    "rig-lost-card": "GPU lost: 3 of 4",
    "rig-rejects": "33 % rejected",
    "rig-clock": "Wrong clock",
    "rig-two-sentries": "Two sentries",
}


def ago(log: dict[str, object], seconds: float) -> dict[str, object]:
    return log | {"taken_at": (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()}


def broken_rigs(farm: Farm) -> dict[str, Rig]:
    """Adds a rig for each trouble that a report can show. All were well two minutes ago."""
    rigs = {name: farm.add(name) for name in BROKEN}
    cards = [gpu_of(card) for card in range(4)]
    rigs["rig-lost-card"].tell_specs({"gpus": [{"pci_address": card["pci_address"]} for card in cards]})
    for name, rig in rigs.items():
        rig.send([ago(log_of(17_000), 120) | ({"gpus": cards} if name == "rig-lost-card" else {})])
    rigs["rig-hot"].report(gpus=[gpu_of(0) | {"temperature_c": 97.0}])
    rigs["rig-idle"].report(hashrate_hs=0.0)
    rigs["rig-dead-miner"].report(miners=[miner_of() | {"state": "failed", "algorithms": [], "devices": []}])
    rigs["rig-lost-card"].report(gpus=cards[:3])
    rigs["rig-rejects"].report(miners=[miner_of(accepted=200, rejected=100)])
    for run in ("one", "two", "one"):
        rigs["rig-two-sentries"].report(run=run)
    rigs["rig-clock"].refused(ago(log_of(1.0), -3600))
    return rigs


def miner_of(**shares: int) -> dict[str, object]:
    algorithm = {"algorithm": "rx/0", "coin": "Monero", "hashrate_hs": 17_000.0, **shares}
    return {"software": "xmrig", "version": "6.22.2", "state": "mining", "algorithms": [algorithm], "devices": []}
