"""Calls with which a rig's sentry reports something: its token names the rig, and the answer is empty.

Their bodies are charged to a budget of the rig, as large as that of its logs.
"""

from collections.abc import AsyncGenerator
from typing import TypeVar

from litestar import Request, post, put
from litestar.di import NamedDependency, Provide
from litestar.openapi.spec import Operation

from commander.accounts.auth import OPEN
from commander.registry.budgets import Cost, RigBudgets
from commander.registry.tokens import Tokens, credentials_of
from commander.web.api_docs import BEARER, problems

Method = TypeVar("Method", post, put)


async def reporting_rig(
    request: Request,  # type: ignore[type-arg]
    tokens: NamedDependency[Tokens],
    report_budgets: NamedDependency[RigBudgets],
) -> AsyncGenerator[int, None]:
    """Yields the id of the CPU/GPU rig whose token the request has, and charges it while the report is stored.

    Raises `InvalidToken`, `WrongKey`, `RigRemoved` or `OverBudget`.
    """
    rig_id = await tokens.rig_of(credentials_of(request.scope))
    report_budgets.check(rig_id)
    with report_budgets.charged(rig_id, Cost(logs=0, size_bytes=len(await request.body()))):
        yield rig_id


def report(method: type[Method], path: str, operation_class: type[Operation] = Operation) -> Method:
    """Returns the decorator of a handler that takes a report. The handler gets `rig_id`, the rig that reports."""
    return method(
        path,
        opt={OPEN: True},
        status_code=204,
        dependencies={"rig_id": Provide(reporting_rig)},
        responses=problems(400, 401, 410, 413, 415, 422, 429),
        operation_class=operation_class,
        tags=["sentries"],
        security=BEARER,
    )
