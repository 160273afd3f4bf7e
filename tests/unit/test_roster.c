#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/membership/roster.h"

static struct rng rng;

static struct member_card card_number(uint32_t i)
{
    const uint8_t ip[4] = {10, 2, (uint8_t)(i >> 8), (uint8_t)i};
    struct member_card card = {
        .uuid = {{1, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}},
        .host_tag = 5,
        .incarnation = 1,
        .name = "x",
        .enclave = "default",
        .addr_count = 1,
        .addrs = {{SCOPE_GLOBAL, addr_v4(ip, 8081)}},
    };
    return card;
}

static void start(struct roster *r)
{
    rng_init(&rng, 3);
    roster_init(r, 1, 5, 77);
    const struct member_card self = card_number(0);
    assert_non_null(roster_add(r, &self, MEMBER_ALIVE, true, 0));
}

static struct member *add(struct roster *r, uint32_t i, enum member_state state)
{
    const struct member_card card = card_number(i);
    return roster_add(r, &card, state, false, i);
}

static void a_member_is_found_by_uuid_tag_and_address_until_removed(void **state)
{
    (void)state;
    struct roster r;
    start(&r);
    struct member *m = add(&r, 1, MEMBER_ALIVE);
    const struct member_card card = card_number(1);
    uint32_t walk = 0;
    assert_ptr_equal(roster_find(&r, &card.uuid), m);
    assert_ptr_equal(roster_find_tag(&r, m->tag), m);
    assert_ptr_equal(roster_next_at(&r, &card.addrs[0].addr, &walk), m);
    assert_null(roster_next_at(&r, &card.addrs[0].addr, &walk));
    roster_check(&r);
    const uint32_t slot = m->slot;
    roster_remove(&r, m);
    assert_null(roster_find(&r, &card.uuid));
    walk = 0;
    assert_null(roster_next_at(&r, &card.addrs[0].addr, &walk));
    assert_null(roster_at(&r, slot));
    assert_int_equal(r.order_count, 0);
    assert_int_equal(r.gone_count, 0);
    roster_check(&r);
    roster_fini(&r);
}

static void the_dead_leave_the_address_index_digest_and_order_and_come_back(void **state)
{
    (void)state;
    struct roster r;
    start(&r);
    const uint64_t alone = r.digest;
    struct member *m = add(&r, 1, MEMBER_ALIVE);
    const uint64_t both = r.digest;
    assert_int_not_equal(alone, both);
    roster_set_state(&r, m, MEMBER_SUSPECT, 1, 5);
    assert_int_equal(r.digest, both);
    roster_set_state(&r, m, MEMBER_DEAD, 1, 9);
    assert_int_equal(m->state_since_us, 9);
    assert_int_equal(r.digest, alone);
    assert_null(roster_live_after(&r, r.self));
    uint32_t walk = 0;
    const struct addr addr = member_addr_at(m, 0).addr;
    assert_null(roster_next_at(&r, &addr, &walk));
    roster_check(&r);
    roster_set_state(&r, m, MEMBER_ALIVE, 2, 10);
    assert_int_not_equal(r.digest, both);
    assert_ptr_equal(roster_live_after(&r, r.self), m);
    roster_check(&r);
    roster_fini(&r);
}

static void the_digest_does_not_depend_on_order(void **state)
{
    (void)state;
    struct roster a, b;
    start(&a);
    start(&b);
    for (uint32_t i = 1; i <= 20; i++) {
        (void)add(&a, i, MEMBER_ALIVE);
        (void)add(&b, 21 - i, MEMBER_ALIVE);
    }
    assert_int_equal(a.digest, b.digest);
    roster_fini(&a);
    roster_fini(&b);
}

/* Against a table looked through, while members come, go and come back. */
static void ranks_count_the_living_in_the_order_of_tags(void **state)
{
    (void)state;
    enum { N = 300 };
    struct roster r;
    start(&r);
    assert_null(roster_live_after(&r, r.self));
    for (uint32_t i = 1; i <= N; i++) {
        (void)add(&r, i, i % 3 == 0 ? MEMBER_DEAD : MEMBER_ALIVE);
    }
    for (int round = 0; round < 4; round++) {
        const uint32_t live = roster_live_count(&r);
        const struct member *before = NULL;
        for (uint32_t rank = 0; rank < live; rank++) {
            const struct member *m = roster_ranked(&r, rank);
            assert_true(m->state == MEMBER_ALIVE && roster_rank(&r, m) == rank);
            assert_true(before == NULL || m->tag > before->tag);
            const struct member *next = roster_ranked(&r, (rank + 1) % live);
            next = next->is_self ? roster_ranked(&r, (rank + 2) % live) : next;
            assert_ptr_equal(roster_live_after(&r, m), next);
            before = m;
        }
        for (uint32_t slot = 1; slot <= N; slot++) {
            struct member *m = roster_at(&r, slot);
            const bool is_raised = m->state == MEMBER_DEAD;
            if (rng_below(&rng, 3) == 0) {
                roster_set_state(&r, m, is_raised ? MEMBER_ALIVE : MEMBER_DEAD, 1, 0);
            }
        }
        roster_check(&r);
    }
    roster_fini(&r);
}

static void a_shared_tag_means_nobody(void **state)
{
    (void)state;
    struct roster r;
    start(&r);
    struct member *m = add(&r, 1, MEMBER_ALIVE);
    struct member twin = {.tag = m->tag};
    const uint16_t next_1 = m->next_1;
    /* As if this node had the same, and stood behind it. */
    const uint32_t own = r.self->tag;
    r.self->tag = twin.tag;
    m->next_1 = (uint16_t)(r.self->slot + 1);
    const uint16_t own_next_1 = r.self->next_1;
    r.self->next_1 = 0;
    assert_null(roster_find_tag(&r, m->tag));
    r.self->next_1 = own_next_1;
    r.self->tag = own;
    m->next_1 = next_1;
    assert_ptr_equal(roster_find_tag(&r, m->tag), m);
    roster_fini(&r);
}

static void a_ghost_is_known_but_not_counted(void **state)
{
    (void)state;
    struct roster r;
    start(&r);
    struct member_card card = card_number(1);
    card.name[0] = '\0';
    struct member *m = roster_add(&r, &card, MEMBER_DEAD, false, 0);
    assert_true(m->is_ghost);
    assert_int_equal(r.counts.dead, 0);
    assert_null(roster_find_tag(&r, m->tag));
    card = card_number(1);
    roster_set_card(&r, m, &card);
    assert_int_equal(r.counts.dead, 1);
    roster_check(&r);
    roster_fini(&r);
}

static void the_table_is_bounded_and_names_its_oldest_dead(void **state)
{
    (void)state;
    struct roster r;
    start(&r);
    for (uint32_t i = 1; i < MEMBERS_MAX; i++) {
        (void)add(&r, i, i % 2 == 0 ? MEMBER_DEAD : MEMBER_ALIVE);
    }
    assert_null(add(&r, MEMBERS_MAX, MEMBER_ALIVE));
    struct member *oldest = roster_oldest_gone(&r, UINT64_MAX);
    assert_int_equal(oldest->state_since_us, 2);
    oldest->link = 1;
    assert_int_equal(roster_oldest_gone(&r, UINT64_MAX)->state_since_us, 4);
    roster_remove(&r, roster_oldest_gone(&r, UINT64_MAX));
    assert_non_null(add(&r, MEMBERS_MAX, MEMBER_ALIVE));
    roster_check(&r);
    roster_fini(&r);
}

static void addresses_follow_where_a_member_answered(void **state)
{
    (void)state;
    struct roster r;
    start(&r);
    struct member *m = add(&r, 1, MEMBER_ALIVE);
    const struct addr other = card_number(99).addrs[0].addr;
    struct addr got;
    assert_true(roster_addr_of(&r, m, 0, &got));
    const struct addr own = member_addr_at(m, 0).addr;
    assert_true(addr_equal(&got, &own));
    roster_set_last_addr(&r, m, &other);
    assert_true(roster_addr_of(&r, m, 0, &got) && addr_equal(&got, &other));
    assert_true(roster_addr_of(&r, m, 1, &got) && addr_equal(&got, &own));
    assert_true(roster_addr_of(&r, m, 2, &got) && addr_equal(&got, &other));
    uint32_t walk = 0;
    assert_ptr_equal(roster_next_at(&r, &other, &walk), m);
    roster_check(&r);
    roster_fini(&r);
}

static void a_member_whose_card_names_no_address_is_nowhere(void **state)
{
    (void)state;
    struct roster r;
    struct member_card card = card_number(1);
    const struct addr unset = {.port = 7};
    struct addr got = unset;
    start(&r);
    card.addr_count = 0;
    const struct member *m = roster_add(&r, &card, MEMBER_ALIVE, false, 1);
    assert_false(roster_addr_of(&r, m, 0, &got));
    assert_true(addr_equal(&got, &unset));
    roster_fini(&r);
}

static bool is_found_at(const struct roster *r, const struct addr *addr, const struct member *m)
{
    uint32_t walk = 0;
    return roster_next_at(r, addr, &walk) == m;
}

static void a_member_that_answers_where_its_card_says_is_found_there_as_before(void **state)
{
    (void)state;
    const enum member_state states[] = {MEMBER_ALIVE, MEMBER_DEAD};
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        struct roster r;
        start(&r);
        struct member *m = add(&r, 1, states[i]);
        const bool is_live = states[i] == MEMBER_ALIVE;
        const struct addr own = member_addr_at(m, 0).addr;
        const struct addr other = card_number(99).addrs[0].addr;
        roster_set_last_addr(&r, m, &own);
        const struct addr last = member_last_addr(m);
        assert_true(addr_equal(&last, &own));
        assert_int_equal(is_found_at(&r, &own, m), is_live);
        roster_check(&r);
        roster_set_last_addr(&r, m, &other);
        assert_int_equal(is_found_at(&r, &other, m), is_live);
        assert_int_equal(is_found_at(&r, &own, m), is_live);
        roster_check(&r);
        roster_set_last_addr(&r, m, &own);
        assert_false(is_found_at(&r, &other, m));
        roster_check(&r);
        roster_fini(&r);
    }
}

/* The sums and walks of ranges, against a table looked through. */
static void ranges_of_tags_have_their_sums_and_their_members_in_order(void **state)
{
    (void)state;
    enum { N = 300 };
    struct roster r, other;
    start(&r);
    start(&other);
    for (uint32_t i = 1; i <= N; i++) {
        (void)add(&r, i, i % 7 == 0 ? MEMBER_DEAD : MEMBER_ALIVE);
        (void)add(&other, N + 1 - i, MEMBER_ALIVE);
    }
    for (uint32_t i = 1; i <= N; i++) {
        const struct member_card card = card_number(i);
        if (i % 7 == 0) {
            roster_remove(&other, roster_find(&other, &card.uuid));
        }
    }
    roster_check(&other);
    for (int i = 0; i < 1000; i++) {
        uint32_t first = (uint32_t)rng_next(&rng);
        uint32_t last = (uint32_t)rng_next(&rng);
        last >>= rng_below(&rng, 20);
        last = first + last < first ? UINT32_MAX : first + last;
        if (i % 2 == 0) { /* whole chains */
            first = first >> roster_chain_width(&r) << roster_chain_width(&r);
            last |= (UINT32_C(1) << roster_chain_width(&r)) - 1;
        }
        first = i == 0 ? 0 : first;
        last = i == 0 ? UINT32_MAX : last;
        assert_int_equal(roster_sum(&r, first, last), roster_sum(&other, first, last));
        uint32_t expected = 0, found = 0, tag = first;
        for (uint32_t slot = 0; slot <= N; slot++) {
            const struct member *m = roster_at(&r, slot);
            expected += m->tag >= first && m->tag <= last;
        }
        for (const struct member *m = roster_first_in(&r, first, last); m != NULL;
             m = roster_after(&r, m, last)) {
            assert_true(m->tag >= tag && m->tag <= last);
            tag = m->tag;
            found++;
        }
        assert_int_equal(found, expected);
    }
    assert_int_equal(roster_sum(&r, 0, UINT32_MAX), (uint32_t)r.digest);
    roster_fini(&r);
    roster_fini(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_is_found_by_uuid_tag_and_address_until_removed),
        cmocka_unit_test(the_dead_leave_the_address_index_digest_and_order_and_come_back),
        cmocka_unit_test(the_digest_does_not_depend_on_order),
        cmocka_unit_test(ranks_count_the_living_in_the_order_of_tags),
        cmocka_unit_test(a_shared_tag_means_nobody),
        cmocka_unit_test(a_ghost_is_known_but_not_counted),
        cmocka_unit_test(the_table_is_bounded_and_names_its_oldest_dead),
        cmocka_unit_test(ranges_of_tags_have_their_sums_and_their_members_in_order),
        cmocka_unit_test(addresses_follow_where_a_member_answered),
        cmocka_unit_test(a_member_whose_card_names_no_address_is_nowhere),
        cmocka_unit_test(a_member_that_answers_where_its_card_says_is_found_there_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
