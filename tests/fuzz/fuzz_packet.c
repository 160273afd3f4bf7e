/*
 * A datagram of any bytes to a node with two members. The input is a row of datagrams, each after
 * its length in two bytes, and after each the clock goes on and every invariant is checked. The tag
 * of a packet is fitted to its uuid, or to a member's where the header is short, and its cluster to
 * ours, where the first length bit asks for it: otherwise no random input would get past the
 * header.
 */
#include "gossip/membership/swim.h"
#include "gossip/wire/packet.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FITTED = 0x8000, LENGTH_MASK = 0x7ff, TICK_US = 30000 };

static const uint8_t near[4] = {127, 0, 0, 1};

static void no_vitals(void *arg, uint64_t cut_s, uint64_t now_us, struct vitals *ret_vitals)
{
    (void)arg;
    *ret_vitals = (struct vitals){.clock_us = now_us, .cut_s = cut_s};
}

static struct member_card card_of(uint8_t number)
{
    struct member_card card = {
        .uuid = {{number}},
        .incarnation = 1,
        .version_min = PROTOCOL_VERSION_MIN,
        .version_max = PROTOCOL_VERSION_MAX,
        .host_tag = 1,
        .name = "fuzz",
        .enclave = "default",
        .addr_count = 1,
    };
    card.addrs[0].addr = addr_v4(near, (uint16_t)(9000 + number));
    return card;
}

static void drain(struct swim *s, struct outbox *o)
{
    struct swim_event event;
    struct action action;
    while (swim_next_event(s, &event)) {
    }
    while (outbox_next(o, &action)) {
    }
}

static void fit(uint8_t *packet, size_t len)
{
    struct packet p = {.cluster = swim_cluster_hash("private"), .uuid = card_of(2).uuid};
    if (len < PACKET_SHORT_BYTES) {
        return;
    }
    const bool is_long = (packet[1] & 1) != 0;
    if (is_long && len < PACKET_LONG_BYTES) {
        return;
    }
    packet[0] = PROTOCOL_VERSION_MAX;
    packet[1] &= 3;
    packet[2] = packet[3] = 0;
    if (is_long) {
        memcpy(p.uuid.bytes, packet + PACKET_SHORT_BYTES + 8, UUID_BYTES);
    }
    struct cursor c = cursor_writer(packet + 4, 4);
    cursor_put_u32(&c, packet_tag(&p.uuid, p.cluster));
    if (is_long) {
        c = cursor_writer(packet + PACKET_SHORT_BYTES, 8);
        cursor_put_u64(&c, p.cluster);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct engine_counters counters = {0};
    struct swim_config config = {
        .self = card_of(1), .network = "private", .counters = &counters, .vitals = no_vitals};
    uint64_t now_us = 1000000;
    struct outbox *o = outbox_new();
    struct swim *s = swim_new(&config, o, now_us);
    struct member *m = NULL;
    for (uint8_t number = 2; number <= 3; number++) {
        const struct member_card card = card_of(number);
        if (swim_meet(s, &card, NULL, now_us, &m) != RC_OK) {
            abort();
        }
    }
    m->link = 1;
    const struct addr from = addr_v4(near, 9002);
    struct cursor c = cursor_reader(data, size);
    while (cursor_left(&c) > 2) {
        const uint16_t head = cursor_u16(&c);
        const size_t asked = head & LENGTH_MASK;
        const size_t len = asked < cursor_left(&c) ? asked : cursor_left(&c);
        uint8_t *packet = malloc(len + 1);
        if (packet == NULL) {
            break;
        }
        const uint8_t *bytes = cursor_bytes(&c, len);
        memcpy(packet, bytes, len);
        if ((head & FITTED) != 0) {
            fit(packet, len);
        }
        swim_packet(s, (head & 0x4000) != 0 ? NULL : &from, (head & 0x4000) != 0 ? m : NULL, packet,
                    len, now_us);
        free(packet);
        drain(s, o);
        now_us += TICK_US;
        swim_tick(s, now_us, now_us);
        drain(s, o);
        swim_check(s);
    }
    swim_free(s);
    outbox_free(o);
    return 0;
}
