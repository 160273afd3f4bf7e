/*
 * join: how a new node pulls every epoch from the members that have them. Up to JOIN_PARTS_MAX
 * donors share the work by epoch number. When a donor is lost or stalls, its part is asked of
 * another. Ready members are preferred, then those that drain. Where all were started at once there
 * is neither, and any member will do.
 *
 * While its members are alive but out of reach (only datagrams pass, say), or refuse it, a node
 * goes on joining. It cannot say that a key does not exist only because it does not hold it.
 */
#ifndef GOSSIP_REPAIR_JOIN_H
#define GOSSIP_REPAIR_JOIN_H

#include "gossip/replication/mesh.h"

enum {
    JOIN_PARTS_MAX = 3,       /* and donors, one for each */
    JOIN_LOOK_US = 10 * 1000, /* how often donors are looked for at most */
};

struct join_part {
    uint32_t link; /* the donor's; 0: nobody is asked yet */
    bool is_done;
    uint64_t asked_at_us;
    uint64_t progress; /* of the donor's link when last looked at */
};

struct join {
    bool is_active;
    uint64_t begun_at_us;
    uint64_t look_at_us;
    uint8_t part_count; /* 0 until donors were chosen */
    struct join_part parts[JOIN_PARTS_MAX];
    uint64_t records;
};

void join_begin(struct join *j, uint64_t now_us);
void join_end(struct join *j);
bool join_is_active(const struct join *j);

/* Where a turn looks for donors. */
struct join_env {
    struct mesh *mesh;
    struct outbox *outbox;
    bool awaits_donor; /* a ready member has no link yet: wait for it */
};

/* Chooses donors, asks for the parts that nobody was asked for, notices donors that stall, and ends
 * the join when every part is done. */
void join_turn(struct join *j, const struct join_env *env, uint64_t now_us);

/* JOIN_DONE came. RC_MALFORMED. */
MUST_USE enum rc join_part_done(struct join *j, uint32_t link, struct cursor *payload);

void join_link_gone(struct join *j, uint32_t link);

#endif
