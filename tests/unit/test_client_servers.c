#include "cmd/client/client.h"
#include "cmd/client/client_servers.h"
#include "tests/unit/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { SERVERS = 6, BASE_PORT = 9100 };

struct parsed {
    struct client_server servers[SERVERS];
    size_t count;
    char word[CLIENT_SERVERS_WORD_SIZE];
};

static enum rc parse(struct parsed *p, const char *text)
{
    return client_servers_parse(text, BASE_PORT, p->servers, SERVERS, &p->count, p->word);
}

static void assert_server(const struct parsed *p, size_t at, const char *expected)
{
    char text[NODE_TEXT_SIZE + 16];
    assert_in_range(at + 1, 1, p->count);
    assert_string_equal(client_server_text(&p->servers[at], text, sizeof(text)), expected);
}

static void servers_are_hosts_addresses_and_urls(void **state)
{
    (void)state;
    struct parsed p = {.count = 0};
    assert_int_equal(
        parse(&p, "localhost:9000,[::1]:1,https://fade.repram.io/,http://a:7,http://b"), RC_OK);
    assert_int_equal(p.count, 5);
    assert_server(&p, 0, "localhost:9000");
    assert_server(&p, 1, "[::1]:1");
    assert_server(&p, 2, "fade.repram.io:443");
    assert_true(p.servers[2].is_tls);
    assert_server(&p, 3, "a:7");
    assert_false(p.servers[3].is_tls);
    assert_server(&p, 4, "b:80");
}

static void a_scheme_is_taken_in_any_case(void **state)
{
    (void)state;
    struct parsed p = {.count = 0};
    assert_int_equal(parse(&p, "HTTP://a:7,Https://b"), RC_OK);
    assert_server(&p, 0, "a:7");
    assert_false(p.servers[0].is_tls);
    assert_server(&p, 1, "b:443");
    assert_true(p.servers[1].is_tls);
}

static void blanks_around_commas_are_skipped(void **state)
{
    (void)state;
    struct parsed p = {.count = 0};
    assert_int_equal(parse(&p, " a:1, b:2 ,\tc:3 "), RC_OK);
    assert_int_equal(p.count, 3);
    assert_server(&p, 0, "a:1");
    assert_server(&p, 1, "b:2");
    assert_server(&p, 2, "c:3");
}

static void a_server_without_a_port_has_the_base_port(void **state)
{
    (void)state;
    struct parsed p = {.count = 0};
    assert_int_equal(parse(&p, "node,[::1],1.2.3.4:5,http://u"), RC_OK);
    assert_server(&p, 0, "node:9100");
    assert_server(&p, 1, "[::1]:9100");
    client_servers_set_base_port(p.servers, p.count, 7000);
    assert_server(&p, 0, "node:7000");
    assert_server(&p, 1, "[::1]:7000");
    assert_server(&p, 2, "1.2.3.4:5");
    assert_server(&p, 3, "u:80");
}

static void a_word_that_is_no_server_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *word;
        enum rc rc;
    } bad[] = {
        {"", "", RC_MALFORMED},
        {"a:", "a:", RC_MALFORMED},
        {":1", ":1", RC_MALFORMED},
        {"a:1,", "", RC_MALFORMED},
        {"a:1, ,b", "", RC_MALFORMED},
        {"::1:80", "::1:80", RC_MALFORMED},
        {"a, https://a/path ", "https://a/path", RC_MALFORMED},
        {"a b", "a b", RC_MALFORMED},
        {"a:1, [fe80::1%lo]:1", "[fe80::1%lo]:1", RC_MALFORMED},
        {"a:70000", "a:70000", RC_RANGE},
        {"http://a:0", "http://a:0", RC_RANGE},
        {"ftp://a", "ftp://a", RC_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct parsed p = {.count = 0};
        assert_int_equal(parse(&p, bad[i].text), bad[i].rc);
        assert_string_equal(p.word, bad[i].word);
    }
}

static void a_word_that_is_too_long_is_cut_where_it_is_named(void **state)
{
    (void)state;
    struct parsed p = {.count = 0};
    char text[600];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(parse(&p, text), RC_MALFORMED);
    assert_int_equal(strlen(p.word), CLIENT_SERVERS_WORD_SIZE - 1);
}

static void as_many_servers_as_there_is_room_for_are_taken(void **state)
{
    (void)state;
    struct parsed p = {.count = 0};
    assert_int_equal(parse(&p, "a,b,c,d,e"), RC_OK);
    assert_int_equal(parse(&p, "f"), RC_OK);
    assert_int_equal(p.count, SERVERS);
    assert_int_equal(parse(&p, "g"), RC_FULL);
    assert_string_equal(p.word, "g");
    assert_int_equal(p.count, SERVERS);
}

static void a_node_is_ours_by_its_network_and_for_data_its_enclave(void **state)
{
    (void)state;
    static const struct {
        const char *body, *enclave, *name;
        enum client_kinship kinship;
    } answers[] = {
        {"{\"uuid\":\"u\",\"network\":\"private\",\"enclave\":\"default\"}", "default", "",
         KINSHIP_OURS},
        {"{\"uuid\":\"u\",\"network\":\"private\",\"enclave\":\"b\"}", NULL, "", KINSHIP_OURS},
        {"{\"uuid\":\"u\",\"network\":\"private\",\"enclave\":\"b\"}", "default", "b",
         KINSHIP_OTHER_ENCLAVE},
        {"{\"uuid\":\"u\",\"network\":\"x\",\"enclave\":\"b\"}", "default", "x",
         KINSHIP_OTHER_NETWORK},
        {"{\"uuid\":\"u\"}", "default", "", KINSHIP_NOBODY},
        {"{\"network\":\"private\",\"enclave\":\"default\"}", "default", "", KINSHIP_NOBODY},
        {"{\"uuid\":7}", "default", "", KINSHIP_NOBODY},
        {"<html>", "default", "", KINSHIP_NOBODY},
        {"", "default", "", KINSHIP_NOBODY},
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        char name[NAME_SIZE] = "?";
        const char *body = answers[i].body;
        assert_int_equal(
            client_servers_judge(body, strlen(body), "private", answers[i].enclave, name),
            answers[i].kinship);
        assert_string_equal(name, answers[i].name);
    }
}

static void with_an_authority_only_a_scheme_keeps_a_server_from_https(void **state)
{
    (void)state;
    struct client_server servers[4];
    char word[CLIENT_SERVERS_WORD_SIZE];
    size_t count = 0;
    assert_int_equal(
        client_servers_parse("a,b:1,http://c,https://d", 8081, servers, 4, &count, word), RC_OK);
    client_servers_set_tls(servers, 4);
    assert_true(servers[0].is_tls);
    assert_true(servers[1].is_tls);
    assert_false(servers[2].is_tls);
    assert_true(servers[3].is_tls);
    assert_int_equal(servers[0].at.port, 8081);
}

/* Without memory for its answer a node is passed over; it is never taken for another one. */
static void judge_in_short(void *arg)
{
    static const char body[] = "{\"uuid\":\"u\",\"network\":\"private\",\"enclave\":\"b\"}";
    char name[NAME_SIZE];
    (void)arg;
    const enum client_kinship kinship =
        client_servers_judge(body, sizeof(body) - 1, "private", NULL, name);
    assert_int_equal(kinship, failing_alloc_has_failed() ? KINSHIP_NOBODY : KINSHIP_OURS);
    assert_string_equal(name, "");
}

static void without_memory_a_node_is_nobody(void **state)
{
    (void)state;
    assert_in_range(failing_alloc_each(judge_in_short, NULL), 1, UINT64_MAX);
}

int main(void)
{
    failing_alloc_hook();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_are_hosts_addresses_and_urls),
        cmocka_unit_test(a_scheme_is_taken_in_any_case),
        cmocka_unit_test(blanks_around_commas_are_skipped),
        cmocka_unit_test(a_server_without_a_port_has_the_base_port),
        cmocka_unit_test(a_word_that_is_no_server_is_named),
        cmocka_unit_test(a_word_that_is_too_long_is_cut_where_it_is_named),
        cmocka_unit_test(as_many_servers_as_there_is_room_for_are_taken),
        cmocka_unit_test(a_node_is_ours_by_its_network_and_for_data_its_enclave),
        cmocka_unit_test(with_an_authority_only_a_scheme_keeps_a_server_from_https),
        cmocka_unit_test(without_memory_a_node_is_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
