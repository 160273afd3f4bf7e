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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_an_event_and_a_sentence),
        cmocka_unit_test(members_are_named_with_their_address),
        cmocka_unit_test(reasons_and_numbers_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
