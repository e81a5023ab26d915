"""Texts of sentries and devices, as pages show them."""

from commander.web.shell import templates


def test_characters_that_hide_or_turn_text_round_are_replaced_when_shown() -> None:
    template = templates.from_string("<td>{{ name }}</td><pre>{{ output }}</pre>")
    html = template.render(name="rig\u202e7\x00\x1b[2J<b>", output="two\nlines\tand\u00a0a space")
    assert html == "<td>rig\ufffd7\ufffd\ufffd[2J&lt;b&gt;</td><pre>two\nlines\tand\u00a0a space</pre>"
