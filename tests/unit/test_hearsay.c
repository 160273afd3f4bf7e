/* What news of a member's end changes, by what is held of it, who brings the news, and how sure
 * that is. (Many news of many members: test_swim_forged.c.) */
#include "gossip/membership/hearsay.h"

#include "gossip/membership/probe.h"
#include "held_member.h"

#include <inttypes.h>

/* A member's state when it is not held at all, as no real state has this number. */
#define NOT_HELD ((enum member_state)99)

struct row {
    enum held held;
    uint32_t teller; /* set of OWN and SURE */
    enum entry_kind kind;
    uint64_t incarnation;
    enum member_state state; /* afterwards */
    uint64_t held_at;
    bool is_judged;   /* a probe finds out whether it is so */
    bool is_expected; /* others' pages are, with more news */
    bool is_rumor;
};

static const struct row rows[] = {
    /* Somebody who is not known is kept as gone, where it is sure and the number may be true. */
    {NOBODY, 0, ENTRY_DEAD, 5, NOT_HELD, 0, false, false, false},
    {NOBODY, SURE, ENTRY_DEAD, 5, MEMBER_DEAD, 5, false, false, false},
    {NOBODY, SURE, ENTRY_LEFT, HEARSAY_UNKNOWN_MAX, MEMBER_LEFT, HEARSAY_UNKNOWN_MAX, false, false,
     false},
    {NOBODY, SURE, ENTRY_LEFT, HEARSAY_UNKNOWN_MAX + 1, NOT_HELD, 0, false, false, false},
    /* An earlier number is old news. */
    {ALIVE, SURE, ENTRY_DEAD, 4, MEMBER_ALIVE, 5, false, false, false},
    {ALIVE, OWN | SURE, ENTRY_LEFT, 4, MEMBER_ALIVE, 5, false, false, false},
    {SUSPECT, SURE, ENTRY_DEAD, 4, MEMBER_SUSPECT, 5, false, false, false},
    /* A member says itself that it leaves, with its number or the next. */
    {ALIVE, OWN | SURE, ENTRY_LEFT, 5, MEMBER_LEFT, 5, false, false, true},
    {ALIVE, OWN | SURE, ENTRY_LEFT, 6, MEMBER_LEFT, 6, false, false, true},
    {ALIVE, OWN | SURE, ENTRY_LEFT, 1000, MEMBER_LEFT, 6, false, false, true},
    {SUSPECT, OWN | SURE, ENTRY_LEFT, 5, MEMBER_LEFT, 5, false, false, true},
    {DEAD, OWN | SURE, ENTRY_LEFT, 5, MEMBER_LEFT, 5, false, false, false},
    {LEFT, OWN | SURE, ENTRY_LEFT, 6, MEMBER_LEFT, 5, false, false, false},
    /* Others are believed of one that nobody here sees, where they are sure, and else asked. */
    {ALIVE, SURE, ENTRY_DEAD, 5, MEMBER_DEAD, 5, false, false, true},
    {ALIVE, SURE, ENTRY_DEAD, 9, MEMBER_DEAD, 5, false, false, true},
    {ALIVE, SURE, ENTRY_LEFT, 5, MEMBER_LEFT, 5, false, false, true},
    {ALIVE, 0, ENTRY_DEAD, 5, MEMBER_ALIVE, 5, true, true, false},
    {ALIVE, 0, ENTRY_LEFT, 5, MEMBER_ALIVE, 5, true, true, false},
    {ALIVE, OWN, ENTRY_LEFT, 5, MEMBER_ALIVE, 5, true, true, false},
    {SUSPECT, SURE, ENTRY_DEAD, 5, MEMBER_DEAD, 5, false, false, true},
    {SUSPECT, 0, ENTRY_DEAD, 5, MEMBER_SUSPECT, 5, true, true, false},
    /* One that left is not dead; one that is dead has left only where that is sure. */
    {DEAD, SURE, ENTRY_LEFT, 5, MEMBER_LEFT, 5, false, false, false},
    {DEAD, 0, ENTRY_LEFT, 5, MEMBER_DEAD, 5, false, false, false},
    {LEFT, SURE, ENTRY_DEAD, 5, MEMBER_LEFT, 5, false, false, false},
};

static void an_end_changes_what_it_may(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *r = &rows[i];
        struct cluster *c = cluster_new(1);
        struct swim *s = c->nodes[cluster_start(c)].swim;
        const struct view_teller teller = teller_of(r->teller);
        const struct entry e = {
            .kind = r->kind, .uuid = subject, .incarnation = r->incarnation, .by = other};
        hold(s, r->held);
        const uint32_t rumors = s->rumors.count;
        s->news_us = 0;
        hearsay_entry(s, &e, &teller);
        const struct member *m = roster_find(&s->roster, &subject);
        const enum member_state found = m == NULL ? NOT_HELD : (enum member_state)m->state;
        const bool is_judged = m != NULL && m->probe != NULL && m->probe->is_judge;
        if (found != r->state || (m != NULL && m->incarnation != r->held_at) ||
            is_judged != r->is_judged || (s->news_us != 0) != r->is_expected ||
            (s->rumors.count > rumors) != r->is_rumor) {
            fail_msg("row %zu: state %u at %" PRIu64 ", judged %d, expected %d, rumours %u", i,
                     (unsigned)found, m == NULL ? 0 : m->incarnation, is_judged, s->news_us != 0,
                     s->rumors.count - rumors);
        }
        swim_check(s);
        cluster_free(c);
    }
}

/* A death in somebody's table may be the other side's view of a partition: it accuses, unless it is
 * of just now and of a suspect. */
static void a_death_of_long_ago_only_accuses_one_that_lives(void **state)
{
    (void)state;
    static const struct {
        enum held held;
        enum member_state past;
        uint32_t age;
        enum member_state state;
        bool is_told; /* the accused, so that it can refute */
    } ages[] = {
        {ALIVE, MEMBER_DEAD, 0, MEMBER_SUSPECT, true},
        {ALIVE, MEMBER_DEAD, 30, MEMBER_SUSPECT, true},
        {ALIVE, MEMBER_LEFT, 30, MEMBER_LEFT, false},
        {SUSPECT, MEMBER_DEAD, 2, MEMBER_DEAD, false},
        {SUSPECT, MEMBER_DEAD, 3, MEMBER_SUSPECT, true},
        {DEAD, MEMBER_LEFT, 30, MEMBER_LEFT, false},
    };
    for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
        struct cluster *c = cluster_new(1);
        struct swim *s = c->nodes[cluster_start(c)].swim;
        const struct view_teller teller = teller_of(SURE);
        const struct entry e = {.kind = ENTRY_PAST,
                                .uuid = subject,
                                .incarnation = HELD_AT,
                                .state = ages[i].past,
                                .age = ages[i].age};
        hold(s, ages[i].held);
        hearsay_entry(s, &e, &teller);
        const struct member *m = roster_find(&s->roster, &subject);
        assert_int_equal(m->state, ages[i].state);
        assert_int_equal(m->probe != NULL && m->probe->is_told_soon, ages[i].is_told);
        swim_check(s);
        cluster_free(c);
    }
}

/* Who was gone when nobody here knew it is kept as long as if it had been known. */
static void of_somebody_unknown_only_a_late_end_is_kept(void **state)
{
    (void)state;
    enum { AGES = MEMBER_GONE_KEPT_US / ENTRY_AGE_US };
    for (uint32_t age = AGES - 1; age <= AGES; age++) {
        struct cluster *c = cluster_new(1);
        struct swim *s = c->nodes[cluster_start(c)].swim;
        const struct view_teller teller = teller_of(SURE);
        const struct entry e = {.kind = ENTRY_PAST,
                                .uuid = subject,
                                .incarnation = 1,
                                .state = MEMBER_DEAD,
                                .age = age};
        s->now_us = 2 * MEMBER_GONE_KEPT_US;
        hearsay_entry(s, &e, &teller);
        const struct member *m = roster_find(&s->roster, &subject);
        assert_int_equal(m != NULL, age < AGES);
        if (m != NULL) {
            assert_int_equal(s->now_us - m->state_since_us, (uint64_t)age * ENTRY_AGE_US);
        }
        cluster_free(c);
    }
}

/* A member in sight is asked first; others hear of the accusation where it does not answer. */
static void an_accusation_of_a_member_in_sight_is_a_reason_to_ask(void **state)
{
    (void)state;
    static const struct {
        uint32_t teller;
        bool is_in_sight;
        uint64_t incarnation;
        uint32_t pings; /* of a probe that is open already */
        enum member_state state;
        bool is_told, is_probed;
    } accusations[] = {
        {SURE, false, 4, 0, MEMBER_ALIVE, false, false}, /* old news */
        {0, false, 5, 0, MEMBER_SUSPECT, false, true},
        {SURE, false, 5, 0, MEMBER_SUSPECT, false, true},
        {SURE, true, 5, 0, MEMBER_SUSPECT, true, true},
        {0, true, 5, 0, MEMBER_ALIVE, false, true},
        {0, true, 5, 1, MEMBER_ALIVE, false, true},
        {0, true, 5, 2, MEMBER_SUSPECT, false, true}, /* as it seems from here too */
    };
    for (size_t i = 0; i < sizeof(accusations) / sizeof(accusations[0]); i++) {
        struct cluster *c = cluster_new(1);
        struct swim *s = c->nodes[cluster_start(c)].swim;
        const struct view_teller teller = teller_of(accusations[i].teller);
        const struct entry e = {.kind = ENTRY_SUSPECT,
                                .uuid = subject,
                                .incarnation = accusations[i].incarnation,
                                .by = other};
        hold(s, ALIVE);
        struct member *m = roster_find(&s->roster, &subject);
        m->heard_us = accusations[i].is_in_sight ? s->now_us : 0;
        if (accusations[i].pings > 0) {
            probe_start(s, m);
            m->probe->ping_count = (uint8_t)(accusations[i].pings & 3);
        }
        hearsay_entry(s, &e, &teller);
        const bool is_told = m->probe != NULL && m->probe->is_told_soon;
        const bool is_probed = m->probe != NULL && m->probe->is_open;
        if (m->state != accusations[i].state || is_told != accusations[i].is_told ||
            is_probed != accusations[i].is_probed) {
            fail_msg("accusation %zu: state %u, told %d, probed %d", i, (unsigned)m->state, is_told,
                     is_probed);
        }
        swim_check(s);
        cluster_free(c);
    }
}

static uint32_t datagrams_to_subject(const struct node *n)
{
    const struct member_card card = card_with(HELD_AT, 1);
    struct action action;
    uint32_t count = 0;
    while (outbox_next(n->outbox, &action)) {
        count += action.kind == ACTION_DATAGRAM && addr_equal(&action.addr, &card.addrs[0].addr);
    }
    return count;
}

/* Has the node hold so many others, whom somebody suspects. */
static void hold_suspects(struct swim *s, uint32_t count)
{
    const struct view_teller teller = teller_of(SURE);
    for (uint32_t i = 0; i < count; i++) {
        struct member_card card = card_with(HELD_AT, 1);
        struct member *m = NULL;
        card.uuid.bytes[1] = (uint8_t)(i + 1);
        card.addrs[0].addr.port = (uint16_t)(9100 + i);
        assert_int_equal(view_alive(s, &card, &teller, &m), RC_OK);
        view_suspect(s, m, &other);
    }
}

/* Or after a large partition each would hear it from everybody. */
static void one_of_many_that_are_suspect_is_not_told_so_directly(void **state)
{
    (void)state;
    enum { TOLD = 64 };
    enum way { SUSPECTED, PAST, BELIEVED, WAYS };
    for (enum way way = SUSPECTED; way < WAYS; way++) {
        for (uint32_t others = TOLD - 1; others <= TOLD; others++) {
            struct cluster *c = cluster_new(1);
            struct swim *s = c->nodes[cluster_start(c)].swim;
            const struct view_teller teller = teller_of(SURE);
            const struct entry e = {.kind = way == PAST ? ENTRY_PAST : ENTRY_SUSPECT,
                                    .uuid = subject,
                                    .incarnation = HELD_AT,
                                    .by = other,
                                    .state = MEMBER_DEAD};
            hold(s, ALIVE);
            hold_suspects(s, others);
            struct member *m = roster_find(&s->roster, &subject);
            m->heard_us = way == PAST ? 0 : s->now_us;
            if (way == BELIEVED) {
                probe_state(s, m)->hearsay = other;
                hearsay_believe(s, m);
            } else {
                hearsay_entry(s, &e, &teller);
            }
            assert_int_equal(m->state, MEMBER_SUSPECT);
            assert_int_equal(m->probe->is_told_soon, others < TOLD);
            swim_check(s);
            cluster_free(c);
        }
    }
}

static void among_many_anybody_is_believed_once_a_suspect_could_have_refuted(void **state)
{
    (void)state;
    enum { REFUTABLE_MS = 300 };
    for (uint64_t left_us = 0; left_us <= 1; left_us++) {
        struct cluster *c = cluster_new(1);
        struct swim *s = c->nodes[cluster_start(c)].swim;
        const struct view_teller teller = teller_of(0);
        const struct entry e = {
            .kind = ENTRY_DEAD, .uuid = subject, .incarnation = HELD_AT, .by = other};
        hold_suspects(s, PROBE_ASKED_BY_ALL_MAX);
        hold(s, SUSPECT);
        const struct member *m = roster_find(&s->roster, &subject);
        s->now_us = m->probe->suspicion.started_us + (uint64_t)REFUTABLE_MS * MS - left_us;
        hearsay_entry(s, &e, &teller);
        assert_int_equal(m->state, left_us == 0 ? MEMBER_DEAD : MEMBER_SUSPECT);
        cluster_free(c);
    }
}

/* Others may know what this node has missed; but only the member knows its number. */
static void a_number_far_beyond_the_one_held_is_asked_of_the_member(void **state)
{
    (void)state;
    for (uint64_t more = SWIM_RAISE_MAX; more <= SWIM_RAISE_MAX + 1; more++) {
        struct cluster *c = cluster_new(1);
        struct node *n = &c->nodes[cluster_start(c)];
        struct swim *s = n->swim;
        const bool is_far = more > SWIM_RAISE_MAX;
        uint8_t bytes[CARD_WIRE_MAX];
        struct cursor card = cursor_writer(bytes, sizeof(bytes));
        const struct member_card later = card_with(HELD_AT + more, 1);
        const struct view_teller teller = teller_of(SURE);
        struct entry e = {
            .kind = ENTRY_ALIVE, .uuid = subject, .incarnation = HELD_AT + more, .card = bytes};
        member_card_write(&card, &later);
        e.card_len = card.pos;
        e.addr_count = 1;
        hold(s, ALIVE);
        (void)datagrams_to_subject(n);
        hearsay_entry(s, &e, &teller);
        assert_int_equal(roster_find(&s->roster, &subject)->incarnation,
                         is_far ? HELD_AT : HELD_AT + more);
        assert_int_equal(datagrams_to_subject(n), is_far);
        hearsay_entry(s, &e, &teller); /* and not again at once */
        assert_int_equal(datagrams_to_subject(n), 0);
        s->now_us += (uint64_t)100 * MS;
        hearsay_entry(s, &e, &teller);
        assert_int_equal(datagrams_to_subject(n), is_far);
        swim_check(s);
        cluster_free(c);
    }
}

/* Or who is gone would never be forgotten while somebody says so. */
static void an_end_that_is_known_is_not_put_off_by_hearing_it_again(void **state)
{
    (void)state;
    static const enum held helds[] = {DEAD, LEFT, DEAD_GHOST, LEFT_GHOST};
    for (size_t i = 0; i < sizeof(helds) / sizeof(helds[0]); i++) {
        for (enum entry_kind kind = ENTRY_DEAD; kind <= ENTRY_PAST; kind++) {
            struct cluster *c = cluster_new(1);
            struct swim *s = c->nodes[cluster_start(c)].swim;
            const bool is_dead = helds[i] == DEAD || helds[i] == DEAD_GHOST;
            const struct view_teller teller = teller_of(SURE);
            const struct entry e = {.kind = is_dead && kind == ENTRY_LEFT ? ENTRY_DEAD : kind,
                                    .uuid = subject,
                                    .incarnation = HELD_AT,
                                    .state = is_dead ? MEMBER_DEAD : MEMBER_LEFT};
            hold(s, helds[i]);
            const struct member *m = roster_find(&s->roster, &subject);
            const uint64_t since_us = m->state_since_us;
            s->now_us += SECOND;
            hearsay_entry(s, &e, &teller);
            assert_int_equal(m->state_since_us, since_us);
            cluster_free(c);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_changes_what_it_may),
        cmocka_unit_test(a_death_of_long_ago_only_accuses_one_that_lives),
        cmocka_unit_test(of_somebody_unknown_only_a_late_end_is_kept),
        cmocka_unit_test(an_accusation_of_a_member_in_sight_is_a_reason_to_ask),
        cmocka_unit_test(one_of_many_that_are_suspect_is_not_told_so_directly),
        cmocka_unit_test(among_many_anybody_is_believed_once_a_suspect_could_have_refuted),
        cmocka_unit_test(a_number_far_beyond_the_one_held_is_asked_of_the_member),
        cmocka_unit_test(an_end_that_is_known_is_not_put_off_by_hearing_it_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
