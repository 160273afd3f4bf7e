#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/assert.h"
#include "net/notice_teller.h"
#include "own_clock.h"
#include "tests/unit/failing_alloc.h"

#include <event2/event.h>
#include <stdio.h>

static bool is_name_shared; /* as the engine answers */

bool engine_shares_name(const struct engine *e, const struct uuid *uuid)
{
    assert_null(e);
    assert_int_equal(uuid->bytes[0], 7);
    return is_name_shared;
}

struct scene {
    struct event_base *base;
    struct node_hooks hooks;
    struct notice_teller teller;
    uint32_t told, shared, announced, left_out;
};

static void on_notice(void *arg, const struct notice *notice)
{
    struct scene *s = arg;
    s->told++;
    s->shared += notice->is_name_shared;
}

static void on_left_out(void *arg, enum notice_kind kind, uint32_t count)
{
    struct scene *s = arg;
    assert_int_equal(kind, NOTICE_MEMBER_JOINED);
    s->announced += count == 0;
    s->left_out += count;
    if (count > 0) {
        event_base_loopbreak(s->base);
    }
}

static void tell(struct scene *s, uint32_t count)
{
    const struct notice notice = {.kind = NOTICE_MEMBER_JOINED, .member = {{7}}, .name = "eco-3"};
    for (uint32_t i = 0; i < count; i++) {
        notice_teller_tell(&s->teller, NULL, &notice);
    }
}

static void what_a_flood_leaves_out_is_counted_in_one_line_though_nothing_follows(void **state)
{
    (void)state;
    struct scene s = {.base = event_base_new()};
    s.hooks = (struct node_hooks){.arg = &s, .notice = on_notice, .left_out = on_left_out};
    own_clock_is_skipping = true;
    assert_int_equal(notice_teller_init(&s.teller, s.base, &s.hooks), RC_OK);
    is_name_shared = true;
    tell(&s, 1);
    is_name_shared = false;
    tell(&s, NOTICE_BURST + 300 - 1);
    assert_int_equal(s.told, NOTICE_BURST);
    assert_int_equal(s.shared, 1);
    assert_int_equal(s.announced, 1);
    assert_int_equal(s.left_out, 0);
    event_base_dispatch(s.base);
    assert_int_equal(s.left_out, 300);
    notice_teller_fini(&s.teller);
    event_base_free(s.base);
}

/* A loop without another timer is no reason to end: the node says that it cannot start. */
static void start_without_memory(void *arg)
{
    static const struct node_hooks hooks = {.notice = on_notice};
    struct notice_teller teller;
    const enum rc rc = notice_teller_init(&teller, arg, &hooks);
    ASSERT(rc == (failing_alloc_has_failed() ? RC_IO : RC_OK));
    notice_teller_fini(&teller);
}

static void without_memory_it_does_not_begin(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    (void)failing_alloc_each(start_without_memory, base);
    event_base_free(base);
}

int main(void)
{
    failing_alloc_hook();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_flood_leaves_out_is_counted_in_one_line_though_nothing_follows),
        cmocka_unit_test(without_memory_it_does_not_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
