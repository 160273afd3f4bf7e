#include "gossip/membership/eventq.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { EVENTQ_SIZE_MIN = 16 };

void eventq_init(struct eventq *q)
{
    *q = (struct eventq){.size = 0};
}

static struct swim_event *at(struct eventq *q, uint32_t i)
{
    return &q->events[(q->head + i) & (q->size - 1)];
}

static void *owned(const struct swim_event *event)
{
    return (void *)(uintptr_t)event->data;
}

void eventq_fini(struct eventq *q)
{
    for (uint32_t i = 0; i < q->count; i++) {
        free(owned(at(q, i)));
    }
    free(q->lent);
    free(q->events);
    eventq_init(q);
}

static void grow(struct eventq *q)
{
    const uint32_t size = q->size == 0 ? EVENTQ_SIZE_MIN : 2 * q->size;
    struct swim_event *events = mem_new(size, sizeof(*events));
    for (uint32_t i = 0; i < q->count; i++) {
        events[i] = *at(q, i);
    }
    free(q->events);
    q->events = events;
    q->size = size;
    q->head = 0;
}

bool eventq_put(struct eventq *q, const struct swim_event *event)
{
    if (event->data != NULL && q->packet_count == EVENTQ_PACKETS_MAX) {
        return false;
    }
    ASSERT(q->count < EVENTQ_MAX);
    if (q->count == q->size) {
        grow(q);
    }
    struct swim_event *kept = at(q, q->count++);
    *kept = *event;
    if (event->data != NULL) {
        uint8_t *copy = mem_new(1, event->len);
        memcpy(copy, event->data, event->len);
        kept->data = copy;
        q->packet_count++;
    }
    return true;
}

bool eventq_next(struct eventq *q, struct swim_event *ret_event)
{
    free(q->lent);
    q->lent = NULL;
    if (q->count == 0) {
        return false;
    }
    *ret_event = *at(q, 0);
    q->head = (q->head + 1) & (q->size - 1);
    q->count--;
    if (ret_event->data != NULL) {
        q->lent = owned(ret_event);
        q->packet_count--;
    }
    return true;
}

void eventq_forget(struct eventq *q, const struct member *m)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < q->count; i++) {
        const struct swim_event event = *at(q, i);
        if (event.member != m) {
            *at(q, kept++) = event;
        } else if (event.data != NULL) {
            free(owned(&event));
            q->packet_count--;
        }
    }
    q->count = kept;
}
