"""An index for the list of newest jobs, built while the application goes on working."""

from alembic import op

revision = "0003_jobs_by_time"
down_revision = "0002_ticks_and_leases"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # It waits for transactions that are open, which is what it is for: longer than the usual 5 s for a lock.
        op.execute("SET lock_timeout = '60s'")
        # One that was interrupted leaves an invalid index of this name behind.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS jobs_by_time")
        op.execute("CREATE INDEX CONCURRENTLY jobs_by_time ON jobs (created_at DESC)")
        op.execute("SET lock_timeout = '5s'")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS jobs_by_time")
