/*
 * Sealed datagrams of any bytes to a node with two keys. The input is a row of datagrams. Each is a
 * byte of how it is made (who sends it, short or long, under which key, sealed or not, what is
 * changed after that), its length in two bytes, and its body. What is sealed opens, so that what
 * is behind the seal is fuzzed too; and now and then the node's ring changes.
 */
#include "sealed_node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    MAKE_LONG = 1,
    MAKE_KNOWS_YOU = 2,
    MAKE_STRANGER = 4, /* of whom nobody has heard */
    MAKE_SECOND_KEY = 8,
    MAKE_RAW = 16,     /* the body is all there is */
    MAKE_CHANGED = 32, /* a bit of it, after it was sealed */
    MAKE_TWICE = 64,
    MAKE_REKEY = 128,
    BODY_MAX = DATAGRAM_BYTES_MAX - PACKET_LONG_BYTES - SEAL_TAG_BYTES,
};

static void send_one(struct sealed_node *n, struct choices *c)
{
    uint8_t packet[DATAGRAM_BYTES_MAX + 1];
    const uint8_t make = choose_byte(c);
    const uint8_t number = (make & MAKE_STRANGER) != 0 ? 9 : 2;
    const uint32_t high = choose_byte(c);
    const size_t asked = high << 8 | choose_byte(c);
    if ((make & MAKE_REKEY) != 0) {
        const struct keyring_items items = ring_of(asked % 2 == 1);
        require(swim_set_keys(n->swim, &items, n->now_us) == RC_OK);
    }
    size_t len = 0;
    if ((make & MAKE_RAW) == 0) {
        len = put_head(n, number, make & (MAKE_LONG | MAKE_KNOWS_YOU),
                       (make & MAKE_SECOND_KEY) != 0, packet);
    }
    const size_t body = asked % (BODY_MAX + 1);
    for (size_t i = 0; i < body && !choices_are_over(c); i++) {
        packet[len++] = choose_byte(c);
    }
    if ((make & MAKE_RAW) == 0 && len > PACKET_SHORT_BYTES) {
        const struct uuid to = card_of(1).uuid;
        len = sealing_seal(&n->sender, &to, packet, len, n->now_us);
        require(len > 0);
    }
    if ((make & MAKE_CHANGED) != 0 && len > 0) {
        packet[asked % len] ^= (uint8_t)(1U << high % 8);
    }
    node_take(n, number, packet, len);
    if ((make & MAKE_TWICE) != 0) {
        node_take(n, number, packet, len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return node_hears(data, size, send_one);
}
