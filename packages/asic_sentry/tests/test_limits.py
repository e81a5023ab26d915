"""Running out of file descriptors is our own failure, told as such; and the limit is raised before it happens."""

import asyncio
import sys

import pytest
from fake_asics import make_asics, running

if sys.platform == "win32":
    pytest.skip("Windows has no limit of file descriptors", allow_module_level=True)

# A process of its own, so that the limit is its alone; the fake ASICs listen in this one.
PROGRAM = """
import asyncio, collections, resource, sys
raised, addresses = sys.argv[1] == "raised", sys.argv[2:]
from asic_sentry.limits import raise_open_files
from asic_sentry.poll import Identity, Sample, poll
from protocol.asic_messages import AsicSpecs

async def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    fit = raise_open_files() if raised else 0
    identities = [Identity(ip=ip, port=20_080, dialect="iceriver", specs=AsicSpecs()) for ip in addresses]
    async with asyncio.TaskGroup() as group:
        polls = [group.create_task(poll(each)) for each in identities for _ in range(3)]
    kinds = collections.Counter("sample" if isinstance(p.result(), Sample) else str(p.result().kind) for p in polls)
    assert all(p.result().log.hashrate_hs for p in polls if isinstance(p.result(), Sample))
    print(kinds["sample"], kinds["local_limit"], len(polls), fit)

asyncio.run(main())
"""


async def outcome(network: str, raised: str) -> list[int]:
    """Samples, failures of our own, polls, and how many connections fit."""
    async with running(make_asics(20, network, ["iceriver"], port_base=20_000), latency_s=0.3) as farm:
        command = [sys.executable, "-c", PROGRAM, raised, *(asic.ip for asic in farm.asics)]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        out, _ = await asyncio.wait_for(process.communicate(), 120)
    return [int(each) for each in out.split()]


async def test_without_descriptors_a_poll_is_local_limit_and_never_a_sample(network: str) -> None:
    samples, limited, polls, _ = await outcome(network, "as it is")
    assert limited > 0
    assert samples > 0
    assert samples + limited == polls


async def test_with_the_limit_raised_all_are_polled(network: str) -> None:
    samples, limited, polls, fit = await outcome(network, "raised")
    assert (samples, limited) == (polls, 0)
    assert fit > 200
