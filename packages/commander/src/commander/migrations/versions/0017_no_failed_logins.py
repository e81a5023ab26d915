"""Failed log-ins are counted in memory, and the audit log names them: their table goes."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.drop_table("failed_logins")
