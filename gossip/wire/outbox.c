#include "gossip/wire/outbox.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One queued action; it owns the bytes of a datagram and a notice until it is taken. */
struct slot {
    struct action action;
    uint8_t *bytes;
    struct notice_room *room;
};

/* Room for a notice. Some are kept for the next ones: a page of newcomers has twenty at once. */
struct notice_room {
    struct notice notice;
    struct notice_room *next;
};

struct outbox {
    struct slot *slots; /* ring */
    size_t size;        /* power of two */
    size_t head;
    size_t count;
    size_t datagram_count;
    struct slot lent; /* what the last action taken owns */
    struct notice_room *spares;
    uint32_t spare_count;
};

enum { OUTBOX_SLOTS_MIN = 64, SPARES_MAX = 32 };

struct outbox *outbox_new(void)
{
    struct outbox *o = mem_new(1, sizeof(*o));
    o->slots = mem_new(OUTBOX_SLOTS_MIN, sizeof(*o->slots));
    o->size = OUTBOX_SLOTS_MIN;
    return o;
}

static void give_back(struct outbox *o, const struct slot *slot)
{
    free(slot->bytes);
    if (slot->room != NULL && o->spare_count < SPARES_MAX) {
        slot->room->next = o->spares;
        o->spares = slot->room;
        o->spare_count++;
    } else {
        free(slot->room);
    }
}

static struct notice_room *take_room(struct outbox *o)
{
    struct notice_room *room = o->spares;
    if (room == NULL) {
        return mem_new(1, sizeof(*room));
    }
    o->spares = room->next;
    o->spare_count--;
    return room;
}

void outbox_free(struct outbox *o)
{
    if (o == NULL) {
        return;
    }
    for (size_t i = 0; i < o->count; i++) {
        give_back(o, &o->slots[(o->head + i) & (o->size - 1)]);
    }
    give_back(o, &o->lent);
    while (o->spares != NULL) {
        free(take_room(o));
    }
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

bool outbox_datagram(struct outbox *o, const struct addr *to, const void *data, size_t len)
{
    ASSERT(len > 0 && len <= DATAGRAM_BYTES_MAX);
    if (o->datagram_count >= OUTBOX_DATAGRAMS_MAX) {
        return false;
    }
    struct slot *slot = append(o, ACTION_DATAGRAM);
    slot->bytes = mem_new(1, len);
    memcpy(slot->bytes, data, len);
    slot->action.addr = *to;
    slot->action.data = slot->bytes;
    slot->action.len = len;
    o->datagram_count++;
    return true;
}

void outbox_dial(struct outbox *o, uint32_t link, const struct addr *to, uint16_t key_id)
{
    struct slot *slot = append(o, ACTION_DIAL);
    slot->action.link = link;
    slot->action.key_id = key_id;
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

void outbox_notice(struct outbox *o, enum notice_kind kind, const struct member *m, int64_t value,
                   const char *text)
{
    struct slot *slot = append(o, ACTION_NOTICE);
    slot->room = take_room(o);
    struct notice *notice = &slot->room->notice;
    *notice = (struct notice){.kind = kind, .value = value};
    slot->action.notice = notice;
    if (m != NULL) {
        notice->member = m->uuid;
        (void)snprintf(notice->name, sizeof(notice->name), "%s", member_name(m));
        notice->addr = member_shown_addr(m);
    }
    if (text != NULL) {
        (void)snprintf(notice->text, sizeof(notice->text), "%s", text);
    }
}

bool outbox_next(struct outbox *o, struct action *ret_action)
{
    give_back(o, &o->lent);
    o->lent = (struct slot){.bytes = NULL};
    if (o->count == 0) {
        return false;
    }
    o->lent = o->slots[o->head];
    o->head = (o->head + 1) & (o->size - 1);
    o->count--;
    *ret_action = o->lent.action;
    if (ret_action->kind == ACTION_DATAGRAM) {
        o->datagram_count--;
    }
    return true;
}
