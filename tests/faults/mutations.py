"""The most important protections, each with what takes it out and the test that must then fail."""

# ruff: noqa: E501 - a snippet stands as it does in the source

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """One protection, taken out."""

    protects: str
    file: str
    snippet: str
    """Exactly as it stands in the file, which has it once."""
    without: str
    test: str
    """The test that fails without the protection."""
    needs_hosts: bool = False


MUTATIONS = (
    Mutation(
        "values reach a shell as arguments, never as words of a script",
        "src/slipway/facts/files.py",
        '"slipway", *(QuoteString(argument) for argument in arguments))',
        '"slipway", *arguments)',
        "tests/faults/test_hostile_data.py::test_what_is_taken_is_written_literally[nginx]",
    ),
    Mutation(
        "a key that nobody knows is refused",
        "src/slipway/role.py",
        'frozen=True, extra="forbid"',
        'frozen=True, extra="ignore"',
        "tests/unit/test_bad_input.py::test_a_mistake_is_one_problem_with_its_place_and_what_to_do[docker: unknown key]",
    ),
    Mutation(
        "what a run would fail at stops it before anything is changed",
        "src/slipway/engine/preflight.py",
        "if errors and not run.is_rollback:",
        "if not errors:",
        "tests/unit/test_preflight_gate.py::test_an_error_stops_a_run_with_every_error_once_and_what_to_do",
    ),
    Mutation(
        "an upload is whole or it is refused",
        "src/slipway/ops/files.py",
        """[ "${got%% *}" = "$sum" ] || left 'the upload was cut short' 74""",
        ":",
        "tests/faults/test_put_alone.py::test_an_upload_that_was_cut_short_changes_nothing",
    ),
    Mutation(
        "a file is swapped in one step",
        "src/slipway/ops/files.py",
        """sync -- "$tmp"
mv -fT -- "$tmp" "$dest"
""",
        """cat < "$tmp" > "$dest"
""",
        "tests/faults/test_put_alone.py::test_whoever_reads_has_the_old_file_or_the_new_one",
    ),
    Mutation(
        "a restart that a file owes is noted before the file changes",
        "src/slipway/ops/files.py",
        """for debt in $owes; do mkdir -p -- "$debts"; : > "$debts/$debt"; done
sync -- "$tmp"
mv -fT -- "$tmp" "$dest"
""",
        """sync -- "$tmp"
mv -fT -- "$tmp" "$dest"
for debt in $owes; do mkdir -p -- "$debts"; : > "$debts/$debt"; done
""",
        "tests/faults/test_put_alone.py::test_what_is_owed_is_noted_before_the_rename",
    ),
    Mutation(
        "nobody reads a secret while it arrives",
        "src/slipway/ops/files.py",
        """shift 6
umask 077
trap 'exit 129' HUP INT PIPE TERM
left()""",
        """shift 6
umask 022
trap 'exit 129' HUP INT PIPE TERM
left()""",
        "tests/faults/test_put_alone.py::test_nobody_reads_a_secret_while_it_arrives",
    ),
    Mutation(
        "a migration runs once",
        "src/slipway/ops/migrations.py",
        "    if _finished(spec.stack, key, ledger):",
        "    if False:",
        "tests/faults/test_migration_once.py::test_it_does_not_run_again",
    ),
    Mutation(
        "a template on record runs nothing on the controller",
        "src/slipway/render.py",
        "return ImmutableSandboxedEnvironment(",
        "return Environment(",
        "tests/faults/test_hostile_facts.py::test_a_template_on_record_runs_nothing_here",
    ),
    Mutation(
        "what a host says cannot steer the terminal",
        "src/slipway/terminal.py",
        "return Segment(printable(segment.text), segment.style)",
        "return segment",
        "tests/faults/test_hostile_facts.py::test_a_table_and_a_line_cannot_be_steered",
    ),
    Mutation(
        "a host that is not known is not talked to",
        "src/slipway/seam/connection.py",
        'DataMeta("SSH strict host key checking", "yes")',
        'DataMeta("SSH strict host key checking", "accept-new")',
        "tests/hosts/test_seam.py::test_an_unknown_host_key_is_refused",
        needs_hosts=True,
    ),
    Mutation(
        "one run is on a host at a time",
        "src/slipway/engine/lock_script.py",
        "    flock -n 9 && return",
        "    flock -s -n 9 && return",
        "tests/hosts/test_seam.py::test_one_run_at_a_time",
        needs_hosts=True,
    ),
    Mutation(
        "a command without its lock is not begun",
        "src/slipway/seam/fence.py",
        "cat {RUN}/held-*; exit {REFUSED}; }}",
        "cat {RUN}/held-*; }}",
        "tests/unit/test_fence.py::test_a_command_without_its_lock_is_not_begun",
    ),
    Mutation(
        "every change of a run stands behind its lock",
        "src/slipway/seam/connection.py",
        "        if changes and self.token:",
        "        if changes and not self.token:",
        "tests/faults/runs/test_locks.py::test_a_cleared_run_directory_stops_the_run",
        needs_hosts=True,
    ),
    Mutation(
        "commands of a dead run are waited for",
        "src/slipway/seam/connection.py",
        'f"flock --shared {WORK} {shell}" if changes else shell',
        "shell",
        "tests/faults/runs/test_deadlines.py::test_a_black_hole_in_a_step_is_told_and_leaves_the_lock",
        needs_hosts=True,
    ),
    Mutation(
        "a change that nobody confirms is undone by the host",
        "src/slipway/ops/guarded_script.py",
        """AccuracySec=100ms /bin/sh "$dir/undo" timer""",
        """AccuracySec=100ms /bin/true""",
        "tests/faults/test_lockout.py::test_the_host_undoes_it_when_we_are_killed[a firewall without port 22-worker1]",
        needs_hosts=True,
    ),
    Mutation(
        "only a new connection confirms a change",
        "src/slipway/seam/fresh.py",
        "    if not isinstance(host.connector, Connection):",
        "    if isinstance(host.connector, Connection):",
        "tests/faults/test_lockout.py::test_what_cuts_us_off_is_undone_and_told[a firewall without port 22-worker1]",
        needs_hosts=True,
    ),
    Mutation(
        "a password that somebody still logs in with is not revoked",
        "src/slipway/cli/secrets_rotate.py",
        "return bool(found)",
        "return False",
        "tests/unit/test_secrets_rotation.py::test_what_is_still_in_use_is_not_revoked",
    ),
    Mutation(
        "an answer of a host holds until something is changed there",
        "src/slipway/seam/memory.py",
        "        self.changes += 1\n        self._begin_anew(looks=False)",
        "        self.changes += 1",
        "tests/unit/test_batch_memory.py::test_plan_and_result_are_the_same_without_it",
    ),
    Mutation(
        "no question that holds a secret is kept on the controller",
        "src/slipway/seam/together.py",
        'else "hides" if hides else ""',
        'else ""',
        "tests/unit/test_batch_memory.py::test_it_is_kept_for_our_eyes_and_out_of_git",
    ),
    Mutation(
        "nothing is begun behind a change that failed",
        "src/slipway/seam/one_go.py",
        """[ "$1" = 0 ] || exit 0; }""",
        "}",
        "tests/unit/test_write_ahead.py::test_the_first_that_fails_is_the_last_that_is_begun",
    ),
    Mutation(
        "each of many changes stands behind the lock",
        "src/slipway/seam/write_ahead.py",
        "[_behind_the_fence(each.change, connection.token) for each in going]",
        "[each.change for each in going]",
        "tests/unit/test_write_ahead.py::test_a_lock_that_is_lost_in_the_middle_stops_the_rest",
    ),
    Mutation(
        "what one change may make of another is waited for",
        "src/slipway/seam/write_ahead.py",
        " or not all(touch.goes_after(each) for each in taken.values())",
        "",
        "tests/unit/test_write_ahead.py::test_what_may_depend_on_another_is_not_begun_before_it",
    ),
    Mutation(
        "a controller that stands still holds nobody up",
        "src/slipway/seam/one_go.py",
        'read = f"timeout {limit} dd bs=',
        'read = f"dd bs=',
        "tests/unit/test_write_ahead.py::test_a_controller_that_stands_still_holds_up_nobody_for_longer_than_a_command[0.5]",
    ),
)
