"""The common parts of both sentries: enrolment, trust, client, spool, local page, command line."""

import sys

# httpx imports its own command line where click and rich happen to be installed: 10 MB that no sentry uses. None in
# this place makes that import fail, which httpx provides for.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
