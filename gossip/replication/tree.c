#include "gossip/replication/tree.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/slotindex.h"
#include "core/base/timerheap.h"
#include "core/base/units.h"

#include <stdlib.h>
#include <string.h>

enum {
    SEEN_SIZE_MIN = 64,
    MISSING_SIZE_MIN = 16,
    LAG_START_US = 4000, /* nothing measured yet: a few hops of a local network */
    LAG_GAIN = 8,        /* RFC 6298: 1/8 of each sample for the mean, 1/4 for the deviation */
    DEV_GAIN = 4,
};

/* A quantity's smoothed mean and mean deviation, in microseconds. */
struct smooth {
    int64_t mean, dev;
};

struct missing {
    struct timer timer;
    uint64_t id;
    uint32_t slot, tree;
    bool is_large, is_direct;
    uint32_t announcers[TREE_ANNOUNCERS_MAX]; /* links, a ring once it is full */
    uint32_t announcer_count, next;           /* next to ask */
    uint32_t asked;                           /* link asked last; 0: nobody yet */
    uint32_t attempts;
    uint64_t announced_us, asked_us;
};

struct late {
    uint64_t id, due_us;
    uint32_t tree;
};

struct tree {
    uint64_t seed;
    struct tree_seen *seen; /* ring by age */
    uint32_t seen_size, seen_head, seen_count;
    struct slotindex seen_index; /* by place in `seen` */
    struct missing **missing;    /* by slot; NULL: free */
    uint32_t missing_size, missing_count;
    uint32_t missing_next; /* where a free slot is looked for first */
    struct slotindex missing_index;
    struct timerheap timers;
    struct smooth lag;               /* from an announcement to the write that was not asked for */
    struct smooth answer;            /* from a graft to its write */
    struct late late[TREE_LATE_MAX]; /* ring; all wait equally long */
    uint32_t late_head, late_count;
};

struct tree *tree_new(uint64_t seed)
{
    struct tree *t = mem_new(1, sizeof(*t));
    t->seed = seed;
    t->lag = (struct smooth){.mean = LAG_START_US, .dev = LAG_START_US / 2};
    t->answer = t->lag;
    slotindex_init(&t->seen_index, TREE_SEEN_MAX);
    slotindex_init(&t->missing_index, TREE_MISSING_MAX);
    timerheap_init(&t->timers, TREE_MISSING_MAX);
    return t;
}

void tree_free(struct tree *t)
{
    if (t == NULL) {
        return;
    }
    for (uint32_t i = 0; i < t->missing_size; i++) {
        free(t->missing[i]);
    }
    free(t->missing);
    free(t->seen);
    slotindex_fini(&t->seen_index);
    slotindex_fini(&t->missing_index);
    timerheap_fini(&t->timers);
    free(t);
}

uint32_t tree_of(const struct uuid *origin)
{
    uint32_t sum = 0;
    for (int i = 0; i < UUID_BYTES; i++) {
        sum = sum * 31 + origin->bytes[i];
    }
    return (sum ^ sum >> 16) % TREE_COUNT;
}

/* Two different rings for each tree, so that all rings carry about as many. */
static uint32_t rings_of(uint32_t tree, uint32_t ring_count)
{
    const uint32_t first = tree % ring_count;
    const uint32_t step = ring_count > 1 ? 1 + tree / ring_count % (ring_count - 1) : 0;
    return UINT32_C(1) << first | UINT32_C(1) << (first + step) % ring_count;
}

uint32_t tree_lazy(uint32_t rings, uint32_t ring_count)
{
    uint32_t lazy = 0;
    for (uint32_t tree = 0; tree < TREE_COUNT; tree++) {
        const bool is_eager = ring_count == 0 || (rings & rings_of(tree, ring_count)) != 0;
        lazy |= is_eager ? 0 : UINT32_C(1) << tree;
    }
    return lazy;
}

bool tree_is_shaping(uint64_t id)
{
    return id % TREE_SHAPING_EVERY == 0;
}

/* ---- Seen ---- */

static uint32_t hash(const struct tree *t, uint64_t id)
{
    return (uint32_t)(((id ^ t->seed) * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

static struct tree_seen *find_seen(const struct tree *t, uint64_t id)
{
    uint32_t walk = 0;
    uint32_t slot = 0;
    while (slotindex_next(&t->seen_index, hash(t, id), &walk, &slot)) {
        if (t->seen[slot].id == id) {
            return &t->seen[slot];
        }
    }
    return NULL;
}

const struct tree_seen *tree_find(const struct tree *t, uint64_t id)
{
    return find_seen(t, id);
}

static void grow_seen(struct tree *t)
{
    const uint32_t size = t->seen_size == 0 ? SEEN_SIZE_MIN : 2 * t->seen_size;
    struct tree_seen *seen = mem_new(size, sizeof(*seen));
    slotindex_fini(&t->seen_index);
    for (uint32_t i = 0; i < t->seen_count; i++) {
        seen[i] = t->seen[(t->seen_head + i) & (t->seen_size - 1)];
        slotindex_add(&t->seen_index, hash(t, seen[i].id), i);
    }
    free(t->seen);
    t->seen = seen;
    t->seen_size = size;
    t->seen_head = 0;
}

static void add_seen(struct tree *t, const struct tree_seen *seen, uint64_t now_us)
{
    if (t->seen_count == t->seen_size) {
        const bool is_young =
            t->seen_count == 0 || now_us - t->seen[t->seen_head].at_us < TREE_SEEN_US;
        if (is_young && t->seen_size < TREE_SEEN_MAX) {
            grow_seen(t);
        } else {
            slotindex_remove(&t->seen_index, hash(t, t->seen[t->seen_head].id), t->seen_head);
            t->seen_head = (t->seen_head + 1) & (t->seen_size - 1);
            t->seen_count--;
        }
    }
    const uint32_t at = (t->seen_head + t->seen_count++) & (t->seen_size - 1);
    t->seen[at] = *seen;
    t->seen[at].at_us = now_us;
    slotindex_add(&t->seen_index, hash(t, seen->id), at);
}

/* ---- Missing ---- */

/* One sample counts for little more than twice the mean. A write that a retransmission held up says
 * nothing about the usual time. Where all writes take longer, the mean still grows with each. */
static void smooth_add(struct smooth *s, uint64_t sample_us)
{
    const int64_t most = 2 * s->mean + TREE_WAIT_MIN_US;
    const int64_t sample = sample_us < (uint64_t)most ? (int64_t)sample_us : most;
    const int64_t error = sample - s->mean;
    s->mean += error / LAG_GAIN;
    s->dev += ((error < 0 ? -error : error) - s->dev) / DEV_GAIN;
}

static uint64_t smooth_most_us(const struct smooth *s)
{
    const int64_t most = s->mean + 4 * s->dev + TREE_WAIT_MIN_US;
    return most < TREE_WAIT_MAX_US ? (uint64_t)most : TREE_WAIT_MAX_US;
}

static struct missing *find_missing(const struct tree *t, uint64_t id)
{
    uint32_t walk = 0;
    uint32_t slot = 0;
    while (slotindex_next(&t->missing_index, hash(t, id), &walk, &slot)) {
        if (t->missing[slot]->id == id) {
            return t->missing[slot];
        }
    }
    return NULL;
}

bool tree_is_missing(const struct tree *t, uint64_t id)
{
    return t->missing_count > 0 && find_missing(t, id) != NULL;
}

bool tree_misses_any(const struct tree *t)
{
    return t->missing_count > 0;
}

static void drop_missing(struct tree *t, struct missing *m)
{
    timerheap_clear(&t->timers, &m->timer);
    slotindex_remove(&t->missing_index, hash(t, m->id), m->slot);
    t->missing[m->slot] = NULL;
    t->missing_count--;
    free(m);
}

/* NULL when TREE_MISSING_MAX are missing. */
static struct missing *add_missing(struct tree *t, const struct tree_news *news, uint64_t now_us)
{
    if (t->missing_count == TREE_MISSING_MAX) {
        return NULL;
    }
    if (t->missing_count == t->missing_size) {
        const uint32_t size = t->missing_size == 0 ? MISSING_SIZE_MIN : 2 * t->missing_size;
        t->missing = mem_resize(t->missing, size, sizeof(struct missing *));
        for (uint32_t i = t->missing_size; i < size; i++) {
            t->missing[i] = NULL;
        }
        t->missing_size = size;
    }
    uint32_t slot = t->missing_next % t->missing_size;
    while (t->missing[slot] != NULL) {
        slot = (slot + 1) % t->missing_size;
    }
    t->missing_next = slot + 1;
    struct missing *m = mem_new(1, sizeof(*m));
    *m = (struct missing){
        .id = news->id,
        .slot = slot,
        .tree = news->tree,
        .is_large = news->is_large,
        .is_direct = news->is_direct,
        .announced_us = now_us,
    };
    m->timer.owner = m;
    t->missing[slot] = m;
    t->missing_count++;
    slotindex_add(&t->missing_index, hash(t, m->id), slot);
    return m;
}

/* Learns from the arrival how long to wait: for a write that nobody was asked for, or that came by
 * another link than the one asked; or for an answer. */
static void learn(struct tree *t, const struct missing *m, uint32_t link, uint64_t now_us)
{
    if (m->is_large) {
        return;
    }
    if (m->asked != link) {
        smooth_add(&t->lag, now_us - m->announced_us);
    } else if (m->attempts == 1) {
        smooth_add(&t->answer, now_us - m->asked_us);
    }
}

enum tree_sight tree_see(struct tree *t, const struct tree_seen *seen, uint32_t link,
                         uint64_t now_us)
{
    struct missing *m = t->missing_count > 0 ? find_missing(t, seen->id) : NULL;
    struct tree_seen now = *seen;
    if (m != NULL) {
        /* A large value that was announced along the tree too is of the tree. */
        now.is_direct = now.is_direct && (!m->is_large || m->is_direct);
        learn(t, m, link, now_us);
        drop_missing(t, m);
    }
    struct tree_seen *held = find_seen(t, seen->id);
    if (held == NULL) {
        add_seen(t, &now, now_us);
        return now.is_direct ? TREE_DIRECT_FIRST : TREE_FIRST;
    }
    if (!held->is_direct || now.is_direct) {
        return TREE_AGAIN;
    }
    held->is_direct = false;
    held->is_detour = now.is_detour;
    held->grafted = now.grafted;
    return TREE_AFTER_DIRECT;
}

static void add_announcer(struct missing *m, uint32_t link)
{
    for (uint32_t i = 0; i < m->announcer_count; i++) {
        if (m->announcers[i] == link) {
            return;
        }
    }
    if (m->announcer_count < TREE_ANNOUNCERS_MAX) {
        m->announcers[m->announcer_count++] = link;
    }
}

enum tree_answer tree_announced(struct tree *t, const struct tree_news *news, uint64_t now_us)
{
    if (find_seen(t, news->id) != NULL) {
        return TREE_KNOWN;
    }
    struct missing *m = find_missing(t, news->id);
    if (m != NULL) {
        const bool was_direct = m->is_direct;
        add_announcer(m, news->link);
        m->is_direct = was_direct && news->is_direct;
        return news->is_large && m->asked != news->link && !was_direct ? TREE_TWICE : TREE_WAIT;
    }
    m = add_missing(t, news, now_us);
    if (m == NULL) {
        return TREE_NO_ROOM;
    }
    add_announcer(m, news->link);
    if (!news->is_large) {
        timerheap_set(&t->timers, &m->timer, now_us + smooth_most_us(&t->lag));
        return TREE_WAIT;
    }
    m->asked = news->link;
    m->asked_us = now_us;
    m->attempts = 1;
    m->next = 1;
    timerheap_set(&t->timers, &m->timer, now_us + TREE_LARGE_WAIT_US);
    return TREE_FETCH;
}

void tree_gone(struct tree *t, uint64_t id)
{
    struct missing *m = find_missing(t, id);
    if (m != NULL) {
        drop_missing(t, m);
    }
}

void tree_link_gone(struct tree *t, uint32_t link, uint64_t now_us)
{
    for (uint32_t slot = 0; slot < t->missing_size && t->missing_count > 0; slot++) {
        struct missing *m = t->missing[slot];
        for (uint32_t i = 0; m != NULL && i < m->announcer_count; i++) {
            if (m->announcers[i] == link) {
                m->announcers[i] = m->announcers[--m->announcer_count];
            }
        }
        if (m != NULL && m->asked == link) {
            timerheap_set(&t->timers, &m->timer, now_us);
        }
    }
}

bool tree_next_due(struct tree *t, uint64_t now_us, struct tree_due *ret_due)
{
    const struct timer *first = timerheap_first(&t->timers);
    if (first == NULL || first->due_us > now_us) {
        return false;
    }
    struct missing *m = first->owner;
    const bool is_lost = m->attempts == TREE_ATTEMPTS_MAX || m->announcer_count == 0;
    *ret_due = (struct tree_due){.id = m->id, .tree = m->tree, .is_lost = is_lost};
    if (is_lost) {
        ret_due->link = m->asked;
        drop_missing(t, m);
        return true;
    }
    m->asked = m->announcers[m->next++ % m->announcer_count];
    m->asked_us = now_us;
    ret_due->link = m->asked;
    const uint64_t wait_us =
        m->is_large ? TREE_LARGE_WAIT_US : smooth_most_us(&t->answer) << m->attempts;
    m->attempts++;
    timerheap_set(&t->timers, &m->timer, now_us + wait_us);
    return true;
}

/* ---- Late announcements ---- */

bool tree_announce_late(struct tree *t, uint64_t id, uint32_t tree, uint64_t due_us)
{
    if (t->late_count == TREE_LATE_MAX) {
        return false;
    }
    t->late[(t->late_head + t->late_count++) % TREE_LATE_MAX] =
        (struct late){.id = id, .due_us = due_us, .tree = tree};
    return true;
}

bool tree_next_late(struct tree *t, uint64_t now_us, uint64_t *ret_id, uint32_t *ret_tree)
{
    const struct late *first = &t->late[t->late_head];
    if (t->late_count == 0 || first->due_us > now_us) {
        return false;
    }
    *ret_id = first->id;
    *ret_tree = first->tree;
    t->late_head = (t->late_head + 1) % TREE_LATE_MAX;
    t->late_count--;
    return true;
}

uint64_t tree_deadline(const struct tree *t)
{
    const struct timer *first = timerheap_first(&t->timers);
    const uint64_t missing_us = first == NULL ? NEVER : first->due_us;
    const uint64_t late_us = t->late_count == 0 ? NEVER : t->late[t->late_head].due_us;
    return min_u64(missing_us, late_us);
}

void tree_check(const struct tree *t)
{
    uint32_t count = 0;
    timerheap_check(&t->timers);
    ASSERT(t->timers.count == t->missing_count);
    for (uint32_t slot = 0; slot < t->missing_size; slot++) {
        const struct missing *m = t->missing[slot];
        if (m != NULL) {
            ASSERT(m->slot == slot && find_missing(t, m->id) == m && find_seen(t, m->id) == NULL);
            ASSERT(m->attempts <= TREE_ATTEMPTS_MAX && m->tree < TREE_COUNT);
            count++;
        }
    }
    ASSERT(count == t->missing_count && t->seen_index.count == t->seen_count);
    for (uint32_t i = 0; i < t->seen_count; i++) {
        const uint32_t at = (t->seen_head + i) & (t->seen_size - 1);
        ASSERT(find_seen(t, t->seen[at].id) == &t->seen[at]);
    }
}
