#include "tests/sim/eavesdropper.h"

#include "core/base/mem.h"
#include "gossip/sealing/seal_ops.h"
#include "gossip/wire/packet.h"
#include "tests/sim/memory.h"
#include "tests/sim/stage.h"
#include "tests/sim/stranger.h"

#include <string.h>

enum {
    OLD_EVERY = 32, /* of what it hears it keeps one for long */
    WAYS = 6,
};

static uint64_t draw(struct cluster *c, uint64_t bound)
{
    return rng_below(&c->net.rng, bound);
}

/* The first half of the places is for what was heard last, the other for one in OLD_EVERY. */
void eavesdropper_hears(struct cluster *c, uint32_t from, uint32_t to, const uint8_t *data,
                        size_t len)
{
    struct packet_head head;
    if (packet_read_head(data, len, &head) != RC_OK || head.key_id == 0) {
        return;
    }
    if (c->overheard == NULL) {
        const bool was_spared = memory_spare(true);
        c->overheard = mem_new(DATAGRAMS_KEPT, sizeof(*c->overheard));
        (void)memory_spare(was_spared);
    }
    const uint64_t half = DATAGRAMS_KEPT / 2;
    uint64_t place = c->overheard_count++ % half;
    if (c->overheard_count % OLD_EVERY == 0) {
        place = half + c->overheard_count / OLD_EVERY % half;
    }
    struct kept_datagram *k = &c->overheard[place];
    *k = (struct kept_datagram){.from = from, .to = to, .len = len};
    memcpy(k->data, data, len);
}

/* An INTRO under the key of what it has heard, of its sender or of nobody. */
static void make_intro(struct cluster *c, struct kept_datagram *k)
{
    struct packet_head head;
    uint8_t nonce[PACKET_NONCE_BYTES];
    for (size_t i = 0; i < sizeof(nonce); i++) {
        nonce[i] = (uint8_t)rng_next(&c->net.rng);
    }
    const enum rc rc = packet_read_head(k->data, k->len, &head);
    struct packet p = {
        .kind = PACKET_INTRO,
        .version = head.version,
        .is_long = true,
        .key_id = rc == RC_OK ? head.key_id : 0,
        .tag = head.tag,
        .uuid = c->nodes[k->from].uuid,
        .nonce = nonce,
        .size_min = PACKET_INTRO_BYTES,
    };
    p.counter = rng_next(&c->net.rng);
    p.cluster = rng_next(&c->net.rng);
    if (head.is_long) {
        p.cluster = head.cluster;
    }
    struct cursor writer = cursor_writer(k->data, sizeof(k->data) - SEAL_TAG_BYTES);
    packet_write(&writer, &p);
    k->len = writer.pos;
    for (size_t i = 0; i < SEAL_TAG_BYTES; i++) {
        k->data[k->len++] = (uint8_t)rng_next(&c->net.rng);
    }
}

/* False when it leaves it as it is. */
static bool change(struct cluster *c, struct kept_datagram *k)
{
    switch (draw(c, WAYS)) {
    case 0: {
        const uint64_t bit = draw(c, (uint64_t)k->len * 8);
        k->data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        break;
    }
    case 1:
        k->len = 1 + (size_t)draw(c, k->len);
        break;
    case 2:
        if (k->len < sizeof(k->data)) {
            k->data[k->len++] = (uint8_t)rng_next(&c->net.rng);
        }
        break;
    case 3:
        make_intro(c, k);
        break;
    default:
        return false;
    }
    return true;
}

void eavesdropper_send(struct cluster *c)
{
    if (c->overheard == NULL || (c->barrier.everywhere & BLOCK_UDP) != 0) {
        return;
    }
    struct kept_datagram k = c->overheard[draw(c, DATAGRAMS_KEPT)];
    if (k.len == 0 || k.to >= c->count) {
        return;
    }
    const bool is_changed = change(c, &k);
    const uint32_t to = draw(c, 2) == 0 ? k.to : (uint32_t)draw(c, c->count);
    const uint32_t from = draw(c, 2) == 0 ? k.from : stranger_nowhere(c);
    if (!c->nodes[to].is_up) {
        return;
    }
    c->effects.datagrams_overheard++;
    network_at(&c->net, c->net.now_us + stage_one_way_us(c),
               &(struct event){.kind = EVENT_DATAGRAM,
                               .from = from,
                               .to = to,
                               .to_life = c->nodes[to].life,
                               .data = k.data,
                               .len = k.len,
                               .is_forged = is_changed || from != k.from || to != k.to});
}
