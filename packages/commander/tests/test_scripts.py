"""Placeholders and quoting: what a program gets is exactly the value, or the value is refused."""

import subprocess

import pytest
from commander.software.placeholders import BUILT_IN, KNOWN, BadScript, fill, names_in, own_variables
from commander.software.quoting import CantQuote, quoted_bat, quoted_sh
from hypothesis import given, settings
from hypothesis import strategies as some
from protocol.playbook_messages import Platform

LINUX, WINDOWS = Platform.LINUX, Platform.WINDOWS
NASTY = some.one_of(
    some.text(max_size=40),
    some.text(alphabet=" '\"\\$`;&|<>(){}[]*?#!~=%^\n\t-aé", max_size=20),
    some.sampled_from(
        ["; rm -rf /", "$(id)", "`id`", "' ; id ; '", '"; id; "', "\\", "$HOME", "!!", "-n", "%s", "a b"]
    ),
)


def arguments_of(script: str) -> list[str]:
    """Returns the arguments that /bin/sh gives to the program."""
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, timeout=120, check=True)
    return done.stdout.decode("utf-8", "surrogateescape").split("\n")[:-1]


CONTEXTS = [
    "printf '%s\\n' {value}",
    "printf '%s\\n' \"{value}\"",
    "printf '%s\\n' '{value}'",
    "# it's a comment\nprintf '%s\\n' {value}",
    'x="a # b"\nprintf \'%s\\n\' {value}  # it\'s "quoted"',
    "printf '%s\\n' \\\n  {value}",
    "true \\\n# it's\n\nprintf '%s\\n' {value}",
    '[ "$(echo "a")" ] && printf \'%s\\n\' {value}',
    "printf '%s\\n' $(printf %s {value})",
    "y='\n' ; printf '%s\\n' {value}",
]


@settings(max_examples=60, deadline=None)
@given(value=NASTY, context=some.sampled_from(CONTEXTS[:3]))
def test_a_shell_gives_the_program_the_value_as_one_argument_or_it_is_refused(value: str, context: str) -> None:
    try:
        script = fill(context, {"value": value}, LINUX)
    except BadScript:
        return
    assert arguments_of(script) == [value]


@pytest.mark.parametrize("context", CONTEXTS, ids=range(len(CONTEXTS)))
@pytest.mark.parametrize(
    "value", ["plain-1.0/x:y@z,%+=_", "two words", "$(echo injected)", "a'b", '"; echo injected; "']
)
def test_in_every_place_of_a_script_a_value_is_itself_or_refused(context: str, value: str) -> None:
    try:
        script = fill(context, {"value": value}, LINUX)
    except BadScript:
        assert value != "plain-1.0/x:y@z,%+=_", "a plain value can stand anywhere"
        return
    got = arguments_of(script)
    assert got in ([value], value.split()), script  # an unquoted $(…) splits what it prints, as shells do
    assert "injected" not in got


@pytest.mark.parametrize(
    "script",
    [
        'echo "{value}"',
        "cat <<E\n{value}\nE",
        "echo `{value}`",
        "echo $(( {value} ))",
        "eval {value}",
        "sh -c {value}",
        "exec /bin/bash -e -c {value}",
        "sh \\\n -c {value}",
        "'bash' -c {value}",
        "sudo -u miner sh -lc {value}",
        "su miner -c {value}",
        "su --command={value} miner",
        "runuser -u miner -c {value}",
        "script -q -c {value} log",
        "flock lock -c {value}",
        "screen -S miner -X stuff {value}",
        "\\trap {value} EXIT",
        "trap {value} EXIT",
        "alias run={value}",
        "ssh rig {value}",
        "tmux new-session -d {value}",
        "printf x | xargs sh -ec {value}",
        "env -S {value}",
        "# {value}",
        'echo "$(echo "{value}")"',
        "echo \\{value}",
    ],
)
def test_where_quotes_mean_something_else_only_plain_values_are_taken(script: str) -> None:
    assert fill(script, {"value": "plain"}, LINUX) == script.replace("{value}", "plain")
    with pytest.raises(BadScript, match="has to be quoted"):
        fill(script, {"value": "two words"}, LINUX)


@pytest.mark.parametrize(
    "script",
    [
        "./mine.sh -c {value}",
        "./watchdog --trap {value}",
        "miner --ssh-c -u {value}",
        "screen -dmS mine ./miner -u {value}",
    ],
)
def test_names_that_only_look_like_such_a_command_take_every_value(script: str) -> None:
    assert fill(script, {"value": "two words"}, LINUX).endswith("'two words'")


def test_a_dollar_before_a_placeholder_is_a_mistake() -> None:
    with pytest.raises(BadScript, match=r"write \$\{\{name\}\}"):
        fill("echo ${wallet}", {"wallet": "abc"}, LINUX)
    assert fill("echo ${{wallet}} ${HOME} {a,b} {{print $1}} { echo; }", {}, LINUX) == (
        "echo ${wallet} ${HOME} {a,b} {{print $1}} { echo; }"
    )


def test_the_api_port_stays_for_the_sentry() -> None:
    assert fill("x {api_port}", {}, LINUX) == "x {api_port}"
    with pytest.raises(BadScript, match="the sentry fills it in there too"):
        fill("x {{api_port}}", {}, LINUX)


def test_unknown_and_empty_placeholders_are_named_all_at_once() -> None:
    with pytest.raises(BadScript) as refused:
        fill("{pool} {mine} {wallet}", {"pool": "a:1", "wallet": ""}, LINUX)
    assert list(refused.value.wrong) == ["mine", "wallet"]
    assert names_in("{b} {a} {b} {{c}} {D}") == ["b", "a"]
    assert own_variables("{pool} {mine} {api_port}") == ["mine"]


BAT = [
    ("{value}", "plain-1.0", "plain-1.0"),
    ("{value}", "two words", '"two words"'),
    ('"{value}"', "two words", '"two words"'),
    ("{value}", "c=BTC,mc=x", '"c=BTC,mc=x"'),
    ("{value}", "dir\\miner.exe", "dir\\miner.exe"),
    ("{value}", "a'b (c)", '"a\'b (c)"'),
]


@pytest.mark.parametrize(("script", "value", "line"), BAT, ids=range(len(BAT)))
def test_a_batch_file_quotes_with_double_quotes(script: str, value: str, line: str) -> None:
    assert fill(script, {"value": value}, WINDOWS) == line


@pytest.mark.parametrize("value", [*'%^&|<>"!', "a\nb", "é", "dir\\", "x" * 300])
@pytest.mark.parametrize("place", ["{value}", '"{value}"'], ids=["bare", "quoted"])
def test_what_a_batch_file_can_t_quote_is_refused(value: str, place: str) -> None:
    with pytest.raises(BadScript):
        fill(place, {"value": value}, WINDOWS)


@settings(deadline=None)
@given(value=NASTY)
def test_what_stands_in_a_batch_file_can_t_leave_its_quotes(value: str) -> None:
    try:
        quoted = quoted_bat(value, "miner.exe -u ")
    except CantQuote:
        return
    inner = quoted[1:-1] if quoted.startswith('"') else quoted
    assert inner == value
    assert not set(inner) & set('%^&|<>"!\r\n')
    assert quoted.startswith('"') or not set(inner) & set(" \t,;=()'")


@pytest.mark.parametrize("value", ["a\nb", "a\0b", "\ud800", "a\u2028b", "x" * 257])
def test_what_no_script_can_hold_is_refused(value: str) -> None:
    for quoted in (quoted_sh, quoted_bat):
        with pytest.raises(CantQuote):
            quoted(value, "")


def test_the_list_of_placeholders_has_a_second_for_each_of_a_coin_s() -> None:
    assert {"pool2", "pool2_host", "wallet2", "coin2", "algorithm2", "password2", "worker", "executable"} <= set(KNOWN)
    assert len(KNOWN) == 2 * len(BUILT_IN) + 5  # and worker, rig_id, executable, api_port and api_token once
