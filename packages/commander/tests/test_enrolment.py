"""The card with a new token: install, connect, start, and the steps that the sentry has done."""

import re
from pathlib import Path

import httpx
import pytest
from commander.rig_pages.live_views import RigView
from commander.rigs.enrolment import linux_install
from commander_farm import Farm, a_log, post_form
from live_farm import LiveFarm, Screen

NOTHING_YET = ["Not installed yet", "Not connected yet", "No report yet"]
README = Path(__file__).parents[3] / "README.md"


def ticks_in(html: str) -> list[str]:
    start = html.index('id="enrol-ticks"')
    return re.findall(r'<span class="state [a-z]+">([^<]*)<', html[start : html.index("</ul>", start)])


@pytest.mark.parametrize(
    ("path", "program", "package"),
    [("/cpu-gpu", "cpu-gpu-sentry", "cpu_gpu_sentry"), ("/asics", "asic-sentry", "asic_sentry")],
)
async def test_the_card_says_how_to_install_connect_and_start(
    person: httpx.AsyncClient, path: str, program: str, package: str
) -> None:
    html = (await post_form(person, path, name="rig-07")).text
    for command in (
        "python3 -m venv ~/minewarden-sentry",
        f"~/minewarden-sentry/bin/pip install ./packages/protocol ./packages/sentry_kit ./packages/{package}",
        f"{program} run",
        f"{program}.exe run",
    ):
        assert re.search(rf"(>|\n){re.escape(command)}(<|\n)", html), command
    script = "cpu-gpu" if path == "/cpu-gpu" else "asic"
    assert re.search(
        rf'id="enrol-line-linux"[^>]*>curl -fsS http\S+/install/{script}\.sh \| sudo sh -s -- mw_\w+', html
    )
    for tab in ("tab-linux", "tab-windows", "tab-page"):
        assert f'type="radio" name="enrol-tab" id="{tab}"' in html, "tabs need no script"
        assert f'id="{tab}-steps"' in html


@pytest.mark.parametrize("package", ["cpu_gpu_sentry", "asic_sentry"])
def test_the_readme_and_the_card_install_alike(package: str) -> None:
    text = README.read_text(encoding="utf-8")
    for line in linux_install(package).splitlines()[1:]:
        assert f"    {line}\n" in text


def test_a_connection_is_ticked_before_the_first_report() -> None:
    farm = LiveFarm()
    farm.add("rig-07")
    screen = Screen(farm, RigView(farm.views, 1))
    farm.index.set_connected(1)
    assert ticks_in(screen.step()) == ["Installed ✓", "Connected ✓", "No report yet"]
    farm.report(1)
    assert ticks_in(screen.step()) == ["Installed ✓", "Connected ✓", "First report ✓"]


async def test_a_new_token_unticks_what_the_old_one_did(person: httpx.AsyncClient, farm: Farm) -> None:
    rig = await farm.add("rig-07")
    await farm.report(rig, a_log())
    html = (await post_form(person, f"/cpu-gpu/{rig.id}/token")).text
    assert 'id="enrol-again"' in html
    assert ticks_in(html) == NOTHING_YET
