/*
 * member: the table of everyone this node knows, itself included.
 *
 * Keyed by uuid; names are labels. A member's addresses are either host scope (loopback and
 * interface addresses, of use only to members with the same host tag) or global scope. Bounded;
 * states as in SWIM, with `left` for those that said goodbye.
 */
#ifndef GOSSIP_MEMBER_H
#define GOSSIP_MEMBER_H

#include "core/addr.h"
#include "core/rc.h"
#include "core/uuid.h"
#include "gossip/outbox.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MEMBER_ADDRS_MAX = 4,
    MEMBER_USABLE_MAX = MEMBER_ADDRS_MAX + 1, /* its own and where it last answered */
    MEMBERS_MAX = 16384,
    INCARNATION_MAX = 0x40000000,
};

enum member_state { MEMBER_ALIVE, MEMBER_SUSPECT, MEMBER_DEAD, MEMBER_LEFT };

enum addr_scope { SCOPE_HOST, SCOPE_GLOBAL };

struct member_addr {
    enum addr_scope scope;
    struct addr addr;
};

/* What a member says about itself; the same bytes everywhere for one (uuid, incarnation). */
struct member_card {
    struct uuid uuid;
    uint64_t boot;     /* generation: milliseconds of its wall clock at start; for people */
    uint64_t host_tag; /* equal on one host and network namespace */
    uint32_t incarnation;
    char name[NAME_SIZE];
    char enclave[NAME_SIZE];
    uint32_t addr_count;
    struct member_addr addrs[MEMBER_ADDRS_MAX];
};

/* What a member says of its condition in each ping and ack. */
enum member_flags {
    MEMBER_HAS_CLOCK = 1,
    MEMBER_HAS_RECORDS = 2,
    MEMBER_IS_READY = 4,
    MEMBER_IS_FULL = 8,
    MEMBER_IS_DRAINING = 16,
};

struct member {
    struct member_card card;
    enum member_state state;
    uint8_t flags;   /* enum member_flags, as last heard */
    bool has_vitals; /* `flags` were heard from it, and are not just unknown */
    bool is_self;
    bool knows_us;         /* it has our card, so short headers do */
    struct addr last_addr; /* where it last answered; port 0 when it never did */
    uint32_t rtt_us;       /* smoothed round trip; 0 when not measured */
    uint64_t state_since_us;
    uint64_t heard_us;     /* last direct word from it; 0 never */
    uint64_t udp_heard_us; /* last datagram from it; 0 never */
    uint32_t slot;         /* its index, stable while it is known */
    uint32_t tag;  /* 32-bit hash of its uuid and the cluster: the sender in short headers */
    uint32_t link; /* its peer link once up, 0 none; kept by the engine */
    struct swim_probe_state *probe; /* the failure detector's own; NULL for self */
};

/*
 * A card on the wire, in packets and link hellos:
 *
 *   uuid 16 | boot 8 | host_tag 8 | incarnation 4 | name 1+n | enclave 1+n | count 1 | (scope 1 |
 * address)*count
 *
 * card_read() fails the cursor on a nil uuid, an empty or overlong or unprintable name, more than
 * MEMBER_ADDRS_MAX addresses, an unknown scope, or an incarnation of INCARNATION_MAX or more (one
 * forged packet must not use up the numbers that a member refutes with). CARD_WIRE_MAX is the most
 * that card_write() writes.
 */
enum {
    CARD_WIRE_MAX = 16 + 8 + 8 + 4 + 2 * NAME_SIZE + 1 + MEMBER_ADDRS_MAX * (1 + ADDR_WIRE_MAX)
};

void card_write(struct cursor *c, const struct member_card *card);
void card_read(struct cursor *c, struct member_card *ret_card);

/* Whether a name or an enclave may stand in a card: 1 to NAME_SIZE - 1 characters of printable
 * ASCII. */
bool card_text_ok(const char *text);

const char *member_state_name(enum member_state state);

/* The addresses that mean the member when used from a host with `host_tag`, best first and each
 * once: where it last answered, host scope when the tags are equal, global. Loopback means another
 * host never. Returns how many. */
uint32_t member_addrs(const struct member *m, uint64_t host_tag,
                      struct addr ret_addrs[static MEMBER_USABLE_MAX]);

#endif
