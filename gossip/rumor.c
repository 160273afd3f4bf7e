#include "gossip/rumor.h"

#include "core/assert.h"

#include <math.h>

void rumor_queue_init(struct rumor_queue *q)
{
    *q = (struct rumor_queue){.count = 0};
    for (uint32_t i = 0; i < RUMOR_SENDS_MAX; i++) {
        q->heads[i].next = q->heads[i].prev = &q->heads[i];
    }
}

uint32_t rumor_sends(uint32_t members)
{
    const double sends = ceil(RUMOR_LAMBDA * log10((double)members + 1.0));
    return sends < 1.0 ? 1 : sends > RUMOR_SENDS_MAX ? RUMOR_SENDS_MAX : (uint32_t)sends;
}

static void insert_after(struct rumor *at, struct rumor *r)
{
    r->next = at->next;
    r->prev = at;
    at->next->prev = r;
    at->next = r;
}

void rumor_drop(struct rumor_queue *q, struct rumor *r)
{
    if (r->next == NULL) {
        return;
    }
    r->next->prev = r->prev;
    r->prev->next = r->next;
    r->next = r->prev = NULL;
    q->count--;
}

void rumor_put(struct rumor_queue *q, struct rumor *r, enum entry_kind kind, const struct uuid *by)
{
    rumor_drop(q, r);
    r->kind = kind;
    r->by = by != NULL ? *by : (struct uuid){{0}};
    r->sends = 0;
    insert_after(&q->heads[0], r);
    q->count++;
}

/* Behind its equals: those that were sent earlier this often have waited longer. */
static void count_sent(struct rumor_queue *q, struct rumor *r, uint32_t sends)
{
    rumor_drop(q, r);
    r->sends++;
    if (r->sends < sends) {
        insert_after(q->heads[r->sends].prev, r);
        q->count++;
    }
}

void rumor_offer(struct rumor_queue *q, uint32_t sends,
                 enum rumor_verdict (*offer)(void *arg, const struct rumor *r), void *arg)
{
    ASSERT(sends <= RUMOR_SENDS_MAX);
    q->round++;
    for (uint32_t level = 0; level < RUMOR_SENDS_MAX; level++) {
        struct rumor *head = &q->heads[level];
        for (struct rumor *r = head->next, *next; r != head; r = next) {
            next = r->next;
            if (r->round == q->round) {
                continue; /* it came up from the level below just now */
            }
            const enum rumor_verdict verdict = offer(arg, r);
            if (verdict == RUMOR_PACKET_FULL) {
                return;
            }
            r->round = q->round;
            if (verdict == RUMOR_TAKEN) {
                count_sent(q, r, sends);
            }
        }
    }
}

void rumor_queue_check(const struct rumor_queue *q)
{
    uint32_t count = 0;
    for (uint32_t level = 0; level < RUMOR_SENDS_MAX; level++) {
        const struct rumor *head = &q->heads[level];
        for (const struct rumor *r = head->next; r != head; r = r->next) {
            ASSERT(r->sends == level && r->next->prev == r && r->prev->next == r);
            ASSERT(r->subject != NULL);
            count++;
        }
    }
    ASSERT(count == q->count);
}
