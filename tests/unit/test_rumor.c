#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gossip/rumor.h"

enum { RUMORS = 6 };

static struct member subjects[RUMORS];

struct packet_of {
    uint32_t room;
    uint32_t count;
    const struct rumor *taken[RUMORS];
};

static enum rumor_verdict take(void *arg, const struct rumor *r)
{
    struct packet_of *p = arg;
    if (p->count == p->room) {
        return RUMOR_PACKET_FULL;
    }
    p->taken[p->count++] = r;
    return RUMOR_TAKEN;
}

static enum rumor_verdict skip_first(void *arg, const struct rumor *r)
{
    struct packet_of *p = arg;
    (void)r;
    return p->count++ == 0 ? RUMOR_SKIPPED : RUMOR_TAKEN;
}

static void fill(struct rumor_queue *q, struct rumor rumors[RUMORS])
{
    rumor_queue_init(q);
    for (uint32_t i = 0; i < RUMORS; i++) {
        rumors[i] = (struct rumor){.subject = &subjects[i]};
        rumor_put(q, &rumors[i], ENTRY_ALIVE, NULL);
    }
}

static void the_newest_go_first_and_the_least_sent_before_the_others(void **state)
{
    (void)state;
    struct rumor rumors[RUMORS];
    struct rumor_queue q;
    fill(&q, rumors);
    struct packet_of p = {.room = 2};
    rumor_offer(&q, 3, take, &p);
    assert_ptr_equal(p.taken[0], &rumors[5]);
    assert_ptr_equal(p.taken[1], &rumors[4]);
    p = (struct packet_of){.room = 5};
    rumor_offer(&q, 3, take, &p);
    assert_ptr_equal(p.taken[0], &rumors[3]);
    assert_ptr_equal(p.taken[3], &rumors[0]);
    assert_ptr_equal(p.taken[4], &rumors[5]);
    rumor_queue_check(&q);
}

static void a_rumor_is_sent_as_often_as_said_and_once_per_packet(void **state)
{
    (void)state;
    struct rumor rumors[RUMORS];
    struct rumor_queue q;
    fill(&q, rumors);
    for (int i = 0; i < 4; i++) {
        struct packet_of p = {.room = RUMORS};
        rumor_offer(&q, 4, take, &p);
        assert_int_equal(p.count, RUMORS);
        rumor_queue_check(&q);
    }
    assert_int_equal(q.count, 0);
}

static void news_of_a_member_replaces_what_was_told_before(void **state)
{
    (void)state;
    const struct uuid by = {{9}};
    struct rumor rumors[RUMORS];
    struct rumor_queue q;
    fill(&q, rumors);
    rumor_put(&q, &rumors[0], ENTRY_DEAD, &by);
    assert_int_equal(q.count, RUMORS);
    struct packet_of p = {.room = 1};
    rumor_offer(&q, 1, take, &p);
    assert_ptr_equal(p.taken[0], &rumors[0]);
    assert_int_equal(rumors[0].kind, ENTRY_DEAD);
    assert_true(uuid_equal(&rumors[0].by, &by));
    rumor_drop(&q, &rumors[0]);
    rumor_drop(&q, &rumors[1]);
    assert_int_equal(q.count, RUMORS - 2);
    rumor_queue_check(&q);
}

static void one_that_does_not_fit_keeps_its_place(void **state)
{
    (void)state;
    struct rumor rumors[RUMORS];
    struct rumor_queue q;
    fill(&q, rumors);
    struct packet_of p = {.room = 0};
    rumor_offer(&q, 1, skip_first, &p);
    assert_int_equal(q.count, 1);
    assert_ptr_equal(q.heads[0].next, &rumors[5]);
    rumor_queue_check(&q);
}

static void sends_grow_with_the_logarithm_of_the_cluster(void **state)
{
    (void)state;
    assert_int_equal(rumor_sends(1), 2);
    assert_int_equal(rumor_sends(3), 3);
    assert_int_equal(rumor_sends(999), 12);
    assert_int_equal(rumor_sends(MEMBERS_MAX), RUMOR_SENDS_MAX);
    assert_int_equal(rumor_sends(UINT32_MAX), RUMOR_SENDS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_go_first_and_the_least_sent_before_the_others),
        cmocka_unit_test(a_rumor_is_sent_as_often_as_said_and_once_per_packet),
        cmocka_unit_test(news_of_a_member_replaces_what_was_told_before),
        cmocka_unit_test(one_that_does_not_fit_keeps_its_place),
        cmocka_unit_test(sends_grow_with_the_logarithm_of_the_cluster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
