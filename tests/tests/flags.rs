//! Every flag of our programs and every key of realm.toml, and the test that shows what it does to a program that was not
//! written here, or to a packet. A flag without one fails here.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use tessera_tests::binary;

/// Command, flags, and the test of each.
const FLAGS: &[(&str, &[(&str, &str)])] = &[
    ("kdc", &[]),
    ("kdc check", &[]),
    ("kdc verify", &[]),
    ("kdc dump", &[("--until", "a_dump_can_end_before_the_last_changes")]),
    ("kdc load", &[("--without-keys", "what_the_guide_says_can_be_typed")]),
    (
        "kdc import-heimdal",
        &[
            (
                "--master-key",
                "a_heimdal_realm_moves_here_without_one_changed_password",
            ),
            ("--dry-run", "a_heimdal_realm_moves_here_without_one_changed_password"),
            ("--json", "a_heimdal_realm_moves_here_without_one_changed_password"),
        ],
    ),
    (
        "kdc import-mit",
        &[
            ("--stash", "every_password_ticket_and_keytab_of_mits_realm_stays_good"),
            (
                "--master-password-file",
                "every_format_and_every_master_key_of_mits_is_read",
            ),
            (
                "--dry-run",
                "what_cannot_be_imported_whole_changes_nothing_and_says_why",
            ),
            ("--json", "what_cannot_be_imported_whole_changes_nothing_and_says_why"),
            (
                "--random-keys",
                "every_password_ticket_and_keytab_of_mits_realm_stays_good",
            ),
        ],
    ),
    ("kdc log", &[]),
    ("kdc rotate-master-key", &[]),
    ("kdc rebuild", &[]),
    (
        "principal",
        &[
            (
                "--server",
                "an_administrator_from_afar_is_known_by_a_password_or_a_ticket",
            ),
            ("-c", "an_administrator_from_afar_is_known_by_a_password_or_a_ticket"),
            ("-p", "an_administrator_from_afar_is_known_by_a_password_or_a_ticket"),
        ],
    ),
    (
        "principal add",
        &[
            ("--password-file", "the_right_password_logs_in"),
            ("--random-key", "a_keytab_logs_in"),
            ("--no-preauth", "pre_authentication_is_required_unless_told_otherwise"),
            ("--enctypes", "a_principal_has_the_enctypes_it_was_given"),
            ("--role", "a_role_counts_from_when_it_is_given_until_it_is_taken_away"),
            (
                "--policy",
                "a_policy_is_given_taken_back_and_default_holds_where_there_is_none",
            ),
        ],
    ),
    (
        "principal list",
        &[
            ("--role", "a_role_counts_from_when_it_is_given_until_it_is_taken_away"),
            ("--json", "principals_are_added_listed_shown_and_removed"),
        ],
    ),
    (
        "principal show",
        &[("--json", "principals_are_added_listed_shown_and_removed")],
    ),
    (
        "principal set",
        &[
            ("--expires", "expiry_is_taken_as_a_date_and_as_a_span_and_taken_back"),
            ("--password-expires", "an_expired_password_is_changed_at_login"),
            (
                "--max-life",
                "a_ticket_lives_as_long_as_asked_and_as_the_least_of_the_limits",
            ),
            (
                "--max-renew",
                "a_ticket_lives_as_long_as_asked_and_as_the_least_of_the_limits",
            ),
            (
                "--policy",
                "a_policy_is_given_taken_back_and_default_holds_where_there_is_none",
            ),
            ("--must-change-password", "an_expired_password_is_changed_at_login"),
            ("--preauth", "pre_authentication_is_required_unless_told_otherwise"),
            ("--service", "a_service_may_be_closed_to_what_it_does_not_want"),
            (
                "--forwardable",
                "flags_are_given_when_asked_and_withheld_when_client_or_service_may_not_have_them",
            ),
            (
                "--proxiable",
                "flags_are_given_when_asked_and_withheld_when_client_or_service_may_not_have_them",
            ),
            (
                "--renewable",
                "flags_are_given_when_asked_and_withheld_when_client_or_service_may_not_have_them",
            ),
            ("--postdateable", "postdating_can_be_forbidden"),
            (
                "--user-to-user",
                "user_to_user_tickets_are_sealed_with_the_others_session_key",
            ),
            ("--tgt-based", "a_service_may_be_closed_to_what_it_does_not_want"),
            ("--require-preauth", "a_service_may_be_closed_to_what_it_does_not_want"),
            ("--ok-as-delegate", "a_service_may_be_closed_to_what_it_does_not_want"),
            (
                "--require-fast",
                "armor_can_be_required_of_one_of_all_and_for_passwords_alone",
            ),
            (
                "--add-role",
                "a_role_counts_from_when_it_is_given_until_it_is_taken_away",
            ),
            (
                "--remove-role",
                "a_role_counts_from_when_it_is_given_until_it_is_taken_away",
            ),
            (
                "--revision",
                "of_two_who_edit_the_same_principal_the_second_is_told_of_the_first",
            ),
        ],
    ),
    (
        "principal password",
        &[("--password-file", "an_administrators_new_password_takes_effect_at_once")],
    ),
    (
        "principal rotate",
        &[
            ("--keep", "a_service_keeps_old_keys_when_told_to"),
            ("--stage", "staged_keys_are_in_keytabs_before_a_ticket_needs_them"),
            ("--activate", "staged_keys_are_in_keytabs_before_a_ticket_needs_them"),
            ("--purge", "after_a_purge_no_ticket_under_a_former_key_is_good"),
        ],
    ),
    ("principal lock", &[]),
    ("principal unlock", &[]),
    ("principal rename", &[]),
    ("principal alias", &[("--remove", "an_alias_can_be_taken_away")]),
    ("principal remove", &[]),
    (
        "principal keytab",
        &[
            ("--output", "our_keytabs_are_read_by_mit_and_listed_alike"),
            ("--rotate", "a_keytab_is_added_to_and_rotated_only_when_asked"),
        ],
    ),
    (
        "principal explain",
        &[
            ("--service", "tickets_are_explained_for_any_service"),
            ("--from", "a_rule_counts_where_it_says"),
            ("--at", "a_rule_counts_at_its_hours"),
            ("--act", "what_is_explained_of_an_administrator_is_what_it_meets"),
            ("--on", "what_is_explained_of_an_administrator_is_what_it_meets"),
            ("--json", "what_is_explained_is_what_is_seen_on_the_wire"),
        ],
    ),
    ("principal import", &[]),
    (
        "principal apply",
        &[
            (
                "--dry-run",
                "a_declared_realm_serves_as_declared_and_again_differs_in_nothing",
            ),
            ("--prune", "what_the_file_does_not_have_goes_only_when_told_to"),
            ("--json", "what_the_file_does_not_have_goes_only_when_told_to"),
        ],
    ),
    ("principal export", &[]),
    ("principal role", &[]),
    (
        "principal role add",
        &[("--right", "a_right_counts_from_when_it_is_given_until_it_is_taken_away")],
    ),
    (
        "principal role set",
        &[
            (
                "--add-right",
                "a_right_counts_from_when_it_is_given_until_it_is_taken_away",
            ),
            (
                "--remove-right",
                "a_right_counts_from_when_it_is_given_until_it_is_taken_away",
            ),
        ],
    ),
    ("principal role remove", &[]),
    (
        "principal role list",
        &[(
            "--json",
            "roles_and_rules_are_listed_and_shown_wherever_they_are_declared",
        )],
    ),
    ("principal rule", &[]),
    (
        "principal rule add",
        &[
            ("--effect", "a_rule_counts_from_when_it_is_added_until_it_is_removed"),
            ("--service", "a_rule_counts_from_when_it_is_added_until_it_is_removed"),
            ("--role", "a_rule_is_added_with_any_of_its_parts"),
            ("--from", "a_rule_is_added_with_any_of_its_parts"),
            ("--hours", "a_rule_is_added_with_any_of_its_parts"),
            ("--max-life", "a_rule_is_added_with_any_of_its_parts"),
        ],
    ),
    (
        "principal rule set",
        &[
            (
                "--effect",
                "each_part_of_a_rule_is_changed_by_itself_and_counts_at_once",
            ),
            (
                "--service",
                "each_part_of_a_rule_is_changed_by_itself_and_counts_at_once",
            ),
            ("--role", "each_part_of_a_rule_is_changed_by_itself_and_counts_at_once"),
            ("--from", "each_part_of_a_rule_is_changed_by_itself_and_counts_at_once"),
            ("--hours", "each_part_of_a_rule_is_changed_by_itself_and_counts_at_once"),
            (
                "--max-life",
                "each_part_of_a_rule_is_changed_by_itself_and_counts_at_once",
            ),
            (
                "--revision",
                "of_two_who_edit_the_same_rule_the_second_is_told_of_the_first",
            ),
        ],
    ),
    ("principal rule remove", &[]),
    (
        "principal rule show",
        &[(
            "--json",
            "roles_and_rules_are_listed_and_shown_wherever_they_are_declared",
        )],
    ),
    (
        "principal rule list",
        &[(
            "--json",
            "roles_and_rules_are_listed_and_shown_wherever_they_are_declared",
        )],
    ),
    ("principal policy", &[]),
    (
        "principal policy add",
        &[
            ("--min-length", "a_policy_is_added_with_any_of_its_parts"),
            ("--min-classes", "a_policy_is_added_with_any_of_its_parts"),
            ("--min-strength", "a_policy_is_added_with_any_of_its_parts"),
            ("--dictionary", "a_policy_is_added_with_any_of_its_parts"),
            ("--history", "a_policy_is_added_with_any_of_its_parts"),
            ("--min-age", "a_policy_is_added_with_any_of_its_parts"),
            ("--max-age", "a_policy_is_added_with_any_of_its_parts"),
            ("--max-failures", "a_policy_is_added_with_any_of_its_parts"),
            ("--failure-window", "a_policy_is_added_with_any_of_its_parts"),
            ("--lockout", "a_policy_is_added_with_any_of_its_parts"),
            ("--enctypes", "a_policy_is_added_with_any_of_its_parts"),
            ("--max-life", "a_policy_is_added_with_any_of_its_parts"),
            ("--max-renew", "a_policy_is_added_with_any_of_its_parts"),
        ],
    ),
    (
        "principal policy set",
        &[
            (
                "--min-length",
                "each_part_of_a_policy_is_set_by_itself_and_counts_at_once",
            ),
            (
                "--min-classes",
                "each_part_of_a_policy_is_set_by_itself_and_counts_at_once",
            ),
            (
                "--min-strength",
                "each_part_of_a_policy_is_set_by_itself_and_counts_at_once",
            ),
            (
                "--dictionary",
                "each_part_of_a_policy_is_set_by_itself_and_counts_at_once",
            ),
            ("--history", "each_part_of_a_policy_is_set_by_itself_and_counts_at_once"),
            ("--min-age", "each_part_of_a_policy_is_set_by_itself_and_counts_at_once"),
            ("--max-age", "each_part_of_a_policy_is_set_by_itself_and_counts_at_once"),
            ("--max-failures", "how_many_are_tried_can_be_changed_at_any_time"),
            ("--failure-window", "how_many_are_tried_can_be_changed_at_any_time"),
            ("--lockout", "how_many_are_tried_can_be_changed_at_any_time"),
            (
                "--enctypes",
                "each_part_of_a_policy_is_set_by_itself_and_counts_at_once",
            ),
            (
                "--max-life",
                "each_part_of_a_policy_is_set_by_itself_and_counts_at_once",
            ),
            (
                "--max-renew",
                "each_part_of_a_policy_is_set_by_itself_and_counts_at_once",
            ),
            (
                "--revision",
                "of_two_who_edit_the_same_policy_the_second_is_told_of_the_first",
            ),
        ],
    ),
    ("principal policy remove", &[]),
    (
        "principal policy show",
        &[("--json", "a_policy_is_added_with_any_of_its_parts")],
    ),
    (
        "principal policy list",
        &[(
            "--json",
            "policies_are_listed_shown_kept_and_removed_wherever_they_are_declared",
        )],
    ),
    (
        "principal log",
        &[
            (
                "--follow",
                "what_happens_is_seen_as_it_does_from_here_and_by_who_may_see_it_from_afar",
            ),
            (
                "--from",
                "what_happened_is_found_by_the_address_and_the_network_that_it_came_from",
            ),
            ("--kind", "what_happened_is_found_by_whom_where_what_and_when"),
            ("--result", "what_happened_is_found_by_whom_where_what_and_when"),
            ("--reason", "what_happened_is_found_by_whom_where_what_and_when"),
            ("--since", "what_happened_is_found_by_whom_where_what_and_when"),
            ("--until", "what_happened_is_found_by_whom_where_what_and_when"),
            ("--last", "what_happened_is_found_by_whom_where_what_and_when"),
            ("--json", "what_happened_is_found_by_whom_where_what_and_when"),
        ],
    ),
    (
        "principal sessions",
        &[
            (
                "--ended",
                "sessions_are_accounted_for_to_the_octet_that_was_on_the_wire",
            ),
            (
                "--since",
                "sessions_are_accounted_for_to_the_octet_that_was_on_the_wire",
            ),
            ("--json", "sessions_are_accounted_for_to_the_octet_that_was_on_the_wire"),
        ],
    ),
    (
        "principal usage",
        &[
            ("--since", "usage_is_the_sum_of_what_was_done"),
            ("--until", "usage_is_the_sum_of_what_was_done"),
            ("--json", "usage_is_the_sum_of_what_was_done"),
        ],
    ),
    ("principal reload", &[]),
    (
        "kinit",
        &[
            ("-V", "the_cache_can_be_named_and_what_is_done_told"),
            ("-l", "a_ticket_lives_as_long_as_asked_and_as_the_least_of_the_limits"),
            ("-s", "a_postdated_ticket_is_good_when_validated_at_its_time"),
            ("-r", "a_ticket_lives_as_long_as_asked_and_as_the_least_of_the_limits"),
            (
                "-f",
                "flags_are_given_when_asked_and_withheld_when_client_or_service_may_not_have_them",
            ),
            ("-F", "krb5_conf_asks_for_flags_and_the_command_line_overrules_it"),
            (
                "-p",
                "flags_are_given_when_asked_and_withheld_when_client_or_service_may_not_have_them",
            ),
            ("-P", "krb5_conf_asks_for_flags_and_the_command_line_overrules_it"),
            ("-a", "tickets_carry_addresses_only_when_asked"),
            ("-A", "tickets_carry_addresses_only_when_asked"),
            ("-C", "an_alias_logs_in_and_is_made_canonical_when_asked"),
            ("-E", "an_alias_logs_in_and_is_made_canonical_when_asked"),
            ("-v", "a_postdated_ticket_is_good_when_validated_at_its_time"),
            ("-R", "a_renewable_ticket_is_renewed_until_its_end"),
            ("-k", "a_keytab_logs_in"),
            ("-i", "a_keytab_logs_in"),
            ("-t", "a_keytab_logs_in"),
            ("-c", "the_cache_can_be_named_and_what_is_done_told"),
            ("-S", "an_initial_ticket_can_be_for_a_service"),
            (
                "-T",
                "our_kinit_takes_armor_from_a_cache_and_from_a_keytab_on_either_realm",
            ),
            (
                "--armor-keytab",
                "our_kinit_takes_armor_from_a_cache_and_from_a_keytab_on_either_realm",
            ),
        ],
    ),
    (
        "klist",
        &[
            ("-c", "klist_of_both_sides_prints_the_same_of_caches_of_both_sides"),
            ("-k", "our_keytabs_are_read_by_mit_and_listed_alike"),
            ("-e", "klist_of_both_sides_prints_the_same_of_caches_of_both_sides"),
            ("-l", "a_collection_of_caches_is_shared"),
            ("-A", "a_collection_of_caches_is_shared"),
            ("-f", "klist_of_both_sides_prints_the_same_of_caches_of_both_sides"),
            ("-d", "klist_of_both_sides_prints_the_same_of_caches_of_both_sides"),
            (
                "-s",
                "klist_s_tells_by_its_exit_status_whether_there_is_a_current_ticket",
            ),
            ("-a", "klist_of_both_sides_prints_the_same_of_caches_of_both_sides"),
            ("-n", "klist_of_both_sides_prints_the_same_of_caches_of_both_sides"),
            ("-C", "klist_hides_configuration_entries_and_shows_them_when_asked"),
            ("-i", "our_keytabs_are_read_by_mit_and_listed_alike"),
            ("-t", "our_keytabs_are_read_by_mit_and_listed_alike"),
            ("-K", "our_keytabs_are_read_by_mit_and_listed_alike"),
            ("--json", "klist_json_says_what_the_columns_say"),
        ],
    ),
    (
        "kdestroy",
        &[
            ("-A", "a_collection_of_caches_is_shared"),
            ("-q", "either_side_destroys_what_either_made"),
            ("-c", "either_side_destroys_what_either_made"),
            ("-p", "a_collection_of_caches_is_shared"),
        ],
    ),
    (
        "kswitch",
        &[
            ("-c", "a_collection_of_caches_is_shared"),
            ("-p", "a_collection_of_caches_is_shared"),
        ],
    ),
    (
        "kvno",
        &[
            ("-c", "kvno_takes_enctype_service_keytab_and_caches"),
            ("-e", "kvno_takes_enctype_service_keytab_and_caches"),
            ("-k", "kvno_takes_enctype_service_keytab_and_caches"),
            ("-q", "kvno_gets_a_ticket_and_tells_its_key_version"),
            ("-u", "kvno_takes_enctype_service_keytab_and_caches"),
            ("-S", "kvno_takes_enctype_service_keytab_and_caches"),
            ("--cached-only", "kvno_takes_enctype_service_keytab_and_caches"),
            ("--no-store", "kvno_takes_enctype_service_keytab_and_caches"),
            ("--out-cache", "kvno_takes_enctype_service_keytab_and_caches"),
            ("--u2u", "user_to_user_tickets_are_sealed_with_the_others_session_key"),
        ],
    ),
    ("kpasswd", &[]),
];

/// What a command does as such, and the test of it.
const COMMANDS: &[(&str, &str)] = &[
    (
        "kdc check",
        "a_right_realm_toml_is_said_to_be_right_and_nothing_is_made",
    ),
    ("kdc verify", "damage_inside_the_journal_is_named_and_nothing_is_served"),
    ("kdc dump", "a_dump_makes_the_same_realm_elsewhere"),
    ("kdc load", "a_dump_makes_the_same_realm_elsewhere"),
    (
        "kdc import-heimdal",
        "a_heimdal_realm_moves_here_without_one_changed_password",
    ),
    (
        "kdc import-mit",
        "every_password_ticket_and_keytab_of_mits_realm_stays_good",
    ),
    (
        "kdc log",
        "a_mistake_is_found_in_the_log_and_undone_by_a_dump_until_before_it",
    ),
    (
        "kdc rotate-master-key",
        "the_master_key_changes_under_logins_and_a_kill_half_way_loses_nothing",
    ),
    ("kdc rebuild", "an_index_can_be_made_anew_on_demand"),
    ("principal add", "the_right_password_logs_in"),
    ("principal list", "principals_are_added_listed_shown_and_removed"),
    ("principal show", "principals_are_added_listed_shown_and_removed"),
    (
        "principal set",
        "expiry_is_taken_as_a_date_and_as_a_span_and_taken_back",
    ),
    (
        "principal password",
        "an_administrators_new_password_takes_effect_at_once",
    ),
    ("principal rotate", "rotating_makes_new_keys_and_a_new_version"),
    ("principal lock", "a_locked_principal_is_locked_until_unlocked"),
    (
        "principal unlock",
        "without_an_end_a_lockout_lasts_until_somebody_unlocks",
    ),
    ("principal rename", "a_renamed_principal_keeps_its_password"),
    ("principal alias", "an_alias_logs_in_and_is_made_canonical_when_asked"),
    ("principal remove", "principals_are_added_listed_shown_and_removed"),
    ("principal keytab", "a_keytab_is_added_to_and_rotated_only_when_asked"),
    ("principal explain", "what_is_explained_is_what_is_seen_on_the_wire"),
    ("principal import", "importing_adds_what_each_line_says"),
    (
        "principal apply",
        "a_declared_realm_serves_as_declared_and_again_differs_in_nothing",
    ),
    ("principal export", "what_export_writes_apply_reads_here_and_elsewhere"),
    (
        "principal role",
        "a_role_counts_from_when_it_is_given_until_it_is_taken_away",
    ),
    (
        "principal role add",
        "a_role_counts_from_when_it_is_given_until_it_is_taken_away",
    ),
    (
        "principal role set",
        "a_right_counts_from_when_it_is_given_until_it_is_taken_away",
    ),
    (
        "principal role remove",
        "a_role_counts_from_when_it_is_given_until_it_is_taken_away",
    ),
    (
        "principal role list",
        "roles_and_rules_are_listed_and_shown_wherever_they_are_declared",
    ),
    (
        "principal rule",
        "a_rule_counts_from_when_it_is_added_until_it_is_removed",
    ),
    (
        "principal rule add",
        "a_rule_counts_from_when_it_is_added_until_it_is_removed",
    ),
    (
        "principal rule set",
        "each_part_of_a_rule_is_changed_by_itself_and_counts_at_once",
    ),
    (
        "principal rule remove",
        "a_rule_counts_from_when_it_is_added_until_it_is_removed",
    ),
    (
        "principal rule show",
        "roles_and_rules_are_listed_and_shown_wherever_they_are_declared",
    ),
    (
        "principal rule list",
        "roles_and_rules_are_listed_and_shown_wherever_they_are_declared",
    ),
    ("principal policy", "a_policy_is_added_with_any_of_its_parts"),
    ("principal policy add", "a_policy_is_added_with_any_of_its_parts"),
    (
        "principal policy set",
        "each_part_of_a_policy_is_set_by_itself_and_counts_at_once",
    ),
    (
        "principal policy remove",
        "policies_are_listed_shown_kept_and_removed_wherever_they_are_declared",
    ),
    (
        "principal policy show",
        "policies_are_listed_shown_kept_and_removed_wherever_they_are_declared",
    ),
    (
        "principal policy list",
        "policies_are_listed_shown_kept_and_removed_wherever_they_are_declared",
    ),
    ("principal log", "what_happened_is_found_by_whom_where_what_and_when"),
    (
        "principal sessions",
        "sessions_are_accounted_for_to_the_octet_that_was_on_the_wire",
    ),
    ("principal usage", "usage_is_the_sum_of_what_was_done"),
    ("principal reload", "both_ways_to_reload_apply_what_changed"),
];

/// Key of realm.toml, and the test of it.
const KEYS: &[(&str, &str)] = &[
    ("realm.name", "the_state_directory_of_another_realm_is_left_alone"),
    ("realm.state", "the_state_directory_of_another_realm_is_left_alone"),
    ("realm.hide-unknown-principals", "unknown_names_can_be_hidden"),
    (
        "realm.default-access",
        "a_service_that_no_rule_is_about_follows_the_default",
    ),
    (
        "roles.NAME",
        "a_rule_lets_in_whom_it_names_and_closes_the_service_to_the_rest",
    ),
    (
        "roles.NAME.rights",
        "helpdesk_sets_the_passwords_of_those_it_is_over_and_of_nobody_else",
    ),
    (
        "rules.NAME.effect",
        "a_rule_lets_in_whom_it_names_and_closes_the_service_to_the_rest",
    ),
    (
        "rules.NAME.roles",
        "a_rule_lets_in_whom_it_names_and_closes_the_service_to_the_rest",
    ),
    (
        "rules.NAME.services",
        "a_rule_lets_in_whom_it_names_and_closes_the_service_to_the_rest",
    ),
    ("rules.NAME.from", "a_rule_counts_where_it_says"),
    ("rules.NAME.hours", "a_rule_counts_at_its_hours"),
    ("rules.NAME.max-life", "a_rule_bounds_the_life_of_tickets"),
    (
        "policies.NAME.min-length",
        "a_password_has_to_be_what_its_policy_says_whoever_sets_it",
    ),
    (
        "policies.NAME.min-classes",
        "a_password_has_to_be_what_its_policy_says_whoever_sets_it",
    ),
    (
        "policies.NAME.min-strength",
        "a_password_has_to_be_what_its_policy_says_whoever_sets_it",
    ),
    (
        "policies.NAME.dictionary",
        "a_password_has_to_be_what_its_policy_says_whoever_sets_it",
    ),
    ("policies.NAME.history", "the_last_passwords_are_not_taken_again"),
    (
        "policies.NAME.min-age",
        "a_password_is_kept_for_its_least_age_and_good_up_to_its_greatest",
    ),
    (
        "policies.NAME.max-age",
        "a_password_is_kept_for_its_least_age_and_good_up_to_its_greatest",
    ),
    (
        "policies.NAME.max-failures",
        "as_many_wrong_passwords_as_the_policy_says_are_tried_and_then_none",
    ),
    (
        "policies.NAME.failure-window",
        "as_many_wrong_passwords_as_the_policy_says_are_tried_and_then_none",
    ),
    (
        "policies.NAME.lockout",
        "as_many_wrong_passwords_as_the_policy_says_are_tried_and_then_none",
    ),
    ("policies.NAME.enctypes", "keys_and_tickets_are_as_the_policy_says"),
    ("policies.NAME.max-life", "keys_and_tickets_are_as_the_policy_says"),
    ("policies.NAME.max-renew", "keys_and_tickets_are_as_the_policy_says"),
    (
        "passwords.dictionary",
        "a_password_has_to_be_what_its_policy_says_whoever_sets_it",
    ),
    ("listen.kerberos", "ipv6_is_served_beside_ipv4"),
    (
        "listen.admin",
        "administration_from_afar_is_served_where_realm_toml_says",
    ),
    ("listen.metrics", "a_prometheus_sees_what_clients_did"),
    ("listen.password", "passwords_change_over_udp_alone_and_tcp_alone"),
    (
        "listen.max-udp-reply",
        "a_reply_too_big_for_udp_sends_the_client_to_tcp",
    ),
    ("tickets.lifetime", "both_ways_to_reload_apply_what_changed"),
    ("tickets.renewable-lifetime", "every_key_that_can_change_does"),
    (
        "tickets.clock-skew",
        "a_clock_that_is_off_is_put_up_with_up_to_the_skew_and_told_beyond",
    ),
    (
        "authentication.require-fast",
        "armor_can_be_required_of_one_of_all_and_for_passwords_alone",
    ),
    (
        "authentication.unarmored-encrypted-timestamp",
        "armor_can_be_required_of_one_of_all_and_for_passwords_alone",
    ),
    (
        "authentication.network-failures",
        "a_network_is_shut_out_after_wrong_passwords_for_whatever_names",
    ),
    (
        "authentication.network-window",
        "a_network_is_shut_out_after_wrong_passwords_for_whatever_names",
    ),
    (
        "authentication.network-lockout",
        "a_network_is_shut_out_after_wrong_passwords_for_whatever_names",
    ),
    (
        "authentication.network-prefix-v4",
        "a_network_is_shut_out_after_wrong_passwords_for_whatever_names",
    ),
    (
        "authentication.network-prefix-v6",
        "a_network_is_shut_out_after_wrong_passwords_for_whatever_names",
    ),
    (
        "store.keep-snapshots",
        "snapshots_are_made_in_time_and_kept_as_many_as_told_to_go_back_to",
    ),
    (
        "store.snapshot-every",
        "snapshots_are_made_in_time_and_kept_as_many_as_told_to_go_back_to",
    ),
    ("accounting.enabled", "no_event_log_is_kept_where_that_is_said"),
    (
        "accounting.directory",
        "a_directory_that_cannot_be_trusted_or_used_keeps_the_daemon_from_starting",
    ),
    (
        "accounting.rotate-size",
        "files_are_put_aside_by_size_and_age_and_compressed_for_zstdcat_and_go_when_they_are_old_or_too_many",
    ),
    (
        "accounting.rotate-every",
        "files_are_put_aside_by_size_and_age_and_compressed_for_zstdcat_and_go_when_they_are_old_or_too_many",
    ),
    (
        "accounting.keep",
        "files_are_put_aside_by_size_and_age_and_compressed_for_zstdcat_and_go_when_they_are_old_or_too_many",
    ),
    (
        "accounting.max-size",
        "files_are_put_aside_by_size_and_age_and_compressed_for_zstdcat_and_go_when_they_are_old_or_too_many",
    ),
    (
        "accounting.compress",
        "files_are_put_aside_by_size_and_age_and_compressed_for_zstdcat_and_go_when_they_are_old_or_too_many",
    ),
    (
        "accounting.queue",
        "a_full_disk_makes_requests_wait_and_loses_none_where_that_is_asked_for",
    ),
    (
        "accounting.when-slow",
        "a_full_disk_makes_requests_wait_and_loses_none_where_that_is_asked_for",
    ),
    ("accounting.syslog", "rsyslogd_takes_events_from_its_socket"),
    ("accounting.journald", "journald_takes_events_with_their_fields"),
    (
        "log.format",
        "the_log_on_standard_error_is_json_or_without_requests_as_it_is_told",
    ),
    (
        "log.requests",
        "the_log_on_standard_error_is_json_or_without_requests_as_it_is_told",
    ),
    (
        "process.user",
        "root_binds_port_88_and_then_is_a_user_without_privileges_for_good",
    ),
    (
        "process.group",
        "root_binds_port_88_and_then_is_a_user_without_privileges_for_good",
    ),
    (
        "process.landlock",
        "the_kernel_keeps_the_daemon_from_files_that_it_was_not_started_with",
    ),
    (
        "accounting.interim-every",
        "a_session_gives_word_of_itself_and_ends_with_the_daemon_however_that_ends",
    ),
    ("keys.enctypes", "the_realm_makes_the_enctypes_that_realm_toml_names"),
    (
        "keys.krbtgt-every",
        "the_realms_key_is_changed_on_schedule_as_a_reload_says_and_former_ones_go_by_themselves",
    ),
];

/// What our clients read in krb5.conf, and the test of it. MIT's own tools are the measure there.
const KRB5_CONF: &[(&str, &str)] = &[
    ("include", "every_enctype_logs_in_by_password_and_by_keytab"),
    ("includedir", "a_directory_of_files_is_included"),
    ("libdefaults.default_realm", "ipv6_is_served_beside_ipv4"),
    (
        "libdefaults.ticket_lifetime",
        "krb5_conf_asks_for_flags_and_the_command_line_overrules_it",
    ),
    (
        "libdefaults.renew_lifetime",
        "krb5_conf_asks_for_flags_and_the_command_line_overrules_it",
    ),
    (
        "libdefaults.forwardable",
        "krb5_conf_asks_for_flags_and_the_command_line_overrules_it",
    ),
    (
        "libdefaults.proxiable",
        "krb5_conf_asks_for_flags_and_the_command_line_overrules_it",
    ),
    ("libdefaults.noaddresses", "tickets_carry_addresses_only_when_asked"),
    (
        "libdefaults.canonicalize",
        "an_alias_logs_in_and_is_made_canonical_when_asked",
    ),
    (
        "libdefaults.clockskew",
        "a_client_that_keeps_its_own_time_puts_up_with_the_skew_that_it_is_told",
    ),
    (
        "libdefaults.kdc_timesync",
        "a_client_that_keeps_its_own_time_puts_up_with_the_skew_that_it_is_told",
    ),
    (
        "libdefaults.default_ccache_name",
        "the_default_cache_is_where_krb5_conf_says",
    ),
    (
        "libdefaults.default_keytab_name",
        "keytabs_are_found_where_krb5_conf_says",
    ),
    (
        "libdefaults.default_client_keytab_name",
        "keytabs_are_found_where_krb5_conf_says",
    ),
    (
        "libdefaults.permitted_enctypes",
        "every_enctype_logs_in_by_password_and_by_keytab",
    ),
    (
        "libdefaults.default_tkt_enctypes",
        "enctypes_are_asked_for_as_krb5_conf_says_at_login_and_afterwards",
    ),
    (
        "libdefaults.default_tgs_enctypes",
        "enctypes_are_asked_for_as_krb5_conf_says_at_login_and_afterwards",
    ),
    ("libdefaults.udp_preference_limit", "a_client_may_prefer_tcp"),
    ("realms.kdc", "ipv6_is_served_beside_ipv4"),
    (
        "realms.disable_encrypted_timestamp",
        "who_may_not_send_a_timestamp_logs_in_in_armor",
    ),
    ("realms.kpasswd_server", "passwords_change_over_udp_alone_and_tcp_alone"),
    ("domain_realm", "a_hosts_realm_is_the_one_of_its_domain"),
];

#[test]
fn every_flag_has_a_test() {
    for (command, flags) in FLAGS {
        let named: BTreeSet<_> = flags.iter().map(|(flag, _)| (*flag).to_owned()).collect();
        assert_eq!(
            flags_of(command),
            named,
            "the flags of {command}, and those that the table has a test for"
        );
    }
}

#[test]
fn every_command_has_a_test() {
    for program in ["kdc", "principal"] {
        let commands = commands_of(program);
        let named = |table: Vec<&str>| -> BTreeSet<String> {
            let of_program = table
                .into_iter()
                .filter(|command| command.starts_with(&format!("{program} ")));
            of_program.map(str::to_owned).collect()
        };
        assert_eq!(named(COMMANDS.iter().map(|(command, _)| *command).collect()), commands);
        assert_eq!(named(FLAGS.iter().map(|(command, _)| *command).collect()), commands);
    }
}

#[test]
fn every_key_has_a_test() {
    let keys: BTreeSet<_> = KEYS.iter().map(|(key, _)| (*key).to_owned()).collect();
    assert_eq!(keys_of_the_example(), keys);
}

#[test]
fn every_test_that_is_named_is_there() {
    let sources = sources_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"));
    let of_flags = FLAGS.iter().flat_map(|(_, flags)| flags.iter().map(|(_, test)| *test));
    let others = COMMANDS.iter().chain(KEYS).chain(KRB5_CONF).map(|(_, test)| *test);
    for test in of_flags.chain(others) {
        assert!(sources.contains(&format!("fn {test}()")), "there is no test {test}");
    }
    let cves = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("CVE.md")).unwrap();
    let named = cves.split('`').filter(|word| word.contains("::"));
    for test in named {
        let (file, name) = test.split_once("::").unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
        let source = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(
            source.contains(&format!("fn {name}(")),
            "{} has no {name}",
            file.display()
        );
    }
}

/// All that is written in Rust in a directory and those in it: a test of several files has one of its own.
fn sources_in(directory: &Path) -> String {
    let mut sources = String::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources += &sources_in(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources += &std::fs::read_to_string(&path).unwrap();
        }
    }
    sources
}

/// The flags that `--help` lists, each by its first name; those that every command has left out.
fn flags_of(command: &str) -> BTreeSet<String> {
    let help = help(command);
    let first = |line: &str| -> Option<String> {
        let line = line.trim_start();
        line.starts_with('-')
            .then(|| line.split([' ', ',']).next().unwrap().to_owned())
    };
    // What every command of a program has is the program's own.
    let of_commands = ["-c", "--config", "--server", "-p"];
    let left_out = |flag: &str, line: &str| {
        matches!(flag, "-h" | "--help" | "--version")
            || flag == "-V" && line.contains("--version")
            || line.contains("--config")
            || command.contains(' ') && of_commands.contains(&flag)
    };
    help.lines()
        .filter_map(|line| first(line).filter(|flag| !left_out(flag, line)))
        .collect()
}

/// The commands below one, those below these included.
fn commands_of(command: &str) -> BTreeSet<String> {
    let help = help(command);
    let Some((_, commands)) = help.split_once("Commands:\n") else {
        return BTreeSet::new();
    };
    let named = commands.lines().take_while(|line| !line.is_empty());
    // A continued description is set further in.
    let named = named.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let named = named.map(|line| line.split_whitespace().next().unwrap().to_owned());
    let below = named
        .filter(|name| name != "help")
        .map(|name| format!("{command} {name}"));
    below
        .flat_map(|below| commands_of(&below).into_iter().chain([below]))
        .collect()
}

fn help(command: &str) -> String {
    let mut words = command.split(' ');
    let output = Command::new(binary(words.next().unwrap()))
        .args(words)
        .arg("--help")
        .env("COLUMNS", "200")
        .output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// The keys of the annotated example, which has every key that there is. What is not in force there has a `#` before it, with
/// no space between them; the names of roles, rules and policies are the operator's.
fn keys_of_the_example() -> BTreeSet<String> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../realm.toml");
    let mut keys = BTreeSet::new();
    let mut section = String::new();
    for line in std::fs::read_to_string(example).unwrap().lines() {
        let line = line.strip_prefix('#').unwrap_or(line);
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            for table in ["roles", "rules", "policies"] {
                if name.split_once('.').is_some_and(|(first, _)| first == table) {
                    section = format!("{table}.NAME");
                }
            }
            // A role is its table, and no more.
            if section == "roles.NAME" {
                keys.insert(section.clone());
            }
        } else if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| !key.starts_with(['#', ' '])) {
            keys.insert(format!("{section}.{key}"));
        }
    }
    keys
}
