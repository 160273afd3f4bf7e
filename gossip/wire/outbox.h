/*
 * outbox: what the engine wants done. A step never sends. It appends actions here, and the caller
 * drains them.
 *
 * Bounded: beyond its maximum a datagram is refused, which its sender counts: the network
 * might have lost it too.
 * Actions of the other kinds are few (bounded by links and client requests) and are never dropped.
 */
#ifndef GOSSIP_WIRE_OUTBOX_H
#define GOSSIP_WIRE_OUTBOX_H

#include "core/base/addr.h"
#include "core/base/uuid.h"
#include "core/store/version.h"
#include "gossip/wire/member.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DATAGRAM_BYTES_MAX = 1400, OUTBOX_DATAGRAMS_MAX = 512 };

enum action_kind {
    ACTION_DATAGRAM, /* send `data` to `addr`, best effort */
    ACTION_DIAL,     /* open link `link` to `addr`, sealed with the key `key_id` unless that is 0;
                        answer with engine_link_up() or _down() */
    ACTION_OUTPUT,   /* link `link` has bytes to take by engine_link_output() */
    ACTION_CLOSE,    /* flush what was taken, then close link `link`, and do not answer */
    ACTION_PUT_DONE, /* the client write `token` is settled: see `put` */
    ACTION_NOTICE,   /* something an operator may want to read: see `notice` */
};

enum put_status {
    PUT_QUORUM,  /* the quorum holds it: 201 */
    PUT_PENDING, /* held here, the quorum did not answer in time or cannot any more: 202 */
};

/* All that the answer to a client's write says. */
struct put_done {
    uint64_t token, began_us;
    enum put_status status;
    uint32_t have;    /* distinct members known to hold it, this one included */
    uint32_t members; /* members of the enclave when the write arrived, this one included */
    struct version version;
    uint64_t ttl_ms;    /* as stored */
    uint64_t expiry_ms; /* on the cluster's clock */
};

enum notice_kind {
    NOTICE_MEMBER_JOINED, /* first seen alive */
    NOTICE_MEMBER_SUSPECT,
    NOTICE_MEMBER_ALIVE, /* a suspicion or a death was refuted */
    NOTICE_MEMBER_DEAD,
    NOTICE_MEMBER_LEFT,
    NOTICE_LINK_UP,
    NOTICE_LINK_DOWN,      /* text says why */
    NOTICE_UNDIALED,       /* alive and cannot be dialed; value: how often, text: where and why */
    NOTICE_LINKS_CROWDED,  /* text: how many, and where; once a minute at most */
    NOTICE_LINK_OVERFLOW,  /* its queue was emptied; a reconciliation follows */
    NOTICE_STRANGER,       /* text: where; once a minute at most */
    NOTICE_VERSION,        /* likewise; text: where, and both versions */
    NOTICE_KEY_UNKNOWN,    /* likewise; value: its id, text: the id and where */
    NOTICE_CLOCK_SET,      /* value: offset in ms */
    NOTICE_CLOCK_CONFLICT, /* value: difference in ms */
    NOTICE_JOIN_STARTED,   /* value: donors */
    NOTICE_JOIN_DONE,      /* value: records received */
    NOTICE_SYNC_DONE,      /* value: records exchanged */
    NOTICE_PEER_FULL,
    NOTICE_FULL,           /* this node refuses what needs room */
    NOTICE_ROOM,           /* and does not any more */
    NOTICE_CONFIG_DIFFERS, /* text: setting and both values */
    NOTICE_READY,          /* text: how many members count in its quorum, itself included */
    NOTICE_NAME_TWICE,     /* another member has our name */
    NOTICE_PASS_FAILED,    /* the first discovery pass is over, and a provider has not answered */
    NOTICE_EXPECTING,      /* text: how many members of how many are there */
    NOTICE_REFUSED,        /* members have no room for this node; text: where one is */
    NOTICE_MAJORITY,       /* likewise, and the enclave begins with these */
    NOTICE_KINDS,
};

enum { NOTICE_TEXT_SIZE = 96 };

struct notice {
    enum notice_kind kind;
    struct uuid member; /* nil when it is about no member */
    char name[NAME_SIZE];
    bool is_name_shared; /* another has it too; whoever shows the notice finds that out */
    struct addr addr;    /* port 0 when there is none */
    int64_t value;
    char text[NOTICE_TEXT_SIZE];
};

struct action {
    enum action_kind kind;
    uint32_t link;
    uint16_t key_id; /* ACTION_DIAL: of gossip/sealing/keyring */
    struct addr addr;
    const uint8_t *data; /* ACTION_DATAGRAM: borrowed until the next call of outbox_next() */
    size_t len;
    struct put_done put;
    const struct notice *notice; /* borrowed likewise */
};

struct outbox;

struct outbox *outbox_new(void);
void outbox_free(struct outbox *o);

/* Copies the bytes; len <= DATAGRAM_BYTES_MAX. False, and counted, when OUTBOX_DATAGRAMS_MAX are
 * waiting. */
bool outbox_datagram(struct outbox *o, const struct addr *to, const void *data, size_t len);
void outbox_dial(struct outbox *o, uint32_t link, const struct addr *to, uint16_t key_id);
void outbox_output(struct outbox *o, uint32_t link);
void outbox_close(struct outbox *o, uint32_t link);
void outbox_put_done(struct outbox *o, const struct put_done *done);

/* `m` (NULL: it is about no member) gives its uuid, its name and where it was heard last. `text` is
 * copied, and may be NULL. */
void outbox_notice(struct outbox *o, enum notice_kind kind, const struct member *m, int64_t value,
                   const char *text);

/* Takes the oldest action; false when there is none. */
bool outbox_next(struct outbox *o, struct action *ret_action);

#endif
