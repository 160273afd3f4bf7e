/* How long a pull waits for a page, and how often it asks again. (What pulls bring: test_swim.c.)
 */
#include "gossip/membership/pull.h"

#include "held_member.h"

enum { TRIES = 6 };

/* A node that begins to pull from the member whose round trip was measured as this. */
static struct pull *begin(struct cluster *c, uint32_t rtt_us)
{
    struct swim *s = c->nodes[cluster_start(c)].swim;
    hold(s, ALIVE);
    struct member *m = roster_find(&s->roster, &subject);
    view_answered(s, m);
    m->link = 1;
    m->rtt_us = rtt_us & 0x7fffff;
    pull_first(s, m);
    assert_true(uuid_equal(&s->pulls[0].from, &subject));
    return &s->pulls[0];
}

static void a_page_is_waited_for_by_the_round_trip_and_longer_each_second_time(void **state)
{
    (void)state;
    static const struct {
        uint32_t rtt_us;
        uint32_t waits_ms[TRIES];
    } rows[] = {
        {0, {50, 50, 100, 100, 200, 200}}, /* not known yet */
        {1, {20, 20, 40, 40, 80, 80}},
        {5000, {20, 20, 40, 40, 80, 80}},
        {10000, {40, 40, 80, 80, 160, 160}},
        {100000, {400, 400, 800, 800, 1000, 1000}},
        {300000, {1000, 1000, 1000, 1000, 1000, 1000}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cluster *c = cluster_new(1);
        struct pull *pull = begin(c, rows[i].rtt_us);
        struct swim *s = c->nodes[0].swim;
        const uint32_t seq = pull->seq;
        for (int n = 0; n < TRIES; n++) {
            assert_int_equal(pull->due_us - s->now_us, (uint64_t)rows[i].waits_ms[n] * MS);
            assert_int_equal(pull->seq, seq); /* so the answer to any of them will do */
            s->now_us = pull->due_us - 1;
            pull_tick(s);
            assert_int_equal(pull->due_us, s->now_us + 1);
            s->now_us = pull->due_us;
            pull_tick(s);
        }
        assert_true(uuid_is_nil(&pull->from)); /* given up */
        cluster_free(c);
    }
}

static void a_member_that_has_died_is_not_asked_again(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(1);
    struct pull *pull = begin(c, 0);
    struct swim *s = c->nodes[0].swim;
    view_declare_dead(s, roster_find(&s->roster, &subject));
    s->now_us = pull->due_us;
    pull_tick(s);
    assert_true(uuid_is_nil(&pull->from));
    cluster_free(c);
}

static void of_one_member_one_pull_is_under_way(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(1);
    const struct pull *pull = begin(c, 0);
    struct swim *s = c->nodes[0].swim;
    const uint32_t seq = pull->seq;
    pull_first(s, roster_find(&s->roster, &subject));
    assert_int_equal(pull->seq, seq);
    for (int i = 1; i < PULLS_MAX; i++) {
        assert_true(uuid_is_nil(&s->pulls[i].from));
    }
    cluster_free(c);
}

static void a_page_of_another_request_changes_nothing(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(1);
    const struct pull *pull = begin(c, 0);
    struct swim *s = c->nodes[0].swim;
    struct member *m = roster_find(&s->roster, &subject);
    const struct pull before = *pull;
    assert_false(pull_has_asked(s, m, before.seq + 1));
    pull_page(s, m, before.seq + 1, before.next + 1);
    assert_int_equal(pull->next, before.next);
    assert_int_equal(pull->left, before.left);
    assert_true(pull_has_asked(s, m, before.seq));
    pull_page(s, m, before.seq, before.next + 1);
    assert_int_equal(pull->next, before.next + 1);
    assert_int_equal(pull->left, before.left - 1);
    assert_int_not_equal(pull->seq, before.seq);
    cluster_free(c);
}

static void a_page_that_ends_where_the_round_began_ends_the_pull(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(1);
    const struct pull *pull = begin(c, 0);
    struct swim *s = c->nodes[0].swim;
    struct member *m = roster_find(&s->roster, &subject);
    pull_page(s, m, pull->seq, pull->next);
    assert_true(uuid_is_nil(&pull->from));
    assert_false(pull_has_asked(s, m, 0));
    cluster_free(c);
}

/* Bytes of entries in the answer to a pull of the member's own tag alone, by its link. */
static size_t answer_to(struct swim *s, struct member *m, uint32_t sum)
{
    uint8_t bytes[PULL_SUM_BYTES];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    const struct packet p = {
        .kind = PACKET_PULL, .seq = 3, .first = m->tag, .width = 0, .count = 1, .sums = bytes};
    const struct packet_out_asked asked = {.packet = &p, .to = m, .room = DATAGRAM_BYTES_MAX};
    struct swim_event event;
    struct packet answer = {.kind = PACKET_PING};
    cursor_put_u32(&c, sum);
    while (swim_next_event(s, &event)) {
    }
    pull_answer(s, &asked);
    while (swim_next_event(s, &event)) {
        if (event.kind == SWIM_PACKET_BY_LINK) {
            assert_int_equal(packet_read(event.data, event.len, &answer), RC_OK);
        }
    }
    assert_int_equal(answer.kind, PACKET_CARDS);
    assert_int_equal(answer.first, m->tag + 1);
    return answer.entries_len;
}

static void of_a_range_only_what_differs_is_answered(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(1);
    (void)begin(c, 0);
    struct swim *s = c->nodes[0].swim;
    struct member *m = roster_find(&s->roster, &subject);
    const uint32_t sum = roster_sum(&s->roster, m->tag, m->tag);
    assert_int_equal(answer_to(s, m, sum), 0);
    assert_true(answer_to(s, m, sum + 1) > 0);
    cluster_free(c);
}

static void what_is_new_is_offered_to_some_at_a_pace(void **state)
{
    (void)state;
    enum { OFFERS = 3, PERIOD_US = 20 * MS };
    struct cluster *c = cluster_new(1);
    struct swim *s = c->nodes[cluster_start(c)].swim;
    hold(s, ALIVE);
    s->now_us += SECOND;
    pull_news(s);
    for (int left = OFFERS; left > 0; left--) {
        assert_int_equal(pull_deadline(s), s->now_us);
        pull_tick(s);
        const uint64_t next_us = left > 1 ? s->now_us + PERIOD_US : UINT64_MAX;
        assert_int_equal(pull_deadline(s), next_us);
        s->now_us += PERIOD_US - 1;
        assert_int_equal(pull_deadline(s), next_us);
        s->now_us += left == OFFERS ? 1 : 3; /* on time, and late */
    }
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_is_waited_for_by_the_round_trip_and_longer_each_second_time),
        cmocka_unit_test(a_member_that_has_died_is_not_asked_again),
        cmocka_unit_test(of_one_member_one_pull_is_under_way),
        cmocka_unit_test(a_page_of_another_request_changes_nothing),
        cmocka_unit_test(a_page_that_ends_where_the_round_began_ends_the_pull),
        cmocka_unit_test(of_a_range_only_what_differs_is_answered),
        cmocka_unit_test(what_is_new_is_offered_to_some_at_a_pace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
