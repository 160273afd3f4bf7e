#include "cmd/settings/settings_check.h"

#include "cmd/settings/settings_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY "rk1_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8wUrl"

static struct settings s;
static const struct settings_host host = {.memory_bytes = UINT64_C(6) << 30, .descriptors = 1024};

static int setup(void **state)
{
    (void)state;
    memset(&s, 0, sizeof(s));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    settings_fini(&s);
    return 0;
}

/* Loads from at most three words of an environment, derives and checks. */
static void start(const char *a, const char *b, const char *c, bool is_launch)
{
    const char *const words[] = {a, b, c, NULL};
    const struct settings_sources sources = {.environment = (char *const *)(uintptr_t)words};
    settings_fini(&s);
    settings_load(&s, &sources);
    settings_check_derive(&s, &host);
    assert_int_equal(s.errors.count, 0);
    settings_check(&s, &host, is_launch);
}

static void assert_error(const char *text)
{
    assert_int_equal(s.errors.count, 1);
    assert_non_null(strstr(s.errors.text, text));
}

static void the_defaults_fit_each_other(void **state)
{
    (void)state;
    start(NULL, NULL, NULL, true);
    assert_int_equal(s.errors.count, 0);
    assert_int_equal(s.remarks.count, 0);
}

/* A file with rules for one case; its name is behind "REPRAM_ACL_FILE=" in the word. */
static void write_rules(char word[static 64], const char *text)
{
    static const char name[] = "REPRAM_ACL_FILE=";
    (void)snprintf(word, 64, "%s/tmp/repram-test-XXXXXX", name);
    const int fd = mkstemp(word + sizeof(name) - 1);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

static void forget_rules(const char *word)
{
    assert_int_equal(unlink(strchr(word, '=') + 1), 0);
}

static void acl_without_secret_refused(void **state)
{
    static const char *const far[] = {NULL, "REPRAM_BIND=all", "REPRAM_BIND=0.0.0.0",
                                      "REPRAM_BIND=192.0.2.1", "REPRAM_BIND=::"};
    static const char *const near[] = {"REPRAM_BIND=127.0.0.1", "REPRAM_BIND=127.9.9.9",
                                       "REPRAM_BIND=::1"};
    char word[64];
    (void)state;
    write_rules(word, "user *\nallow read\n");
    for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        start(word, far[i], NULL, false);
        assert_error("REPRAM_CLUSTER_SECRET has no key");
        assert_int_equal(s.warnings.count, 1);
        assert_non_null(strstr(s.warnings.text, "REPRAM_TLS_CERT is not: tokens cross"));
    }
    start(word, "REPRAM_CLUSTER_SECRET=open", NULL, false);
    assert_error("REPRAM_CLUSTER_SECRET has no key");
    assert_true(settings_check_is_exposed(&s, &s));
    start(word, "REPRAM_CLUSTER_SECRET=" KEY, NULL, false);
    assert_int_equal(s.errors.count, 0);
    assert_int_equal(s.warnings.count, 1); /* of TLS */
    assert_false(settings_check_is_exposed(&s, &s));
    start(word, "REPRAM_CLUSTER_SECRET=open," KEY, NULL, false);
    assert_int_equal(s.errors.count, 0);
    assert_non_null(strstr(s.warnings.text, "has the word open: until it has not"));
    for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++) {
        start(word, near[i], NULL, false);
        assert_false(settings_check_is_exposed(&s, &s));
        assert_int_equal(s.errors.count, 0);
        assert_int_equal(s.warnings.count, 0);
    }
    forget_rules(word);
}

static void rules_that_are_no_good_are_refused_with_their_line(void **state)
{
    char word[64];
    (void)state;
    write_rules(word, "user *\n\nallow nothing\n");
    start(word, "REPRAM_BIND=127.0.0.1", NULL, true);
    assert_error(" line 3: 'nothing' is no verb");
    assert_non_null(strstr(s.errors.text, "REPRAM_ACL_FILE (environment REPRAM_ACL_FILE): /tmp/"));
    forget_rules(word);
    start(word, "REPRAM_BIND=127.0.0.1", NULL, true);
    assert_error("cannot be read: No such file or directory");
}

static void more_nodes_than_ports_are_refused_with_both_numbers_under_launch_only(void **state)
{
    (void)state;
    start("NODE_COUNT=12", NULL, NULL, true);
    assert_error("NODE_COUNT 12 is larger than MAX_PORTS 10");
    start("MAX_PORTS=2", NULL, NULL, true);
    assert_error("NODE_COUNT 3 is larger than MAX_PORTS 2");
    start("MAX_PORTS=2", NULL, NULL, false);
    assert_int_equal(s.errors.count, 0);
}

static void one_fixed_port_is_not_for_several_nodes(void **state)
{
    (void)state;
    start("REPRAM_HTTP_PORT=9000", NULL, NULL, true);
    assert_error("REPRAM_HTTP_PORT 9000 is one port and NODE_COUNT is 3");
    start("REPRAM_HTTP_PORT=9000", "NODE_COUNT=2", NULL, true);
    assert_error("REPRAM_HTTP_PORT 9000 is one port and NODE_COUNT is 2");
    start("REPRAM_HTTP_PORT=9000", "NODE_COUNT=1", NULL, true);
    assert_int_equal(s.errors.count, 0);
}

/* How many nodes a limit of open files carries is judged at 100 nodes: one below, at it, one above.
 */
static void more_nodes_than_the_open_files_carry_are_refused_with_both_numbers(void **state)
{
    (void)state;
    const struct settings_host tight = {.memory_bytes = UINT64_C(1) << 30, .descriptors = 224};
    start("NODE_COUNT=99", "MAX_PORTS=200", NULL, false);
    settings_check(&s, &tight, true);
    assert_int_equal(s.errors.count, 0);
    start("NODE_COUNT=100", "MAX_PORTS=200", NULL, false);
    settings_check(&s, &tight, true);
    assert_int_equal(s.errors.count, 0);
    start("NODE_COUNT=101", "MAX_PORTS=200", NULL, false);
    settings_check(&s, &tight, true);
    assert_error("NODE_COUNT 101 needs 226 open files, and the limit (ulimit -Hn) is 224; allowed: "
                 "fewer nodes or a higher limit, 24 and 2 for each node");
    start("NODE_COUNT=101", "MAX_PORTS=200", NULL, false);
    settings_check(&s, &tight, false);
    assert_int_equal(s.errors.count, 0);
}

static void a_range_must_end_at_65535_at_most(void **state)
{
    (void)state;
    start("BASE_PORT=65527", NULL, NULL, false);
    assert_error("BASE_PORT 65527 with MAX_PORTS 10 ends at port 65536");
    start("BASE_PORT=65526", NULL, NULL, false);
    assert_int_equal(s.errors.count, 0);
}

static void lifetimes_must_be_in_order(void **state)
{
    (void)state;
    start("REPRAM_MIN_TTL=1", NULL, NULL, true);
    assert_int_equal(s.errors.count, 0);
    start("REPRAM_MIN_TTL=2h", NULL, NULL, true);
    assert_error("REPRAM_MIN_TTL 2h (environment REPRAM_MIN_TTL) is larger than REPRAM_DEFAULT_TTL "
                 "3600 (default)");
    start("REPRAM_DEFAULT_TTL=2d", NULL, NULL, true);
    assert_error("REPRAM_DEFAULT_TTL 2d");
    start("REPRAM_DEFAULT_TTL=2d", "REPRAM_MAX_TTL=2d", "REPRAM_MIN_TTL=2d", true);
    assert_int_equal(s.errors.count, 0);
}

static void a_launched_name_leaves_room_for_its_number(void **state)
{
    (void)state;
    char word[128] = "REPRAM_NODE_ID=";
    const size_t prefix = strlen(word);
    memset(word + prefix, 'n', 60);
    start(word, NULL, NULL, true);
    assert_error("too long under launch");
    start(word, NULL, NULL, false);
    assert_int_equal(s.errors.count, 0);
    word[prefix + 59] = '\0';
    start(word, NULL, NULL, true);
    assert_int_equal(s.errors.count, 0);
}

static void discovery_follows_flux_and_named_peers(void **state)
{
    (void)state;
    start(NULL, NULL, NULL, true);
    assert_string_equal(settings_text(&s, SETTING_DISCOVERY), "port-range");
    assert_int_equal(settings_number(&s, SETTING_CLAIM_CHECK), 1);
    start("FLUX_APP_NAME=fade", "FLUX_NODE_HOST_IP=203.0.113.7", NULL, true);
    assert_string_equal(settings_text(&s, SETTING_DISCOVERY), "port-range,flux");
    assert_int_equal(settings_number(&s, SETTING_DISCOVERY), PROVIDER_PORT_RANGE | PROVIDER_FLUX);
    assert_int_equal(settings_number(&s, SETTING_CLAIM_CHECK), 0);
    assert_string_equal(settings_text(&s, SETTING_ADDRESS), "203.0.113.7");
    assert_string_equal(s.values[SETTING_ADDRESS].from, "environment FLUX_NODE_HOST_IP");
    start("FLUX_APP_NAME=fade", "REPRAM_CLAIM_CHECK=on", "REPRAM_ADDRESS=198.51.100.1", true);
    assert_int_equal(settings_number(&s, SETTING_CLAIM_CHECK), 1);
    assert_string_equal(settings_text(&s, SETTING_ADDRESS), "198.51.100.1");
    start("REPRAM_DISCOVERY=port-range,srv", "DISCOVERY_DOMAIN=repram.service.consul", NULL, true);
    assert_int_equal(settings_number(&s, SETTING_CLAIM_CHECK), 0);
    assert_string_equal(s.values[SETTING_CLAIM_CHECK].from, "default with the srv provider");
    start("REPRAM_DISCOVERY=dns", NULL, NULL, true);
    assert_int_equal(settings_number(&s, SETTING_CLAIM_CHECK), 1);
    start("REPRAM_PEERS=a:1", NULL, NULL, true);
    assert_string_equal(settings_text(&s, SETTING_DISCOVERY), "port-range,static");
    start("REPRAM_PEERS=a:1", "REPRAM_DISCOVERY=dns", NULL, true);
    assert_string_equal(settings_text(&s, SETTING_DISCOVERY), "dns");
    assert_int_equal(s.remarks.count, 1);
}

static void a_provider_without_what_it_asks_is_refused(void **state)
{
    (void)state;
    start("REPRAM_DISCOVERY=static", NULL, NULL, true);
    assert_error("REPRAM_PEERS is empty");
    start("REPRAM_DISCOVERY=flux", NULL, NULL, true);
    assert_error("FLUX_APP_NAME is not in the environment");
}

static void storage_and_connections_follow_the_machine(void **state)
{
    (void)state;
    start(NULL, NULL, NULL, true);
    assert_int_equal(settings_number(&s, SETTING_MAX_STORAGE_MB), 1024);
    assert_int_equal(settings_number(&s, SETTING_MAX_CONNECTIONS), 768);
    start("NODE_COUNT=6", "REPRAM_MAX_CONNECTIONS=10", NULL, true);
    assert_int_equal(settings_number(&s, SETTING_MAX_STORAGE_MB), 512);
    assert_int_equal(settings_number(&s, SETTING_MAX_CONNECTIONS), 10);
    start("REPRAM_MAX_STORAGE_MB=7", NULL, NULL, true);
    assert_int_equal(settings_number(&s, SETTING_MAX_STORAGE_MB), 7);
    assert_int_equal(s.remarks.count, 1); /* values of 10 MiB do not fit */
}

static void a_node_gets_what_was_set(void **state)
{
    (void)state;
    static struct node_config c;
    start("REPRAM_PEERS=a.example:1,[::1]:2", "REPRAM_TRUST_PROXY=10.0.0.0/8",
          "REPRAM_BIND=127.0.0.1", false);
    assert_int_equal(settings_node_config(&s, &c), RC_OK);
    assert_int_equal(c.base_port, 8081);
    assert_int_equal(c.max_ports, 10);
    assert_int_equal(c.fixed_port, 0);
    assert_int_equal(c.peer_count, 2);
    assert_string_equal(c.peers[1].host, "::1");
    assert_int_equal(c.trust_count, 1);
    assert_false(c.trust_all);
    assert_true(addr_is_loopback(&c.bind));
    assert_int_equal(c.advertise.port, 0);
    assert_int_equal(c.bytes_max, UINT64_C(1) << 30);
    assert_int_equal(c.ttl_max_s, 86400);
    assert_int_equal(c.write_timeout_ms, 5000);
    assert_int_equal(c.drain_grace_ms, 1000);
    assert_int_equal(c.ready_fd, -1);
    assert_string_equal(c.name, "");
    start("REPRAM_ADDRESS=192.0.2.1", NULL, NULL, false);
    assert_int_equal(settings_node_config(&s, &c), RC_OK);
    assert_int_not_equal(c.advertise.port, 0);
    assert_true(addr_is_any(&c.bind));
}

static void services_are_asked_of_a_name_that_can_have_some(void **state)
{
    (void)state;
    static const char *const bad[] = {"DISCOVERY_DOMAIN=10.0.0.1", "DISCOVERY_DOMAIN=a.localhost",
                                      NULL};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        start("REPRAM_DISCOVERY=static,srv", "REPRAM_PEERS=10.0.0.1:1", bad[i], false);
        assert_int_equal(s.errors.count, 1);
        assert_error("REPRAM_DISCOVERY static,srv asks for the services (SRV) of a name");
    }
    start("REPRAM_DISCOVERY=srv", "DISCOVERY_DOMAIN=_repram._tcp.service.consul", NULL, false);
    assert_int_equal(s.errors.count, 0);
}

static void name_servers_have_ports_of_their_own_or_the_usual_one(void **state)
{
    (void)state;
    static struct node_config c;
    char text[ADDR_TEXT_SIZE];
    start("REPRAM_DISCOVERY=port-range", NULL, NULL, false);
    assert_int_equal(settings_node_config(&s, &c), RC_OK);
    assert_int_equal(c.dns_server_count, 0);
    start("REPRAM_DNS_SERVERS=10.0.0.1:8600,[::1],10.0.0.2", NULL, NULL, false);
    assert_int_equal(settings_node_config(&s, &c), RC_OK);
    assert_int_equal(c.dns_server_count, 3);
    assert_string_equal(addr_format(&c.dns_servers[0], text), "10.0.0.1:8600");
    assert_string_equal(addr_format(&c.dns_servers[1], text), "[::1]:53");
    assert_string_equal(addr_format(&c.dns_servers[2], text), "10.0.0.2:53");
}

static void an_address_that_nobody_can_reach_is_refused(void **state)
{
    (void)state;
    static struct node_config c;
    start("REPRAM_ADDRESS=0.0.0.0", NULL, NULL, false);
    assert_int_equal(settings_node_config(&s, &c), RC_CONFIG);
    assert_error("REPRAM_ADDRESS=0.0.0.0");
}

static void the_digest_is_of_what_nodes_share_and_of_meanings(void **state)
{
    (void)state;
    start(NULL, NULL, NULL, false);
    const uint64_t plain = settings_node_digest(&s);
    start("REPRAM_NODE_ID=x", "BASE_PORT=9000", "REPRAM_LOG_LEVEL=debug", false);
    assert_true(settings_node_digest(&s) == plain);
    start("REPRAM_DEFAULT_TTL=1h", NULL, NULL, false);
    assert_true(settings_node_digest(&s) == plain);
    start("REPRAM_NETWORK=other", NULL, NULL, false);
    assert_true(settings_node_digest(&s) != plain);
    start("REPRAM_MIN_TTL=299", NULL, NULL, false);
    assert_true(settings_node_digest(&s) != plain);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_defaults_fit_each_other),
        TEST(acl_without_secret_refused),
        TEST(rules_that_are_no_good_are_refused_with_their_line),
        TEST(more_nodes_than_ports_are_refused_with_both_numbers_under_launch_only),
        TEST(more_nodes_than_the_open_files_carry_are_refused_with_both_numbers),
        TEST(one_fixed_port_is_not_for_several_nodes),
        TEST(a_range_must_end_at_65535_at_most),
        TEST(lifetimes_must_be_in_order),
        TEST(a_launched_name_leaves_room_for_its_number),
        TEST(discovery_follows_flux_and_named_peers),
        TEST(a_provider_without_what_it_asks_is_refused),
        TEST(storage_and_connections_follow_the_machine),
        TEST(a_node_gets_what_was_set),
        TEST(services_are_asked_of_a_name_that_can_have_some),
        TEST(name_servers_have_ports_of_their_own_or_the_usual_one),
        TEST(an_address_that_nobody_can_reach_is_refused),
        TEST(the_digest_is_of_what_nodes_share_and_of_meanings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
