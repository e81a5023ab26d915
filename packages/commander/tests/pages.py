"""Steps of tests on pages without script."""

import re

import httpx

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def post(person: httpx.AsyncClient, path: str, **fields: object) -> httpx.Response:
    return await person.post(path, data=fields, headers=FORM, follow_redirects=False)


async def page(person: httpx.AsyncClient, path: str) -> str:
    answer = await person.get(path)
    assert answer.status_code == 200, answer.text
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", answer.text), "inline script or style"
    return answer.text


def error_beside(html: str, name: str) -> str:
    """Returns the error beside the field of that name, which has to be marked."""
    field = re.search(rf'id="field-{re.escape(name)}"[^>]*aria-invalid="true"', html)
    assert field, f"{name} is not marked"
    found = re.search(rf'id="error-{re.escape(name)}">([^<]*)<', html)
    assert found
    return found[1]
