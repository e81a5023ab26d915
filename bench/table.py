"""One line of the table for each thing that was measured, as soon as it was."""


def row(what: str, figure: str, remark: str = "") -> None:
    print(f"| {what:<52} | {figure:>22} | {remark:<44} |", flush=True)


def no_peer(reason: str) -> None:
    """Prints once for a part why its rows have neither a floor nor a peer."""
    row("  no floor, no peer", "-", reason)


def header() -> None:
    row("what", "figure", "")
    print(f"|{'-' * 54}|{'-' * 23}:|{'-' * 46}|", flush=True)
