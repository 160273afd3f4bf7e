/*
 * windows: of each sender whose seal was verified, which of its datagrams have come.
 *
 * They are kept by uuid, apart from the member table. So a member that is forgotten and met again
 * does not begin anew, and a recording of before is known as such. A sender gets a place only once
 * a seal of it was verified: strangers take none. When all WINDOWS_MAX are in use, one that was not
 * heard for long gives up its place.
 */
#ifndef GOSSIP_SEALING_WINDOWS_H
#define GOSSIP_SEALING_WINDOWS_H

#include "core/base/slotindex.h"
#include "core/base/uuid.h"
#include "gossip/sealing/window.h"

enum { WINDOWS_MAX = 32768 }; /* twice as many as members are known: 2.5 MiB */

struct windows_place {
    struct uuid uuid;
    uint32_t tag;         /* of the uuid: by what it is found */
    uint16_t key_id;      /* under which the last one came, */
    uint64_t incarnation; /* while this was its card's here */
    bool was_open;        /* one that was not sealed has come since */
    bool is_used;         /* since it was last looked at for one to give up */
    struct window window;
};

struct windows {
    struct windows_place *places;
    uint32_t size, count, count_max;
    uint32_t hand; /* where one to give up is looked for next */
    struct slotindex by_tag;
};

/* At most `count_max` senders, WINDOWS_MAX at most. Nothing is allocated before the first. */
void windows_init(struct windows *ws, uint32_t count_max);
void windows_fini(struct windows *ws);

/* Whether the sender's datagram with the counter has not come yet. `tag` is a hash of the uuid. */
bool windows_is_new(const struct windows *ws, uint32_t tag, const struct uuid *uuid,
                    uint64_t counter);

/* It has come, and was verified. It was new. Returns the sender's place, for what else is kept
 * there; until the next call. */
struct windows_place *windows_take(struct windows *ws, uint32_t tag, const struct uuid *uuid,
                                   uint64_t counter);

/* The sender's place. NULL when nothing of it was verified yet. */
const struct windows_place *windows_find(const struct windows *ws, uint32_t tag,
                                         const struct uuid *uuid);

/* A datagram that was not sealed came in the sender's name. */
void windows_note_open(struct windows *ws, uint32_t tag, const struct uuid *uuid);

void windows_check(const struct windows *ws);

#endif
