#include "cmd/settings/startup.h"

#include "cmd/base/exit_code.h"
#include "cmd/settings/settings_node.h"
#include "net/crypto/key_text.h"
#include "net/out/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "captured.h"

enum { GO_ON = -1 };

enum { EXTRA_VALUE, EXTRA_FLAG, EXTRA_COUNT };

static const struct option_def extras[EXTRA_COUNT] = {
    [EXTRA_VALUE] = {"extra-value", 0, true},
    [EXTRA_FLAG] = {"extra-flag", 0, false},
};

static struct startup st;
static struct captured out, err;

/* What the system's resolver says of every name. */
static struct {
    enum rc rc;
    const char *error;
    char asked[256]; /* "a b " */
} resolver;

enum rc __wrap_resolve_wait(const char *host, uint16_t port, struct addr *ret_addrs, size_t max,
                            size_t *ret_count, const char **ret_error);

enum rc __wrap_resolve_wait(const char *host, uint16_t port, struct addr *ret_addrs, size_t max,
                            size_t *ret_count, const char **ret_error)
{
    const size_t len = strlen(resolver.asked);
    (void)port;
    (void)ret_addrs;
    assert_int_equal(max, 1);
    (void)snprintf(resolver.asked + len, sizeof(resolver.asked) - len, "%s ", host);
    *ret_count = resolver.rc == RC_OK ? 1 : 0;
    *ret_error = resolver.error;
    return resolver.rc;
}

static int setup(void **state)
{
    (void)state;
    memset(&st, 0, sizeof(st));
    memset(&resolver, 0, sizeof(resolver));
    resolver.error = "";
    return clearenv();
}

static int teardown(void **state)
{
    (void)state;
    startup_fini(&st);
    return 0;
}

/* Begins a command with these words, NULL at the end. */
static int begin_words(bool is_launch, char **words)
{
    int count = 0;
    while (words[count] != NULL) {
        count++;
    }
    startup_fini(&st);
    captured_begin(&out, STDOUT_FILENO);
    captured_begin(&err, STDERR_FILENO);
    const int code = startup_begin(&st, count, words, is_launch, extras, EXTRA_COUNT);
    (void)captured_end(&err);
    (void)captured_end(&out);
    return code;
}

/* `repram launch` with up to three words more. */
static int begin(const char *first, const char *second, const char *third)
{
    static char words[4][256];
    char *argv[5] = {NULL};
    const char *const given[] = {"launch", first, second, third};
    for (size_t i = 0; i < 4 && given[i] != NULL; i++) {
        (void)snprintf(words[i], sizeof(words[i]), "%s", given[i]);
        argv[i] = words[i];
    }
    return begin_words(true, argv);
}

static void expect(int code, int expected, const char *expected_out, const char *expected_err)
{
    assert_string_equal(out.text, expected_out);
    assert_string_equal(err.text, expected_err);
    assert_int_equal(code, expected);
}

/* A file with this text, which the test removes. Returns its path. */
static const char *write_config(const char *text, size_t len)
{
    static char path[] = "/tmp/repram-test-startup-XXXXXX";
    (void)snprintf(path + strlen(path) - 6, 7, "XXXXXX");
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    (void)close(fd);
    return path;
}

static void without_a_word_the_command_goes_on_with_its_defaults(void **state)
{
    (void)state;
    expect(begin(NULL, NULL, NULL), GO_ON, "", "");
    assert_int_equal(settings_number(&st.settings, SETTING_BASE_PORT), 8081);
    assert_null(st.extras[EXTRA_VALUE]);
    assert_null(st.extras[EXTRA_FLAG]);
    assert_null(st.config_path);
    assert_int_equal(st.flag_count, 0);
}

static void flags_and_the_commands_own_options_are_kept_as_they_were_given(void **state)
{
    (void)state;
    expect(begin("--base-port=9000", "--extra-value=v", "--extra-flag"), GO_ON, "", "");
    assert_int_equal(settings_number(&st.settings, SETTING_BASE_PORT), 9000);
    assert_int_equal(st.flag_count, 1);
    assert_int_equal(st.flags[0].id, SETTING_BASE_PORT);
    assert_string_equal(st.flags[0].value, "9000");
    assert_string_equal(st.extras[EXTRA_VALUE], "v");
    assert_string_equal(st.extras[EXTRA_FLAG], "");
}

static void what_is_wrong_with_the_command_line_is_said(void **state)
{
    (void)state;
    expect(begin("word", NULL, NULL), EXIT_CODE_USAGE, "",
           "repram launch: unexpected word 'word'; see repram launch --help\n");
    expect(begin("--no-such", NULL, NULL), EXIT_CODE_USAGE, "",
           "repram launch: unknown option --no-such; see repram launch --help\n");
}

static void there_are_only_so_many_flags(void **state)
{
    (void)state;
    static char name[] = "launch", flag[] = "--base-port=9000";
    char *words[STARTUP_FLAGS_MAX + 3] = {name};
    for (int i = 1; i <= STARTUP_FLAGS_MAX; i++) {
        words[i] = flag;
    }
    expect(begin_words(true, words), GO_ON, "", "");
    assert_int_equal(st.flag_count, STARTUP_FLAGS_MAX);
    words[STARTUP_FLAGS_MAX + 1] = flag;
    expect(begin_words(true, words), EXIT_CODE_USAGE, "",
           "repram launch: too many flags; see repram launch --help\n");
}

static void help_is_the_commands(void **state)
{
    (void)state;
    assert_int_equal(begin("--help", "--base-port=x", NULL), EXIT_CODE_OK);
    assert_memory_equal(out.text, "usage: repram launch", strlen("usage: repram launch"));
    assert_string_equal(err.text, "");
    assert_int_equal(begin("-h", NULL, NULL), EXIT_CODE_OK);
}

static void the_configuration_is_printed_with_where_each_value_comes_from(void **state)
{
    (void)state;
    unsigned lines = 0;
    assert_int_equal(begin("--print-config", "--base-port=9000", NULL), EXIT_CODE_OK);
    for (const char *at = out.text; *at != '\0'; at++) {
        lines += *at == '\n' ? 1 : 0;
    }
    assert_int_equal(lines, SETTING_COUNT);
    assert_non_null(strstr(out.text, "BASE_PORT\t9000\tflag --base-port\n"));
    assert_non_null(strstr(out.text, "MAX_PORTS\t10\tdefault\n"));
    assert_int_equal(begin("--print-config", "--check-config", NULL), EXIT_CODE_OK);
    assert_null(strstr(out.text, "is good"));
    assert_int_equal(begin("--print-config", "--base-port=x", NULL), EXIT_CODE_BAD_CONFIG);
    assert_non_null(strstr(out.text, "MAX_PORTS\t10\tdefault\n"));
    assert_non_null(strstr(err.text, "repram: BASE_PORT=x "));
}

static void a_good_configuration_is_called_so(void **state)
{
    (void)state;
    expect(begin("--check-config", NULL, NULL), EXIT_CODE_OK, "the configuration is good\n", "");
    assert_string_equal(resolver.asked, "localhost ");
}

static void names_that_do_not_resolve_are_told_when_they_are_checked(void **state)
{
    (void)state;
    resolver.error = "no such name";
    for (int i = 0; i < 2; i++) {
        resolver.rc = i == 0 ? RC_NOT_FOUND : RC_AGAIN;
        expect(begin("--check-config", "--discovery-domain=a.example", "--address=b.example"),
               EXIT_CODE_OK, "the configuration is good\n",
               "repram: warning: DISCOVERY_DOMAIN=a.example (flag --discovery-domain) does not "
               "resolve now: no such name\n"
               "repram: warning: REPRAM_ADDRESS=b.example (flag --address) does not resolve now: "
               "no such name\n");
    }
    assert_string_equal(resolver.asked, "a.example b.example a.example b.example ");
    expect(begin("--check-config", "--strict", "--discovery-domain=a.example"),
           EXIT_CODE_BAD_CONFIG, "",
           "repram: DISCOVERY_DOMAIN=a.example (flag --discovery-domain) does not resolve now: no "
           "such name\n");
}

static void at_the_start_nobody_is_asked_for_the_domain(void **state)
{
    (void)state;
    resolver.rc = RC_NOT_FOUND;
    expect(begin("--discovery-domain=a.example", "--strict", NULL), GO_ON, "", "");
    assert_string_equal(resolver.asked, "");
}

static void an_address_that_does_not_resolve_now_is_no_fault_of_the_settings(void **state)
{
    (void)state;
    static struct node_config c;
    resolver.error = "no such name";
    for (int i = 0; i < 2; i++) {
        resolver.rc = i == 0 ? RC_NOT_FOUND : RC_AGAIN;
        expect(begin("--address=b.example", NULL, NULL), GO_ON, "", "");
        assert_int_equal(settings_node_config(&st.settings, &c), RC_AGAIN);
        assert_non_null(strstr(st.settings.errors.text,
                               "REPRAM_ADDRESS=b.example (flag --address) does not resolve now: no "
                               "such name"));
    }
}

static void a_name_server_by_name_is_looked_up_at_the_start(void **state)
{
    (void)state;
    static struct node_config c;
    resolver.error = "no such name";
    expect(begin("--dns-servers=consul:8600,dns.example", NULL, NULL), GO_ON, "", "");
    assert_int_equal(settings_node_config(&st.settings, &c), RC_OK);
    assert_string_equal(resolver.asked, "consul dns.example ");
    assert_int_equal(c.dns_server_count, 2);
    resolver.rc = RC_NOT_FOUND;
    assert_int_equal(settings_node_config(&st.settings, &c), RC_AGAIN);
    assert_int_equal(c.dns_server_count, 0);
    assert_non_null(strstr(st.settings.errors.text,
                           "REPRAM_DNS_SERVERS: consul does not resolve now: no such name"));
}

static void an_unknown_name_is_a_warning_and_where_it_is_strict_an_error(void **state)
{
    (void)state;
    static const char name[] = "REPRAM_NO_SUCH_THING (environment) is no setting of repram";
    char text[128];
    assert_int_equal(setenv("REPRAM_NO_SUCH_THING", "1", 1), 0);
    expect(begin(NULL, NULL, NULL), GO_ON, "", "");
    (void)snprintf(text, sizeof(text), "repram: warning: %s\n", name);
    expect(begin("--check-config", NULL, NULL), EXIT_CODE_OK, "the configuration is good\n", text);
    (void)snprintf(text, sizeof(text), "repram: %s\n", name);
    expect(begin("--strict", NULL, NULL), EXIT_CODE_BAD_CONFIG, "", text);
    expect(begin("--check-config", "--strict", NULL), EXIT_CODE_BAD_CONFIG, "", text);
}

static void a_setting_without_effect_is_noted(void **state)
{
    (void)state;
    assert_int_equal(setenv("REPRAM_FADE", "off", 1), 0);
    assert_int_equal(setenv("REPRAM_FADE_DIR", "/tmp", 1), 0);
    expect(begin("--check-config", "--strict", NULL), EXIT_CODE_OK, "the configuration is good\n",
           "repram: note: REPRAM_FADE_DIR is set and not used: REPRAM_FADE is off\n");
}

static void a_file_is_read_and_its_first_fault_is_told_with_its_line(void **state)
{
    (void)state;
    static const char good[] = "# a comment\nBASE_PORT=9002\n", bad[] = "BASE_PORT=9002\nno\nno\n";
    char flag[128], text[256];
    const char *path = write_config(good, strlen(good));
    (void)snprintf(flag, sizeof(flag), "--config=%s", path);
    expect(begin(flag, NULL, NULL), GO_ON, "", "");
    assert_string_equal(st.config_path, path);
    assert_int_equal(settings_number(&st.settings, SETTING_BASE_PORT), 9002);
    (void)unlink(path);
    (void)write_config(bad, strlen(bad));
    (void)snprintf(flag, sizeof(flag), "--config=%s", path);
    (void)snprintf(text, sizeof(text),
                   "repram: --config %s, line 2 is malformed; allowed: KEY=value\n", path);
    expect(begin(flag, NULL, NULL), EXIT_CODE_BAD_CONFIG, "", text);
    (void)unlink(path);
}

static void a_file_that_cannot_be_read_is_told_with_the_reason(void **state)
{
    (void)state;
    char flag[128], text[256];
    expect(begin("--config", "/nonexistent", NULL), EXIT_CODE_BAD_CONFIG, "",
           "repram: --config /nonexistent cannot be read: No such file or directory; allowed: a "
           "readable file of at most 64 KiB\n");
    char *large = malloc(CONFIG_FILE_BYTES_MAX + 1);
    assert_non_null(large);
    memset(large, '#', CONFIG_FILE_BYTES_MAX + 1);
    for (size_t more = 0; more < 2; more++) {
        const char *path = write_config(large, CONFIG_FILE_BYTES_MAX + more);
        (void)snprintf(flag, sizeof(flag), "--config=%s", path);
        (void)snprintf(text, sizeof(text),
                       "repram: --config %s cannot be read: %s; allowed: a readable file of at "
                       "most 64 KiB\n",
                       path, rc_text(RC_TOO_LONG));
        expect(begin(flag, NULL, NULL), more == 0 ? GO_ON : EXIT_CODE_BAD_CONFIG, "",
               more == 0 ? "" : text);
        (void)unlink(path);
    }
    free(large);
}

static void pairs_are_judged_where_each_is_right_by_itself(void **state)
{
    (void)state;
    assert_int_equal(begin("--min-ttl=600", "--max-ttl=300", NULL), EXIT_CODE_BAD_CONFIG);
    assert_string_not_equal(err.text, "");
    assert_int_equal(begin("--min-ttl=600", "--max-ttl=300", "--base-port=x"),
                     EXIT_CODE_BAD_CONFIG);
    assert_null(strstr(err.text, "TTL"));
}

static void more_nodes_than_ports_are_refused_to_a_launcher_only(void **state)
{
    (void)state;
    static char node[] = "node", count[] = "--node-count=4", ports[] = "--max-ports=3";
    char *words[] = {node, count, ports, NULL};
    assert_int_equal(begin_words(true, words), EXIT_CODE_BAD_CONFIG);
    expect(begin_words(false, words), GO_ON, "", "");
}

static void warnings_and_notes_go_to_the_log_that_was_asked_for(void **state)
{
    (void)state;
    struct captured said;
    assert_int_equal(setenv("REPRAM_NO_A", "1", 1), 0);
    assert_int_equal(setenv("REPRAM_NO_B", "1", 1), 0);
    assert_int_equal(setenv("REPRAM_FADE", "off", 1), 0);
    assert_int_equal(setenv("REPRAM_FADE_DIR", "/tmp", 1), 0);
    expect(begin("--log-level=info", "--log-format=json", NULL), GO_ON, "", "");
    captured_begin(&said, STDERR_FILENO);
    struct log log = startup_open_log(&st);
    startup_log(&st, &log);
    const char *text = captured_end(&said);
    assert_int_equal(log.level, LOG_INFO);
    assert_int_equal(log.format, LOG_JSON);
    assert_int_equal(log.fd, STDERR_FILENO);
    const char *a = strstr(text, "REPRAM_NO_A (environment)");
    const char *b = strstr(text, "REPRAM_NO_B (environment)");
    assert_true(a != NULL && b != NULL && strchr(a < b ? a : b, '\n') < (a < b ? b : a));
    assert_non_null(strstr(text, "\"level\":\"warn\",\"event\":\"config\""));
    assert_non_null(strstr(text, "\"level\":\"info\",\"event\":\"config\""));
}

static void a_reload_reads_the_file_again_under_the_same_flags(void **state)
{
    (void)state;
    static const char after[] = "REPRAM_LOG_LEVEL=error\nBASE_PORT=9005\n";
    static struct settings fresh;
    char flag[128];
    const char *path = write_config("\n", 1);
    (void)snprintf(flag, sizeof(flag), "--config=%s", path);
    expect(begin(flag, "--base-port=9003", NULL), GO_ON, "", "");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(after, file);
    assert_int_equal(fclose(file), 0);
    struct log log = startup_open_log(&st);
    startup_reload(&st, &log, &fresh);
    (void)unlink(path);
    assert_int_equal(fresh.errors.count, 0);
    assert_int_equal(settings_number(&fresh, SETTING_LOG_LEVEL), LOG_ERROR);
    assert_int_equal(settings_number(&fresh, SETTING_BASE_PORT), 9003);
    assert_int_equal(settings_number(&st.settings, SETTING_LOG_LEVEL), LOG_INFO);
    settings_fini(&fresh);
}

/* Reads the file again, which says this now. Returns what the log says. */
static const char *reload(const char *path, const char *text, struct settings *ret_fresh)
{
    static struct captured said;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
    captured_begin(&said, STDERR_FILENO);
    struct log log = startup_open_log(&st);
    startup_reload(&st, &log, ret_fresh);
    return captured_end(&said);
}

static void the_first_secret_that_comes_by_a_reload_closes_the_process(void **state)
{
    (void)state;
    static const uint8_t key[SEAL_KEY_BYTES] = {1};
    static struct settings fresh;
    char flag[128], text[256], secret[KEY_TEXT_SIZE];
    assert_int_equal(key_text_make(key, secret), RC_OK);
    for (int i = 0; i < 2; i++) {
        const char *path = write_config("\n", 1);
        (void)snprintf(flag, sizeof(flag), "--config=%s", path);
        expect(begin(flag, NULL, NULL), GO_ON, "", "");
        assert_string_equal(reload(path, "REPRAM_LOG_LEVEL=warn\n", &fresh), "");
        settings_fini(&fresh);
        assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
        /* Also where something else in the file is wrong: it was read all the same. */
        (void)snprintf(text, sizeof(text), "REPRAM_CLUSTER_SECRET=%s\nBASE_PORT=%s\n", secret,
                       i == 0 ? "9000" : "x");
        const char *said = reload(path, text, &fresh);
        assert_int_equal(*said == '\0', i == 0);
        assert_null(strstr(said, secret));
        settings_fini(&fresh);
        assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
        assert_int_equal(prctl(PR_SET_DUMPABLE, 1),
                         0); /* for what looks into this one at its end */
        (void)unlink(path);
    }
}

/* The same sentence for whoever reads them again, be it a node or its launcher. */
static void a_reload_that_opens_what_rules_guard_is_refused(void **state)
{
    (void)state;
    static const uint8_t key[SEAL_KEY_BYTES] = {1};
    static struct settings fresh;
    char text[256], secret[KEY_TEXT_SIZE];
    static char acl[] = "/tmp/repram-test-startup-acl-XXXXXX";
    const int fd = mkstemp(acl);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(key_text_make(key, secret), RC_OK);
    for (int i = 0; i < 2; i++) {
        char flag[128], acl_flag[64];
        (void)snprintf(text, sizeof(text), "REPRAM_CLUSTER_SECRET=%s\n", secret);
        const char *path = write_config(text, strlen(text));
        (void)snprintf(flag, sizeof(flag), "--config=%s", path);
        (void)snprintf(acl_flag, sizeof(acl_flag), "--acl-file=%s", acl);
        assert_int_equal(begin(flag, acl_flag, i == 0 ? NULL : "--bind=127.0.0.1"), GO_ON);
        const char *said = reload(path, "REPRAM_CLUSTER_SECRET=open\n", &fresh);
        assert_int_equal(fresh.errors.count, i == 0 ? 1 : 0);
        assert_int_equal(strstr(said,
                                "no setting has changed: REPRAM_CLUSTER_SECRET has no key any "
                                "more") != NULL,
                         i == 0);
        settings_fini(&fresh);
        (void)unlink(path);
    }
    (void)unlink(acl);
    assert_int_equal(prctl(PR_SET_DUMPABLE, 1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_word_the_command_goes_on_with_its_defaults),
        TEST(flags_and_the_commands_own_options_are_kept_as_they_were_given),
        TEST(what_is_wrong_with_the_command_line_is_said),
        TEST(there_are_only_so_many_flags),
        TEST(help_is_the_commands),
        TEST(the_configuration_is_printed_with_where_each_value_comes_from),
        TEST(a_good_configuration_is_called_so),
        TEST(names_that_do_not_resolve_are_told_when_they_are_checked),
        TEST(at_the_start_nobody_is_asked_for_the_domain),
        TEST(an_address_that_does_not_resolve_now_is_no_fault_of_the_settings),
        TEST(a_name_server_by_name_is_looked_up_at_the_start),
        TEST(an_unknown_name_is_a_warning_and_where_it_is_strict_an_error),
        TEST(a_setting_without_effect_is_noted),
        TEST(a_file_is_read_and_its_first_fault_is_told_with_its_line),
        TEST(a_file_that_cannot_be_read_is_told_with_the_reason),
        TEST(pairs_are_judged_where_each_is_right_by_itself),
        TEST(more_nodes_than_ports_are_refused_to_a_launcher_only),
        TEST(warnings_and_notes_go_to_the_log_that_was_asked_for),
        TEST(a_reload_reads_the_file_again_under_the_same_flags),
        TEST(the_first_secret_that_comes_by_a_reload_closes_the_process),
        TEST(a_reload_that_opens_what_rules_guard_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
