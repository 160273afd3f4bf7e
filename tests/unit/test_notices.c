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

static void a_stranger_is_a_node_of_another_cluster(void **state)
{
    (void)state;
    struct notice_line line;
    struct notice notice = {.kind = NOTICE_STRANGER};
    (void)snprintf(notice.text, sizeof(notice.text), "192.0.2.1:8081");
    notices_describe(&notice, &line);
    assert_string_equal(line.text, "ignoring a node of another cluster (REPRAM_NETWORK differs): "
                                   "192.0.2.1:8081");
}

static void reasons_and_numbers_are_told(void **state)
{
    (void)state;
    struct notice_line line;
    const struct notice crowd = {.kind = NOTICE_LINKS_CROWDED, .text = "16 from the address of x"};
    notices_describe(&crowd, &line);
    assert_string_equal(line.text, "links on which nobody has answered yet make way for others, or "
                                   "keep them out: 16 from the address of x");
    struct notice notice = about(NOTICE_LINK_DOWN);
    (void)snprintf(notice.text, sizeof(notice.text), "reset");
    notices_describe(&notice, &line);
    assert_string_equal(line.text, "lost the link with flux-node-2 (127.0.0.1:8082): reset");
    notice = about(NOTICE_JOIN_DONE);
    notices_describe(&notice, &line);
    assert_string_equal(line.text,
                        "caught up with flux-node-2 (127.0.0.1:8082), records received: 42");
}

static void lines_that_were_left_out_are_counted_beside_what_they_are_like(void **state)
{
    (void)state;
    struct notice_line line;
    for (int kind = 0; kind < NOTICE_KINDS; kind++) {
        notices_describe_left_out((enum notice_kind)kind, 7, &line);
        assert_non_null(strstr(line.text, "left out: 7"));
    }
    notices_describe_left_out(NOTICE_MEMBER_JOINED, 300, &line);
    assert_string_equal(line.text, "lines like \"... joined\" that were left out: 300");
    assert_string_equal(line.event, "member");
    notices_describe_left_out(NOTICE_MEMBER_JOINED, 0, &line);
    assert_string_equal(line.text,
                        "more lines like the last are left out for now, all but one in 5 s");
}

static void a_name_that_another_has_too_is_told_with_the_beginning_of_its_uuid(void **state)
{
    (void)state;
    struct notice_line line;
    struct notice notice = about(NOTICE_MEMBER_DEAD);
    notice.is_name_shared = true;
    notice.member = (struct uuid){{0x1a, 0x2b, 0x3c, 0x4d, 0x5e}};
    notices_describe(&notice, &line);
    assert_string_equal(line.text, "flux-node-2#1a2b3c4d (127.0.0.1:8082) is dead");
}

static void a_name_says_no_more_in_a_line_than_itself(void **state)
{
    (void)state;
    struct notice_line line;
    struct notice notice = about(NOTICE_MEMBER_JOINED);
    (void)snprintf(notice.name, sizeof(notice.name), "x is dead; all [flux-node-1] a#1\n(b)%%");
    notices_describe(&notice, &line);
    assert_string_equal(line.text, "x%20is%20dead%3B%20all%20%5Bflux-node-1%5D%20a%231%0A%28b%29%25"
                                   " (127.0.0.1:8082) joined");
    (void)snprintf(notice.name, sizeof(notice.name), "db@host/1.b_c-d+e~f!g?h*i$j&k^l");
    notices_describe(&notice, &line);
    assert_string_equal(line.text, "db@host/1.b_c-d+e~f!g?h*i$j&k^l (127.0.0.1:8082) joined");
    /* The longest, all of it encoded. */
    memset(notice.name, '#', sizeof(notice.name) - 1);
    notice.is_name_shared = true;
    notices_describe(&notice, &line);
    assert_int_equal(strspn(line.text, "%23"), 3 * (NAME_SIZE - 1));
    assert_string_equal(line.text + (size_t)3 * (NAME_SIZE - 1),
                        "#01000000 (127.0.0.1:8082) joined");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_an_event_and_a_sentence),
        cmocka_unit_test(members_are_named_with_their_address),
        cmocka_unit_test(reasons_and_numbers_are_told),
        cmocka_unit_test(lines_that_were_left_out_are_counted_beside_what_they_are_like),
        cmocka_unit_test(a_name_that_another_has_too_is_told_with_the_beginning_of_its_uuid),
        cmocka_unit_test(a_name_says_no_more_in_a_line_than_itself),
        cmocka_unit_test(a_stranger_is_a_node_of_another_cluster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
