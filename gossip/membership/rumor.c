#include "gossip/membership/rumor.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <math.h>
#include <stdlib.h>

enum {
    HEADS = 1, /* place of the first ring's head; 0 is nobody */
    FIRST = HEADS + RUMOR_SENDS_MAX,
    SIZE_MIN = 32,
    SIZE_MAX_PLACES = FIRST + RUMORS_MAX,
};

static void add_places(struct rumor_queue *q, uint32_t size)
{
    q->all = mem_resize(q->all, size, sizeof(*q->all));
    for (uint32_t i = size; i-- > (q->size > FIRST ? q->size : FIRST);) {
        q->all[i] = (struct rumor){.next = (uint16_t)q->free};
        q->free = i;
    }
    q->size = size;
}

void rumor_queue_init(struct rumor_queue *q)
{
    *q = (struct rumor_queue){.count = 0};
    add_places(q, SIZE_MIN);
    q->all[0] = (struct rumor){.subject = NULL};
    for (uint32_t i = HEADS; i < FIRST; i++) {
        q->all[i] = (struct rumor){.next = (uint16_t)i, .prev = (uint16_t)i};
    }
}

void rumor_queue_fini(struct rumor_queue *q)
{
    free(q->all);
    *q = (struct rumor_queue){.count = 0};
}

uint32_t rumor_sends(uint32_t members)
{
    const double sends = ceil((double)RUMOR_LAMBDA * log10((double)members + 1.0));
    return sends < 1.0 ? 1 : sends > (double)RUMOR_SENDS_MAX ? RUMOR_SENDS_MAX : (uint32_t)sends;
}

static void insert_after(struct rumor_queue *q, uint32_t at, uint32_t i)
{
    struct rumor *r = &q->all[i];
    r->next = q->all[at].next;
    r->prev = (uint16_t)at;
    q->all[r->next].prev = (uint16_t)i;
    q->all[at].next = (uint16_t)i;
}

static void take_out(struct rumor_queue *q, uint32_t i)
{
    const struct rumor *r = &q->all[i];
    q->all[r->next].prev = r->prev;
    q->all[r->prev].next = r->next;
}

static void release(struct rumor_queue *q, uint32_t i)
{
    struct rumor *r = &q->all[i];
    take_out(q, i);
    r->subject->rumor_1 = 0;
    *r = (struct rumor){.next = (uint16_t)q->free};
    q->free = i;
    q->count--;
}

void rumor_drop(struct rumor_queue *q, struct member *m)
{
    if (m->rumor_1 != 0) {
        release(q, m->rumor_1);
    }
}

static void make_room(struct rumor_queue *q)
{
    if (q->size < SIZE_MAX_PLACES) {
        add_places(q, 2 * q->size < SIZE_MAX_PLACES ? 2 * q->size : SIZE_MAX_PLACES);
        return;
    }
    uint32_t head = FIRST - 1;
    while (q->all[head].prev == head) {
        head--;
    }
    release(q, q->all[head].prev);
}

void rumor_put(struct rumor_queue *q, struct member *m, enum entry_kind kind, const struct uuid *by)
{
    rumor_drop(q, m);
    if (q->free == 0) {
        make_room(q);
    }
    const uint32_t i = q->free;
    q->free = q->all[i].next;
    q->all[i] = (struct rumor){
        .subject = m, .kind = kind, .by = by != NULL ? *by : (struct uuid){{0}}, .round = q->round};
    q->all[i].round--; /* no packet's so far */
    m->rumor_1 = (uint16_t)i;
    insert_after(q, HEADS, i);
    q->count++;
}

/* Behind its equals: those that were sent earlier this often have waited longer. */
static void count_sent(struct rumor_queue *q, uint32_t i, uint32_t sends)
{
    struct rumor *r = &q->all[i];
    r->sends++;
    if (r->sends < sends) {
        take_out(q, i);
        insert_after(q, q->all[HEADS + r->sends].prev, i);
    } else {
        release(q, i);
    }
}

void rumor_offer(struct rumor_queue *q, uint32_t sends,
                 enum rumor_verdict (*offer)(void *arg, const struct rumor *r), void *arg)
{
    ASSERT(sends <= RUMOR_SENDS_MAX);
    uint32_t skipped = 0;
    q->round++;
    for (uint32_t head = HEADS; head < FIRST && q->count > 0; head++) {
        for (uint32_t i = q->all[head].next, next = 0; i != head; i = next) {
            next = q->all[i].next;
            if (q->all[i].round == q->round) {
                break; /* it came up from the ring before just now, as do all behind it */
            }
            const enum rumor_verdict verdict = offer(arg, &q->all[i]);
            if (verdict == RUMOR_PACKET_FULL ||
                (verdict == RUMOR_SKIPPED && ++skipped == RUMOR_SKIPS_MAX)) {
                return;
            }
            q->all[i].round = q->round;
            if (verdict == RUMOR_TAKEN) {
                count_sent(q, i, sends);
            }
        }
    }
}

void rumor_queue_check(const struct rumor_queue *q)
{
    uint32_t count = 0;
    for (uint32_t head = HEADS; head < FIRST; head++) {
        for (uint32_t i = q->all[head].next; i != head; i = q->all[i].next) {
            const struct rumor *r = &q->all[i];
            ASSERT(r->sends == head - HEADS && q->all[r->next].prev == i);
            ASSERT(q->all[r->prev].next == i && r->subject != NULL && r->subject->rumor_1 == i);
            count++;
        }
    }
    ASSERT(count == q->count && count <= RUMORS_MAX);
}
