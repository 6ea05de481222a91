"""The scheduler's ticks, and the log of who was the scheduler when."""

from alembic import op

revision = "0002_ticks_and_leases"
down_revision = "0001_jobs"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE scheduler_leases (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            holder text NOT NULL,
            host text NOT NULL,
            release text NOT NULL,
            started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            last_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
            ended_at timestamptz
        )
        """
    )
    op.execute(
        """
        CREATE TABLE ticks (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            lease bigint NOT NULL REFERENCES scheduler_leases (id),
            job uuid,
            at timestamptz NOT NULL DEFAULT clock_timestamp()
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE ticks")
    op.execute("DROP TABLE scheduler_leases")
