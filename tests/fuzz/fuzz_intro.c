/*
 * What strangers say to a node with two keys, which is looking for others itself: INTROs and
 * UNREADs of any bytes under the key for whoever is there, and answers to the node's own INTROs
 * under that of a pair. The input is a row of them, each a byte of how it is made, one of its
 * length, and what stands behind its kind. An INTRO is answered by no more bytes than it has, and
 * makes nobody known.
 */
#include "sealed_node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    MAKE_ACK = 1,        /* else an INTRO */
    MAKE_UNREAD = 2,     /* else an INTRO */
    MAKE_OTHER_KIND = 4, /* what the first byte of the rest says */
    MAKE_SECOND_KEY = 8,
    MAKE_CHANGED = 16,
    MAKE_MEMBER = 32, /* of a member's uuid */
    MAKE_CANDIDATE = 64,
};

static void send_one(struct sealed_node *n, struct choices *c)
{
    uint8_t packet[DATAGRAM_BYTES_MAX];
    const uint8_t make = choose_byte(c);
    const size_t rest = choose_byte(c);
    const uint8_t number = (make & MAKE_MEMBER) != 0 ? 2 : 9;
    const bool is_ack = (make & MAKE_ACK) != 0;
    const struct uuid self = card_of(1).uuid;
    if ((make & MAKE_CANDIDATE) != 0) {
        const struct addr addr = addr_v4(near, (uint16_t)(9010 + rest));
        swim_candidate(n->swim, &addr, n->now_us);
    }
    size_t len = put_head(n, number, is_ack ? 1 : 1 | 4, (make & MAKE_SECOND_KEY) != 0, packet);
    packet[len++] = (make & MAKE_OTHER_KIND) != 0 ? choose_byte(c)
                    : is_ack                      ? PACKET_INTRO_ACK
                    : (make & MAKE_UNREAD) != 0   ? PACKET_UNREAD
                                                  : PACKET_INTRO;
    for (size_t i = 0; i < rest; i++) {
        packet[len++] = choose_byte(c);
    }
    len = sealing_seal(&n->sender, is_ack ? &self : NULL, packet, len, n->now_us);
    require(len > 0);
    if ((make & MAKE_CHANGED) != 0) {
        packet[rest % len] ^= make;
    }
    const struct swim_counts before = swim_counts(n->swim);
    const uint64_t sent = n->counters.datagrams_out;
    const struct addr from = addr_v4(near, (uint16_t)(9000 + number));
    swim_packet(n->swim, &from, NULL, packet, len, n->now_us);
    struct action action;
    while (outbox_next(n->outbox, &action)) {
        require(!addr_equal(&action.addr, &from) || number == 2 || action.len <= len);
    }
    const struct swim_counts after = swim_counts(n->swim);
    require(is_ack || after.alive + after.named == before.alive + before.named);
    require(n->counters.datagrams_out <= sent + 2);
    node_turn(n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return node_hears(data, size, send_one);
}
