/*
 * packet: the bytes of a SWIM packet, to and from a struct. Datagrams and, where datagrams do not
 * pass, the same bytes inside a link's frame.
 *
 * Reading validates everything before anything is believed: what packet_read() returned RC_OK for
 * holds only well-formed entries. It knows no members; whether a tag means anybody is for swim.
 *
 * A short header, the steady state, 16 bytes:
 *
 *   version 1 | flags 1 | key id 2 | tag 4 | counter 8
 *
 * The long header, used until the receiver has said that it knows the sender, adds 32:
 *
 *   short header | cluster hash 8 | uuid 16 | boot 8
 *
 * flags: 1 long header, 2 the sender knows the receiver's card (so short headers will do), 4 an
 * INTRO or UNREAD, always long: sealed for whoever is there. tag is a 32-bit hash of the sender's
 * uuid and the cluster hash, never 0. The counter is one up per packet sent. key id 0 is an open
 * packet. Any other names the key under which all that follows the header is sealed, with the
 * counter as nonce and the header as what is authenticated besides, and the last 16 bytes are
 * AES-GCM's tag (gossip/sealing/sealing). This module reads and writes what was or is to be sealed:
 * bytes without that tag.
 *
 * Then one body, by kind:
 *
 *   PING      kind 1 | seq 4 | target tag 4 | vitals 22 | member digest 8
 *   ACK       kind 1 | seq 4 | vitals 22 | member digest 8
 *   WRONG     kind 1 | seq 4                          the ping was meant for somebody else
 *   PING_REQ  kind 1 | seq 4 | target uuid 16         please ping the target for me
 *   RELAYED   kind 1 | seq 4 | target uuid 16 | answered 1    0: it has not answered so far
 *   GOSSIP    kind 1                                  nothing but entries
 *   PULL      kind 1 | seq 4 | first 4 | width 1 | count 1 | sum 4 * count
 *   CARDS     kind 1 | seq 4 | next 4        one page of entries, up to before that tag
 *   COOKIE    kind 1 | number 4 | cookie 8   say this again, to prove that you receive
 *   INTRO     kind 1 | seq 4 | nonce 16               who is there? Sealed, to a stranger
 *   INTRO_ACK kind 1 | seq 4 | nonce 16 | cookie 8    the header says who; sealed
 *   UNREAD    kind 1 | mark 4      the sender could not open the packet whose tag of AES-GCM begins
 *                                  so: another is here, or has forgotten whose tag that is; sealed
 *
 *   vitals = flags 1 | clock_us 8 | cut_s 5 | root 8
 *
 * PULL asks for the members whose tags are in those of `count` ranges of 2^width tags, from `first`
 * on and round over 0, in which the sender's table has not the sum that the receiver's has: the low
 * halves of its alive and suspect members' digests (swim_digest()) added up.
 *
 * A ping's target tag 0 means whoever is there. Then any number of sections to the end:
 *
 *   type 1 | length 2 | bytes        type 1 SEEN_AS: the receiver's address as the sender sees it
 *                                    type 2 ENTRIES: what the sender says about members
 *                                    type 3 COOKIE: 8 bytes, in PING and PULL, sent back
 *                                    type 4 PADDING: any bytes
 *                                    type >= 128 unknown: the packet is refused; below: skipped
 *
 * Nobody can be made to send more to an address that has not proved that it receives
 * (gossip/wire/cookie) than came from there, in one datagram for one. It has proved itself where it
 * answered a number of ours or sends a cookie back. Until then a packet from there is answered so:
 *
 *   from        packet               by
 *   unknown     long PING (87)       COOKIE (61), and nothing that it says is believed
 *   unknown     short PING (55)      short ACK (51): it knows us, and hears that we do not know it
 *   a member    PING that lacks our  COOKIE (61): it needs our card
 *               card, long (87)
 *   a member    any other PING       ACK (51, 83), WRONG (53), with what else fits into the size
 *               (55, 87)             that came
 *   a member    PULL (63 and more)   COOKIE (29, 61)
 *   a member    PING_REQ             nothing, unless it pays for the ping (55, 87) and the RELAYED
 *                                    (38, 70) that come of it
 *
 *   anybody     INTRO (77)           INTRO_ACK (77)
 *   anybody     what cannot be       UNREAD (53), where that is no more
 *               opened
 *
 *   (bytes)     COOKIE's number is the packet's. Both a sealed packet and its answer have 16 more
 *
 * Its sender pays with PADDING: for a relay's work, and for an accused member's card in its answer
 * to the accusation. Of its own accord a node sends only one thing to an address that has not
 * proved itself: a PING without entries, other than what is held against the receiver. To members
 * that are only named it sends no more PINGs in all than the datagrams that named them paid for
 * (gossip/membership/packet_out).
 *
 * Entries, in a row:
 *
 *   ALIVE    1 | card                         as in member.h
 *   SUSPECT  2 | uuid 16 | incarnation 8 | by 16
 *   DEAD     3 | uuid 16 | incarnation 8 | by 16
 *   LEFT     4 | uuid 16 | incarnation 8
 *   PAST     5 | uuid 16 | incarnation 8 | state 1 | age 2     dead or left since; only in CARDS
 */
#ifndef GOSSIP_WIRE_PACKET_H
#define GOSSIP_WIRE_PACKET_H

#include "core/base/cursor.h"
#include "gossip/wire/cookie.h"
#include "gossip/wire/member.h"
#include "gossip/wire/outbox.h"

enum { PACKET_SHORT_BYTES = 16, PACKET_LONG_BYTES = 48 };

enum packet_kind {
    PACKET_PING = 1,
    PACKET_ACK,
    PACKET_WRONG,
    PACKET_PING_REQ,
    PACKET_RELAYED,
    PACKET_GOSSIP,
    PACKET_PULL,
    PACKET_CARDS,
    PACKET_COOKIE,
    PACKET_INTRO,
    PACKET_INTRO_ACK,
    PACKET_UNREAD,
};

/* Packets that ask for more than they bring are padded to these sizes. A PING_REQ pays for what it
 * costs between members that know each other; a PING that accuses pays for the card of an ordinary
 * name in the ACK.
 */
enum {
    PACKET_NONCE_BYTES = 16,
    PACKET_RELAY_BYTES = 96,
    PACKET_ACCUSE_BYTES = 160,
    PACKET_INTRO_BYTES = PACKET_LONG_BYTES + 1 + 4 + PACKET_NONCE_BYTES + COOKIE_BYTES,
};

/* What each ping and ack carries of its sender besides membership. */
struct vitals {
    uint8_t flags;     /* enum member_flags */
    uint64_t clock_us; /* the cluster's clock as the sender has it; 0 without MEMBER_HAS_CLOCK */
    uint64_t cut_s;    /* the cut that `root` is of; 0 when there is none to compare */
    uint64_t root;     /* the data's root digest as of the cut */
};

/* The header, which is not sealed. is_intro: sealed for whoever is there. */
struct packet_head {
    uint8_t version;
    bool is_long, is_intro;
    uint16_t key_id;
    uint32_t tag;
    uint64_t counter;
    uint64_t cluster; /* this and the next in long headers only, else 0 */
    struct uuid uuid;
    size_t len;
};

struct packet {
    uint8_t version; /* PROTOCOL_VERSION_MIN to PROTOCOL_VERSION_MAX */
    bool is_long;
    bool knows_you;
    uint16_t key_id;
    uint32_t tag;
    uint64_t counter;
    uint64_t cluster; /* this and the next two in long headers only, else 0 */
    struct uuid uuid;
    uint64_t boot;

    enum packet_kind kind;
    uint32_t seq;
    uint32_t target_tag;    /* PING */
    struct uuid target;     /* PING_REQ, RELAYED */
    struct vitals vitals;   /* PING, ACK */
    uint64_t member_digest; /* PING, ACK */
    bool is_answered;       /* RELAYED */
    uint32_t first;         /* PULL: the first tag asked for; CARDS: the first after the page */
    uint32_t width, count;  /* PULL */
    const uint8_t *sums;    /* PULL: 4 * count bytes; borrowed */

    uint64_t cookie;      /* COOKIE, INTRO_ACK; PING, PULL: the receiver's, sent back; 0 for none */
    const uint8_t *nonce; /* INTRO, INTRO_ACK: PACKET_NONCE_BYTES; borrowed */
    size_t size_min;      /* padded to it when written */
    bool is_bare;         /* packet_out's: without entries */
    bool is_retry;        /* packet_out's: of a probe */
    struct uuid to;       /* packet_out's: who is asked that is no member here; nil: nobody */

    uint32_t mark; /* packet_out's: how the tag of AES-GCM began when it went; 0: not sealed */
    bool has_seen_as;
    struct addr seen_as;
    const uint8_t *entries; /* borrowed */
    size_t entries_len;
};

/* The unit in which PAST says how long ago: two bytes of it are 36 hours. */
#define ENTRY_AGE_US UINT64_C(2000000)

enum entry_kind { ENTRY_ALIVE = 1, ENTRY_SUSPECT, ENTRY_DEAD, ENTRY_LEFT, ENTRY_PAST };

struct entry {
    enum entry_kind kind;
    struct uuid uuid;
    uint64_t incarnation;
    struct uuid by;          /* SUSPECT, DEAD: who says so */
    enum member_state state; /* PAST: MEMBER_DEAD or MEMBER_LEFT */
    uint32_t age;            /* PAST: how long ago, in ENTRY_AGE_US */
    uint32_t addr_count;     /* ALIVE */
    const uint8_t *card;     /* ALIVE: the card's bytes, for member_card_read(); borrowed */
    size_t card_len;
};

enum {
    ENTRY_WIRE_MIN = 1 + UUID_BYTES + 8,
    ENTRY_WIRE_MAX = 1 + CARD_WIRE_MAX,
    SECTION_HEAD_BYTES = 3,
    PACKET_BODY_MAX = 39, /* but for a PULL's sums */
    PULL_SUM_BYTES = 4,
    PULL_SUMS_MAX = 128, /* half a datagram */
    PULL_WIDTH_MAX = 32,
};

/* The most bytes of a packet before its entries: header, body, SEEN_AS, COOKIE, head of ENTRIES.
 */
enum {
    PACKET_OVERHEAD_MAX = PACKET_LONG_BYTES + PACKET_BODY_MAX + SECTION_HEAD_BYTES + ADDR_WIRE_MAX +
                          SECTION_HEAD_BYTES + COOKIE_BYTES + SECTION_HEAD_BYTES
};

/* Whether such packets are sealed for whoever is there, as their receiver is unknown. */
bool packet_is_for_anybody(enum packet_kind kind);

/* Parses the header alone. RC_VERSION: a version that this node does not speak; then
 * ret_head->version is set. RC_MALFORMED: everything else that is not exactly right, longer than
 * DATAGRAM_BYTES_MAX included. All else of *ret_head is unspecified on an error. */
MUST_USE enum rc packet_read_head(const uint8_t *data, size_t len, struct packet_head *ret_head);

/* Parses `len` bytes into *ret_packet, which borrows them; of a sealed packet those that were
 * opened. Errors as of packet_read_head(). */
MUST_USE enum rc packet_read(const uint8_t *data, size_t len, struct packet *ret_packet);

/* Writes header, body and sections, then padding up to `size_min`; fails the cursor where they do
 * not fit. Padding has no room of less than a section's head: then none is written. */
void packet_write(struct cursor *c, const struct packet *p);

/* One entry; reading fails the cursor on anything that is not exactly right, the card included,
 * which it does not take apart: most entries are no news. */
void packet_entry_write(struct cursor *c, const struct entry *e);
void packet_entry_read(struct cursor *c, struct entry *ret_entry);

/* How the tag of AES-GCM begins of a sealed packet; never 0. By it an UNREAD says which. */
uint32_t packet_mark(const uint8_t *data, size_t len);

/* The tag of a member in a cluster. Never 0. */
uint32_t packet_tag(const struct uuid *uuid, uint64_t cluster);

#endif
