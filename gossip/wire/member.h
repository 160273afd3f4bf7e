/*
 * member: one member of the cluster as this node knows it, and the card by which it introduces
 * itself.
 *
 * Members are known by uuid; names are labels. A member's addresses have host scope (loopback and
 * interface addresses, of use only to members with the same host tag) or global scope. States are
 * SWIM's, with `left` for members that said goodbye and `named` for those of which nobody knows
 * whether they exist. Left out: the table of all members (gossip/membership/roster) and what
 * changes them (gossip/membership/view).
 */
#ifndef GOSSIP_WIRE_MEMBER_H
#define GOSSIP_WIRE_MEMBER_H

#include "core/base/addr.h"
#include "core/base/rc.h"
#include "core/base/uuid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NAME_SIZE = 65, /* of the text of a name, with its end */
    MEMBER_ADDRS_MAX = 4,
    MEMBER_USABLE_MAX = MEMBER_ADDRS_MAX + 1, /* its own and where it last answered */
    MEMBER_KEYS_MAX = 4,                      /* of a ring, gossip/sealing/keyring */
    MEMBERS_MAX = 16384,
};

/*
 * The protocol versions that this node speaks, on packets and links alike. A packet to a member is
 * written in the highest that both speak, one to somebody unknown in the lowest. Additions that a
 * version leaves open are bits, `features`, of the cards. A node takes them from every card and
 * uses none yet; one may be used among mates once all of them that live have it.
 */
enum {
    PROTOCOL_VERSION_MIN = 2,
    PROTOCOL_VERSION_MAX = 2,
    PROTOCOL_FEATURES = 0, /* none so far */
};

/* The dead and the left are remembered this long, so that old news of them is known as such and
 * partitions heal. */
#define MEMBER_GONE_KEPT_US 86400000000U

/* How its clock, as it reports it itself, compares with this node's. */
enum member_clock {
    MEMBER_CLOCK_UNHEARD, /* it has not reported one yet, or has none */
    MEMBER_CLOCK_AGREES,
    MEMBER_CLOCK_APART, /* the two were founded apart: no data passes, and no quorum counts it */
};

/* A named one is no member yet: somebody unproven says that it is there, and it is being asked. */
enum member_state { MEMBER_ALIVE, MEMBER_SUSPECT, MEMBER_DEAD, MEMBER_LEFT, MEMBER_NAMED };

enum addr_scope { SCOPE_HOST, SCOPE_GLOBAL };

struct member_addr {
    enum addr_scope scope;
    struct addr addr;
};

/* The bits of a boot or a host tag that are kept and sent. */
#define CARD_48_BITS ((UINT64_C(1) << 48) - 1)

/* What a member says about itself; the same bytes everywhere for one (uuid, incarnation). */
struct member_card {
    struct uuid uuid;
    uint64_t boot; /* generation: milliseconds of its wall clock at start, 48 bits; for people */
    uint64_t host_tag; /* equal on one host and network namespace; 48 bits */
    uint64_t incarnation;
    uint8_t version_min, version_max; /* of the protocol, as it speaks it */
    uint16_t features;
    char name[NAME_SIZE];
    char enclave[NAME_SIZE];
    uint32_t key_count;             /* 0: it holds `open` alone */
    uint16_t keys[MEMBER_KEYS_MAX]; /* ids of the keys that it holds; 0 is `open` */
    uint32_t addr_count;
    struct member_addr addrs[MEMBER_ADDRS_MAX];
};

/* What a member says of its condition in each ping and ack, and on its links. */
enum member_flags {
    MEMBER_HAS_CLOCK = 1,
    MEMBER_HAS_RECORDS = 2,
    MEMBER_IS_CAUGHT_UP = 4, /* has a clock and what the enclave had, and does not leave yet */
    MEMBER_IS_FULL = 8,
    MEMBER_IS_DRAINING = 16,
    MEMBER_MAY_BEGIN = 32, /* its enclave exists as far as it knows, or may begin: gossip/expect */

    /* When a member has a link these flags are taken from the link. There their changes come in
     * order with its refusals; a datagram may be older. */
    MEMBER_STATE_FLAGS = MEMBER_HAS_CLOCK | MEMBER_IS_CAUGHT_UP | MEMBER_IS_FULL |
                         MEMBER_IS_DRAINING | MEMBER_MAY_BEGIN,
};

/* Stands for `heard_us` of a member that was heard, and whose link has ended since: no word of
 * before speaks for it any longer. */
enum { MEMBER_HEARD_BEFORE = 1 };

/*
 * One member, as kept. A node knows up to MEMBERS_MAX of them, and many nodes may run on one
 * machine. So a member is 112 bytes. What other modules read stands in fields. Texts and addresses
 * are packed behind them, in place while they are short, else out of line; the functions below read
 * them. The failure detector's state exists only while it has something open.
 */
struct member {
    /* The fields by which a member is found, and a card is recognised as news: one cache line. */
    uint32_t tag;          /* 32-bit hash of its uuid and the cluster: the sender in short headers;
                              never 0 */
    uint16_t next_1, slot; /* roster's chain; its index, stable while it is known */
    struct uuid uuid;
    uint64_t incarnation;
    uint32_t addr_count : 3; /* of what is packed; so are `last_1` and `text_len` */
    uint32_t last_1 : 3;
    enum member_state state : 3;
    uint32_t flags : 8; /* enum member_flags, as last heard */
    bool is_self : 1;
    bool is_mate : 1;      /* of this node's enclave */
    bool is_ghost : 1;     /* dead or left, and only uuid and incarnation are known: not shown */
    bool has_answered : 1; /* since it was last dead or gone it has spoken over a link or answered
                              this node's question, which no old datagram of a dead member can */
    bool is_counted : 1;   /* the engine's: it counts in quorums */
    bool knows_us : 1;     /* it has our card, as its last packet said, so short headers do */
    bool has_said : 1;     /* `knows_us` was said; else it is just unknown */
    bool is_udp_heard : 1; /* a datagram has come from it */
    bool is_name_told : 1; /* swim's: SWIM_NAME_TWICE came */
    bool is_far : 1;       /* packed out of line */
    bool is_proven : 1;    /* where it last answered it has shown that it receives */
    uint32_t misses : 2;   /* probes opened since a ping was last acked by datagram; 3: or more */
    uint32_t clock : 2;    /* enum member_clock; kept by the engine */

    uint32_t link;        /* its peer link once up, 0 none; kept by the engine */
    uint32_t rtt_us : 23; /* smoothed round trip; 0 when not measured */
    bool is_replaced : 1; /* while gone: another has answered where it was since */
    uint32_t text_len : 8;
    uint16_t order_1;   /* roster's: its place in an order */
    uint16_t rumor_1;   /* rumor's: the rumour about it that waits; 0: none */
    uint64_t boot : 48; /* this, the next and the three about versions: of its card */
    uint64_t features : 16;
    uint64_t host_tag : 48;
    uint64_t version_min : 8, version_max : 8;
    uint64_t state_since_us;
    uint64_t heard_us;              /* last direct word from it, or MEMBER_HEARD_BEFORE; 0 never */
    struct swim_probe_state *probe; /* the failure detector's own; NULL while it has nothing open */
    union {
        char near[24];
        char *far;
    } packed;
};

/* Releases what is packed out of line. */
void member_fini(struct member *m);

/* Takes over the card, incarnation included; where it last answered stays. A card without a name is
 * a ghost's. */
void member_set_card(struct member *m, const struct member_card *card);
void member_card(const struct member *m, struct member_card *ret_card);

/* Borrowed until the next member_set_card() or member_set_last_addr(). Empty for a ghost. */
const char *member_name(const struct member *m);
const char *member_enclave(const struct member *m);

/* The ids of the keys that its card names; returns how many. A card that names none is that of a
 * member that holds `open` alone, or a ghost's. */
uint32_t member_keys(const struct member *m, uint16_t ret_keys[static MEMBER_KEYS_MAX]);

/* Where it last answered, or was heard from at an address of its own; port 0 when neither. */
struct addr member_last_addr(const struct member *m);
void member_set_last_addr(struct member *m, const struct addr *addr);

/* Its own address number `i` of addr_count. */
struct member_addr member_addr_at(const struct member *m, uint32_t i);

/* For people: where the member last answered, else the first address that it tells; loopback, of
 * which nobody could say whose it is, only when there is no other. Port 0 when it tells none. */
struct addr member_shown_addr(const struct member *m);

/*
 * A card on the wire, in packets and link hellos:
 *
 *   uuid 16 | boot 6 | host_tag 6 | incarnation 8 | version min 1 | version max 1 | features 2 |
 *   name 1+n | enclave 1+n | counts 1 | (key id 2)*keys | (scope 1 | address)*addresses
 *
 * The low half of the counts is that of the addresses, the high half that of the keys.
 * member_card_read() fails the cursor on a nil uuid, an empty range of versions, an empty or
 * overlong or unprintable name, more than MEMBER_ADDRS_MAX addresses or MEMBER_KEYS_MAX keys, or an
 * unknown scope.
 * CARD_WIRE_MAX is the most that member_card_write() writes.
 */
enum {
    CARD_WIRE_MAX = 16 + 6 + 6 + 8 + 1 + 1 + 2 + 2 * NAME_SIZE + 1 + 2 * MEMBER_KEYS_MAX +
                    MEMBER_ADDRS_MAX * (1 + ADDR_WIRE_MAX)
};

void member_card_write(struct cursor *c, const struct member_card *card);
void member_card_read(struct cursor *c, struct member_card *ret_card);

/* Skips a card with the same checks, and returns the parts that show whether it is news. */
void member_card_skip(struct cursor *c, struct uuid *ret_uuid, uint64_t *ret_incarnation,
                      uint32_t *ret_addr_count);

/* Which addresses of a card a receiver gets: host scope means nothing on another host. */
enum card_audience { CARD_SAME_HOST, CARD_OTHER_HOST, CARD_UNKNOWN_HOST };

/* The member's card as member_card_write() would write it for that audience: global scope for
 * another host, all but loopback for one of which nothing is known. */
void member_write_card(struct cursor *c, const struct member *m, enum card_audience audience);

/* Whether a name or an enclave may stand in a card: 1 to NAME_SIZE - 1 characters of printable
 * ASCII without spaces, as the settings have it. So no node of ours sends another. */
bool member_card_text_ok(const char *text);

/* The version to write to a member in: the highest that both speak. Where there is none in common,
 * and for a ghost, whose range is unknown, it is the lowest that this node speaks. */
uint8_t member_version(const struct member *m);

const char *member_state_name(enum member_state state);

/* The addresses that mean the member when used from a host with `host_tag`, best first and each
 * once: where it last answered, host scope when the tags are equal, global. Loopback means another
 * host never. Returns how many. */
uint32_t member_addrs(const struct member *m, uint64_t host_tag,
                      struct addr ret_addrs[static MEMBER_USABLE_MAX]);

/* How many members are in which state. */
struct swim_counts {
    uint32_t alive, suspect, dead, left; /* other members */
    uint32_t named;                      /* who are none yet */
};

/* Alive or suspect. */
static inline bool member_is_live(const struct member *m)
{
    return m->state == MEMBER_ALIVE || m->state == MEMBER_SUSPECT;
}

/* Gone, and another is where it was: shown to nobody. See gossip/membership/replaced. */
static inline bool member_is_replaced(const struct member *m)
{
    return (m->state == MEMBER_DEAD || m->state == MEMBER_LEFT) && m->is_replaced;
}

#endif
