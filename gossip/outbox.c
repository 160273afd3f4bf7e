#include "gossip/outbox.h"

#include "core/assert.h"
#include "core/mem.h"

#include <stdlib.h>
#include <string.h>

/* One queued action. Datagram bytes and notices are owned by the slot until the action is taken. */
struct slot {
    struct action action;
    void *owned;
};

struct outbox {
    struct slot *slots; /* ring */
    size_t size;        /* power of two */
    size_t head;
    size_t count;
    size_t datagram_count;
    void *borrowed; /* what the last action taken lends out */
    uint64_t dropped;
};

enum { OUTBOX_SLOTS_MIN = 64 };

struct outbox *outbox_new(void)
{
    struct outbox *o = mem_new(1, sizeof(*o));
    o->slots = mem_new(OUTBOX_SLOTS_MIN, sizeof(*o->slots));
    o->size = OUTBOX_SLOTS_MIN;
    return o;
}

void outbox_free(struct outbox *o)
{
    if (o == NULL) {
        return;
    }
    for (size_t i = 0; i < o->count; i++) {
        free(o->slots[(o->head + i) & (o->size - 1)].owned);
    }
    free(o->borrowed);
    free(o->slots);
    free(o);
}

static struct slot *append(struct outbox *o, enum action_kind kind)
{
    if (o->count == o->size) {
        struct slot *grown = mem_new(2 * o->size, sizeof(*grown));
        for (size_t i = 0; i < o->count; i++) {
            grown[i] = o->slots[(o->head + i) & (o->size - 1)];
        }
        free(o->slots);
        o->slots = grown;
        o->size *= 2;
        o->head = 0;
    }
    struct slot *slot = &o->slots[(o->head + o->count++) & (o->size - 1)];
    *slot = (struct slot){.action = {.kind = kind}};
    return slot;
}

static void *copy_of(const void *data, size_t len)
{
    void *copy = mem_new(1, len);
    memcpy(copy, data, len);
    return copy;
}

bool outbox_datagram(struct outbox *o, const struct addr *to, const void *data, size_t len)
{
    ASSERT(len > 0 && len <= DATAGRAM_BYTES_MAX);
    if (o->datagram_count >= OUTBOX_DATAGRAMS_MAX) {
        o->dropped++;
        return false;
    }
    struct slot *slot = append(o, ACTION_DATAGRAM);
    slot->owned = copy_of(data, len);
    slot->action.addr = *to;
    slot->action.data = slot->owned;
    slot->action.len = len;
    o->datagram_count++;
    return true;
}

void outbox_dial(struct outbox *o, uint32_t link, const struct addr *to)
{
    struct slot *slot = append(o, ACTION_DIAL);
    slot->action.link = link;
    slot->action.addr = *to;
}

void outbox_output(struct outbox *o, uint32_t link)
{
    append(o, ACTION_OUTPUT)->action.link = link;
}

void outbox_close(struct outbox *o, uint32_t link)
{
    append(o, ACTION_CLOSE)->action.link = link;
}

void outbox_put_done(struct outbox *o, const struct put_done *done)
{
    append(o, ACTION_PUT_DONE)->action.put = *done;
}

void outbox_notice(struct outbox *o, const struct notice *notice)
{
    struct slot *slot = append(o, ACTION_NOTICE);
    slot->owned = copy_of(notice, sizeof(*notice));
    slot->action.notice = slot->owned;
}

bool outbox_next(struct outbox *o, struct action *ret_action)
{
    free(o->borrowed);
    o->borrowed = NULL;
    if (o->count == 0) {
        return false;
    }
    struct slot *slot = &o->slots[o->head];
    o->head = (o->head + 1) & (o->size - 1);
    o->count--;
    o->borrowed = slot->owned;
    *ret_action = slot->action;
    if (slot->action.kind == ACTION_DATAGRAM) {
        o->datagram_count--;
    }
    return true;
}

uint64_t outbox_dropped_total(const struct outbox *o)
{
    return o->dropped;
}
