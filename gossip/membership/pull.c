#include "gossip/membership/pull.h"

#include "core/base/assert.h"
#include "core/base/units.h"
#include "gossip/membership/packet_out.h"
#include "gossip/membership/probe.h"

enum {
    /* While digests differ a view is pulled at most so often. */
    PULL_PERIOD_US = 1000000,
    PULL_ANSWER_US = 100000, /* a second look that has not come by then is lost */
    /* While pulls bring news, as when all start at once or a partition heals, they follow upon each
     * other: each may double what is known. */
    PULL_EAGER_PERIOD_US = 50000,
    PULL_EAGER_US = 2000000,
    PULL_EAGER_MAX = 2, /* at once */
    /* After news so many members hear our digest, one after the other. Those that lack the news
     * pull it, and do the same. */
    PULL_OFFERS = 3,
    PULL_OFFER_PERIOD_US = 20000,
    /* A page that does not come within four round trips, and within these, is asked for again,
     * after twice as long each second time: while packets are lost a pull takes what it waits. */
    PULL_RETRY_MIN_US = 20000,
    PULL_RETRY_MAX_US = 1000000,
    PULL_RETRY_UNKNOWN_US = 50000, /* no round trip measured yet */
    PULL_TRIES_MAX = 6,
    /* So many sums to one of our members: one that is known, and is sent because its neighbour is
     * not, costs twenty times as much as a sum. */
    PULL_SUMS_PER_MEMBER = 2,
    /* After a page that ended early a request reaches at most so many times as far as it did. */
    PULL_REACH = 8,
};

#define TAGS_ALL (UINT64_C(1) << PULL_WIDTH_MAX)

static struct pull *find(struct swim *s, const struct uuid *from)
{
    for (uint32_t i = 0; i < PULLS_MAX; i++) {
        if (uuid_equal(&s->pulls[i].from, from)) {
            return &s->pulls[i];
        }
    }
    return NULL;
}

/* The sum of a range that may go round over 0. */
static uint32_t sum_of(const struct roster *r, uint32_t first, uint32_t last)
{
    return first <= last ? roster_sum(r, first, last)
                         : roster_sum(r, first, UINT32_MAX) + roster_sum(r, 0, last);
}

/* `tries` is how often it has been asked for, 1 at least. */
static uint64_t retry_us(const struct member *m, uint32_t tries)
{
    uint64_t us = m->rtt_us == 0 ? PULL_RETRY_UNKNOWN_US : 4 * (uint64_t)m->rtt_us;
    us = (us < PULL_RETRY_MIN_US ? PULL_RETRY_MIN_US : us) << (tries - 1) / 2;
    return us > PULL_RETRY_MAX_US ? PULL_RETRY_MAX_US : us;
}

/* Where the first range of 2^width tags begins that holds `next`. It begins where one of our chains
 * does, as adding up touches no member then. So hardly ever more than a member or two are asked for
 * once more. */
static uint32_t first_of(const struct swim *s, const struct pull *pull, uint32_t width)
{
    const uint32_t chain_width = roster_chain_width(&s->roster);
    const uint32_t grid = width < chain_width ? width : chain_width;
    const uint32_t skew = pull->next & ((UINT32_C(1) << grid) - 1);
    return skew + pull->span <= TAGS_ALL ? pull->next - skew : pull->next;
}

static void ask(struct swim *s, struct pull *pull, struct member *m)
{
    uint8_t sums[PULL_SUMS_MAX * PULL_SUM_BYTES];
    struct cursor c = cursor_writer(sums, sizeof(sums));
    pull->seq = pull->tries == 0 ? swim_next_seq(s) : pull->seq;
    struct packet p = {.kind = PACKET_PULL, .seq = pull->seq, .first = pull->next, .sums = sums};
    const uint64_t members = roster_live_count(&s->roster) * pull->span >> PULL_WIDTH_MAX;
    uint64_t count = PULL_SUMS_PER_MEMBER * members;
    count = count < 1 ? 1 : count > PULL_SUMS_MAX ? PULL_SUMS_MAX : count;
    while (pull->next - p.first + pull->span > count << p.width) {
        p.width++;
        p.first = first_of(s, pull, p.width);
    }
    const uint32_t skew = pull->next - p.first;
    p.count = (uint32_t)((skew + pull->span + (UINT64_C(1) << p.width) - 1) >> p.width);
    for (uint32_t i = 0; i < p.count; i++) {
        const uint32_t first = (uint32_t)(p.first + ((uint64_t)i << p.width));
        const uint32_t last = (uint32_t)(first + (UINT64_C(1) << p.width) - 1);
        cursor_put_u32(&c, sum_of(&s->roster, first, last));
    }
    pull->span = ((uint64_t)p.count << p.width) - skew;
    pull->tries++;
    pull->due_us = s->now_us + retry_us(m, pull->tries);
    packet_out_send(s, m, &p);
}

/* From an own place in the table, so that several begin with different members. */
static void start(struct swim *s, struct member *m, uint32_t place)
{
    static const struct uuid nil = {{0}};
    struct pull *pull = find(s, &nil);
    if (pull == NULL || find(s, &m->uuid) != NULL || !packet_out_reaches(m)) {
        return;
    }
    const uint32_t chain_width = roster_chain_width(&s->roster);
    *pull = (struct pull){
        .from = m->uuid,
        .next = place >> chain_width << chain_width,
        .left = TAGS_ALL,
        .span = TAGS_ALL,
    };
    ask(s, pull, m);
}

static void end(struct pull *pull)
{
    *pull = (struct pull){.next = 0};
}

void pull_first(struct swim *s, struct member *m)
{
    if (s->first_pulls < PULLS_MAX && packet_out_reaches(m)) {
        start(s, m, (uint32_t)(s->first_pulls++ * (TAGS_ALL / PULLS_MAX)));
    }
}

static uint32_t under_way(const struct swim *s)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < PULLS_MAX; i++) {
        count += !uuid_is_nil(&s->pulls[i].from);
    }
    return count;
}

static bool is_eager(const struct swim *s)
{
    return s->now_us - s->news_us < PULL_EAGER_US;
}

void pull_expect(struct swim *s)
{
    s->news_us = s->now_us;
    s->next_pull_us = min_u64(s->next_pull_us, s->now_us + PULL_EAGER_PERIOD_US);
}

void pull_news(struct swim *s)
{
    pull_expect(s);
    s->offers = PULL_OFFERS;
}

/* The question for a second look, or its answer, may have been lost: then it does not spend the
 * period. While pulls follow upon each other, theirs is soon over. */
static void end_lost_look(struct swim *s)
{
    const bool is_late = s->next_pull_us < s->now_us + PULL_PERIOD_US - PULL_ANSWER_US;
    if (is_late && !is_eager(s) && !uuid_is_nil(&s->asked_again)) {
        s->next_pull_us = s->now_us;
    }
}

void pull_compare(struct swim *s, struct member *m, uint64_t digest)
{
    static const struct uuid nil = {{0}};
    const bool is_asked = uuid_equal(&s->asked_again, &m->uuid);
    const bool may_pull = m->has_answered && packet_out_reaches(m);
    s->asked_again = is_asked ? nil : s->asked_again;
    if (digest == s->roster.digest) {
        s->agreed = s->self->incarnation;
        s->differs = uuid_equal(&s->differs, &m->uuid) ? nil : s->differs;
        /* Nothing to pull there after all, so the period is not spent. */
        s->next_pull_us = is_asked ? s->now_us : s->next_pull_us;
    } else if (is_asked && may_pull) {
        start(s, m, (uint32_t)rng_next(&s->rng));
    } else if (may_pull && is_eager(s) && s->now_us >= s->next_pull_us &&
               under_way(s) < PULL_EAGER_MAX) {
        s->next_pull_us = s->now_us + PULL_EAGER_PERIOD_US;
        start(s, m, (uint32_t)rng_next(&s->rng));
    } else if (may_pull || s->answered == 0 || !is_eager(s)) {
        /* While pulls follow upon each other, one that has to be asked first would only delay. */
        s->differs = m->uuid;
        end_lost_look(s);
    }
}

/* ---- Answering ---- */

/* The entries of one member. False when they do not fit; then nothing is written. */
static bool put_member(const struct swim *s, struct cursor *c, const struct member *m,
                       const struct member *to, const struct addr *from)
{
    const struct cursor before = *c;
    bool is_put = true;
    if (m->state == MEMBER_NAMED) {
        return true; /* one that is no member yet is sent to nobody */
    }
    if (member_is_live(m)) {
        is_put = packet_out_put_entry(s, c, m, ENTRY_ALIVE, NULL, to, from);
    } else if (s->now_us - m->state_since_us < MEMBER_GONE_KEPT_US) {
        is_put = packet_out_put_entry(s, c, m, ENTRY_PAST, NULL, to, from);
    }
    if (is_put && m->state == MEMBER_SUSPECT) {
        is_put = packet_out_put_entry(s, c, m, ENTRY_SUSPECT,
                                      m->probe != NULL ? &m->probe->by : NULL, to, from);
    }
    *c = is_put ? *c : before;
    return is_put;
}

/* A page under construction. */
struct page {
    const struct swim *s;
    const struct member *to;
    const struct addr *from;
    struct cursor entries;
    uint32_t stopped_at; /* the tag of the first member that did not fit */
};

/* Puts the members from tag `first` to `last`, or as many as fit. */
static bool put_range(struct page *page, uint32_t first, uint32_t last)
{
    const struct roster *r = &page->s->roster;
    if (first > last) {
        return put_range(page, first, UINT32_MAX) && put_range(page, 0, last);
    }
    for (const struct member *m = roster_first_in(r, first, last); m != NULL;
         m = roster_after(r, m, last)) {
        if (!put_member(page->s, &page->entries, m, page->to, page->from)) {
            page->stopped_at = m->tag;
            return false;
        }
    }
    return true;
}

void pull_answer(struct swim *s, const struct packet_out_asked *asked)
{
    const struct packet *p = asked->packet;
    uint8_t entries[DATAGRAM_BYTES_MAX - PACKET_OVERHEAD_MAX];
    struct page page = {.s = s, .to = asked->to, .from = asked->from};
    page.entries = cursor_writer(entries, packet_out_entries_max(s));
    struct packet reply = {.kind = PACKET_CARDS, .seq = p->seq};
    struct cursor sums = cursor_reader(p->sums, (size_t)p->count * PULL_SUM_BYTES);
    reply.first = (uint32_t)(p->first + ((uint64_t)p->count << p->width));
    for (uint32_t i = 0; i < p->count; i++) {
        const uint32_t first = (uint32_t)(p->first + ((uint64_t)i << p->width));
        const uint32_t last = (uint32_t)(first + (UINT64_C(1) << p->width) - 1);
        if (cursor_u32(&sums) != sum_of(&s->roster, first, last) &&
            !put_range(&page, first, last)) {
            reply.first = page.stopped_at;
            break;
        }
    }
    reply.entries = entries;
    reply.entries_len = page.entries.pos;
    packet_out_reply(s, asked, &reply);
}

/* ---- Pages ---- */

bool pull_has_asked(const struct swim *s, const struct member *m, uint32_t seq)
{
    for (uint32_t i = 0; i < PULLS_MAX; i++) {
        if (uuid_equal(&s->pulls[i].from, &m->uuid)) {
            return s->pulls[i].seq == seq;
        }
    }
    return false;
}

/* A page with room left means that the request asked for less than a page holds. A page that ended
 * early means that the sums were too coarse for so many differences, and much of it was known. */
static uint64_t next_span(uint64_t span, uint64_t come)
{
    if (come == span) {
        return 2 * span;
    }
    return come < span / 2 / PULL_REACH ? PULL_REACH * come : span / 2;
}

void pull_page(struct swim *s, struct member *m, uint32_t seq, uint32_t next)
{
    struct pull *pull = find(s, &m->uuid);
    if (pull == NULL || pull->seq != seq) {
        return;
    }
    /* Back at the beginning: the round is over. */
    uint64_t come = next - pull->next;
    come = come == 0 && pull->span == TAGS_ALL ? TAGS_ALL : come;
    if (come == 0 || come > pull->span) {
        return; /* the page of a request before, once more */
    }
    if (come >= pull->left) {
        end(pull);
        return;
    }
    pull->next = next;
    pull->left -= come;
    pull->span = next_span(pull->span, come);
    pull->span = pull->span < pull->left ? pull->span : pull->left;
    pull->tries = 0;
    ask(s, pull, m);
}

void pull_again(struct swim *s, struct member *m, uint32_t seq, uint64_t cookie)
{
    struct pull *pull = find(s, &m->uuid);
    if (pull != NULL && pull->seq == seq && pull->tries < PULL_TRIES_MAX) {
        probe_cookie(s, m, 0, cookie);
        ask(s, pull, m);
    }
}

/* ---- Time ---- */

static uint64_t next_pull_us(const struct swim *s)
{
    if (uuid_is_nil(&s->differs)) {
        return NEVER;
    }
    /* Not before now: while digests were equal, nothing was overdue. */
    return s->next_pull_us > s->now_us ? s->next_pull_us : s->now_us;
}

uint64_t pull_deadline(const struct swim *s)
{
    uint64_t due_us = next_pull_us(s);
    if (s->offers > 0) {
        due_us = min_u64(due_us, s->next_offer_us > s->now_us ? s->next_offer_us : s->now_us);
    }
    for (uint32_t i = 0; i < PULLS_MAX; i++) {
        const struct pull *pull = &s->pulls[i];
        if (!uuid_is_nil(&pull->from) && pull->due_us < due_us) {
            due_us = pull->due_us;
        }
    }
    return due_us;
}

static void retry(struct swim *s, struct pull *pull)
{
    struct member *m = roster_find(&s->roster, &pull->from);
    if (m == NULL || !member_is_live(m) || pull->tries >= PULL_TRIES_MAX) {
        end(pull);
    } else {
        ask(s, pull, m);
    }
}

/* A member that has not answered or proved itself yet does so by answering a number. */
static void ask_again(struct swim *s, struct member *m)
{
    if (m->has_answered && packet_out_reaches(m)) {
        struct packet p = packet_out_ping(s, 0, m->tag);
        packet_out_send(s, m, &p);
    } else {
        probe_tell(s, m);
    }
}

/* A ping has our digest, and its answer the other's. */
static void offer(struct swim *s)
{
    struct member *m = packet_out_listener(s);
    s->offers--;
    s->next_offer_us = s->now_us + PULL_OFFER_PERIOD_US;
    if (m != NULL) {
        struct packet p = packet_out_ping(s, 0, m->tag);
        packet_out_send(s, m, &p);
    }
}

void pull_tick(struct swim *s)
{
    if (s->offers > 0 && s->next_offer_us <= s->now_us) {
        offer(s);
    }
    for (uint32_t i = 0; i < PULLS_MAX; i++) {
        if (!uuid_is_nil(&s->pulls[i].from) && s->pulls[i].due_us <= s->now_us) {
            retry(s, &s->pulls[i]);
        }
    }
    if (next_pull_us(s) <= s->now_us) {
        struct member *m = roster_find(&s->roster, &s->differs);
        s->differs = (struct uuid){{0}};
        s->next_pull_us = s->now_us + (is_eager(s) ? PULL_EAGER_PERIOD_US : PULL_PERIOD_US);
        if (m != NULL && member_is_live(m)) {
            s->asked_again = m->uuid;
            ask_again(s, m);
        }
    }
}
