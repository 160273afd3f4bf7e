#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gossip/membership/rumor.h"

enum { RUMORS = 6, MANY = RUMORS_MAX + 100 };

static struct member subjects[MANY];

struct packet_of {
    uint32_t room;
    uint32_t count, offered;
    const struct member *taken[RUMORS];
    struct rumor last;
};

static enum rumor_verdict take(void *arg, const struct rumor *r)
{
    struct packet_of *p = arg;
    p->offered++;
    if (p->count == p->room) {
        return RUMOR_PACKET_FULL;
    }
    if (p->count < RUMORS) {
        p->taken[p->count] = r->subject;
    }
    p->count++;
    p->last = *r;
    return RUMOR_TAKEN;
}

static enum rumor_verdict skip_first(void *arg, const struct rumor *r)
{
    struct packet_of *p = arg;
    (void)r;
    return p->count++ == 0 ? RUMOR_SKIPPED : RUMOR_TAKEN;
}

static enum rumor_verdict skip_all(void *arg, const struct rumor *r)
{
    struct packet_of *p = arg;
    (void)r;
    p->offered++;
    return RUMOR_SKIPPED;
}

static void fill(struct rumor_queue *q, uint32_t count)
{
    rumor_queue_init(q);
    for (uint32_t i = 0; i < count; i++) {
        subjects[i].rumor_1 = 0;
        rumor_put(q, &subjects[i], ENTRY_ALIVE, NULL);
    }
}

static void the_newest_go_first_and_the_least_sent_before_the_others(void **state)
{
    (void)state;
    struct rumor_queue q;
    fill(&q, RUMORS);
    struct packet_of p = {.room = 2};
    rumor_offer(&q, 3, take, &p);
    assert_ptr_equal(p.taken[0], &subjects[5]);
    assert_ptr_equal(p.taken[1], &subjects[4]);
    p = (struct packet_of){.room = 5};
    rumor_offer(&q, 3, take, &p);
    assert_ptr_equal(p.taken[0], &subjects[3]);
    assert_ptr_equal(p.taken[3], &subjects[0]);
    assert_ptr_equal(p.taken[4], &subjects[5]);
    rumor_queue_check(&q);
    rumor_queue_fini(&q);
}

static void a_rumor_is_sent_as_often_as_said_and_once_per_packet(void **state)
{
    (void)state;
    struct rumor_queue q;
    fill(&q, RUMORS);
    for (int i = 0; i < 4; i++) {
        struct packet_of p = {.room = MANY};
        rumor_offer(&q, 4, take, &p);
        assert_int_equal(p.count, RUMORS);
        rumor_queue_check(&q);
    }
    assert_int_equal(q.count, 0);
    assert_int_equal(subjects[0].rumor_1, 0);
    rumor_queue_fini(&q);
}

static void news_of_a_member_replaces_what_was_told_before(void **state)
{
    (void)state;
    const struct uuid by = {{9}};
    struct rumor_queue q;
    fill(&q, RUMORS);
    rumor_put(&q, &subjects[0], ENTRY_DEAD, &by);
    assert_int_equal(q.count, RUMORS);
    struct packet_of p = {.room = 1};
    rumor_offer(&q, 1, take, &p);
    assert_ptr_equal(p.taken[0], &subjects[0]);
    assert_int_equal(p.last.kind, ENTRY_DEAD);
    assert_true(uuid_equal(&p.last.by, &by));
    rumor_drop(&q, &subjects[0]);
    rumor_drop(&q, &subjects[1]);
    assert_int_equal(q.count, RUMORS - 2);
    rumor_queue_check(&q);
    rumor_queue_fini(&q);
}

static void one_that_does_not_fit_keeps_its_place(void **state)
{
    (void)state;
    struct rumor_queue q;
    fill(&q, RUMORS);
    struct packet_of p = {.room = 0};
    rumor_offer(&q, 1, skip_first, &p);
    assert_int_equal(q.count, 1);
    assert_int_not_equal(subjects[RUMORS - 1].rumor_1, 0);
    rumor_queue_check(&q);
    rumor_queue_fini(&q);
}

static void a_packet_costs_what_it_carries_however_many_wait(void **state)
{
    (void)state;
    struct rumor_queue q;
    fill(&q, RUMORS_MAX);
    for (int i = 0; i < 100; i++) {
        struct packet_of p = {.room = 5};
        rumor_offer(&q, 17, take, &p);
        assert_int_equal(p.offered, 6);
        p = (struct packet_of){.room = 0};
        rumor_offer(&q, 17, skip_all, &p);
        assert_int_equal(p.offered, RUMOR_SKIPS_MAX);
    }
    rumor_queue_check(&q);
    rumor_queue_fini(&q);
}

static void a_full_queue_drops_what_was_told_most(void **state)
{
    (void)state;
    struct rumor_queue q;
    fill(&q, RUMORS_MAX);
    struct packet_of p = {.room = 3};
    rumor_offer(&q, 17, take, &p);
    for (uint32_t i = RUMORS_MAX; i < RUMORS_MAX + 3; i++) {
        rumor_put(&q, &subjects[i], ENTRY_ALIVE, NULL);
        rumor_queue_check(&q);
    }
    assert_int_equal(q.count, RUMORS_MAX);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(p.taken[i]->rumor_1, 0);
    }
    rumor_put(&q, &subjects[RUMORS_MAX + 3], ENTRY_ALIVE, NULL);
    assert_int_equal(subjects[0].rumor_1, 0); /* among equals the one that has waited longest */
    rumor_queue_check(&q);
    rumor_queue_fini(&q);
}

static void sends_grow_with_the_logarithm_of_the_cluster(void **state)
{
    (void)state;
    assert_int_equal(rumor_sends(1), 2);
    assert_int_equal(rumor_sends(3), 4);
    assert_int_equal(rumor_sends(999), 18);
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
        cmocka_unit_test(a_packet_costs_what_it_carries_however_many_wait),
        cmocka_unit_test(a_full_queue_drops_what_was_told_most),
        cmocka_unit_test(sends_grow_with_the_logarithm_of_the_cluster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
