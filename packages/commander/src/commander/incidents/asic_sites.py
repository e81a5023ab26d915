"""The site of each ASIC: the network whose ASIC sentry has registered it. None commits."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.accounts.tables import site_tokens
from commander.registry.tables import asic_rigs


async def sites_of_asics(db: AsyncConnection) -> dict[int, str]:
    """Returns the name of the site by the ASIC's id. A site whose token was revoked has its number."""
    query = sa.select(asic_rigs.c.id, asic_rigs.c.site_id, site_tokens.c.name)
    query = query.outerjoin(site_tokens, site_tokens.c.id == asic_rigs.c.site_id)
    rows = await db.execute(query.where(asic_rigs.c.site_id.is_not(None)))
    return {row.id: row.name or f"number {row.site_id}" for row in rows}
