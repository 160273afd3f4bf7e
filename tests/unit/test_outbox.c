#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gossip/wire/outbox.h"

#include <string.h>

static const struct addr somewhere = {.ip = {1}, .port = 80};

static void actions_come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    struct outbox *o = outbox_new();
    struct action a;
    assert_false(outbox_next(o, &a));
    outbox_dial(o, 1, &somewhere, 0);
    assert_true(outbox_datagram(o, &somewhere, "hello", 5));
    outbox_output(o, 2);
    outbox_close(o, 3);
    outbox_put_done(o, &(struct put_done){.token = 4, .status = PUT_PENDING, .have = 1});
    outbox_notice(o, NOTICE_READY, NULL, -5, NULL);
    assert_true(outbox_next(o, &a));
    assert_int_equal(a.kind, ACTION_DIAL);
    assert_int_equal(a.link, 1);
    assert_true(addr_equal(&a.addr, &somewhere));
    assert_true(outbox_next(o, &a));
    assert_int_equal(a.kind, ACTION_DATAGRAM);
    assert_int_equal(a.len, 5);
    assert_memory_equal(a.data, "hello", 5);
    assert_true(addr_equal(&a.addr, &somewhere));
    assert_true(outbox_next(o, &a));
    assert_int_equal(a.kind, ACTION_OUTPUT);
    assert_int_equal(a.link, 2);
    assert_true(outbox_next(o, &a));
    assert_int_equal(a.kind, ACTION_CLOSE);
    assert_int_equal(a.link, 3);
    assert_true(outbox_next(o, &a));
    assert_int_equal(a.kind, ACTION_PUT_DONE);
    assert_int_equal(a.put.token, 4);
    assert_int_equal(a.put.status, PUT_PENDING);
    assert_true(outbox_next(o, &a));
    assert_int_equal(a.kind, ACTION_NOTICE);
    assert_int_equal(a.notice->kind, NOTICE_READY);
    assert_int_equal(a.notice->value, -5);
    assert_false(outbox_next(o, &a));
    outbox_free(o);
}

static void a_notice_names_its_member_and_copies_its_text(void **state)
{
    (void)state;
    struct outbox *o = outbox_new();
    struct action a;
    char text[] = "why";
    struct member_card card = {.uuid = {{7}}, .name = "seven", .addr_count = 1};
    struct member m = {.state = MEMBER_ALIVE};
    card.addrs[0].addr = somewhere;
    member_set_card(&m, &card);
    outbox_notice(o, NOTICE_LINK_DOWN, &m, 3, text);
    memset(text, 'x', 3);
    assert_true(outbox_next(o, &a));
    assert_true(uuid_equal(&a.notice->member, &m.uuid));
    assert_string_equal(a.notice->name, "seven");
    assert_string_equal(a.notice->text, "why");
    assert_true(addr_equal(&a.notice->addr, &somewhere));
    assert_int_equal(a.notice->value, 3);
    member_fini(&m);
    outbox_free(o);
}

static void bytes_are_copied_and_stay_until_the_next_call(void **state)
{
    (void)state;
    struct outbox *o = outbox_new();
    struct action a;
    char bytes[] = "first";
    assert_true(outbox_datagram(o, &somewhere, bytes, 5));
    memset(bytes, 'x', 5);
    assert_true(outbox_next(o, &a));
    for (int i = 0; i < 200; i++) {
        assert_true(outbox_datagram(o, &somewhere, bytes, 5));
    }
    assert_memory_equal(a.data, "first", 5);
    outbox_free(o);
}

static void datagrams_beyond_the_maximum_are_refused(void **state)
{
    (void)state;
    struct outbox *o = outbox_new();
    struct action a;
    for (int i = 0; i < OUTBOX_DATAGRAMS_MAX; i++) {
        assert_true(outbox_datagram(o, &somewhere, &i, sizeof(i)));
    }
    assert_false(outbox_datagram(o, &somewhere, "x", 1));
    outbox_output(o, 7);
    assert_true(outbox_next(o, &a));
    assert_true(outbox_datagram(o, &somewhere, "y", 1));
    for (int i = 1; i < OUTBOX_DATAGRAMS_MAX; i++) {
        assert_true(outbox_next(o, &a));
        assert_memory_equal(a.data, &i, sizeof(i));
    }
    assert_true(outbox_next(o, &a));
    assert_int_equal(a.kind, ACTION_OUTPUT);
    assert_true(outbox_next(o, &a));
    assert_memory_equal(a.data, "y", 1);
    assert_false(outbox_next(o, &a));
    outbox_free(o);
}

static void the_other_actions_are_never_dropped(void **state)
{
    (void)state;
    struct outbox *o = outbox_new();
    struct action a;
    uint32_t next = 0;
    for (uint32_t i = 0; i < 5000; i++) {
        outbox_output(o, i);
        if (i % 3 == 0) {
            assert_true(outbox_next(o, &a));
            assert_int_equal(a.link, next++);
        }
    }
    while (outbox_next(o, &a)) {
        assert_int_equal(a.link, next++);
    }
    assert_int_equal(next, 5000);
    outbox_free(o);
    outbox_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(actions_come_out_in_the_order_they_went_in),
        cmocka_unit_test(a_notice_names_its_member_and_copies_its_text),
        cmocka_unit_test(bytes_are_copied_and_stay_until_the_next_call),
        cmocka_unit_test(datagrams_beyond_the_maximum_are_refused),
        cmocka_unit_test(the_other_actions_are_never_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
