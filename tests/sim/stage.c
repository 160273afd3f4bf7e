#include "tests/sim/stage.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "tests/sim/eavesdropper.h"
#include "tests/sim/memory.h"
#include "tests/sim/pipe.h"

#include <string.h>

enum {
    NODE_PORT = 8081,
    NODES_PER_NET = 250, /* the last byte of an address runs from 1 to this */
    DISCOVERY_MS = 30 * 1000,
    DISCOVERY_ALONE_MS = 1000,
    DISCOVERY_FAILED_MS = 500,
    CHECK_EVERY = 16,      /* a walk through all invariants takes longer than the event before it */
    TURN_MIN_US = 20,      /* a loop that comes round costs something */
    DATAGRAM_HEADERS = 28, /* IPv4 20, UDP 8 */
    GARBAGE_KINDS = 3,
    LATE_MAX_US = 50 * 1000,     /* a datagram may be held back by this */
    KEYS_AGAIN_US = 1000 * 1000, /* there was no memory for them */
    MILLION = 1000000,
};

struct addr stage_addr(uint32_t node)
{
    const uint8_t ip[4] = {10, 0, (uint8_t)(node / NODES_PER_NET),
                           (uint8_t)(1 + node % NODES_PER_NET)};
    return addr_v4(ip, NODE_PORT);
}

uint32_t stage_node_at(const struct cluster *c, const struct addr *addr)
{
    const uint8_t *ip = addr->ip + sizeof(addr->ip) - 4;
    const uint32_t node = ip[2] * (uint32_t)NODES_PER_NET + ip[3] - 1U;
    if (node >= c->count) {
        return c->count;
    }
    const struct addr own = stage_addr(node);
    return addr_equal(&own, addr) ? node : c->count;
}

uint64_t stage_now_us(const struct cluster *c, uint32_t node)
{
    const struct sim_node *n = &c->nodes[node];
    const int64_t drift_us = (int64_t)c->net.now_us / MILLION * n->drift_ppm +
                             (int64_t)(c->net.now_us % MILLION) * n->drift_ppm / MILLION;
    return c->net.now_us + n->boot_offset_us + (uint64_t)drift_us;
}

/* The network's time when the node's clock will be at `at_us` at the latest; approximate under
 * drift. */
static uint64_t network_us(const struct cluster *c, uint32_t node, uint64_t at_us)
{
    const uint64_t now_us = stage_now_us(c, node);
    const uint64_t wait_us = at_us > now_us ? at_us - now_us : 0;
    return c->net.now_us + (c->nodes[node].drift_ppm >= 0 ? wait_us : wait_us + wait_us / 1000);
}

uint64_t stage_one_way_us(struct cluster *c)
{
    return c->delay_us + rng_below(&c->net.rng, c->jitter_us + 1);
}

/* ---- Requests of nodes ---- */

/* Arbitrary bytes, half a packet, or a packet with something behind it. (Single wrong bits do not
 * get through UDP's checksum.) */
static size_t spoil(struct cluster *c, uint8_t *data, size_t len)
{
    switch (rng_below(&c->net.rng, GARBAGE_KINDS)) {
    case 0:
        for (size_t i = 0; i < len; i++) {
            data[i] = (uint8_t)rng_next(&c->net.rng);
        }
        return len;
    case 1:
        return rng_below(&c->net.rng, len) + 1;
    default:
        data[len] = (uint8_t)rng_next(&c->net.rng);
        return len + 1;
    }
}

static void deliver_datagram(struct cluster *c, uint32_t from, uint32_t to, const uint8_t *data,
                             size_t len)
{
    uint64_t late_us = 0;
    if (network_chance(&c->net, c->late_ppm)) {
        late_us = rng_below(&c->net.rng, LATE_MAX_US);
        c->effects.datagrams_late++;
    }
    network_at(&c->net, c->net.now_us + stage_one_way_us(c) + late_us,
               &(struct event){.kind = EVENT_DATAGRAM,
                               .from = from,
                               .to = to,
                               .to_life = c->nodes[to].life,
                               .data = data,
                               .len = len});
}

/* Keeps the datagram, and brings one of those kept before again. */
static void replay(struct cluster *c, uint32_t from, uint32_t to, const struct action *a)
{
    if (c->old == NULL) {
        c->old = mem_new(DATAGRAMS_KEPT, sizeof(*c->old));
    }
    struct kept_datagram *k = &c->old[rng_below(&c->net.rng, DATAGRAMS_KEPT)];
    if (k->len > 0) {
        c->effects.datagrams_replayed++;
        deliver_datagram(c, k->from, k->to, k->data, k->len);
    }
    *k = (struct kept_datagram){.from = from, .to = to, .len = a->len};
    memcpy(k->data, a->data, a->len);
}

/* Whether a datagram on its way is lost, and to which cause. */
static bool is_lost(struct cluster *c, uint32_t from, uint32_t to)
{
    if ((barrier_of(&c->barrier, from, to) & BLOCK_UDP) != 0) {
        c->effects.datagrams_blocked++;
        return true;
    }
    if (burst_left_us(&c->burst, &c->net.rng, from, to, c->net.now_us) > 0) {
        c->effects.datagrams_burst++;
        return true;
    }
    if (network_chance(&c->net, c->loss_ppm)) {
        c->effects.datagrams_lost++;
        return true;
    }
    return false;
}

/* The port is closed: its host says so, unless the host is gone or cannot be heard. */
static void refuse_datagram(struct cluster *c, uint32_t from, uint32_t to)
{
    if (c->nodes[to].is_silent || is_lost(c, to, from)) {
        return;
    }
    c->effects.datagrams_refused++;
    const uint64_t there_us = stage_one_way_us(c);
    const uint64_t back_us = stage_one_way_us(c);
    network_at(&c->net, c->net.now_us + there_us + back_us,
               &(struct event){
                   .kind = EVENT_REFUSED, .from = to, .to = from, .to_life = c->nodes[from].life});
}

/* What else may happen when a datagram arrives: it comes twice, an old one comes again, or a
 * spoiled one comes too. */
static void disturb_datagram(struct cluster *c, uint32_t from, uint32_t to, const struct action *a)
{
    if (network_chance(&c->net, c->duplicate_ppm)) {
        c->effects.datagrams_twice++;
        deliver_datagram(c, from, to, a->data, a->len);
    }
    if (network_chance(&c->net, c->replay_ppm)) {
        replay(c, from, to, a);
    }
    if (network_chance(&c->net, c->garbage_ppm)) {
        uint8_t data[DATAGRAM_BYTES_MAX + 1];
        memcpy(data, a->data, a->len);
        const size_t len = spoil(c, data, a->len);
        c->effects.datagrams_spoiled++;
        deliver_datagram(c, from, to, data, len);
    }
}

static void send_datagram(struct cluster *c, uint32_t from, const struct action *a)
{
    const uint32_t to = stage_node_at(c, &a->addr);
    c->traffic.datagrams++;
    c->traffic.datagram_bytes += a->len + DATAGRAM_HEADERS;
    c->nodes[from].sent_bytes += a->len + DATAGRAM_HEADERS;
    if (c->observer != NULL && c->observer->sent != NULL) {
        c->observer->sent(c->observer->arg, from, to, a->data, a->len);
    }
    if (c->is_overheard) {
        eavesdropper_hears(c, from, to, a->data, a->len);
    }
    if (to == c->count || is_lost(c, from, to)) {
        return;
    }
    if (!c->nodes[to].is_up) {
        refuse_datagram(c, from, to);
        return;
    }
    deliver_datagram(c, from, to, a->data, a->len);
    disturb_datagram(c, from, to, a);
}

static void note_put(struct cluster *c, uint32_t node, const struct put_done *done)
{
    ASSERT(done->token < c->put_count);
    struct sim_put *put = &c->puts[done->token];
    const bool is_judged = c->observer != NULL && c->observer->put_done != NULL;
    ASSERT(is_judged || (put->is_accepted && !put->is_done));
    put->is_done = true;
    put->done = *done;
    if (is_judged) {
        c->observer->put_done(c->observer->arg, node, done);
    }
}

static void note_notice(struct cluster *c, uint32_t node, const struct notice *notice)
{
    c->nodes[node].notices[notice->kind]++;
    if (c->observer != NULL && c->observer->notice != NULL) {
        c->observer->notice(c->observer->arg, node, notice);
    }
}

static void perform(struct cluster *c, uint32_t node, const struct action *a)
{
    switch (a->kind) {
    case ACTION_DATAGRAM:
        send_datagram(c, node, a);
        break;
    case ACTION_DIAL:
        pipe_dial(c, node, a);
        break;
    case ACTION_OUTPUT:
        pipe_output(c, node, a->link);
        break;
    case ACTION_CLOSE:
        pipe_close(c, node, a->link);
        break;
    case ACTION_PUT_DONE:
        note_put(c, node, &a->put);
        break;
    case ACTION_NOTICE:
        note_notice(c, node, a->notice);
        break;
    }
}

static void set_tick(struct cluster *c, uint32_t node, uint64_t at_us)
{
    struct sim_node *n = &c->nodes[node];
    n->tick_at_us = at_us;
    network_at(&c->net, at_us, &(struct event){.kind = EVENT_TICK, .to = node, .to_life = n->life});
}

void stage_drain(struct cluster *c, uint32_t node)
{
    struct sim_node *n = &c->nodes[node];
    struct action action;
    while (outbox_next(engine_outbox(n->engine), &action)) {
        perform(c, node, &action);
    }
    n->due_us = engine_deadline(n->engine);
    if (n->due_us == UINT64_MAX) {
        return;
    }
    n->due_us = network_us(c, node, n->due_us);
    /* Work that is always due would stop time. */
    const uint64_t soonest_us = c->net.now_us + TURN_MIN_US;
    n->due_us = n->due_us > soonest_us ? n->due_us : soonest_us;
    if (n->tick_at_us <= c->net.now_us || n->due_us < n->tick_at_us) {
        set_tick(c, node, n->due_us);
    }
}

/* ---- What happens to them ---- */

static void name_candidate(struct cluster *c, uint32_t node, uint32_t other)
{
    struct engine *e = c->nodes[node].engine;
    const struct addr addr = stage_addr(other);
    if (other != node && !engine_knows_addr(e, &addr)) {
        engine_candidate(e, &addr, stage_now_us(c, node));
    }
}

static void name_candidates(struct cluster *c, uint32_t node)
{
    switch (c->order) {
    case CONTACTS_ALL:
        for (uint32_t i = 0; i < c->count; i++) {
            name_candidate(c, node, i);
        }
        break;
    case CONTACTS_RANDOM:
        for (uint32_t i = 0; i < c->contacts && c->count > 1; i++) {
            const uint32_t drawn = (uint32_t)rng_below(&c->net.rng, c->count - 1);
            name_candidate(c, node, drawn + (drawn >= node ? 1 : 0));
        }
        break;
    case CONTACTS_CHAIN:
        name_candidate(c, node, node == 0 ? 0 : node - 1);
        break;
    case CONTACTS_RING:
        name_candidate(c, node, (node + 1) % c->count);
        break;
    case CONTACTS_ONE:
        name_candidate(c, node, 0);
        break;
    }
}

void stage_discover(struct cluster *c, uint32_t node)
{
    struct sim_node *n = &c->nodes[node];
    if (n->answers_at_us != 0 && c->net.now_us >= n->answers_at_us) {
        n->providers = PROVIDERS_ANSWER;
    }
    if (n->providers != PROVIDERS_FAIL) {
        name_candidates(c, node);
    }
    engine_candidates_done(n->engine, n->providers == PROVIDERS_ANSWER, stage_now_us(c, node));
    struct engine_status status;
    engine_status(n->engine, stage_now_us(c, node), &status);
    uint64_t pause_ms = status.alive + status.suspect == 0 ? DISCOVERY_ALONE_MS : DISCOVERY_MS;
    if (n->providers != PROVIDERS_ANSWER) {
        pause_ms = DISCOVERY_FAILED_MS;
    }
    network_at(&c->net, c->net.now_us + pause_ms * 1000,
               &(struct event){.kind = EVENT_DISCOVERY, .to = node, .to_life = n->life});
}

/* Keys that it has no memory for are set again a second later. */
static void take_keys(struct cluster *c, uint32_t node)
{
    struct sim_node *n = &c->nodes[node];
    const struct keyring_items items = rings_items(n->step);
    const enum rc rc = engine_set_keys(n->engine, &items, stage_now_us(c, node));
    if (rc == RC_OK) {
        n->ring_us = c->net.now_us;
        return;
    }
    ASSERT(rc == RC_NO_MEMORY);
    network_at(&c->net, c->net.now_us + KEYS_AGAIN_US,
               &(struct event){.kind = EVENT_KEYS, .to = node, .to_life = n->life});
}

static void take_event(struct cluster *c, const struct event *e)
{
    struct sim_node *n = &c->nodes[e->to];
    const uint64_t now_us = stage_now_us(c, e->to);
    const struct addr from = stage_addr(e->from);
    switch (e->kind) {
    case EVENT_TICK:
        engine_tick(n->engine, now_us);
        break;
    case EVENT_DATAGRAM:
        engine_datagram(n->engine, &from, e->data, e->len, now_us);
        break;
    case EVENT_REFUSED:
        engine_refused(n->engine, &from, now_us);
        break;
    case EVENT_DISCOVERY:
        stage_discover(c, e->to);
        break;
    case EVENT_KEYS:
        take_keys(c, e->to);
        break;
    case EVENT_DIAL:
    case EVENT_DIAL_DONE:
    case EVENT_BYTES:
    case EVENT_DRAINED:
    case EVENT_END:
        pipe_take(c, e);
        break;
    }
}

/* A stopped process gets it when it goes on. */
static bool is_put_off(struct cluster *c, const struct event *e)
{
    struct sim_node *n = &c->nodes[e->to];
    if (c->net.now_us >= n->paused_until_us) {
        return false;
    }
    if (e->kind == EVENT_TICK) {
        if (e->at_us != n->tick_at_us) {
            return true; /* an earlier one was set since */
        }
        n->tick_at_us = n->paused_until_us;
    }
    pipe_put_off(c, e, n->paused_until_us);
    return true;
}

/* Whether a tick should wake its node. Often its work is already done: a probe needs no retry once
 * the answer has come. The tick is then put off until something is due. */
static bool take_tick(struct cluster *c, const struct event *e)
{
    const struct sim_node *n = &c->nodes[e->to];
    if (e->at_us != n->tick_at_us) {
        return false; /* an earlier one was set since */
    }
    if (n->due_us > c->net.now_us && n->due_us != UINT64_MAX) {
        set_tick(c, e->to, n->due_us);
    }
    return n->due_us <= c->net.now_us;
}

static void step(struct cluster *c, const struct event *e)
{
    if (e->kind == EVENT_DIAL) {
        pipe_answer(c, e);
        return;
    }
    struct sim_node *n = &c->nodes[e->to];
    if ((e->kind == EVENT_BYTES && !pipe_arrives(c, e)) || !n->is_up || n->life != e->to_life ||
        is_put_off(c, e)) {
        return;
    }
    if (e->kind == EVENT_TICK && !take_tick(c, e)) {
        return;
    }
    const bool was_spared = memory_spare(false);
    take_event(c, e);
    stage_drain(c, e->to);
    (void)memory_spare(was_spared);
    if (c->observer != NULL && c->observer->happened != NULL) {
        c->observer->happened(c->observer->arg, e);
    }
    if (c->is_checked_often && c->net.age % CHECK_EVERY == 0) {
        engine_check(n->engine);
    }
}

void stage_step(struct cluster *c, const struct event *e)
{
    const uint64_t facts[5] = {e->at_us, (uint64_t)e->kind, e->from, e->to, e->len};
    network_note(&c->net, facts, sizeof(facts));
    step(c, e);
    pipe_event_over(c, e);
}
