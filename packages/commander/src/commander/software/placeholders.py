"""Placeholders of a script template, and the finished script.

`{name}` with small letters, digits and _ is a placeholder; `{{name}}` is the text {name}. Every other brace is the
script's own: `${HOME}`, `{ …; }`, JSON. `{api_port}` and `{api_token}` stay: only the sentry knows them.
"""

import re
from collections.abc import Mapping

from protocol.playbook_messages import API_PORT, API_TOKEN, Platform

from commander.software.quoting import CantQuote, quoted_bat, quoted_sh

_PLACEHOLDER = re.compile(r"\{\{(?P<text>[a-z][a-z0-9_]*)\}\}|\{(?P<name>[a-z][a-z0-9_]*)\}")
API_PORT_NAME = API_PORT.strip("{}")
_OF_THE_SENTRY = {API_PORT_NAME: API_PORT, API_TOKEN.strip("{}"): API_TOKEN}
BUILT_IN = {
    "pool": "the pool's address as it stands in its template",
    "pool_host": "its host alone",
    "pool_port": "its port alone",
    "pool_hostport": "host:port, without a scheme",
    "pool_url": "with a scheme in any case: stratum+tcp:// where the template has none",
    "pool_tls": "on or off: whether its scheme says TLS",
    "pool_ssl": "1 or 0, likewise",
    "pool_use_tls": "true or false, likewise",
    "wallet": "the wallet's address",
    "coin": "the coin",
    "algorithm": "the algorithm, for example rx/0 (XMRig), KASPA (lolMiner)",
    "password": "the pool password",
}
SECOND = {f"pool2{name[4:]}" if name.startswith("pool") else f"{name}2": text for name, text in BUILT_IN.items()}
OF_THE_RIG = {
    "worker": "the rig's name",
    "rig_id": "the rig's number in the commander",
    "executable": "the program's path in the folder that the script runs in",
    API_PORT_NAME: "the port of the software's API on 127.0.0.1; the sentry chooses it",
    API_TOKEN.strip(
        "{}"
    ): "a secret for the software's API; the sentry makes it: --http-access-token={api_token} (XMRig)",
}
_ASKED = {
    "pool": "Choose a pool",
    "wallet": "Choose a wallet",
    "coin": "Enter a coin",
    "algorithm": "Enter an algorithm",
    "password": "Enter a pool password",
}
KNOWN = OF_THE_RIG | BUILT_IN | SECOND


class BadScript(Exception):
    """Placeholders can't be filled in; `wrong` has the reasons by their names."""

    def __init__(self, wrong: dict[str, str]) -> None:
        super().__init__(" ".join(wrong.values()))
        self.wrong = wrong


def names_in(script: str) -> list[str]:
    """The placeholders of a script in their order, each once."""
    return list(dict.fromkeys(match["name"] for match in _PLACEHOLDER.finditer(script) if match["name"]))


def own_variables(script: str) -> list[str]:
    """Returns the placeholders that are the script's own."""
    return [name for name in names_in(script) if name not in KNOWN]


def fill(script: str, values: Mapping[str, str], platform: Platform) -> str:
    """The script with its values, for /bin/sh or as .bat. Raises `BadScript` for every placeholder that can't be."""
    quoted = quoted_bat if platform is Platform.WINDOWS else quoted_sh
    parts: list[str] = []
    wrong: dict[str, str] = {}
    end = 0
    for match in _PLACEHOLDER.finditer(script):
        parts.append(script[end : match.start()])
        end = match.end()
        name = match["name"]
        if name is None:
            parts.append(_literal(match["text"], wrong))
        elif name in _OF_THE_SENTRY:
            parts.append(_OF_THE_SENTRY[name])
        elif not values.get(name):
            wrong[name] = _without_value(name)
        else:
            try:
                parts.append(quoted(values[name], script[: match.start()]))
            except CantQuote as error:
                wrong[name] = f"{{{name}}} can't be filled in: {error}."
    if wrong:
        raise BadScript(wrong)
    return "".join([*parts, script[end:]])


def _without_value(name: str) -> str:
    """Returns the error for an empty value: "Enter an algorithm: the script uses {algorithm}."."""
    if name in OF_THE_RIG:
        return f"{{{name}}} has no value here: take it out of the script."
    if name in KNOWN:
        request = _ASKED["pool" if name.startswith("pool") else name.removesuffix("2")]
        request = re.sub(" an? ", " a second ", request) if name in SECOND else request
        return f"{request}: the script uses {{{name}}}."
    return f"Enter a value for {{{name}}}, or correct the script: {{{name}}} is not a known placeholder."


def _literal(name: str, wrong: dict[str, str]) -> str:
    if name in _OF_THE_SENTRY:
        wrong[name] = f"{{{{{name}}}}} can't be kept: the sentry fills it in there too."
    return f"{{{name}}}"
