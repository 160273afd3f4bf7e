#include "cmd/notices.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct notice about(enum notice_kind kind)
{
    const uint8_t ip[4] = {127, 0, 0, 1};
    struct notice notice = {.kind = kind, .addr = addr_v4(ip, 8082), .value = 42};
    notice.member.bytes[0] = 1;
    (void)snprintf(notice.name, sizeof(notice.name), "flux-node-2");
    return notice;
}

static void every_kind_has_an_event_and_a_sentence(void **state)
{
    (void)state;
    for (int kind = 0; kind < NOTICE_KINDS; kind++) {
        struct notice_line line;
        const struct notice notice = about((enum notice_kind)kind);
        notices_describe(&notice, &line);
        assert_non_null(line.event);
        assert_true(line.text[0] != '\0');
        const struct notice bare = {.kind = (enum notice_kind)kind};
        notices_describe(&bare, &line);
        assert_true(line.text[0] != '\0');
    }
}

static void members_are_named_with_their_address(void **state)
{
    (void)state;
    struct notice_line line;
    struct notice notice = about(NOTICE_MEMBER_DEAD);
    notices_describe(&notice, &line);
    assert_string_equal(line.text, "flux-node-2 (127.0.0.1:8082) is dead");
    assert_string_equal(line.event, "member");
    assert_int_equal(line.level, LOG_WARN);
    notice.addr.port = 0;
    notices_describe(&notice, &line);
    assert_string_equal(line.text, "flux-node-2 is dead");
}

static void reasons_and_numbers_are_told(void **state)
{
    (void)state;
    struct notice_line line;
    struct notice notice = about(NOTICE_LINK_DOWN);
    (void)snprintf(notice.text, sizeof(notice.text), "reset");
    notices_describe(&notice, &line);
    assert_string_equal(line.text, "lost the link with flux-node-2 (127.0.0.1:8082): reset");
    notice = about(NOTICE_JOIN_DONE);
    notices_describe(&notice, &line);
    assert_string_equal(line.text,
                        "caught up with flux-node-2 (127.0.0.1:8082), records received: 42");
}

static void a_kind_fills_no_log_and_says_what_it_left_out(void **state)
{
    (void)state;
    struct notice_limits limits = {{0}, {0}};
    uint32_t left_out = 0, said = 0;
    uint64_t now_ms = 5000;
    bool is_last = false;
    /* 400 at once, as a stranger with fresh uuids would have them. */
    for (int i = 0; i < 400; i++) {
        const bool may =
            notices_may_say(&limits, NOTICE_CONFIG_DIFFERS, now_ms, &left_out, &is_last);
        said += may;
        assert_int_equal(left_out, 0);
        assert_int_equal(may && is_last, i == NOTICE_BURST - 1);
    }
    assert_int_equal(said, NOTICE_BURST);
    assert_true(notices_may_say(&limits, NOTICE_MEMBER_DEAD, now_ms, &left_out, &is_last));
    now_ms += NOTICE_PERIOD_MS - 1;
    assert_false(notices_may_say(&limits, NOTICE_CONFIG_DIFFERS, now_ms, &left_out, &is_last));
    now_ms++;
    assert_true(notices_may_say(&limits, NOTICE_CONFIG_DIFFERS, now_ms, &left_out, &is_last));
    assert_int_equal(left_out, 301);
    assert_false(is_last); /* which has been said, and the flood goes on */
    assert_false(notices_may_say(&limits, NOTICE_CONFIG_DIFFERS, now_ms, &left_out, &is_last));
    /* After a quiet time as many as at first. */
    now_ms += (uint64_t)2 * NOTICE_BURST * NOTICE_PERIOD_MS;
    said = 0;
    for (int i = 0; i < 400; i++) {
        said += notices_may_say(&limits, NOTICE_CONFIG_DIFFERS, now_ms, &left_out, &is_last);
    }
    assert_int_equal(said, NOTICE_BURST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_an_event_and_a_sentence),
        cmocka_unit_test(members_are_named_with_their_address),
        cmocka_unit_test(reasons_and_numbers_are_told),
        cmocka_unit_test(a_kind_fills_no_log_and_says_what_it_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
