#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/link/upgrade.h"

#include <string.h>

#define GOOD \
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: repram-gossip/1\r\n\r\n"

static enum rc parse(const char *text, size_t len, size_t *ret_head_len)
{
    return upgrade_parse_answer(text, len, ret_head_len);
}

static void request_names_the_host_and_the_protocol(void **state)
{
    (void)state;
    char text[UPGRADE_REQUEST_SIZE];
    struct addr host;
    assert_int_equal(addr_parse_ip("2001:db8::1", 8081, &host), RC_OK);
    const size_t len = upgrade_request(&host, text);
    assert_int_equal(len, strlen(text));
    assert_string_equal(text, "GET /gossip HTTP/1.1\r\nHost: [2001:db8::1]:8081\r\n"
                              "Connection: Upgrade\r\nUpgrade: repram-gossip/1\r\n\r\n");
}

static void answer_is_taken_up_to_its_empty_line(void **state)
{
    (void)state;
    size_t head_len = 0;
    static const char text[] = GOOD "frames";
    assert_int_equal(parse(text, sizeof(text) - 1, &head_len), RC_OK);
    assert_int_equal(head_len, strlen(GOOD));
}

static void answer_that_is_cut_anywhere_is_waited_for(void **state)
{
    (void)state;
    size_t head_len = 77;
    for (size_t len = 0; len < strlen(GOOD); len++) {
        assert_int_equal(parse(GOOD, len, &head_len), RC_AGAIN);
    }
    assert_int_equal(head_len, 77);
}

static void answers_are_judged_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum rc rc;
    } cases[] = {
        {"HTTP/1.1 101\r\nconnection: keep-alive, upgrade\r\nUPGRADE:repram-gossip/1 \r\n\r\n",
         RC_OK},
        {"HTTP/1.1 101 x\r\nVia: 1.1 p\r\nConnection: Upgrade\r\nUpgrade: repram-gossip/1\r\n\r\n",
         RC_OK},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", RC_REFUSED},
        {"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\n\r\n", RC_REFUSED},
        {"HTTP/1.1 1010 x\r\nConnection: Upgrade\r\nUpgrade: repram-gossip/1\r\n\r\n",
         RC_MALFORMED},
        {"HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", RC_REFUSED},
        {"HTTP/1.1 101 x\r\nUpgrade: repram-gossip/1\r\n\r\n", RC_REFUSED},
        {"HTTP/1.1 101 x\r\nConnection: Upgrade\r\n\r\n", RC_REFUSED},
        {"HTTP/1.1 101 x\r\nConnection: upgraded\r\nUpgrade: repram-gossip/1\r\n\r\n", RC_REFUSED},
        {"HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: repram-gossip/1\r\n"
         "Content-Length: 3\r\n\r\n",
         RC_REFUSED},
        {"SSH-2.0-OpenSSH_9.2\r\n", RC_MALFORMED},
        {"X", RC_MALFORMED},
        {"HTTP/1.1 101 x\nConnection: Upgrade\nUpgrade: repram-gossip/1\n\n", RC_MALFORMED},
        {"HTTP/1.1 101 x\rConnection: Upgrade\r\n\r\n", RC_MALFORMED},
        {"HTTP/1.1 101 x\r\nConnection : Upgrade\r\nUpgrade: repram-gossip/1\r\n\r\n",
         RC_MALFORMED},
        {"HTTP/1.1 101 x\r\nA: \x01\r\n\r\n", RC_MALFORMED},
        {"HTTP/1.1 101 x\r\nno colon\r\n\r\n", RC_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t head_len = 0;
        const enum rc rc = parse(cases[i].text, strlen(cases[i].text), &head_len);
        if (rc != cases[i].rc) {
            fail_msg("case %zu: %s", i, rc_text(rc));
        }
    }
}

/* Before version 9 llhttp joins the lines, and the result is no word that we know. */
static void folded_line_is_refused_by_the_parser_or_by_what_it_says(void **state)
{
    (void)state;
    static const char text[] =
        "HTTP/1.1 101 x\r\nConnection: Upgrade\r\n folded\r\nUpgrade: repram-gossip/1\r\n\r\n";
    size_t head_len = 0;
    const enum rc rc = parse(text, strlen(text), &head_len);
    assert_true(rc == RC_REFUSED || rc == RC_MALFORMED);
}

static void answer_without_an_end_is_too_long(void **state)
{
    (void)state;
    char text[UPGRADE_ANSWER_MAX + 10];
    size_t head_len = 0;
    memset(text, 'a', sizeof(text));
    static const char begin[] = {'H', 'T', 'T', 'P', '/', '1', '.', '1', ' ', '1', '0', '1', ' '};
    memcpy(text, begin, sizeof(begin));
    assert_int_equal(parse(text, UPGRADE_ANSWER_MAX - 1, &head_len), RC_AGAIN);
    assert_int_equal(parse(text, UPGRADE_ANSWER_MAX, &head_len), RC_TOO_LONG);
    assert_int_equal(parse(text, sizeof(text), &head_len), RC_TOO_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_names_the_host_and_the_protocol),
        cmocka_unit_test(answer_is_taken_up_to_its_empty_line),
        cmocka_unit_test(answer_that_is_cut_anywhere_is_waited_for),
        cmocka_unit_test(answers_are_judged_strictly),
        cmocka_unit_test(folded_line_is_refused_by_the_parser_or_by_what_it_says),
        cmocka_unit_test(answer_without_an_end_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
