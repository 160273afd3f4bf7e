#include "gossip/pull.h"

#include "core/assert.h"
#include "gossip/courier.h"
#include "gossip/view.h"

enum {
    /* While digests differ a view is pulled at most so often, or 5 ms per member of a large
     * cluster: a full view of 1,000 members is 80 KB. */
    PULL_PERIOD_US = 1000000,
    PULL_PERIOD_PER_MEMBER_US = 5000,
    /* A page that does not come is asked for again. */
    PULL_RETRY_US = 300000,
    PULL_TRIES_MAX = 4,
};

static struct pull *find(struct swim *s, const struct uuid *from)
{
    for (uint32_t i = 0; i < PULLS_MAX; i++) {
        if (uuid_equal(&s->pulls[i].from, from)) {
            return &s->pulls[i];
        }
    }
    return NULL;
}

static void ask(struct swim *s, struct pull *pull, struct member *m)
{
    struct packet p = {.kind = PACKET_PULL, .slot = pull->slot};
    pull->tries++;
    pull->due_us = s->now_us + PULL_RETRY_US;
    courier_send(s, m, &p);
}

static void start(struct swim *s, struct member *m, bool is_first)
{
    static const struct uuid nil = {{0}};
    struct pull *pull = find(s, &nil);
    if (pull == NULL || find(s, &m->card.uuid) != NULL) {
        return;
    }
    *pull = (struct pull){.from = m->card.uuid, .is_first = is_first};
    ask(s, pull, m);
}

static void end(struct pull *pull)
{
    *pull = (struct pull){.slot = 0};
}

void pull_first(struct swim *s, struct member *m)
{
    if (s->first_pulls < PULLS_MAX) {
        s->first_pulls++;
        start(s, m, true);
    }
}

void pull_compare(struct swim *s, struct member *m, uint64_t digest)
{
    static const struct uuid nil = {{0}};
    const bool is_asked = uuid_equal(&s->asked_again, &m->card.uuid);
    s->asked_again = is_asked ? nil : s->asked_again;
    if (digest != s->roster.digest && is_asked) {
        start(s, m, false);
    } else if (digest != s->roster.digest) {
        s->differs = m->card.uuid;
    } else if (uuid_equal(&s->differs, &m->card.uuid)) {
        s->differs = nil;
    }
}

/* ---- Answering ---- */

/* The entries of one member. False when they do not fit; then nothing is written. */
static bool put_member(const struct swim *s, struct cursor *c, const struct member *m,
                       const struct member *to, const struct addr *from)
{
    static const struct uuid nil = {{0}};
    uint8_t bytes[2 * ENTRY_WIRE_MAX];
    struct cursor own = cursor_writer(bytes, sizeof(bytes));
    if (member_is_live(m)) {
        struct entry e = courier_entry(s, m, ENTRY_ALIVE, &nil);
        courier_strip(&e.card, to, from);
        entry_write(&own, &e);
    }
    if (m->state == MEMBER_SUSPECT) {
        const struct entry e = courier_entry(s, m, ENTRY_SUSPECT, &m->probe->by);
        entry_write(&own, &e);
    }
    if (!member_is_live(m) && s->now_us - m->state_since_us < VIEW_GONE_KEPT_US) {
        const struct entry e = courier_entry(s, m, ENTRY_PAST, &nil);
        entry_write(&own, &e);
    }
    ASSERT(cursor_ok(&own));
    if (own.pos > cursor_left(c)) {
        return false;
    }
    cursor_put_bytes(c, bytes, own.pos);
    return true;
}

void pull_answer(struct swim *s, struct member *m, const struct addr *from, uint32_t start_slot)
{
    uint8_t entries[DATAGRAM_BYTES_MAX - PACKET_OVERHEAD_MAX];
    struct cursor c = cursor_writer(entries, sizeof(entries));
    struct packet p = {.kind = PACKET_CARDS};
    for (uint32_t slot = start_slot; slot < s->roster.seat_count; slot++) {
        const struct member *shown = roster_at(&s->roster, slot);
        if (shown != NULL && !put_member(s, &c, shown, m, from)) {
            p.slot = slot;
            break;
        }
    }
    p.entries = entries;
    p.entries_len = c.pos;
    courier_reply(s, m, from, &p);
}

/* ---- Pages ---- */

enum view_source pull_source(const struct swim *s, const struct member *m)
{
    for (uint32_t i = 0; i < PULLS_MAX; i++) {
        if (s->pulls[i].is_first && uuid_equal(&s->pulls[i].from, &m->card.uuid)) {
            return VIEW_FIRST_PULL;
        }
    }
    return VIEW_PULL;
}

void pull_page(struct swim *s, struct member *m, uint32_t next)
{
    struct pull *pull = find(s, &m->card.uuid);
    if (pull == NULL) {
        return;
    }
    if (next == 0) {
        end(pull);
    } else if (next > pull->slot) {
        pull->slot = next;
        pull->tries = 0;
        ask(s, pull, m);
    }
}

/* ---- Time ---- */

static uint64_t next_pull_us(const struct swim *s)
{
    if (uuid_is_nil(&s->differs)) {
        return UINT64_MAX;
    }
    /* Not before now: while digests were equal, nothing was overdue. */
    return s->next_pull_us > s->now_us ? s->next_pull_us : s->now_us;
}

uint64_t pull_deadline(const struct swim *s)
{
    uint64_t due_us = next_pull_us(s);
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

void pull_tick(struct swim *s)
{
    for (uint32_t i = 0; i < PULLS_MAX; i++) {
        if (!uuid_is_nil(&s->pulls[i].from) && s->pulls[i].due_us <= s->now_us) {
            retry(s, &s->pulls[i]);
        }
    }
    if (next_pull_us(s) <= s->now_us) {
        const uint64_t scaled_us =
            (uint64_t)roster_live_count(&s->roster) * PULL_PERIOD_PER_MEMBER_US;
        struct member *m = roster_find(&s->roster, &s->differs);
        s->differs = (struct uuid){{0}};
        s->next_pull_us = s->now_us + (scaled_us > PULL_PERIOD_US ? scaled_us : PULL_PERIOD_US);
        if (m != NULL && member_is_live(m)) {
            struct packet p = courier_ping(s, 0, m->tag);
            s->asked_again = m->card.uuid;
            courier_send(s, m, &p);
        }
    }
}
