#include "tests/sim/seals.h"

#include "core/base/idset.h"
#include "core/base/mem.h"
#include "gossip/engine_state.h"
#include "gossip/membership/swim.h"
#include "gossip/wire/packet.h"
#include "tests/sim/memory.h"
#include "tests/sim/seal_model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    NODES_MAX = 64,         /* of larger clusters what is taken is not judged */
    KEPT_MAX = 1 << 24,     /* datagrams under way, or lost */
    LINK_END_US = 5000000,  /* after its key was removed */
    LINK_SLACK_US = 200000, /* between two looks */
};

/* What was last seen of a process. */
struct seals_node {
    uint32_t life;
    uint64_t counter;
    uint64_t opened, refused_open; /* datagrams */
    bool is_told;                  /* of a link: once is enough */
};

struct seals {
    struct oracle *oracle;
    const struct cluster *cluster;
    struct seals_node *nodes;
    struct idset sent;   /* each as a hash with its receiver, until that one has taken it */
    struct idset intros; /* which mean something to everybody, and may come again */
    bool is_judging;     /* what is taken */
    uint64_t rest_us;    /* since when all is at rest; 0: it is not */
};

struct seals *seals_new(struct oracle *o, const struct oracle_config *config)
{
    if (config->cluster->plan == RINGS_OPEN) {
        return NULL;
    }
    struct seals *x = mem_new(1, sizeof(*x));
    x->oracle = o;
    x->cluster = config->cluster;
    x->nodes = mem_new(config->cluster->count, sizeof(*x->nodes));
    x->is_judging = config->cluster->count <= NODES_MAX;
    idset_init(&x->sent, KEPT_MAX);
    idset_init(&x->intros, KEPT_MAX);
    return x;
}

void seals_free(struct seals *x)
{
    if (x != NULL) {
        idset_fini(&x->sent);
        idset_fini(&x->intros);
        free(x->nodes);
        free(x);
    }
}

static const struct sealing *sealing_of(const struct seals *x, uint32_t node)
{
    return swim_sealing(x->cluster->nodes[node].engine->swim);
}

/* Of this life of it. */
static struct seals_node *node_of(struct seals *x, uint32_t node)
{
    struct seals_node *n = &x->nodes[node];
    if (n->life != x->cluster->nodes[node].life) {
        *n = (struct seals_node){.life = x->cluster->nodes[node].life};
    }
    return n;
}

static uint64_t sealing_cluster(const struct seals *x)
{
    return swim_cluster_hash(x->cluster->config.network);
}

/* ---- What is sent ---- */

/* Whether a sealed datagram of the one opens at the other, as that one is now. */
static bool opens_at(const struct seals *x, uint32_t from, uint32_t at,
                     const struct packet_head *head, const uint8_t *data, size_t len)
{
    uint8_t made[SEAL_KEY_BYTES], plain[DATAGRAM_BYTES_MAX];
    const struct keyring *ring = &sealing_of(x, from)->ring;
    const struct keyring_key *key = keyring_find(ring, head->key_id);
    const struct seal_ops *ops = seal_model_ops();
    return key != NULL && key->mac != NULL &&
           keyring_pair_key(ring, key, &x->cluster->nodes[from].uuid, &x->cluster->nodes[at].uuid,
                            made) &&
           ops->open(ops->arg, made, head->counter, data, head->len, len, plain);
}

/* For whom it is: mostly for the one at whose address it goes. Where `open` is in a ring a stranger
 * can have moved that. The cluster's count for a process that has ended. */
static uint32_t receiver_of(const struct seals *x, uint32_t from, uint32_t to,
                            const struct packet_head *head, const uint8_t *data, size_t len)
{
    const uint32_t count = x->cluster->count;
    if (to < count && (head->is_intro || opens_at(x, from, to, head, data, len))) {
        return to;
    }
    uint32_t node = head->is_intro ? count : 0;
    while (node < count && !opens_at(x, from, node, head, data, len)) {
        node++;
    }
    return node;
}

/* A datagram as its receiver gets it, or anybody an INTRO. */
static uint64_t hash_for(const struct seals *x, const struct packet_head *head, uint32_t to,
                         const uint8_t *data, size_t len)
{
    const uint64_t whose = (uint64_t)to << 32 | x->cluster->nodes[to].life;
    return XXH3_64bits_withSeed(data, len, head->is_intro ? 0 : whose);
}

static void keep(struct seals *x, uint32_t from, uint32_t to, const struct packet_head *head,
                 const uint8_t *data, size_t len)
{
    if (!x->is_judging || head->key_id == KEYRING_ID_OPEN) {
        return;
    }
    const uint32_t receiver = receiver_of(x, from, to, head, data, len);
    if (receiver < x->cluster->count) {
        const bool was_spared = memory_spare(true);
        x->is_judging = idset_add(head->is_intro ? &x->intros : &x->sent,
                                  hash_for(x, head, receiver, data, len)) == RC_OK;
        (void)memory_spare(was_spared);
    }
}

/* Whether it is up, and had its ring before all was at rest: memory may have failed it once. */
static bool has_ring(const struct seals *x, uint32_t node)
{
    return x->cluster->nodes[node].is_up && x->cluster->nodes[node].ring_us < x->rest_us;
}

/* Whether it is for the node that is there now: not for a stranger, nor for one before it, of which
 * no other keys are known any more; and is no UNREAD, which answers under the key that came. */
static bool is_to_member(const struct seals *x, uint32_t from, uint32_t to,
                         const struct packet_head *head, const uint8_t *data, size_t len,
                         const uint8_t *clear)
{
    struct packet p;
    if (to >= x->cluster->count || !has_ring(x, from) || !has_ring(x, to) || head->is_intro) {
        return false;
    }
    if (head->key_id == KEYRING_ID_OPEN) {
        return packet_read(data, len, &p) == RC_OK && p.kind == PACKET_PING &&
               p.target_tag == packet_tag(&x->cluster->nodes[to].uuid, sealing_cluster(x));
    }
    return packet_read(clear, len - SEAL_TAG_BYTES, &p) == RC_OK && p.kind != PACKET_UNREAD &&
           opens_at(x, from, to, head, data, len);
}

void seals_sent(struct seals *x, uint32_t from, uint32_t to, const uint8_t *data, size_t len,
                uint8_t ret_clear[static DATAGRAM_BYTES_MAX])
{
    struct packet_head head = {.len = 0};
    memcpy(ret_clear, data, len);
    if (x == NULL || packet_read_head(data, len, &head) != RC_OK) {
        return;
    }
    struct seals_node *n = node_of(x, from);
    const struct keyring *ring = &sealing_of(x, from)->ring;
    if (head.counter <= n->counter) {
        oracle_broken(x->oracle, INVARIANT_COUNTER,
                      "node %u sends number %" PRIu64 " after %" PRIu64, from, head.counter,
                      n->counter);
    }
    n->counter = head.counter;
    if (keyring_find(ring, head.key_id) == NULL) {
        oracle_broken(x->oracle, INVARIANT_SEALED, "node %u sends under key %04x, which it has not",
                      from, head.key_id);
    } else if (head.key_id != KEYRING_ID_OPEN &&
               !seal_model_read(data, head.len, len, ret_clear + head.len)) {
        oracle_broken(x->oracle, INVARIANT_SEALED, "what node %u sends is not sealed", from);
    }
    if (x->rest_us != 0 && head.key_id != ring->keys[0].id &&
        is_to_member(x, from, to, &head, data, len, ret_clear)) {
        oracle_broken(x->oracle, INVARIANT_FIRST, "node %u sends under key %04x, not %04x", from,
                      head.key_id, ring->keys[0].id);
    }
    keep(x, from, to, &head, data, len);
}

/* ---- What is taken ---- */

static uint64_t opened_by(const struct sealing *sealing)
{
    uint64_t opened = 0;
    for (uint32_t i = 0; i < sealing->ring.count; i++) {
        opened += sealing->ring.keys[i].id == KEYRING_ID_OPEN ? 0 : sealing->uses[i].received;
    }
    return opened;
}

/* Whether it was made for this node in this life of it, and has not come before; or is an INTRO of
 * somebody. */
static bool is_right(struct seals *x, const struct packet_head *head, const struct event *e)
{
    const uint64_t hash = hash_for(x, head, e->to, e->data, e->len);
    if (!head->is_intro) {
        return idset_remove(&x->sent, hash);
    }
    const size_t before = x->intros.count;
    const bool was_spared = memory_spare(true);
    x->is_judging = idset_add(&x->intros, hash) == RC_OK;
    (void)memory_spare(was_spared);
    return x->intros.count == before;
}

static void judge_datagram(struct seals *x, const struct event *e, const struct seals_node *before)
{
    struct packet_head head;
    const struct sealing *sealing = sealing_of(x, e->to);
    if (packet_read_head(e->data, e->len, &head) != RC_OK) {
        return;
    }
    if (head.key_id == KEYRING_ID_OPEN) {
        if (sealing->state == SEALING_SEALED &&
            sealing->refused[SEALING_REFUSED_OPEN] != before->refused_open + 1) {
            oracle_broken(x->oracle, INVARIANT_TAKEN, "node %u takes what is not sealed", e->to);
        }
    } else if (x->is_judging && opened_by(sealing) != before->opened && !is_right(x, &head, e)) {
        oracle_broken(x->oracle, INVARIANT_TAKEN,
                      "node %u takes number %" PRIu64 ", which was not for it or came before",
                      e->to, head.counter);
    }
}

void seals_event(struct seals *x, const struct event *e)
{
    if (x == NULL) {
        return;
    }
    struct seals_node *n = node_of(x, e->to);
    if (e->kind == EVENT_DATAGRAM) {
        judge_datagram(x, e, n);
    }
    const struct sealing *sealing = sealing_of(x, e->to);
    n->opened = opened_by(sealing);
    n->refused_open = sealing->refused[SEALING_REFUSED_OPEN];
}

/* ---- Links ---- */

static void judge_link(struct seals *x, uint32_t node, uint16_t key_id)
{
    const struct sim_node *at = &x->cluster->nodes[node];
    const uint64_t now_us = x->cluster->net.now_us;
    uint64_t since_us = at->ring_us > at->paused_until_us ? at->ring_us : at->paused_until_us;
    since_us = since_us > at->started_us ? since_us : at->started_us;
    if (now_us >= since_us + LINK_END_US + LINK_SLACK_US && !node_of(x, node)->is_told &&
        keyring_find(&sealing_of(x, node)->ring, key_id) == NULL) {
        oracle_broken(x->oracle, INVARIANT_LINK, "node %u has a link with key %04x, which it lacks",
                      node, key_id);
        node_of(x, node)->is_told = true;
    }
}

void seals_sample(struct seals *x)
{
    for (uint32_t i = 0; x != NULL && i < x->cluster->streams.count; i++) {
        const struct stream *s = &x->cluster->streams.all[i];
        for (uint32_t end = 0; s->is_used && end < 2; end++) {
            if (s->link[end] != 0 && x->cluster->nodes[s->node[end]].is_up) {
                judge_link(x, s->node[end], s->key_id);
            }
        }
    }
}

void seals_rest(struct seals *x, bool is_at_rest)
{
    if (x != NULL) {
        x->rest_us = is_at_rest && x->cluster->plan != RINGS_MIXED ? x->cluster->net.now_us : 0;
    }
}
