/* Where membership stops: what a node does for so many at a time, and not for one more. */
#include "gossip/membership/hearsay.h"
#include "gossip/membership/packet_out.h"
#include "gossip/membership/probe.h"
#include "gossip/membership/pull.h"
#include "gossip/membership/refusal.h"
#include "held_member.h"

/* As the sources have them, each for itself. */
enum { NEWCOMERS_TOLD = 48, SUSPECTS_TOLD = 64, AT_ONE_ADDR = 16, DIALS = 4, PAID_BYTES = 16384 };

static struct uuid uuid_at(uint32_t i)
{
    return (struct uuid){{9, (uint8_t)(i >> 8), (uint8_t)i, 1}};
}

/* A card like the subject's, of another one. */
static struct member_card card_at(uint32_t i)
{
    struct member_card card = card_with(HELD_AT, 1);
    card.uuid = uuid_at(i);
    return card;
}

static struct member *meet(struct swim *s, uint32_t i, bool is_own, bool is_sure)
{
    const struct member_card card = card_at(i);
    const struct view_teller teller = {is_own ? &card.uuid : &other, is_sure};
    struct member *m = NULL;
    assert_int_equal(view_alive(s, &card, &teller, &m), RC_OK);
    return m;
}

static void so_many_newcomers_are_passed_on_at_a_time(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(1);
    struct swim *s = c->nodes[cluster_start(c)].swim;
    const uint32_t before = s->rumors.count;
    for (uint32_t i = 1; i <= NEWCOMERS_TOLD + 1; i++) {
        (void)meet(s, i, true, true);
        assert_int_equal(s->rumors.count,
                         before + i < NEWCOMERS_TOLD ? before + i : NEWCOMERS_TOLD);
    }
    cluster_free(c);
}

static void so_many_that_others_hold_for_dead_are_told_at_once(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(1);
    struct swim *s = c->nodes[cluster_start(c)].swim;
    const struct view_teller teller = teller_of(SURE);
    for (uint32_t i = 1; i <= SUSPECTS_TOLD + 1; i++) {
        const struct member *m = meet(s, i, false, true);
        const struct entry e = {.kind = ENTRY_PAST,
                                .uuid = uuid_at(i),
                                .incarnation = HELD_AT,
                                .state = MEMBER_DEAD,
                                .age = 30};
        hearsay_entry(s, &e, &teller);
        assert_int_equal(m->state, MEMBER_SUSPECT);
        assert_int_equal(s->roster.counts.suspect, i);
        assert_int_equal(m->probe->is_told_soon, i <= SUSPECTS_TOLD);
    }
    cluster_free(c);
}

static void a_refusal_is_about_so_many_at_one_address(void **state)
{
    (void)state;
    for (uint32_t count = AT_ONE_ADDR - 1; count <= AT_ONE_ADDR + 1; count++) {
        struct cluster *c = cluster_new(1);
        struct swim *s = c->nodes[cluster_start(c)].swim;
        const struct member_card card = card_at(0);
        uint32_t asked = 0;
        for (uint32_t i = 0; i < count; i++) {
            (void)meet(s, i, false, true);
        }
        refusal_came(s, &card.addrs[0].addr, 0);
        for (uint32_t i = 0; i < count; i++) {
            const struct uuid uuid = uuid_at(i);
            const struct member *m = roster_find(&s->roster, &uuid);
            asked += m->probe != NULL && m->probe->is_open;
        }
        assert_int_equal(asked, count < AT_ONE_ADDR ? count : AT_ONE_ADDR);
        cluster_free(c);
    }
}

static void what_is_named_is_paid_for_up_to_a_most(void **state)
{
    (void)state;
    enum { LEN = 1000, IP_AND_UDP = 20 + 8 };
    const uint8_t ip[4] = {10, 0, 0, 8};
    const struct addr from = addr_v4(ip, 9000);
    struct cluster *c = cluster_new(1);
    struct swim *s = c->nodes[cluster_start(c)].swim;
    s->now_us = c->now_us;
    packet_out_paid(s, &from, LEN);
    assert_int_equal(s->paid_bytes, LEN + IP_AND_UDP);
    packet_out_paid(s, &from, PAID_BYTES - s->paid_bytes - IP_AND_UDP - 1);
    assert_int_equal(s->paid_bytes, PAID_BYTES - 1);
    packet_out_paid(s, &from, LEN);
    assert_int_equal(s->paid_bytes, PAID_BYTES);
    cluster_free(c);
}

static void so_many_that_are_only_named_are_dialed_in_a_second(void **state)
{
    (void)state;
    const uint8_t ip[4] = {10, 0, 0, 8};
    const struct addr from = addr_v4(ip, 9000);
    struct cluster *c = cluster_new(1);
    struct swim *s = c->nodes[cluster_start(c)].swim;
    const struct member *m = meet(s, 1, false, false);
    assert_int_equal(m->state, MEMBER_NAMED);
    s->now_us = c->now_us;
    packet_out_paid(s, &from, PAID_BYTES);
    for (int i = 1; i <= DIALS + 1; i++) {
        assert_int_equal(packet_out_may_dial(s, m), i <= DIALS);
    }
    s->now_us += SECOND - 1;
    assert_false(packet_out_may_dial(s, m));
    s->now_us++;
    packet_out_paid(s, &from, PAID_BYTES);
    assert_true(packet_out_may_dial(s, m));
    cluster_free(c);
}

/* A member that can be pulled from. */
static struct member *reached(struct swim *s, uint32_t i)
{
    struct member *m = meet(s, i, false, true);
    m->link = i + 1;
    m->has_answered = true;
    return m;
}

static uint32_t pulls(const struct swim *s)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < PULLS_MAX; i++) {
        count += !uuid_is_nil(&s->pulls[i].from);
    }
    return count;
}

static void so_many_views_are_pulled_at_once_at_first_and_fewer_after_news(void **state)
{
    (void)state;
    enum { EAGER = 2 };
    struct cluster *c = cluster_new(1);
    struct swim *first = c->nodes[cluster_start(c)].swim;
    struct swim *later = c->nodes[cluster_start(c)].swim;
    for (uint32_t i = 0; i <= PULLS_MAX; i++) {
        pull_first(first, reached(first, i));
        assert_int_equal(pulls(first), i < PULLS_MAX ? i + 1 : PULLS_MAX);
    }
    later->now_us = c->now_us;
    pull_expect(later);
    for (uint32_t i = 0; i <= EAGER; i++) {
        later->next_pull_us = later->now_us;
        pull_compare(later, reached(later, i), later->roster.digest + 1);
        assert_int_equal(pulls(later), i < EAGER ? i + 1 : EAGER);
    }
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_newcomers_are_passed_on_at_a_time),
        cmocka_unit_test(so_many_that_others_hold_for_dead_are_told_at_once),
        cmocka_unit_test(a_refusal_is_about_so_many_at_one_address),
        cmocka_unit_test(so_many_views_are_pulled_at_once_at_first_and_fewer_after_news),
        cmocka_unit_test(what_is_named_is_paid_for_up_to_a_most),
        cmocka_unit_test(so_many_that_are_only_named_are_dialed_in_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
