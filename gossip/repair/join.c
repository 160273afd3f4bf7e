#include "gossip/repair/join.h"

#include "core/base/assert.h"
#include "gossip/repair/session.h"

enum {
    JOIN_GATHER_US = 150 * 1000, /* wait this long for more links before dividing among fewer */
};

void join_begin(struct join *j, uint64_t now_us)
{
    *j = (struct join){.is_active = true, .begun_at_us = now_us};
}

void join_end(struct join *j)
{
    j->is_active = false;
}

bool join_is_active(const struct join *j)
{
    return j->is_active;
}

/* How good a donor the link's member is, 0 the best; DONOR_RANKS: none. */
enum { DONOR_READY, DONOR_DRAINING, DONOR_NEW, DONOR_RANKS };

static int donor_rank(const struct link *l)
{
    if (l->state != LINK_OPEN || l->clock.is_conflict || !l->member->is_mate) {
        return DONOR_RANKS;
    }
    if ((l->member->flags & MEMBER_IS_DRAINING) != 0) {
        return DONOR_DRAINING;
    }
    return (l->member->flags & MEMBER_IS_CAUGHT_UP) != 0 ? DONOR_READY : DONOR_NEW;
}

/* The open links of the best donors there are; at most JOIN_PARTS_MAX. */
static uint8_t find_donors(const struct join_env *env, struct link *ret_links[JOIN_PARTS_MAX])
{
    uint8_t count = 0;
    const int ranks = env->awaits_donor ? DONOR_NEW : DONOR_RANKS;
    for (int rank = DONOR_READY; rank < ranks && count == 0; rank++) {
        for (struct link *l = mesh_first(env->mesh); l != NULL && count < JOIN_PARTS_MAX;
             l = mesh_after(env->mesh, l->id)) {
            if (donor_rank(l) == rank) {
                ret_links[count++] = l;
            }
        }
    }
    return count;
}

static void ask(struct join *j, struct mesh *mesh, uint8_t part, struct link *donor,
                uint64_t now_us)
{
    const uint8_t payload[2] = {part, j->part_count};
    if (mesh_send(mesh, donor, FRAME_JOIN, payload, sizeof(payload)) == RC_OK) {
        j->parts[part] = (struct join_part){
            .link = donor->id,
            .asked_at_us = now_us,
            .progress = donor->progress,
        };
    }
}

/* Gives up a donor whose records do not come any more. */
static void look_after(struct join_part *part, const struct mesh *mesh, uint64_t now_us)
{
    const struct link *l = mesh_find(mesh, part->link);
    if (l == NULL) {
        part->link = 0;
    } else if (l->progress != part->progress) {
        part->progress = l->progress;
        part->asked_at_us = now_us;
    } else if (now_us - part->asked_at_us > SYNC_STALL_US) {
        part->link = 0;
    }
}

void join_turn(struct join *j, const struct join_env *env, uint64_t now_us)
{
    if (now_us < j->look_at_us) {
        return;
    }
    j->look_at_us = now_us + JOIN_LOOK_US;
    struct link *donors[JOIN_PARTS_MAX];
    const uint8_t donor_count = find_donors(env, donors);
    if (j->part_count == 0) {
        if (donor_count == 0 ||
            (donor_count < JOIN_PARTS_MAX && now_us - j->begun_at_us < JOIN_GATHER_US)) {
            return;
        }
        j->part_count = donor_count;
        outbox_notice(env->outbox, NOTICE_JOIN_STARTED, NULL, donor_count, NULL);
    }
    bool is_done = true;
    for (uint8_t i = 0; i < j->part_count; i++) {
        struct join_part *part = &j->parts[i];
        if (!part->is_done && part->link != 0) {
            look_after(part, env->mesh, now_us);
        }
        if (!part->is_done && part->link == 0 && donor_count > 0) {
            ask(j, env->mesh, i, donors[i % donor_count], now_us);
        }
        is_done = is_done && part->is_done;
    }
    if (is_done) {
        join_end(j);
        outbox_notice(env->outbox, NOTICE_JOIN_DONE, NULL, (int64_t)j->records, NULL);
    }
}

enum rc join_part_done(struct join *j, uint32_t link, struct cursor *payload)
{
    const uint8_t part = cursor_u8(payload);
    const uint8_t of = cursor_u8(payload);
    const uint64_t sent = cursor_u64(payload);
    if (part >= of) {
        return RC_MALFORMED;
    }
    if (j->is_active && of == j->part_count && j->parts[part].link == link) {
        j->parts[part].is_done = true;
        j->look_at_us = 0;
        j->records += sent;
    }
    return RC_OK;
}

void join_link_gone(struct join *j, uint32_t link)
{
    for (uint8_t i = 0; i < j->part_count; i++) {
        if (!j->parts[i].is_done && j->parts[i].link == link) {
            j->parts[i].link = 0;
            j->look_at_us = 0;
        }
    }
}
