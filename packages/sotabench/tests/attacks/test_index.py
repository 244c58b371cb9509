"""Every attack that the site's owners are told about, the tests that try it, and what stops it.

The page of the documentation has a row for each; what is not stopped says so there.
"""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parents[2] / "docs" / "site" / "building.md"
NOT_STOPPED = "not stopped"

ANSWERS, TEXTS, LABELS = "attacks/test_answers.py", "attacks/test_texts.py", "attacks/test_labels.py"
RUNNERS, NUMBERS = "attacks/test_runners.py", "attacks/test_numbers.py"
RECORDS, CARRIED = "runner/builds/test_records.py", "runner/builds/test_carried_over.py"
SECRETS, WORDS, FOLDERS = (
    "runner/builds/test_secrets.py",
    "runner/builds/test_words.py",
    "runner/builds/test_folders.py",
)
COLLECTING, LIMITS, DEATH = "runner/test_collecting.py", "runner/test_limits.py", "runner/test_death.py"
INSIDE, NETWORK, EGRESS = "runner/test_attempts.py", "runner/test_network.py", "runner/test_egress.py"
CHECKOUT, ENVIRONMENT = "runner/stages/test_checkout.py", "runner/stages/test_environment.py"
OF_THE_INDEX = "runner/stages/test_index_secret.py"
WEIGHTS, EVALUATION = "runner/stages/test_weights.py", "runner/stages/test_evaluation.py"
UPLOADS, PROOFS, HOOKS = "api/test_uploads.py", "repositories/test_proofs.py", "webhooks/test_webhooks.py"
OUTGOING, CALLS, LEASES = "site/test_outgoing.py", "benchmarks/test_calls.py", "builds/test_leases.py"

# What is tried: what stops it, and the tests.
ATTACKS: dict[str, tuple[str, list[str]]] = {
    "numbers written straight into the results file": (
        "the site counts from predictions alone",
        [
            f"{RECORDS}::test_numbers_written_straight_into_the_results_file",
            f"{ANSWERS}::test_numbers_written_straight_into_the_record",
            f"{ANSWERS}::test_numbers_without_any_predictions",
        ],
    ),
    "records, predictions or the first batch of another run": (
        "nothing is looked up by a hash; predictions are counted anew; caches are closed while there are data",
        [
            f"{RECORDS}::test_records_and_predictions_of_an_earlier_run",
            f"{RECORDS}::test_cache_cannot_be_written_while_there_are_data",
            f"{ANSWERS}::test_run_hash_of_a_better_run",
            "api/test_v0.py::test_first_batch_proves_nothing",
        ],
    ),
    "labels by file name, folder or order": (
        "numbers and folders are drawn by lot",
        [
            f"{LABELS}::test_labels_by_the_name_of_the_file",
            f"{LABELS}::test_labels_by_the_folder",
            f"{LABELS}::test_labels_by_the_order_of_folders_and_names",
            f"{LABELS}::test_labels_by_the_name_under_another_sites_secret",
            f"{SECRETS}::test_images_tell_neither_label_nor_name",
        ],
    ),
    "labels by pixels": (
        f"{NOT_STOPPED}: ImageNet's labels are public, and so the words are *run and scored by this site*",
        [f"{LABELS}::test_labels_by_pixels_are_not_stopped_and_the_tier_does_not_say_that_they_are"],
    ),
    "a constant target_transform, a target_map that joins classes": (
        "a renumbering has to be one to one",
        [
            f"{ANSWERS}::test_target_map_that_joins_classes",
            f"{ANSWERS}::test_best_renumbering_for_a_constant_answer",
            f"{RECORDS}::test_what_is_no_record_of_this_build_fails_it_and_leaves_nothing",
        ],
    ),
    "predictions that are missing, twice, or for images not in the set": (
        "each image of the site's copy, exactly once",
        [
            f"{ANSWERS}::test_predictions_for_other_images_or_too_few",
            f"{ANSWERS}::test_predictions_for_one_image_twice",
        ],
    ),
    "NaN, constant, huge or tiny outputs": (
        "they are scored as what they are",
        [
            f"{ANSWERS}::test_outputs_that_are_no_answer_are_scored_as_they_are",
            f"{ANSWERS}::test_huge_and_tiny_outputs_that_are_right_are_right",
        ],
    ),
    "numbers without bounds, and results named as what is declared": (
        "they are shown as they are, and not drawn; what is declared is no result",
        [
            f"{NUMBERS}::test_every_page_answers_whatever_one_account_submits",
            f"{NUMBERS}::test_what_only_the_process_knows_is_declared_and_no_result",
            f"{NUMBERS}::test_numbers_stored_by_an_earlier_version_are_not_drawn",
            f"{NUMBERS}::test_plot_is_drawn_whatever_the_first_metric_is",
        ],
    ),
    "a record for another benchmark, commit or repository": (
        "benchmark and commit are compared; a record without a repository goes to the build's own",
        [
            f"{ANSWERS}::test_record_of_something_else",
            f"{ANSWERS}::test_name_of_somebody_elses_model",
            f"{ANSWERS}::test_key_of_a_call_of_somebody_else",
        ],
    ),
    "records rewritten after they were scored, and calls claimed to be done": (
        "a call is scored once; what was never scored is not carried over",
        [
            f"{RECORDS}::test_records_rewritten_after_they_were_scored",
            f"{RECORDS}::test_calls_claimed_to_be_done_by_a_list_of_ones_own",
            f"{RECORDS}::test_what_the_runner_knows_takes_the_place_of_what_is_written",
            f"{CALLS}::test_call_that_nobody_scored_is_not_skipped_by_saying_so",
        ],
    ),
    "a bad result hidden behind a good one's key, or never written": (
        f"{NOT_STOPPED}: which calls are made is the repository's choice",
        [f"{RECORDS}::test_bad_result_behind_the_key_of_a_good_one"],
    ),
    "finishing after the lease was lost": (
        "the attempt's token is refused, also while a call is scored",
        [
            f"{CALLS}::test_call_of_a_lost_attempt_is_refused",
            f"{CALLS}::test_call_whose_attempt_ends_while_it_is_scored_is_refused",
            f"{LEASES}::test_build_of_a_silent_runner_waits_again_and_the_silent_one_can_finish_nothing",
        ],
    ),
    "records or predictions as link, FIFO, hard link, sparse file, bomb, objects, deep JSON, ten thousand": (
        "regular files with one name alone, of bounded size, depth and number; nothing is unpickled",
        [
            f"{COLLECTING}::test_records_file_that_is_none_is_named_and_nothing_else_is_read",
            f"{COLLECTING}::test_predictions_that_are_none_are_refused",
            f"{COLLECTING}::test_predictions_are_looked_for_beside_the_records_and_nowhere_else",
            f"{ANSWERS}::test_predictions_as_link_fifo_second_name_folder_or_nothing",
            f"{ANSWERS}::test_sparse_file_of_a_terabyte",
            f"{ANSWERS}::test_bomb_of_zeros",
            f"{ANSWERS}::test_arrays_of_objects_and_members_that_do_not_belong",
            f"{ANSWERS}::test_record_that_would_choke_a_reader",
            f"{RECORDS}::test_what_is_no_record_of_this_build_fails_it_and_leaves_nothing",
        ],
    ),
    "HTML, script addresses, terminal codes, turned text in names, records and logs; a gigabyte of log": (
        "logs are made harmless and cut, pages escape, links are http and https alone",
        [
            f"{WORDS}::test_output_of_every_kind_is_harmless_wherever_it_is_read",
            f"{WORDS}::test_a_gigabyte_without_a_line_end",
            f"{WORDS}::test_repository_named_with_markup",
            f"{TEXTS}::test_html_urls_terminal_codes_and_turned_text_on_every_page",
            f"{TEXTS}::test_messages_about_hostile_text_are_printable",
            "client/test_tables.py::test_strangers_text_cannot_move_the_cursor_or_break_a_row",
            "web/test_hostile_and_private.py::test_strangers_words_are_inert_on_every_page",
        ],
    ),
    "the same requirements.txt with different code, build hooks that edit packages or caches": (
        "code of a repository's own installs into an environment and a cache of its own; shared ones are read-only",
        [
            f"{ENVIRONMENT}::test_package_of_the_repository_itself_is_its_own",
            f"{ENVIRONMENT}::test_build_hook_reaches_no_other_environment_or_cache",
            f"{ENVIRONMENT}::test_poisoned_cache_stays_with_its_repository",
            f"{ENVIRONMENT}::test_editing_an_installed_file_leaves_the_cache_alone",
            f"{ENVIRONMENT}::test_nobody_can_write_a_shared_environment",
            f"{SECRETS}::test_shared_environment_base_own_helpers_and_data",
            f"{CARRIED}::test_cache_of_another_repository",
        ],
    ),
    "a package that takes the interpreter's place to read the index's password": (
        "what lists an environment is told of no index and has no network; values are on no command line",
        [
            f"{OF_THE_INDEX}::test_wheel_that_runs_at_the_start_sees_no_secret_of_the_index",
            f"{OF_THE_INDEX}::test_wheel_in_the_interpreters_place_finds_no_secret_in_any_process",
            f"{INSIDE}::test_values_of_variables_are_on_no_command_line_inside_or_on_the_machine",
        ],
    ),
    "results carried over that were measured under other code, weights or conditions": (
        "all that is left behind is measured, at a time that nobody can set; where own code installs, none are",
        [
            f"{CARRIED}::test_code_that_the_network_gave_and_gives_no_more",
            f"{CARRIED}::test_setup_script_that_fetches_other_code_each_time",
            f"{CARRIED}::test_weights_exchanged_under_their_size_and_time",
            f"{CARRIED}::test_link_in_the_cache_turned_to_another_file",
            f"{CARRIED}::test_submodule_that_was_moved",
            f"{CARRIED}::test_result_that_was_measured_with_network",
            f"{CARRIED}::test_result_that_was_measured_without_a_sandbox",
            f"{CARRIED}::test_preview_on_a_branch_ranks_nowhere_until_the_same_tree_is_pushed",
            f"{CALLS}::test_build_of_which_one_attempt_ran_under_other_conditions_gives_nothing_to_others",
        ],
    ),
    "two builds of one repository that race for its cache": (
        (
            "one runs at a time; with `SOTABENCH_BUILDS_AT_ONCE` above 1 it is "
            f"{NOT_STOPPED} that one changes the weights under the other, which its own repository alone can do"
        ),
        [f"{LEASES}::test_repository_that_was_served_longest_ago_comes_first_and_each_runs_one_build_at_a_time"],
    ),
    "git filters, hooks and settings; submodules and large files on loopback": (
        "git has our settings alone, and the proxy of its stage",
        [
            f"{CHECKOUT}::test_hooks_filters_and_settings_of_a_repository_run_nothing",
            f"{CHECKOUT}::test_submodule_elsewhere_is_refused",
            f"{CHECKOUT}::test_submodules_own_command_is_not_run",
            f"{CHECKOUT}::test_large_files_come_from_the_repositorys_host_alone",
        ],
    ),
    "branches and commits with the shell's signs, files of this machine": (
        "no shell is asked; a file address is the operator's alone",
        [
            f"{WORDS}::test_branch_with_the_shells_signs",
            f"{CHECKOUT}::test_addresses_and_names_that_are_none_are_refused",
            f"{CHECKOUT}::test_commit_of_another_branch_is_refused",
            f"{PROOFS}::test_operator_adds_a_folder_which_nobody_else_can",
        ],
    ),
    "addresses on loopback, private and metadata networks, by rebinding and redirects": (
        "a name is resolved once, judged, and that very address is asked; redirects are not followed",
        [
            f"{OUTGOING}::test_loopback_and_metadata_are_refused_however_they_are_written",
            f"{OUTGOING}::test_name_is_resolved_once_so_that_it_cannot_change_after_the_check",
            f"{OUTGOING}::test_redirect_is_handed_back_and_not_followed",
            f"{EGRESS}::test_an_address_that_is_not_public_is_refused_though_the_name_is_listed",
            f"{EGRESS}::test_a_name_is_resolved_once_and_the_connection_goes_to_the_address_that_was_judged",
            f"{PROOFS}::test_host_that_is_not_public_is_not_asked",
        ],
    ),
    "what a build can send out": (
        f"{NOT_STOPPED} where a stage has the network: listed hosts take uploads too, and so no stage has data as well",
        [
            f"{EGRESS}::test_a_host_that_is_not_listed_is_refused_and_not_even_looked_up",
            f"{EGRESS}::test_bytes_out_are_bounded_over_all_connections",
            f"{NETWORK}::test_services_of_the_machine_and_of_the_world_are_not_reached",
            f"{EVALUATION}::test_everything_is_where_files_look_for_it_and_only_its_own_can_be_written",
        ],
    ),
    "an upload whose hash is somebody else's, paths that lead out": (
        "bytes are known within their repository alone; paths stay below `.data/`",
        [
            f"{UPLOADS}::test_known_bytes_exist_within_the_repository_only",
            f"{UPLOADS}::test_path_that_leaves_the_folder_is_refused",
            f"{UPLOADS}::test_upload_of_somebody_else_is_not_there",
            f"{EVALUATION}::test_upload_is_mounted_below_data_alone",
            "site/test_archive.py::test_archive_that_points_out_of_the_folder_is_refused",
        ],
    ),
    "a webhook replayed, or signed with another repository's secret": (
        "signatures and deliveries are remembered, secrets belong to one repository",
        [
            f"{HOOKS}::test_replayed_message_is_refused_whatever_delivery_it_says_to_be",
            f"{HOOKS}::test_secret_of_another_repository_is_refused",
            f"{HOOKS}::test_wrong_signature_is_refused_and_leaves_nothing",
        ],
    ),
    "fork bombs, memory in many processes, huge and many files, folders without end": (
        "limits summed over all that a build starts; strangers' folders are walked without recursion",
        [
            f"{LIMITS}::test_a_fork_bomb_finds_no_more_processes",
            f"{LIMITS}::test_thirty_gigabytes_in_one_process_are_refused",
            f"{LIMITS}::test_memory_is_summed",
            f"{LIMITS}::test_files_in_memory_are_memory",
            f"{LIMITS}::test_one_huge_file_is_refused",
            f"{LIMITS}::test_many_files_are_too_many",
            f"{FOLDERS}::test_folders_three_thousand_deep",
            f"{FOLDERS}::test_folders_three_thousand_deep_in_the_caches",
            f"{WEIGHTS}::test_too_many_bytes_fail",
        ],
    ),
    "ignoring signals, never ending, daemons, a killed runner": (
        "the kernel ends every process of a stage with it",
        [
            f"{WORDS}::test_setup_script_and_evaluation_that_never_end",
            f"{WORDS}::test_setup_script_that_never_ends_and_ignores_signals_is_cancelled",
            f"{LIMITS}::test_a_task_that_ignores_signals_ends_with_its_time",
            f"{SECRETS}::test_daemon_of_one_stage_is_gone_in_the_next",
            f"{DEATH}::test_daemons_end_with_the_command_and_hold_nothing_up",
            f"{DEATH}::test_a_runner_that_is_killed_leaves_nothing_alive",
        ],
    ),
    "reading tokens, the database, labels, other builds, the machine's files and processes": (
        "nothing of them is in the sandbox",
        [
            f"{SECRETS}::test_runners_token_database_labels_and_other_builds",
            f"{INSIDE}::test_nothing_of_the_machine_is_reached",
            "runner/test_folders.py::test_slots_do_not_read_each_others_files",
            "runner/test_folders.py::test_a_task_gets_its_own_environment_and_nothing_of_the_runners",
            f"{ENVIRONMENT}::test_base_is_seen_without_labels",
            f"{CHECKOUT}::test_checkout_leaves_no_key_behind",
        ],
    ),
    "namespaces, mounts, ptrace, bpf, io_uring, keys, 32-bit calls": (
        f"refused by the filter of system calls; a hole in the kernel itself is {NOT_STOPPED}",
        [
            f"{INSIDE}::test_calls_that_no_evaluation_needs_are_refused",
            f"{INSIDE}::test_a_command_of_32_bits_cannot_go_round_the_filter",
        ],
    ),
    "a private repository's log, builds and results by any address": (
        "they are not there for others",
        [
            f"{WORDS}::test_log_and_results_of_a_private_repository",
            "web/test_hostile_and_private.py::test_private_repository_is_nowhere_for_others",
            "api/test_v1.py::test_nothing_private_is_told",
        ],
    ),
    "another runner's attempt, a revoked runner, bodies that are none, the keeper's token": (
        "an attempt is one runner's; what is told is bounded; the token is in no command line, log or build",
        [
            f"{RUNNERS}::test_attempt_of_another_runner",
            f"{RUNNERS}::test_revoked_runner_ends_nothing_that_it_had",
            f"{RUNNERS}::test_bodies_that_are_none",
            f"{RUNNERS}::test_inputs_of_ten_megabytes_and_log_of_two",
            f"{RUNNERS}::test_log_out_of_order_twice_and_from_the_end_of_numbers",
            f"{RUNNERS}::test_keepers_token_is_in_no_command_line_and_no_log",
        ],
    ),
    "a call that makes the site fail": (
        "it is given up after a lease, and the build is broken after three attempts",
        ["runner/test_reporting.py::test_what_makes_the_site_fail_is_not_said_for_ever_while_the_lease_is_renewed"],
    ),
}


def names_in(name: str) -> set[str]:
    tree = ast.parse((TESTS / name).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_has_tests_that_there_are(attack):
    named = ATTACKS[attack][1]
    assert named
    for test in named:
        file, _, name = test.partition("::")
        assert name in names_in(file), test


@pytest.mark.parametrize("folder", ["attacks", "runner/builds"])
def test_test_of_an_attack_is_in_the_table(folder):
    named = {test for _, tests in ATTACKS.values() for test in tests}
    listed = {file for file in (test.partition("::")[0] for test in named) if file.startswith(folder)}
    there = {str(path.relative_to(TESTS)) for path in (TESTS / folder).glob("test_*.py")} - {"attacks/test_index.py"}
    assert there == listed


def test_page_has_a_row_for_each():
    rows = [f"| {attack} | {what} |" for attack, (what, _) in ATTACKS.items()]
    page = PAGE.read_text(encoding="utf-8")
    assert [row for row in rows if row not in page] == []
    assert page.count("\n| ") - page.count("\n| stage |") >= len(rows)
