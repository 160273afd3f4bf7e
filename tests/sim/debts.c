#include "tests/sim/debts.h"

#include "core/base/mem.h"
#include "gossip/wire/packet.h"

#include <inttypes.h>
#include <stdlib.h>

enum { NODES_MAX = 64 }; /* larger clusters have too many pairs, and would show nothing else */

/* Of one node and one address. */
struct debt {
    uint64_t came, sent;
    bool is_heard; /* something of the node's has arrived there */
};

struct debts {
    struct oracle *oracle;
    const struct cluster *cluster;
    struct debt *pairs; /* by node, and for each by node and once for where no node is */
    uint32_t *lives;
    bool has_begun; /* before that nodes are introduced by hand, and know each other */
};

struct debts *debts_new(struct oracle *o, const struct oracle_config *config)
{
    const uint32_t count = config->cluster->count;
    struct debts *d = mem_new(1, sizeof(*d));
    d->oracle = o;
    d->cluster = config->cluster;
    if (count <= NODES_MAX) {
        d->pairs = mem_new((size_t)count * (count + 1), sizeof(*d->pairs));
        d->lives = mem_new(count, sizeof(*d->lives));
    }
    return d;
}

void debts_free(struct debts *d)
{
    if (d != NULL) {
        free(d->pairs);
        free(d->lives);
        free(d);
    }
}

/* The account of the node with the address of node `there`, or with all addresses where no node is;
 * a new process begins anew. */
static struct debt *debt_of(struct debts *d, uint32_t node, uint32_t there)
{
    const uint32_t count = d->cluster->count;
    if (d->lives[node] != d->cluster->nodes[node].life) {
        d->lives[node] = d->cluster->nodes[node].life;
        for (uint32_t i = 0; i <= count; i++) {
            d->pairs[node * (count + 1) + i] = (struct debt){.is_heard = false};
        }
    }
    return &d->pairs[node * (count + 1) + (there < count ? there : count)];
}

static void judge(struct debts *d, uint32_t node, uint32_t there)
{
    struct debt *debt = debt_of(d, node, there);
    if (!debt->is_heard && debt->sent > debt->came) {
        oracle_broken(d->oracle, INVARIANT_REFLECTED,
                      "node %u sent %" PRIu64 " bytes to node %u, which had sent %" PRIu64
                      " and received none",
                      node, debt->sent, there, debt->came);
        debt->is_heard = true; /* once is enough */
    }
}

void debts_sent(struct debts *d, uint32_t from, uint32_t to, const uint8_t *data, size_t len)
{
    if (d->pairs == NULL) {
        return;
    }
    struct debt *debt = debt_of(d, from, to);
    const bool is_long = (data[1] & 1) != 0;
    const uint8_t kind = data[is_long ? PACKET_LONG_BYTES : PACKET_SHORT_BYTES];
    debt->is_heard = debt->is_heard || !d->has_begun;
    debt->sent += kind == PACKET_PING || kind == PACKET_INTRO ? 0 : len;
}

void debts_event(struct debts *d, const struct event *e)
{
    if (d->pairs == NULL) {
        return;
    }
    d->has_begun = true;
    switch (e->kind) {
    case EVENT_DATAGRAM:
        if (!e->is_forged) {
            debt_of(d, e->from, e->to)->is_heard = true;
        }
        debt_of(d, e->to, e->from)->came += e->len;
        judge(d, e->to, e->from);
        break;
    case EVENT_DIAL:
    case EVENT_DIAL_DONE:
    case EVENT_BYTES:
        debt_of(d, e->from, e->to)->is_heard = true;
        debt_of(d, e->to, e->from)->is_heard = true;
        break;
    case EVENT_TICK:
    case EVENT_REFUSED:
    case EVENT_DRAINED:
    case EVENT_END:
    case EVENT_DISCOVERY:
    case EVENT_KEYS:
        break;
    }
}

void debts_sample(struct debts *d)
{
    for (uint32_t node = 0; d->pairs != NULL && node < d->cluster->count; node++) {
        for (uint32_t there = 0; there <= d->cluster->count; there++) {
            judge(d, node, there);
        }
    }
}
