#include "cmd/settings/settings.h"

#include "cmd/base/log.h"
#include "net/node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct settings s;
static struct config_file file;

static int setup(void **state)
{
    (void)state;
    memset(&s, 0, sizeof(s));
    memset(&file, 0, sizeof(file));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    settings_fini(&s);
    config_file_fini(&file);
    return 0;
}

/* Loads from an environment (NAME=value words, NULL at the end), a file's text and one flag. */
static void load(const char *const *environment, const char *text, const struct settings_flag *flag)
{
    struct settings_sources sources = {.environment = (char *const *)(uintptr_t)environment,
                                       .flags = flag,
                                       .flag_count = flag != NULL ? 1 : 0,
                                       .file_name = "test.conf"};
    unsigned line = 0;
    settings_fini(&s);
    config_file_fini(&file);
    if (text != NULL) {
        assert_int_equal(config_file_parse(&file, text, strlen(text), &line), RC_OK);
        sources.file = &file;
    }
    settings_load(&s, &sources);
}

static void load_env(const char *word)
{
    const char *const environment[] = {word, NULL};
    load(environment, NULL, NULL);
}

static void nothing_set_gives_the_defaults_of_the_contract(void **state)
{
    (void)state;
    load(NULL, NULL, NULL);
    assert_int_equal(s.errors.count + s.warnings.count + s.remarks.count, 0);
    static const struct {
        enum setting_id id;
        uint64_t number;
    } expected[] = {{SETTING_BASE_PORT, 8081},
                    {SETTING_MAX_PORTS, 10},
                    {SETTING_NODE_COUNT, 3},
                    {SETTING_REPLICATION_FACTOR, 3},
                    {SETTING_DEFAULT_TTL, 3600},
                    {SETTING_MIN_TTL, 300},
                    {SETTING_MAX_TTL, 86400},
                    {SETTING_MAX_VALUE_SIZE, 10 << 20},
                    {SETTING_MAX_STORAGE_MB, 0},
                    {SETTING_WRITE_TIMEOUT, 5000},
                    {SETTING_DRAIN_GRACE, 1000},
                    {SETTING_RATE_LIMIT, 0},
                    {SETTING_MAX_CONNECTIONS_PER_IP, 0},
                    {SETTING_IDLE_TIMEOUT, 75000},
                    {SETTING_REQUEST_TIMEOUT, 15000},
                    {SETTING_LOG_LEVEL, LOG_INFO},
                    {SETTING_LOG_FORMAT, LOG_TEXT}};
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_int_equal(settings_number(&s, expected[i].id), expected[i].number);
        assert_string_equal(s.values[expected[i].id].from, "default");
    }
    assert_string_equal(settings_text(&s, SETTING_DISCOVERY_DOMAIN), "localhost");
    assert_string_equal(settings_text(&s, SETTING_NETWORK), "private");
    assert_string_equal(settings_text(&s, SETTING_ENCLAVE), "default");
    assert_string_equal(settings_text(&s, SETTING_FLUX_API), "https://api.runonflux.io");
    assert_false(settings_is_set(&s, SETTING_HTTP_PORT));
}

/* The unit that a number of the settings' table has as text; NULL where it is none. */
static const char *unit_of(enum setting_type type)
{
    static const char *const units[] = {[TYPE_PORT] = "",
                                        [TYPE_COUNT] = "",
                                        [TYPE_SIZE] = "",
                                        [TYPE_SECONDS] = "s",
                                        [TYPE_TIMEOUT] = "ms"};
    return (size_t)type < sizeof(units) / sizeof(units[0]) ? units[type] : NULL;
}

static bool is_taken(enum setting_id id, uint64_t number)
{
    char word[128];
    (void)snprintf(word, sizeof(word), "%s=%llu%s", settings_def(id)->name,
                   (unsigned long long)number, unit_of(settings_def(id)->type));
    load_env(word);
    return s.errors.count == 0 && settings_number(&s, id) == number;
}

static void a_number_is_taken_from_its_least_to_its_most(void **state)
{
    (void)state;
    unsigned tried = 0;
    for (int i = 0; i < SETTING_COUNT; i++) {
        const enum setting_id id = (enum setting_id)i;
        const struct settings_def *def = settings_def(id);
        if (unit_of(def->type) == NULL || (def->traits & TRAIT_UNUSED) != 0) {
            continue;
        }
        assert_true(is_taken(id, def->min));
        assert_true(is_taken(id, def->max));
        assert_true(def->min == 0 || !is_taken(id, def->min - 1));
        assert_false(is_taken(id, def->max + 1));
        tried++;
    }
    assert_true(tried > 15);
}

static void flag_goes_over_environment_over_file_over_default(void **state)
{
    (void)state;
    static const char *const environment[] = {"BASE_PORT=9001", NULL};
    static const char text[] = "# a file\nBASE_PORT=9002\nMAX_PORTS=5\n";
    const struct settings_flag flag = {SETTING_BASE_PORT, "9000"};
    load(environment, text, &flag);
    assert_int_equal(settings_number(&s, SETTING_BASE_PORT), 9000);
    assert_string_equal(s.values[SETTING_BASE_PORT].from, "flag --base-port");
    assert_int_equal(s.values[SETTING_BASE_PORT].origin, ORIGIN_FLAG);
    assert_int_equal(settings_number(&s, SETTING_MAX_PORTS), 5);
    assert_string_equal(s.values[SETTING_MAX_PORTS].from, "file test.conf line 3");
    load(environment, text, NULL);
    assert_int_equal(settings_number(&s, SETTING_BASE_PORT), 9001);
    assert_string_equal(s.values[SETTING_BASE_PORT].from, "environment BASE_PORT");
    load(NULL, text, NULL);
    assert_int_equal(settings_number(&s, SETTING_BASE_PORT), 9002);
}

static void an_empty_value_counts_as_not_set(void **state)
{
    (void)state;
    static const char *const environment[] = {"BASE_PORT=", "REPRAM_PEERS=", NULL};
    load(environment, "BASE_PORT=9002\nMAX_PORTS=\n", NULL);
    assert_int_equal(settings_number(&s, SETTING_BASE_PORT), 9002);
    assert_int_equal(settings_number(&s, SETTING_MAX_PORTS), 10);
    assert_int_equal(s.errors.count, 0);
}

static void an_alias_is_the_same_setting(void **state)
{
    (void)state;
    load_env("NODE_ID=alpha");
    assert_string_equal(settings_text(&s, SETTING_NODE_ID), "alpha");
    assert_string_equal(s.values[SETTING_NODE_ID].from, "environment NODE_ID");
    load_env("REPRAM_REPLICATION=5");
    assert_int_equal(settings_number(&s, SETTING_REPLICATION_FACTOR), 5);
    load_env("BOOTSTRAP_NODES=a:1");
    assert_string_equal(settings_text(&s, SETTING_PEERS), "a:1");
    load_env("HTTP_PORT=9000");
    assert_int_equal(settings_number(&s, SETTING_HTTP_PORT), 9000);
}

static void aliases_that_differ_are_an_error_that_names_both(void **state)
{
    (void)state;
    static const char *const differ[] = {"REPRAM_NODE_ID=a", "NODE_ID=b", NULL};
    static const char *const agree[] = {"REPRAM_NODE_ID=a", "NODE_ID=a", NULL};
    load(differ, NULL, NULL);
    assert_int_equal(s.errors.count, 1);
    assert_non_null(strstr(s.errors.text, "REPRAM_NODE_ID=a and NODE_ID=b"));
    load(agree, NULL, NULL);
    assert_int_equal(s.errors.count, 0);
    load(NULL, "REPRAM_PORT=1\nHTTP_PORT=2\n", NULL);
    assert_int_equal(s.errors.count, 1);
    assert_non_null(strstr(s.errors.text, "REPRAM_PORT=1 and HTTP_PORT=2"));
}

struct refusal {
    const char *word;
    const char *allowed;
};

/* Every type's bad values; the message must hold the name, the value and what is allowed. */
static const struct refusal refusals[] = {
    {"BASE_PORT=0", "a port, 1 to 65535"},
    {"BASE_PORT=65536", "a port, 1 to 65535"},
    {"BASE_PORT=80a", "a port, 1 to 65535"},
    {"BASE_PORT= 8081", "a port, 1 to 65535"},
    {"BASE_PORT=-1", "a port, 1 to 65535"},
    {"BASE_PORT=+8081", "a port, 1 to 65535"},
    {"BASE_PORT=99999999999999999999999", "a port, 1 to 65535"},
    {"MAX_PORTS=0", "a whole number, 1 to 1000"},
    {"NODE_COUNT=3.5", "a whole number, 1 to 1000"},
    {"REPLICATION_FACTOR=64", "a whole number, 1 to 63"},
    {"REPRAM_MAX_STORAGE_MB=1GB", "a whole number, 0 to 16777216"},
    {"REPRAM_MIN_TTL=0", "seconds, or a duration such as 1h30m; 1s to 30d"},
    {"REPRAM_MAX_TTL=31d", "seconds, or a duration such as 1h30m; 1s to 30d"},
    {"REPRAM_DEFAULT_TTL=1w", "seconds, or a duration such as 1h30m; 1s to 30d"},
    {"REPRAM_WRITE_TIMEOUT=0", "seconds, or a duration such as 1m30s or 500ms; 10ms to 1h"},
    {"REPRAM_IDLE_TIMEOUT=never", "seconds, or a duration such as 1m30s or 500ms; 100ms to 1d"},
    {"REPRAM_MAX_VALUE_SIZE=65MiB", "bytes, or a number with KiB, MiB or GiB; 1 to 67108864"},
    {"REPRAM_MAX_VALUE_SIZE=10TB", "bytes, or a number with KiB, MiB or GiB; 1 to 67108864"},
    {"REPRAM_CLAIM_CHECK=maybe", "on or off"},
    {"REPRAM_NODE_ID=two words", "1 to 64 printable ASCII characters without spaces"},
    {"REPRAM_NETWORK=caf\xc3\xa9", "1 to 64 printable ASCII characters without spaces"},
    {"DISCOVERY_DOMAIN=no domain", "a host name or an IP address"},
    {"DISCOVERY_DOMAIN=256.0.0.1", "a host name or an IP address"},
    {"REPRAM_ADDRESS=10.0.0.1:80", "a host name or an IP address"},
    {"REPRAM_BIND=eth0", "all, or an IP address of this host"},
    {"REPRAM_DISCOVERY=multicast", "a comma list of port-range, dns, srv, static, flux"},
    {"REPRAM_PEERS=10.0.0.1", "host:port,... with IPv6 addresses in brackets, at most 256"},
    {"REPRAM_DNS_SERVERS=::1", "host[:port],... with IPv6 addresses in brackets, at most 8"},
    {"REPRAM_DNS_SERVERS=1,2,3,4,5,6,7,8,9", "host[:port],... with IPv6"},
    {"REPRAM_FLUX_API=api.runonflux.io", "http://host[:port][/path]"},
    {"FLUX_APP_NAME=a/../b", "1 to 64 letters, digits"},
    {"REPRAM_TRUST_PROXY=10.0.0.0/40", "true, false, or a comma list of networks"},
    {"REPRAM_LOG_LEVEL=trace", "debug, info, warn, error"},
    {"REPRAM_LOG_FORMAT=xml", "text, json"},
};

static void a_bad_value_is_refused_with_its_name_the_value_and_what_is_allowed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        load_env(refusals[i].word);
        if (s.errors.count != 1 || strstr(s.errors.text, refusals[i].word) != s.errors.text ||
            strstr(s.errors.text, refusals[i].allowed) == NULL) {
            fail_msg("%s: %s", refusals[i].word, s.errors.text);
        }
    }
}

static void every_bad_value_is_told_at_once(void **state)
{
    (void)state;
    static const char *const environment[] = {"BASE_PORT=x", "MAX_PORTS=y", "NODE_COUNT=z", NULL};
    load(environment, NULL, NULL);
    assert_int_equal(s.errors.count, 3);
    assert_int_equal(settings_number(&s, SETTING_BASE_PORT), 8081);
}

static void durations_and_sizes_may_have_units(void **state)
{
    (void)state;
    static const char *const environment[] = {"REPRAM_MIN_TTL=5m", "REPRAM_WRITE_TIMEOUT=250ms",
                                              "REPRAM_MAX_VALUE_SIZE=64KiB", NULL};
    load(environment, NULL, NULL);
    assert_int_equal(settings_number(&s, SETTING_MIN_TTL), 300);
    assert_int_equal(settings_number(&s, SETTING_WRITE_TIMEOUT), 250);
    assert_int_equal(settings_number(&s, SETTING_MAX_VALUE_SIZE), 65536);
    assert_int_equal(s.errors.count, 0);
}

/* Made by `repram keygen`. */
#define A_KEY "rk1_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8wUrl"

static void a_secret_is_never_repeated(void **state)
{
    (void)state;
    load_env("REPRAM_CLUSTER_SECRET=open,hush");
    assert_int_equal(s.errors.count, 1);
    assert_null(strstr(s.errors.text, "hush"));
    assert_non_null(strstr(s.errors.text, "REPRAM_CLUSTER_SECRET (environment "
                                          "REPRAM_CLUSTER_SECRET): item 2 is neither a key"));
    assert_false(settings_is_set(&s, SETTING_CLUSTER_SECRET));
    load_env("REPRAM_CLUSTER_SECRET=open," A_KEY);
    assert_int_equal(s.errors.count, 0);
    assert_string_equal(settings_text(&s, SETTING_CLUSTER_SECRET), "open," A_KEY);
    assert_string_equal(settings_shown(&s, SETTING_CLUSTER_SECRET), "(secret)");
    char flag[SETTING_NAME_SIZE];
    assert_string_equal(settings_flag(SETTING_CLUSTER_SECRET, flag), "");
    settings_wipe_secrets(&s);
    assert_false(settings_is_set(&s, SETTING_CLUSTER_SECRET));
}

static void a_secret_may_stand_in_a_file(void **state)
{
    (void)state;
    static const char *const both[] = {"REPRAM_CLUSTER_SECRET=" A_KEY,
                                       "REPRAM_CLUSTER_SECRET_FILE=/x", NULL};
    char path[] = "/tmp/repram-test-XXXXXX";
    char word[128];
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, A_KEY "\n", sizeof(A_KEY)), sizeof(A_KEY));
    (void)close(fd);
    (void)snprintf(word, sizeof(word), "REPRAM_CLUSTER_SECRET_FILE=%s", path);
    load_env(word);
    assert_string_equal(settings_text(&s, SETTING_CLUSTER_SECRET), A_KEY);
    assert_int_equal(s.errors.count + s.warnings.count, 0);
    (void)unlink(path);
    load_env(word);
    assert_non_null(strstr(s.errors.text, word));
    assert_non_null(strstr(s.errors.text, "No such file or directory; allowed: a readable file"));
    load(both, NULL, NULL);
    assert_non_null(
        strstr(s.errors.text, "REPRAM_CLUSTER_SECRET and REPRAM_CLUSTER_SECRET_FILE are both set"));
}

static void what_the_launcher_hands_over_comes_before_what_stands_elsewhere(void **state)
{
    (void)state;
    static const char *const environment[] = {"REPRAM_CLUSTER_SECRET_FILE=/not/there",
                                              "BASE_PORT=9000", NULL};
    static const char text[] = "REPRAM_CLUSTER_SECRET=" A_KEY "\nBASE_PORT=1\n";
    static struct config_file handed;
    unsigned line = 0;
    assert_int_equal(config_file_parse(&handed, text, sizeof(text) - 1, &line), RC_OK);
    const struct settings_sources sources = {.environment = (char *const *)(uintptr_t)environment,
                                             .handed = &handed};
    settings_load(&s, &sources);
    assert_int_equal(s.errors.count, 0);
    assert_string_equal(settings_text(&s, SETTING_CLUSTER_SECRET), A_KEY);
    assert_string_equal(s.values[SETTING_CLUSTER_SECRET].from, "launcher");
    /* Only secrets come that way. */
    assert_int_equal(settings_number(&s, SETTING_BASE_PORT), 9000);
    config_file_fini(&handed);
}

static void settings_of_older_versions_are_accepted_and_remarked(void **state)
{
    (void)state;
    static const char *const environment[] = {"USE_AUTO_DISCOVERY=true", "REPRAM_GOSSIP_PORT=9090",
                                              "NODE_PORT=9091", "REPRAM_CLEANUP_INTERVAL=30", NULL};
    load(environment, NULL, NULL);
    assert_int_equal(s.errors.count, 0);
    assert_int_equal(s.warnings.count, 0);
    assert_int_equal(s.remarks.count, 4);
}

static void unknown_names_are_warned_of(void **state)
{
    (void)state;
    static const char *const environment[] = {"REPRAM_MIN_TLL=5",
                                              "PATH=/bin",
                                              "REPRAM_SERVER=a:1",
                                              "REPRAM_TOKEN=t",
                                              "REPRAM_TOKEN_FILE=f",
                                              "REPRAM_CACERT=f",
                                              "REPRAM_CLIENT_CERT=f",
                                              "REPRAM_CLIENT_KEY=f",
                                              "REPRAMX=1",
                                              NULL};
    load(environment, "BASE_PROT=1\n", NULL);
    assert_int_equal(s.warnings.count, 2);
    assert_non_null(strstr(s.warnings.text, "REPRAM_MIN_TLL (environment)"));
    assert_non_null(strstr(s.warnings.text, "BASE_PROT (line 1)"));
    assert_int_equal(s.errors.count, 0);
}

static void what_kubernetes_injects_is_ignored(void **state)
{
    (void)state;
    static const char *const environment[] = {"REPRAM_SERVICE_HOST=10.0.0.7",
                                              "REPRAM_SERVICE_PORT=8081",
                                              "REPRAM_SERVICE_PORT_HTTP=8081",
                                              "REPRAM_PORT=tcp://10.0.0.7:8081",
                                              "REPRAM_PORT_8081_TCP=tcp://10.0.0.7:8081",
                                              "REPRAM_PORT_8081_TCP_PROTO=tcp",
                                              "REPRAM_PORT_8081_TCP_PORT=8081",
                                              "REPRAM_PORT_8081_TCP_ADDR=10.0.0.7",
                                              "REPRAM_PORT_8081_UDP=udp://10.0.0.7:8081",
                                              "REPRAM_PORT_8081_SCTP=sctp://10.0.0.7:8081",
                                              "REPRAM_PORT_8081_SCTP_PORT=8081",
                                              "HTTP_PORT=tcp://10.0.0.8:80",
                                              "NODE_PORT=sctp://10.0.0.9:1",
                                              NULL};
    load(environment, NULL, NULL);
    assert_int_equal(s.errors.count, 0);
    assert_int_equal(s.warnings.count, 0);
    assert_int_equal(s.remarks.count, 0);
    assert_false(settings_is_set(&s, SETTING_HTTP_PORT));
}

static void what_only_looks_like_that_is_unknown(void **state)
{
    (void)state;
    static const char *const environment[] = {"REPRAM_PORT_8081_TCPX=1",  "REPRAM_PORT_TCP_ADDR=1",
                                              "REPRAM_PORTS1_TCP_ADDR=1", "REPRAM_SERVICE=1",
                                              "REPRAM_PORTAL=tcp",        NULL};
    load(environment, NULL, NULL);
    assert_int_equal(s.warnings.count, 5);
    for (size_t i = 0; environment[i] != NULL; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "%.*s (environment)", (int)strcspn(environment[i], "="),
                       environment[i]);
        assert_non_null(strstr(s.warnings.text, name));
    }
}

static void clients_look_at_their_own_settings_only(void **state)
{
    (void)state;
    static const char *const environment[] = {"REPRAM_MIN_TTL=bad", "REPRAM_NONSENSE=1",
                                              "BASE_PORT=9000", NULL};
    const struct settings_sources sources = {.environment = (char *const *)(uintptr_t)environment,
                                             .is_client = true};
    settings_load(&s, &sources);
    assert_int_equal(s.errors.count, 0);
    assert_int_equal(s.warnings.count, 0);
    assert_int_equal(settings_number(&s, SETTING_BASE_PORT), 9000);
}

static void flags_are_unique_and_made_from_names(void **state)
{
    (void)state;
    char flag[SETTING_NAME_SIZE], other[SETTING_NAME_SIZE];
    assert_string_equal(settings_flag(SETTING_BASE_PORT, flag), "base-port");
    assert_string_equal(settings_flag(SETTING_MAX_CONNECTIONS_PER_IP, flag),
                        "max-connections-per-ip");
    assert_string_equal(settings_flag(SETTING_FLUX_APP_NAME, flag), "");
    for (int i = 0; i < SETTING_COUNT; i++) {
        for (int j = 0; j < i; j++) {
            settings_flag((enum setting_id)i, flag);
            settings_flag((enum setting_id)j, other);
            assert_true(flag[0] == '\0' || strcmp(flag, other) != 0);
        }
    }
}

/* ---- docs/configuration.md ---- */

static char *read_document(void)
{
    char path[1024];
    char *text = NULL;
    size_t len = 0;
    const char *slash = strrchr(__FILE__, '/');
    (void)snprintf(path, sizeof(path), "%.*s/../../docs/configuration.md",
                   (int)(slash != NULL ? slash - __FILE__ : 0), __FILE__);
    assert_int_equal(config_file_read(path, CONFIG_FILE_BYTES_MAX, &text, &len), RC_OK);
    return text;
}

/* The row of its table: | `NAME` | aliases | `--flag` | default | allowed | meaning |. The tables
 * of what is unused do not say what is allowed. */
static void write_row(enum setting_id id, char *ret_row, size_t size)
{
    const struct settings_def *def = settings_def(id);
    const bool has_allowed = (def->traits & TRAIT_UNUSED) == 0;
    char flag[SETTING_NAME_SIZE];
    char allowed[256];
    settings_flag(id, flag);
    settings_allowed(id, allowed, sizeof(allowed));
    const size_t len = (size_t)snprintf(
        ret_row, size, "\n| `%s` | %s%s%s | %s%s%s | %s%s%s | %s%s%s |\n", def->name,
        def->aliases[0] != '\0' ? "`" : "", def->aliases, def->aliases[0] != '\0' ? "`" : "",
        flag[0] != '\0' ? "`--" : "", flag, flag[0] != '\0' ? "`" : "",
        def->fallback[0] != '\0' ? "`" : "", def->fallback, def->fallback[0] != '\0' ? "`" : "",
        has_allowed ? allowed : "", has_allowed ? " | " : "", def->meaning);
    assert_true(len < size);
}

static void the_document_has_the_row_of_every_setting(void **state)
{
    (void)state;
    char *text = read_document();
    for (int i = 0; i < SETTING_COUNT; i++) {
        char row[1024];
        write_row((enum setting_id)i, row, sizeof(row));
        if (strstr(text, row) == NULL) {
            fail_msg("docs/configuration.md lacks the row %s", row + 1);
        }
    }
    free(text);
}

static void the_document_names_no_setting_that_is_not_there(void **state)
{
    (void)state;
    char *text = read_document();
    for (const char *at = text; (at = strstr(at, "\n| `")) != NULL; at += 4) {
        const char *name = at + 4;
        const size_t len = strcspn(name, "`");
        bool is_known = name[0] == '-'; /* options of the commands */
        for (int i = 0; i < SETTING_COUNT; i++) {
            const char *known = settings_def((enum setting_id)i)->name;
            is_known = is_known || (strlen(known) == len && memcmp(known, name, len) == 0);
        }
        if (!is_known) {
            fail_msg("docs/configuration.md has a row for %.*s", (int)len, name);
        }
    }
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_set_gives_the_defaults_of_the_contract),
        TEST(a_number_is_taken_from_its_least_to_its_most),
        TEST(flag_goes_over_environment_over_file_over_default),
        TEST(an_empty_value_counts_as_not_set),
        TEST(an_alias_is_the_same_setting),
        TEST(aliases_that_differ_are_an_error_that_names_both),
        TEST(a_bad_value_is_refused_with_its_name_the_value_and_what_is_allowed),
        TEST(every_bad_value_is_told_at_once),
        TEST(durations_and_sizes_may_have_units),
        TEST(a_secret_is_never_repeated),
        TEST(a_secret_may_stand_in_a_file),
        TEST(what_the_launcher_hands_over_comes_before_what_stands_elsewhere),
        TEST(settings_of_older_versions_are_accepted_and_remarked),
        TEST(unknown_names_are_warned_of),
        TEST(what_kubernetes_injects_is_ignored),
        TEST(what_only_looks_like_that_is_unknown),
        TEST(clients_look_at_their_own_settings_only),
        TEST(flags_are_unique_and_made_from_names),
        TEST(the_document_has_the_row_of_every_setting),
        TEST(the_document_names_no_setting_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
