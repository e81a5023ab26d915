"""The wallet guard: compares a miner's pool and wallet with those of its playbook. Unknown values are no alarm."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from protocol.playbook_messages import PlaybookWork, WalletEvidence
from protocol.pools import COMPARED_KEPT, is_shortened, same_pool

from commander.readings.traits import Account

_SEPARATORS = ".+/@:;,_"
_EVIDENCE = {
    WalletEvidence.ARGUMENTS: "Not reported by the software. The arguments of its process have the playbook's wallet.",
    WalletEvidence.SCRIPT: "Not reported by the software. The script that started it has the playbook's wallet.",
    WalletEvidence.NEITHER: "Not reported by the software, and found in neither its process nor its script.",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """A pool or wallet (`what`) that differs: the software reports `reported`, the playbook has `expected`.

    `reported` is None if the software reports no wallet and the sentry does not find it either.
    """

    what: str
    reported: str | None
    expected: str


def differences(
    works: Sequence[PlaybookWork], accounts: Sequence[Account], evidence: WalletEvidence | None = None
) -> list[Difference]:
    """Compares the accounts that a miner reports, and what its sentry finds, with the works of its playbook."""
    found: list[Difference] = []
    for account in accounts:
        found += _of_account(works, account)
    if evidence is WalletEvidence.NEITHER and not _has_wallet(accounts):
        found.append(Difference("wallet", None, " or ".join(work.user for work in works if work.user)))
    return list(dict.fromkeys(found))


def _has_wallet(accounts: Sequence[Account]) -> bool:
    return any(account.user for account in accounts)


def wallet_words(works: Sequence[PlaybookWork], accounts: Sequence[Account], evidence: WalletEvidence | None) -> str:
    """Returns what is known about the miner's wallet; empty if the playbook names none or nothing mines yet."""
    if not accounts or not any(work.user for work in works):
        return ""
    if _has_wallet(accounts):
        is_wrong = any(each.what == "wallet" for each in differences(works, accounts))
        return f"The software reports {'another' if is_wrong else 'the same'} wallet."
    return _EVIDENCE.get(evidence or WalletEvidence.UNKNOWN, "Not reported by the software.")


def _of_account(works: Sequence[PlaybookWork], account: Account) -> list[Difference]:
    pools = [work.pool for work in works if work.pool]
    users = [work.user for work in works if work.user]
    found = []
    if account.pool and pools and len(pools) == len(works) and not any(same_pool(account.pool, pool) for pool in pools):
        found.append(Difference("pool", account.pool, " or ".join(pools)))
    if account.user and users and len(users) == len(works) and not any(same_user(account.user, user) for user in users):
        found.append(Difference("wallet", account.user, " or ".join(users)))
    return found


@lru_cache(maxsize=COMPARED_KEPT)
def same_user(reported: str, expected: str) -> bool:
    """Returns whether both are one account. Software adds the worker, and leaves out prefixes such as "kaspa:"."""
    reported, expected = reported.strip().casefold(), expected.strip().casefold()
    if not reported or is_shortened(reported):
        return True
    forms = (expected, expected.rpartition(":")[2])
    return any(_begins_with(each, form) for form in forms for each in (reported, reported.partition(":")[2]))


def _begins_with(reported: str, account: str) -> bool:
    return reported == account or reported.startswith(tuple(account + mark for mark in _SEPARATORS))
