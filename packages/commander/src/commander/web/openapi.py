"""The OpenAPI document: Litestar's, with the schemas that msgspec enforces (Litestar leaves out `minimum: 0`)."""

from typing import Any

import msgspec
from litestar import Litestar, get
from litestar.di import NamedDependency
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from protocol.asic_messages import Adoption, AdoptionAnswer, AsicLog, AsicReceipt, AsicSpecs
from protocol.messages import CpuGpuLog, CpuGpuSpecs, LogReceipt, Problem, SentryWelcome
from protocol.playbook_messages import OutputReport, Playbooks, PlaybooksStatus

from commander import VERSION
from commander.web.api_docs import problems

OpenApiDocument = msgspec.Raw
REFERENCE = "#/components/schemas/{name}"
TRAVELLING = (
    *(CpuGpuLog, CpuGpuSpecs, LogReceipt, Problem, SentryWelcome),
    *(AsicLog, AsicSpecs, AsicReceipt, Adoption, AdoptionAnswer),
    *(OutputReport, Playbooks, PlaybooksStatus),
)


def openapi_config() -> OpenAPIConfig:
    bearer = SecurityScheme(type="http", scheme="bearer", description="An API key, or a sentry's token.")
    return OpenAPIConfig(
        title="Minewarden commander",
        version=VERSION,
        path="/schema/raw",
        render_plugins=(),
        components=Components(security_schemes={"bearer": bearer}),
    )


def write_document(site: Litestar) -> OpenApiDocument:
    document: dict[str, Any] = site.openapi_schema.to_schema()
    _, schemas = msgspec.json.schema_components(TRAVELLING, ref_template=REFERENCE)
    document["components"]["schemas"] |= schemas
    return msgspec.Raw(msgspec.json.encode(document))


@get("/schema/openapi.json", responses=problems(401), include_in_schema=False)
async def openapi_json(openapi: NamedDependency[OpenApiDocument]) -> OpenApiDocument:
    """Returns the OpenAPI document of this API."""
    return openapi
