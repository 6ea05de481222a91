"""The 48 faults: what users deserve in each, and the tests that prove it. `python -m tests.faults.rows` writes the page."""

# ruff: noqa: E501 - a table reads by its lines

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/faults.md"


@dataclass(frozen=True)
class Row:
    """One fault."""

    number: int
    fault: str
    deserved: str
    tests: tuple[str, ...] = ()
    """`file::name`, below tests/."""
    apart: str = ""
    """What of it cannot be tried on container hosts, and why; or what is not there yet."""


NOT_YET = "it is not tried yet"

ROWS = (
    Row(1, "the controller is killed at any step", "the next run ends where an unbroken one ends, and the run after that changes nothing",
        ("roles/test_app_hosts.py::test_a_replacement_killed_at_any_moment_is_finished_by_the_next_run", "rollout/test_people.py::test_a_killed_controller_costs_nothing", "hosts/test_seam.py::test_an_owed_reload_survives_a_failed_run", "faults/test_put_alone.py::test_what_is_owed_is_noted_before_the_rename", "faults/test_kill_sweep.py::test_a_deploy_that_is_killed_at_a_remote_call_is_finished_by_the_next", "unit/test_cut_uploads.py::test_what_was_cut_short_leaves_the_old_file", "faults/test_reconciling.py::test_a_deploy_that_was_killed_is_owed_and_finished")),
    Row(2, "Ctrl-C, or a stop by the system", "no further step is begun, what is not done is told, exit 130 or 143, no lock stays",
        ("faults/runs/test_deadlines.py::test_an_interrupted_run_says_what_is_not_done", "hosts/test_seam.py::test_an_interrupted_run_says_so",)),
    Row(3, "the connection drops in the middle of an operation", "failed, never taken for done; the old file is whole",
        ("faults/runs/test_deadlines.py::test_a_session_that_is_cut_in_a_step_is_no_success", "hosts/test_files.py::test_an_upload_cut_short_leaves_the_old_file", "faults/test_put_alone.py::test_an_upload_that_was_cut_short_changes_nothing", "unit/test_write_ahead.py::test_a_connection_that_breaks_leaves_what_is_known", "unit/test_write_ahead.py::test_an_upload_that_is_cut_short_leaves_whole_files")),
    Row(4, "the connection is swallowed without a word", "a bounded wait that says so; the lock frees itself",
        ("faults/runs/test_deadlines.py::test_a_host_that_accepts_and_says_nothing_is_unreachable", "faults/runs/test_deadlines.py::test_a_black_hole_in_a_step_is_told_and_leaves_the_lock", "faults/runs/test_deadlines.py::test_a_black_hole_while_waiting_for_the_lock", "faults/runs/test_deadlines.py::test_a_command_past_its_limit_is_told_with_what_it_left", "hosts/test_lab.py::test_a_frozen_host_does_not_answer_until_thawed",)),
    Row(5, "a dead run's command still works on the host", "the next run waits for its end or stops; the two never interleave",
        ("faults/runs/test_deadlines.py::test_a_black_hole_in_a_step_is_told_and_leaves_the_lock", "hosts/test_seam.py::test_the_lock_of_a_killed_run_is_free_within_seconds",)),
    Row(6, "a host is down when a run begins", "named; nothing is changed anywhere, unless the policy says to go on without it",
        ("hosts/test_seam.py::test_unreachable_hosts_stop_the_run_before_any_change", "rollout/test_away.py::test_a_host_that_was_away_serves_nothing_old", "faults/test_doctor.py::test_a_host_without_root_or_without_power_does_not_hide_the_others")),
    Row(7, "a host reboots in the middle of a run", "told; everything of ours is enabled and comes back; the next run converges",
        ("hosts/test_lab.py::test_a_host_that_reboots_itself_comes_back", "faults/test_kill_sweep.py::test_a_host_that_reboots_in_the_middle_is_told_comes_back_and_is_brought_to_the_same")),
    Row(8, "names are not resolved, here or on a host", "told within seconds, which name and where",
        ("faults/test_doctor.py::test_everything_that_is_wrong_is_found_at_once", "faults/test_doctor.py::test_a_host_without_root_or_without_power_does_not_hide_the_others")),
    Row(9, "a slow link", "it goes through; no time-out that is none",
        ("faults/runs/test_lines.py::test_a_line_of_300_milliseconds_makes_no_false_time_out", "hosts/test_seam.py::test_commands_do_not_wait_for_nagle", "hosts/test_batch_hosts.py::test_a_host_that_grants_few_channels_is_served_all_the_same",)),
    Row(10, "five hundred hosts", "bounded connections and memory; a dead host costs one time-out",
        ("faults/runs/test_lines.py::test_a_large_inventory_costs_a_bounded_price", "unit/test_bad_input.py::test_a_problem_of_many_hosts_is_one_line",)),
    Row(11, "two controllers at once", "one of them works; the other says who has been at what since when, and ends with 75",
        ("faults/runs/test_locks.py::test_of_ten_controllers_exactly_one_proceeds", "faults/runs/test_locks.py::test_a_run_that_waits_says_for_whom_and_goes_on", "hosts/test_seam.py::test_one_run_at_a_time",)),
    Row(12, "the lock of a dead run", "free by itself within seconds",
        ("hosts/test_seam.py::test_the_lock_of_a_killed_run_is_free_within_seconds",)),
    Row(13, "a holder wakes up after its lock has gone", "it begins no further change and takes nobody's lock away", ("faults/runs/test_locks.py::test_a_holder_that_was_asleep_changes_nothing_more", "unit/test_fence.py::test_a_command_without_its_lock_is_not_begun", "unit/test_write_ahead.py::test_a_lock_that_is_lost_in_the_middle_stops_the_rest",)),
    Row(14, "two of three locks are had, the third is not", "all are given back, nothing was changed", ("faults/runs/test_locks.py::test_a_run_that_one_of_three_hosts_refuses_gives_all_back",)),
    Row(15, "a scheduled run meets a person's", "the scheduled one yields with 75", ("faults/runs/test_locks.py::test_a_run_on_a_schedule_yields", "faults/test_reconciling.py::test_it_gives_way_to_whoever_is_at_work", "faults/test_reconciling.py::test_it_never_reverts_what_somebody_has_released_meanwhile", "unit/test_reconcile_moving_on.py::test_a_newer_release_of_a_person_is_not_reverted")),
    Row(16, "the lock's file is gone, its disk full or read-only", "a clear word, no change", ("faults/runs/test_locks.py::test_a_cleared_run_directory_stops_the_run", "faults/runs/test_locks.py::test_a_host_that_cannot_note_the_lock_is_left_as_it_is",)),
    Row(17, "a wrong type, a value out of range, an unknown key", "exit 2 before any connection: where, what is expected, the nearest name; all at once",
        ("unit/test_bad_input.py::test_a_mistake_is_one_problem_with_its_place_and_what_to_do", "unit/test_bad_input.py::test_whatever_stands_in_a_roles_data_is_valid_or_a_problem", "unit/test_bad_input.py::test_all_mistakes_are_told_at_once_in_the_same_order_every_time", "unit/test_compose_wrong.py::test_a_wrong_file_is_refused_at_its_line_with_one_problem_and_no_secret")),
    Row(18, "a template asks for what one rare host has not", "exit 2 with template, line and host, before any connection",
        ("unit/test_bad_input.py::test_a_mistake_is_one_problem_with_its_place_and_what_to_do", "unit/test_recorded.py::test_a_template_on_record_that_todays_role_does_not_fill_is_refused")),
    Row(19, "a secret is missing, empty or a placeholder", "exit 2 with its name and never its value",
        ("unit/test_bad_input.py::test_a_mistake_is_one_problem_with_its_place_and_what_to_do", "unit/test_bad_input.py::test_a_command_that_gives_no_secret_is_told", "unit/test_bad_input.py::test_an_unreadable_source_of_secrets_is_not_followed_by_every_secret", "unit/test_secrets_value.py::test_what_is_no_secret_is_named_and_not_shown")),
    Row(20, "--limit names nobody", "exit 2 with the nearest name; nothing selected is never all or none in silence",
        ("hosts/test_seam.py::test_a_limit_that_names_nobody_is_refused", "unit/test_bad_input.py::test_plain_pyinfra_refuses_a_wrong_command_line", "unit/test_bad_input.py::test_an_unknown_inventory_is_answered_with_the_nearest")),
    Row(21, "one host under two names, two spellings, or twice", "exit 2 naming both",
        ("unit/test_bad_input.py::test_a_mistake_is_one_problem_with_its_place_and_what_to_do",)),
    Row(22, "a file of secrets is tampered with, its key missing, or in the middle of a merge", "exit 2 before any connection",
        ("unit/test_bad_input.py::test_a_mistake_is_one_problem_with_its_place_and_what_to_do", "unit/test_secrets_age.py::test_a_flipped_byte_is_refused_wherever_it_is", "unit/test_secrets_age.py::test_a_file_that_was_cut_is_refused", "unit/test_secrets_age.py::test_what_is_wrong_with_the_file_is_told", "unit/test_secrets_age.py::test_validation_ends_with_2_and_its_reason")),
    Row(23, "hostile strings in data", "refused in words that can be printed, or written literally; nothing runs",
        ("faults/test_hostile_data.py::test_a_refusal_can_be_printed", "faults/test_hostile_data.py::test_what_is_taken_is_written_literally", "faults/test_hostile_compose.py::test_a_refusal_can_be_printed", "faults/test_hostile_compose.py::test_what_is_taken_is_kept_literally", "faults/test_hostile_hosts.py::test_a_hostile_value_of_any_field_runs_nothing", "hosts/test_files.py::test_hostile_names_and_contents_are_written_and_never_run", "roles/test_nginx_admission_hosts.py::test_hostile_words_are_refused_and_change_nothing")),
    Row(24, "a host that somebody has taken over lies", "what it says is text: it runs nothing here, steers no terminal, and ends in no traceback",
        ("faults/test_hostile_facts.py::test_any_answer_is_understood_or_told", "faults/test_hostile_facts.py::test_a_template_on_record_runs_nothing_here", "faults/test_hostile_facts.py::test_a_table_and_a_line_cannot_be_steered", "faults/test_hostile_hosts.py::test_a_host_that_lies_is_told_of_and_steers_nothing"),
        "A record that only such a host keeps is believed as a release that may be gone back to; its templates run nothing."),
    Row(25, "letters of any language, CRLF, byte order marks, the C locale", "the same bytes on the host; a second run changes nothing",
        ("faults/test_trouble_hosts.py::test_a_controller_in_the_c_locale_writes_the_same_bytes", "hosts/test_files.py::test_any_bytes_and_any_name_arrive_as_they_are_and_a_second_run_changes_nothing", "unit/test_bad_input.py::test_a_text_may_be_written_as_any_system_writes_it")),
    Row(26, "a full disk", "said before anything begins; later the old files are whole",
        ("hosts/test_files.py::test_a_full_disk_or_a_read_only_one_leaves_the_old_file", "roles/test_app_rolling_hosts.py::test_a_disk_without_room", "faults/test_doctor.py::test_everything_that_is_wrong_is_found_at_once", "faults/test_doctor.py::test_a_host_that_has_no_room_for_its_own_lock_is_told_how_much_is_missing", "unit/test_preflight.py::test_a_disk_that_is_too_small_says_how_much_is_missing_and_for_what", "faults/test_small_disk.py::test_a_disk_that_is_full_hurts_nothing_and_the_next_run_converges")),
    Row(27, "a read-only file system", "one clear error, nothing half done",
        ("hosts/test_files.py::test_a_full_disk_or_a_read_only_one_leaves_the_old_file", "faults/test_doctor.py::test_everything_that_is_wrong_is_found_at_once", "faults/test_small_disk.py::test_a_read_only_disk_is_told_and_nothing_is_changed")),
    Row(28, "somebody else holds the package manager", "waited for up to a stated time; then who it is",
        ("roles/test_packages_hosts.py::test_a_lock_held_by_another_is_waited_for", "roles/test_packages_hosts.py::test_who_keeps_the_lock_for_too_long_is_named", "faults/test_doctor.py::test_a_warning_is_told_and_the_deploy_goes_on")),
    Row(29, "dpkg was interrupted", "finished first",
        ("roles/test_packages_hosts.py::test_an_interrupted_dpkg_is_finished_first", "roles/test_packages_hosts.py::test_an_installation_finishes_an_interrupted_dpkg_too", "roles/test_packages_hosts.py::test_a_package_that_dpkg_left_half_installed_is_installed_again")),
    Row(30, "a mirror that is down, stale, unsigned, or without the version", "nothing unsigned; which package, and which versions there are",
        ("faults/test_mirror_hosts.py::test_what_is_not_as_it_was_signed_is_not_installed", "faults/test_mirror_hosts.py::test_a_version_that_is_gone_is_told_with_the_one_there_is", "roles/test_packages_hosts.py::test_what_cannot_be_had_is_told_with_what_can", "roles/test_docker.py::test_a_version_that_is_gone_is_told_with_those_there_are", "faults/test_doctor.py::test_everything_that_is_wrong_is_found_at_once")),
    Row(31, "killed for memory", "told as that (137), not as a time-out",
        ("roles/test_app_hosts.py::test_a_bad_release_falls_back_to_the_one_before", "rollout/test_bad_releases.py::test_a_bad_release_stops_at_its_first_host")),
    Row(32, "a clock that is off or jumps", "warned of; nothing of ours goes by the wall clock",
        ("roles/test_base.py::test_chrony_takes_over_and_leaves_a_containers_clock_alone", "faults/test_doctor.py::test_everything_that_is_wrong_is_found_at_once", "unit/test_preflight.py::test_the_true_offset_lies_within_the_margin", "unit/test_preflight.py::test_where_all_hosts_agree_the_controller_is_wrong"),
        "A container has its machine's clock, which cannot be set for it alone: that nothing goes by the wall clock is by construction (/proc/uptime, positions in logs)."),
    Row(33, "a port is taken", "by which process, before anything is touched",
        ("roles/test_app_rolling_hosts.py::test_a_port_that_somebody_has_taken_is_told_before_anything_is_touched", "rollout/test_bad_releases.py::test_a_taken_port_stops_it_before_anything_is_touched", "faults/test_doctor.py::test_an_error_stops_a_deploy_before_anything_is_touched_on_any_host")),
    Row(34, "a file cut short, of another owner or mode, a link or directory in its place", "put right, or refused where it leads elsewhere",
        ("hosts/test_files.py::test_drift_of_every_kind_is_named_and_mended", "hosts/test_files.py::test_what_is_in_the_way_of_a_directory_link_or_absence_is_refused", "hosts/test_files.py::test_directories_links_and_absences_are_brought_about_and_kept")),
    Row(35, "edited by hand", "shown by plan (exit 3), put back by the next run, which says so",
        ("stack/test_drift.py::test_a_hand_edit_of_any_managed_file_is_shown_and_mended", "stack/test_drift.py::test_stopped_units_a_removed_container_and_a_dropped_grant_are_shown_and_mended", "roles/test_base.py::test_hand_edits_are_told_and_undone", "roles/test_postgres_hosts.py::test_drift_is_planned_and_mended", "roles/test_redis.py::test_hand_edits_are_told_and_undone_without_a_restart", "roles/test_nginx_hosts.py::test_a_hand_edit_of_any_live_file_is_told_and_mended", "roles/test_docker.py::test_hand_edits_are_told_and_undone", "faults/test_reconciling.py::test_whatever_was_changed_by_hand_is_drift_and_is_mended")),
    Row(36, "a service, site or account leaves the data", "what was ours of it goes; nothing else does",
        ("faults/test_trouble_hosts.py::test_what_leaves_the_data_leaves_the_host", "roles/test_app_release_hosts.py::test_a_service_that_left_the_file_is_removed", "roles/test_app_hosts.py::test_only_our_own_surplus_is_removed", "roles/test_docker.py::test_prune_takes_what_nobody_needs_and_nothing_else")),
    Row(37, "a migration fails", "no service is touched, its error is shown, the next run tries it again",
        ("stack/test_roll.py::test_a_failing_migration_stops_before_any_service", "roles/test_app_release_hosts.py::test_a_failing_migration_tells_its_error_and_is_tried_again")),
    Row(38, "a migration waits for a lock", "it gives up soon, is tried again a few times, then says whose transaction it waits for",
        ("faults/test_trouble_hosts.py::test_whoever_keeps_a_lock_is_told_with_the_statement", "faults/test_migration_once.py::test_one_that_gave_up_waiting_is_tried_again_and_then_says_who_holds_the_lock",),
        "How long a statement waits is the migration's own to say (lock_timeout); the demo application says 5 s."),
    Row(39, "a migration is killed, or run twice at once", "one run, and it can be run again",
        ("roles/test_app_release_hosts.py::test_a_migration_of_a_run_that_died_is_waited_for", "roles/test_app_release_hosts.py::test_a_migration_runs_once", "demo/test_demo_application.py::test_a_migration_can_be_run_again_and_by_two_at_once", "faults/test_migration_once.py::test_it_does_not_run_again", "faults/test_migration_killed.py::test_the_next_run_waits_for_a_migration_whose_controller_died_and_none_is_run_twice")),
    Row(40, "a release is unhealthy, dies later, or starts slowly", "it stops at its first batch with its log; no request fails",
        ("rollout/test_bad_releases.py::test_a_bad_release_stops_at_its_first_host", "stack/test_roll.py::test_a_release_that_never_becomes_ready_stops_at_its_first_host", "roles/test_app_rolling_hosts.py::test_start_first_always_has_somebody_who_answers")),
    Row(41, "a worker crashes again and again", "seen by its restarts",
        ("roles/test_app_hosts.py::test_a_crash_looping_container_is_seen", "roles/test_app_rolling_hosts.py::test_a_crash_loop_is_replaced", "roles/test_app.py::test_a_crash_loop_is_told_by_restarts_and_not_by_running")),
    Row(42, "a host is already down before a roll", "the last one that is well is not taken out",
        ("roles/test_app_rolling_hosts.py::test_too_few_would_be_left", "unit/test_gate.py::test_enough_replicas_are_left", "unit/test_gate.py::test_a_host_that_cannot_be_asked_is_no_empty_host")),
    Row(43, "the database is read-only or moves in the middle of a deploy", "migrations do not begin; the next run works on the primary",
        ("faults/test_trouble_hosts.py::test_a_database_that_takes_no_writes_is_known", "faults/test_migration_once.py::test_it_does_not_begin_on_a_database_that_takes_no_writes",),
        "There is no replication to fail over with: roles set up one primary."),
    Row(44, "Redis is full, cannot save, or is loading", "told in words",
        ("roles/test_redis.py::test_a_redis_that_takes_no_writes_is_told_in_words", "faults/test_trouble_hosts.py::test_a_redis_that_cannot_save_is_told", "roles/test_redis.py::test_a_full_redis_is_told_by_verify",)),
    Row(45, "nginx refuses its configuration; a certificate does not fit", "the old one serves; which file, which date, and nginx's own words; a fortnight ahead",
        ("faults/test_trouble_hosts.py::test_a_key_that_is_not_the_certificates_changes_nothing", "roles/test_nginx_hosts.py::test_a_configuration_that_nginx_refuses_never_goes_live", "faults/test_doctor.py::test_bare_hosts_are_ready_for_every_service_and_a_bad_certificate_is_found", "unit/test_preflight.py::test_a_certificate_is_told_by_its_file_and_date", "unit/test_preflight.py::test_a_certificate_for_other_names_or_of_another_key_is_an_error")),
    Row(46, "a change would cut us off", "the host undoes it by itself within seconds; exit 1",
        ("faults/test_lockout.py::test_what_cuts_us_off_is_undone_and_told", "faults/test_lockout.py::test_the_host_undoes_it_when_we_are_killed", "faults/test_lockout.py::test_a_controller_that_slept_through_the_undo_changes_nothing_any_more", "faults/test_lockout.py::test_what_is_armed_over_a_power_cut_is_undone_at_boot", "faults/test_lockout.py::test_either_the_undo_or_the_confirmation_wins", "roles/test_ssh.py::test_what_is_known_to_shut_us_out_is_refused")),
    Row(47, "secrets in output, arguments, files", "nowhere",
        ("hosts/test_files.py::test_a_secret_is_seen_by_nobody_and_printed_nowhere", "roles/test_app_release_hosts.py::test_a_container_reads_its_secret_and_nobody_else_does", "roles/test_postgres_hosts.py::test_no_password_and_no_verifier_is_in_the_servers_log", "roles/test_redis.py::test_no_plain_password_is_left_on_the_host", "roles/test_app.py::test_no_secret_is_in_the_words_of_docker", "faults/test_put_alone.py::test_nobody_reads_a_secret_while_it_arrives", "faults/test_secrets_nowhere.py::test_nobody_without_rights_sees_one_while_runs_go_on", "faults/test_secrets_nowhere.py::test_no_command_says_one", "faults/test_secrets_nowhere.py::test_the_controller_keeps_none", "faults/test_secrets_nowhere.py::test_no_file_of_a_host_holds_one_but_those_made_for_it", "faults/test_secrets_nowhere.py::test_the_files_made_for_it_are_read_by_nobody_else", "faults/test_secrets_nowhere.py::test_no_program_of_a_host_tells_one", "faults/test_secrets_nowhere.py::test_what_is_planted_is_seen_by_who_looks", "faults/test_secrets_nowhere.py::test_what_is_planted_is_found_by_the_search")),
    Row(48, "an image, a package or a host key is not what it should be", "refused with what was expected and what was found",
        ("faults/test_lying_registry.py::test_what_is_not_the_digest_that_was_asked_for_is_refused", "faults/test_mirror_hosts.py::test_what_is_not_as_it_was_signed_is_not_installed", "roles/test_app_release_hosts.py::test_an_image_that_arrives_changed_is_refused", "hosts/test_seam.py::test_an_unknown_host_key_is_refused", "hosts/test_lab.py::test_a_host_with_a_wrong_key_is_refused", "images/test_images_engine.py::test_through_a_registry_an_image_is_pulled_by_its_digest")),
)  # fmt: skip

HEAD = """\
# Faults

What happens when things go wrong, and the tests that prove it (below `tests/`). This page is made from
`tests/faults/rows.py` (`python -m tests.faults.rows`); a test sees to it that each test named here exists.

The most important protections are also taken out, one by one, in a copy of the project, and a test must notice
(`tests/faults/mutations.py`): two of them in each run of the suite, all of them with `./slipway test --whole`.

Hostile text (rows 23 and 24) in a whole run: 43 930 values in the 191 places where a role's data takes a string and
8 307 in the 213 texts of a Compose file that has every key were refused in words that can be printed, or taken; 20 522
cases were rendered to the commands, files and statements of a host and compared with those of a harmless value. A
sampled run takes some hundred of them and prints how many.

| # | Fault | What you get | Tests |
|---|---|---|---|
"""


def page() -> str:
    """The page as it should be."""
    return HEAD + "\n".join(map(_line, ROWS)) + "\n" + _apart()


def _line(row: Row) -> str:
    return f"| {row.number} | {row.fault} | {row.deserved} | {'<br>'.join(map(_shown, row.tests)) or 'see below'} |"


def _shown(test: str) -> str:
    file, _, name = test.partition("::")
    return f"`{file}`: {name.removeprefix('test_').replace('_', ' ')}"


def _apart() -> str:
    told = "\n".join(f"- Row {row.number}, {row.fault}: {row.apart}" for row in ROWS if row.apart)
    return f"\n## What is not tried, and why\n\n{told}\n"


def named() -> Iterator[tuple[str, str]]:
    """File below tests/ and name of every test that a row names."""
    for row in ROWS:
        for test in row.tests:
            file, _, name = test.partition("::")
            yield file, name


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
