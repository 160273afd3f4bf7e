#include "tests/sim/cluster.h"

#include "core/assert.h"
#include "core/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NODE_PORT = 8081,
    DELAY_US = 500,
    JITTER_US = 300,
    RTO_US = 200 * 1000,                /* a stream's first retransmission, doubling */
    DIAL_TIMEOUT_US = 2000 * 1000,      /* as the driver has it */
    STREAM_STUCK_US = 10 * 1000 * 1000, /* TCP_USER_TIMEOUT as the driver sets it */
    OUTPUT_PIECE = 64 * 1024,
    DISCOVERY_MS = 30 * 1000,
    DISCOVERY_ALONE_MS = 1000,
    STEP_MS = 10, /* how often a wait looks at its condition */
    VALUE_TEXT_MAX = 256,
    KEPT_BYTES_MAX = 1 << 20,
};

/* 2026-01-01T00:00:00Z */
#define WALL_MS UINT64_C(1767225600000)

static struct addr addr_of(uint32_t node)
{
    const uint8_t ip[4] = {10, 0, (uint8_t)(node / 250), (uint8_t)(1 + node % 250)};
    return addr_v4(ip, NODE_PORT);
}

/* The node that an address belongs to; CLUSTER_NODES_MAX when it is nobody's. */
static uint32_t node_at(const struct cluster *c, const struct addr *addr)
{
    for (uint32_t i = 0; i < c->count; i++) {
        const struct addr own = addr_of(i);
        if (addr_equal(&own, addr)) {
            return i;
        }
    }
    return CLUSTER_NODES_MAX;
}

struct cluster *cluster_new(uint32_t count, uint64_t seed)
{
    ASSERT(count <= CLUSTER_NODES_MAX);
    struct cluster *c = mem_new(1, sizeof(*c));
    network_init(&c->net, seed);
    c->count = count;
    c->delay_us = DELAY_US;
    c->jitter_us = JITTER_US;
    c->config = (struct engine_config){
        .replication_factor = 3,
        .write_timeout_ms = 5000,
        .bytes_max = 64 << 20,
        .value_max = 10 << 20,
        .ttl_min_ms = 1000,
        .ttl_max_ms = 86400 * 1000,
    };
    memcpy(c->config.network, "sim", 4);
    memcpy(c->config.enclave, "default", 8);
    buf_init(&c->kept, KEPT_BYTES_MAX);
    return c;
}

void cluster_free(struct cluster *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        engine_free(c->nodes[i].engine);
    }
    network_fini(&c->net);
    buf_fini(&c->kept);
    free(c->streams);
    free(c->puts);
    free(c);
}

static uint64_t node_now_us(const struct cluster *c, uint32_t node)
{
    return c->net.now_us + c->nodes[node].boot_offset_us;
}

static uint64_t one_way_us(struct cluster *c)
{
    return c->delay_us + rng_below(&c->net.rng, c->jitter_us + 1);
}

static bool is_lost(struct cluster *c)
{
    return c->loss_percent > 0 && rng_below(&c->net.rng, 100) < c->loss_percent;
}

/* ---- What nodes ask for ---- */

static void send_datagram(struct cluster *c, uint32_t from, const struct action *a)
{
    const uint32_t to = node_at(c, &a->addr);
    c->datagrams++;
    c->datagram_bytes += a->len + 28;
    if (to == CLUSTER_NODES_MAX || (c->blocked[from][to] & BLOCK_UDP) != 0 || is_lost(c)) {
        return;
    }
    const uint64_t at_us = c->net.now_us + one_way_us(c);
    if (!c->nodes[to].is_up) {
        if (!c->nodes[to].is_silent && (c->blocked[to][from] & BLOCK_UDP) == 0) {
            network_at(
                &c->net, at_us + one_way_us(c),
                (struct event){
                    .kind = EVENT_REFUSED, .from = to, .to = from, .to_life = c->nodes[from].life});
        }
        return;
    }
    network_at(&c->net, at_us,
               (struct event){.kind = EVENT_DATAGRAM,
                              .from = from,
                              .to = to,
                              .to_life = c->nodes[to].life,
                              .data = (uint8_t *)(uintptr_t)a->data,
                              .len = a->len});
}

static uint32_t new_stream(struct cluster *c, uint32_t from, uint32_t link, uint32_t to)
{
    c->streams = mem_resize(c->streams, c->stream_count + 1, sizeof(*c->streams));
    c->streams[c->stream_count] = (struct stream){
        .is_open = true,
        .node = {from, to},
        .life = {c->nodes[from].life, to < c->count ? c->nodes[to].life : 0},
        .link = {link, 0},
    };
    return c->stream_count++;
}

static void dial(struct cluster *c, uint32_t from, const struct action *a)
{
    const uint32_t to = node_at(c, &a->addr);
    const uint32_t stream = new_stream(c, from, a->link, to);
    network_at(&c->net, c->net.now_us + one_way_us(c),
               (struct event){.kind = EVENT_DIAL,
                              .from = from,
                              .to = to < c->count ? to : from,
                              .to_life = to < c->count ? c->nodes[to].life : 0,
                              .stream = stream});
}

/* Tells end `end` of a stream that it is over. */
static void end_stream(struct cluster *c, uint32_t stream, uint32_t end, enum link_end why,
                       uint64_t at_us)
{
    const struct stream *s = &c->streams[stream];
    network_at(&c->net, at_us,
               (struct event){.kind = EVENT_END,
                              .to = s->node[end],
                              .to_life = s->life[end],
                              .stream = stream,
                              .end = end,
                              .why = (int)why});
}

static struct stream *stream_of(struct cluster *c, uint32_t node, uint32_t link, uint32_t *ret_end)
{
    for (uint32_t i = c->stream_count; i-- > 0;) {
        for (uint32_t end = 0; end < 2; end++) {
            struct stream *s = &c->streams[i];
            if (s->node[end] == node && s->link[end] == link && s->is_open &&
                s->life[end] == c->nodes[node].life) {
                *ret_end = end;
                return s;
            }
        }
    }
    return NULL;
}

/* Takes what the engine has for a link, as far as the window allows, and sends it in order. */
static void pump(struct cluster *c, struct stream *s, uint32_t end)
{
    struct buf out;
    const uint32_t from = s->node[end];
    const uint32_t to = s->node[1 - end];
    buf_init(&out, 8 << 20);
    while (s->in_flight[end] < CLUSTER_STREAM_WINDOW &&
           engine_link_output(c->nodes[from].engine, s->link[end], &out, OUTPUT_PIECE,
                              node_now_us(c, from)) > 0) {
        uint64_t at_us = c->net.now_us + one_way_us(c);
        for (uint64_t rto_us = RTO_US; is_lost(c); rto_us *= 2) {
            at_us += rto_us;
        }
        at_us = at_us > s->free_us[end] ? at_us : s->free_us[end];
        s->free_us[end] = at_us;
        s->in_flight[end] += out.len;
        c->stream_bytes += out.len;
        network_at(&c->net, at_us,
                   (struct event){.kind = EVENT_BYTES,
                                  .from = from,
                                  .to = to,
                                  .to_life = s->life[1 - end],
                                  .stream = (uint32_t)(s - c->streams),
                                  .end = 1 - end,
                                  .data = (uint8_t *)(uintptr_t)buf_data(&out),
                                  .len = out.len});
        buf_clear(&out);
    }
    buf_fini(&out);
}

static void note_put(struct cluster *c, const struct put_done *done)
{
    ASSERT(done->token < c->put_count);
    ASSERT(!c->puts[done->token].is_done);
    c->puts[done->token] = (struct sim_put){.is_done = true, .done = *done};
}

static void perform(struct cluster *c, uint32_t node, const struct action *a)
{
    uint32_t end = 0;
    struct stream *s = NULL;
    switch (a->kind) {
    case ACTION_DATAGRAM:
        send_datagram(c, node, a);
        break;
    case ACTION_DIAL:
        dial(c, node, a);
        break;
    case ACTION_OUTPUT:
        s = stream_of(c, node, a->link, &end);
        if (s != NULL) {
            pump(c, s, end);
        }
        break;
    case ACTION_CLOSE:
        s = stream_of(c, node, a->link, &end);
        if (s != NULL) {
            const uint64_t at_us = c->net.now_us + one_way_us(c);
            s->link[end] = 0;
            end_stream(c, (uint32_t)(s - c->streams), 1 - end, LINK_END_EOF,
                       at_us > s->free_us[end] ? at_us : s->free_us[end]);
        }
        break;
    case ACTION_PUT_DONE:
        note_put(c, &a->put);
        break;
    case ACTION_NOTICE:
        c->nodes[node].notices[a->notice->kind]++;
        break;
    }
}

/* Works off a node's actions and sets its next tick. */
static void drain(struct cluster *c, uint32_t node)
{
    struct sim_node *n = &c->nodes[node];
    struct action action;
    while (outbox_next(engine_outbox(n->engine), &action)) {
        perform(c, node, &action);
    }
    const uint64_t deadline_us = engine_deadline(n->engine);
    if (deadline_us == UINT64_MAX) {
        return;
    }
    uint64_t at_us = deadline_us - n->boot_offset_us;
    /* A loop that comes round costs something, or work that is always due would stop time. */
    at_us = at_us > c->net.now_us + 20 ? at_us : c->net.now_us + 20;
    if (n->tick_at_us <= c->net.now_us || at_us < n->tick_at_us) {
        n->tick_at_us = at_us;
        network_at(&c->net, at_us,
                   (struct event){.kind = EVENT_TICK, .to = node, .to_life = n->life});
    }
}

/* ---- What happens to them ---- */

static void discover(struct cluster *c, uint32_t node)
{
    struct sim_node *n = &c->nodes[node];
    for (uint32_t i = 0; i < c->count; i++) {
        const struct addr addr = addr_of(i);
        if (i != node && !engine_knows_addr(n->engine, &addr)) {
            engine_candidate(n->engine, &addr, node_now_us(c, node));
        }
    }
    engine_candidates_done(n->engine, node_now_us(c, node));
    struct engine_status status;
    engine_status(n->engine, node_now_us(c, node), &status);
    const uint64_t pause_ms =
        status.alive + status.suspect == 0 ? DISCOVERY_ALONE_MS : DISCOVERY_MS;
    network_at(&c->net, c->net.now_us + pause_ms * 1000,
               (struct event){.kind = EVENT_DISCOVERY, .to = node, .to_life = n->life});
}

static void answer_dial(struct cluster *c, const struct event *e)
{
    struct stream *s = &c->streams[e->stream];
    const uint32_t to = s->node[1];
    const bool is_nobody = to >= c->count;
    uint64_t at_us = c->net.now_us + one_way_us(c);
    int why = -1;
    if (is_nobody || (c->blocked[e->from][to] & BLOCK_TCP) != 0 ||
        (c->blocked[to][e->from] & BLOCK_TCP) != 0 ||
        (!c->nodes[to].is_up && c->nodes[to].is_silent)) {
        why = (int)LINK_END_TIMEOUT;
        at_us = c->net.now_us + DIAL_TIMEOUT_US;
    } else if (!c->nodes[to].is_up) {
        why = (int)LINK_END_REFUSED;
    } else if (to == e->from) {
        why = (int)LINK_END_SELF;
    } else {
        const struct addr from = addr_of(e->from);
        s->life[1] = c->nodes[to].life;
        s->link[1] = engine_link_accept(c->nodes[to].engine, &from, node_now_us(c, to));
        why = s->link[1] == 0 ? (int)LINK_END_REJECTED : -1;
    }
    s->is_open = why < 0;
    s->free_us[1] = at_us; /* no byte overtakes the answer */
    network_at(&c->net, at_us,
               (struct event){.kind = EVENT_DIAL_DONE,
                              .to = e->from,
                              .to_life = s->life[0],
                              .stream = e->stream,
                              .why = why});
    if (why < 0) {
        drain(c, to);
    }
}

static void finish_dial(struct cluster *c, const struct event *e)
{
    struct stream *s = &c->streams[e->stream];
    struct sim_node *n = &c->nodes[e->to];
    if (e->why >= 0) {
        engine_link_down(n->engine, s->link[0], (enum link_end)e->why, node_now_us(c, e->to));
    } else {
        const struct addr own = addr_of(e->to);
        engine_link_up(n->engine, s->link[0], &own, node_now_us(c, e->to));
    }
}

/* A stream whose way is blocked keeps its bytes and tries again; for too long, and it is reset. */
static bool is_stuck(struct cluster *c, const struct event *e)
{
    struct stream *s = &c->streams[e->stream];
    const uint32_t sender = 1 - e->end;
    const bool is_blocked = (c->blocked[e->from][e->to] & BLOCK_TCP) != 0 ||
                            (c->blocked[e->to][e->from] & BLOCK_TCP) != 0 ||
                            (!c->nodes[e->to].is_up && c->nodes[e->to].is_silent);
    if (!is_blocked) {
        s->stuck_us[sender] = 0;
        return false;
    }
    s->stuck_us[sender] = s->stuck_us[sender] == 0 ? c->net.now_us : s->stuck_us[sender];
    if (c->net.now_us - s->stuck_us[sender] > STREAM_STUCK_US) {
        end_stream(c, e->stream, 0, LINK_END_RESET, c->net.now_us);
        end_stream(c, e->stream, 1, LINK_END_RESET, c->net.now_us);
        return true;
    }
    struct event again = *e;
    network_at(&c->net, c->net.now_us + RTO_US, again);
    s->free_us[sender] = c->net.now_us + RTO_US;
    return true;
}

static void deliver_bytes(struct cluster *c, const struct event *e)
{
    struct stream *s = &c->streams[e->stream];
    const uint32_t sender = 1 - e->end;
    s->in_flight[sender] -= e->len;
    if (c->is_keeping && c->keep_to == e->to) {
        (void)!buf_append(&c->kept, e->data, e->len);
    }
    if (s->link[e->end] != 0) {
        engine_link_input(c->nodes[e->to].engine, s->link[e->end], e->data, e->len,
                          node_now_us(c, e->to));
    }
    if (s->link[sender] != 0) {
        network_at(&c->net, c->net.now_us + one_way_us(c),
                   (struct event){.kind = EVENT_DRAINED,
                                  .to = e->from,
                                  .to_life = s->life[sender],
                                  .stream = e->stream,
                                  .end = sender});
    }
}

static void take_end(struct cluster *c, const struct event *e)
{
    struct stream *s = &c->streams[e->stream];
    if (s->link[e->end] != 0) {
        const uint32_t link = s->link[e->end];
        s->link[e->end] = 0;
        engine_link_down(c->nodes[e->to].engine, link, (enum link_end)e->why,
                         node_now_us(c, e->to));
    }
    s->is_open = s->link[0] != 0 || s->link[1] != 0;
}

static void take_event(struct cluster *c, const struct event *e)
{
    struct sim_node *n = &c->nodes[e->to];
    const uint64_t now_us = node_now_us(c, e->to);
    const struct addr from = addr_of(e->from);
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
    case EVENT_DIAL_DONE:
        finish_dial(c, e);
        break;
    case EVENT_BYTES:
        deliver_bytes(c, e);
        break;
    case EVENT_DRAINED:
        if (c->streams[e->stream].link[e->end] != 0) {
            pump(c, &c->streams[e->stream], e->end);
        }
        break;
    case EVENT_END:
        take_end(c, e);
        break;
    case EVENT_DISCOVERY:
        discover(c, e->to);
        break;
    case EVENT_DIAL:
        break;
    }
}

static bool is_for_the_living(const struct cluster *c, const struct event *e)
{
    return c->nodes[e->to].is_up && c->nodes[e->to].life == e->to_life;
}

static void step(struct cluster *c, struct event *e)
{
    const uint64_t facts[5] = {e->at_us, (uint64_t)e->kind, e->from, e->to, e->len};
    network_note(&c->net, facts, sizeof(facts));
    if (e->kind == EVENT_DIAL) {
        answer_dial(c, e);
        return;
    }
    if (e->kind == EVENT_BYTES && is_stuck(c, e)) {
        return;
    }
    if (!is_for_the_living(c, e)) {
        return;
    }
    struct sim_node *n = &c->nodes[e->to];
    if (c->net.now_us < n->paused_until_us) {
        network_at(&c->net, n->paused_until_us, *e);
        return;
    }
    if (e->kind == EVENT_TICK && e->at_us != n->tick_at_us && n->paused_until_us == 0) {
        return; /* an earlier one was set since */
    }
    take_event(c, e);
    drain(c, e->to);
    if (c->is_checked_often) {
        engine_check(n->engine);
    }
}

static void run_until(struct cluster *c, uint64_t until_us)
{
    struct event e;
    while (network_next(&c->net, until_us, &e)) {
        step(c, &e);
        free(e.data);
    }
}

void cluster_run_for(struct cluster *c, uint64_t ms)
{
    run_until(c, c->net.now_us + ms * 1000);
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->nodes[i].is_up) {
            engine_check(c->nodes[i].engine);
        }
    }
}

/* ---- Lives ---- */

void cluster_start(struct cluster *c, uint32_t node)
{
    struct sim_node *n = &c->nodes[node];
    ASSERT(!n->is_up);
    engine_free(n->engine);
    struct engine_config config = c->config;
    for (size_t i = 0; i < UUID_BYTES; i++) {
        config.uuid.bytes[i] = (uint8_t)rng_next(&c->net.rng);
    }
    config.seed = rng_next(&c->net.rng);
    config.table_seed = rng_next(&c->net.rng);
    config.host_tag = node + 1;
    config.wall_ms = WALL_MS + c->net.now_us / 1000 + (uint64_t)n->wall_offset_ms;
    config.boot = config.wall_ms;
    (void)snprintf(config.name, sizeof(config.name), "node-%u", node);
    config.addr_count = 1;
    config.addrs[0] = (struct member_addr){.scope = SCOPE_GLOBAL, .addr = addr_of(node)};
    n->life++;
    n->is_up = true;
    n->is_silent = false;
    n->uuid = config.uuid;
    n->tick_at_us = 0;
    n->engine = engine_new(&config, node_now_us(c, node));
    discover(c, node);
    drain(c, node);
}

void cluster_start_all(struct cluster *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (!c->nodes[i].is_up) {
            cluster_start(c, i);
        }
    }
}

static void stop(struct cluster *c, uint32_t node, bool is_silent)
{
    struct sim_node *n = &c->nodes[node];
    ASSERT(n->is_up);
    n->is_up = false;
    n->is_silent = is_silent;
    for (uint32_t i = 0; i < c->stream_count; i++) {
        for (uint32_t end = 0; end < 2; end++) {
            struct stream *s = &c->streams[i];
            if (s->link[end] == 0 || s->node[end] != node) {
                continue;
            }
            s->link[end] = 0;
            end_stream(c, i, 1 - end, is_silent ? LINK_END_RESET : LINK_END_EOF,
                       c->net.now_us + (is_silent ? STREAM_STUCK_US : one_way_us(c)));
        }
    }
}

void cluster_kill(struct cluster *c, uint32_t node)
{
    stop(c, node, false);
}

void cluster_crash_silently(struct cluster *c, uint32_t node)
{
    stop(c, node, true);
}

void cluster_pause(struct cluster *c, uint32_t node, uint64_t ms)
{
    c->nodes[node].paused_until_us = c->net.now_us + ms * 1000;
}

void cluster_leave(struct cluster *c, uint32_t node)
{
    engine_leave(c->nodes[node].engine, node_now_us(c, node));
    drain(c, node);
}

/* ---- The network's faults ---- */

void cluster_block(struct cluster *c, uint32_t from, uint32_t to, uint8_t what)
{
    c->blocked[from][to] = what;
}

void cluster_partition(struct cluster *c, uint32_t first)
{
    for (uint32_t i = 0; i < first; i++) {
        for (uint32_t j = first; j < c->count; j++) {
            cluster_block(c, i, j, BLOCK_ALL);
            cluster_block(c, j, i, BLOCK_ALL);
        }
    }
}

void cluster_heal(struct cluster *c)
{
    memset(c->blocked, 0, sizeof(c->blocked));
}

void cluster_record(struct cluster *c, uint32_t node)
{
    buf_clear(&c->kept);
    c->keep_to = node;
    c->is_keeping = true;
}

void cluster_replay(struct cluster *c, uint32_t from)
{
    const uint32_t to = c->keep_to;
    c->is_keeping = false;
    for (uint32_t i = 0; i < c->stream_count; i++) {
        const struct stream *s = &c->streams[i];
        const uint32_t end = s->node[0] == to ? 0 : 1;
        if (s->is_open && s->node[end] == to && s->node[1 - end] == from && s->link[end] != 0) {
            engine_link_input(c->nodes[to].engine, s->link[end], buf_data(&c->kept), c->kept.len,
                              node_now_us(c, to));
            drain(c, to);
            return;
        }
    }
    ASSERT(false);
}

/* ---- Waiting ---- */

static bool wait_until(struct cluster *c, bool (*holds)(struct cluster *c, uint32_t arg),
                       uint32_t arg, uint64_t ms)
{
    const uint64_t until_us = c->net.now_us + ms * 1000;
    while (!holds(c, arg)) {
        if (c->net.now_us >= until_us) {
            return false;
        }
        run_until(c, c->net.now_us + (uint64_t)STEP_MS * 1000);
    }
    return true;
}

enum member_state cluster_view(struct cluster *c, uint32_t node, uint32_t of)
{
    uint32_t slot = 0;
    for (const struct member *m; (m = engine_next_member(c->nodes[node].engine, &slot)) != NULL;
         slot++) {
        if (uuid_equal(&m->card.uuid, &c->nodes[of].uuid)) {
            return m->state;
        }
    }
    return MEMBER_LEFT;
}

static bool has_full_view(struct cluster *c, uint32_t unused)
{
    (void)unused;
    uint32_t up = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        up += c->nodes[i].is_up;
    }
    for (uint32_t i = 0; i < c->count; i++) {
        struct engine_status status;
        if (!c->nodes[i].is_up) {
            continue;
        }
        engine_status(c->nodes[i].engine, node_now_us(c, i), &status);
        if (status.alive != up - 1 || status.suspect != 0) {
            return false;
        }
        for (uint32_t j = 0; j < c->count; j++) {
            if (c->nodes[j].is_up && cluster_view(c, i, j) != MEMBER_ALIVE) {
                return false;
            }
        }
    }
    return true;
}

bool cluster_wait_full_view(struct cluster *c, uint64_t ms)
{
    return wait_until(c, has_full_view, 0, ms);
}

static bool is_ready(struct cluster *c, uint32_t unused)
{
    (void)unused;
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->nodes[i].is_up && engine_unready(c->nodes[i].engine) != 0) {
            return false;
        }
    }
    return true;
}

bool cluster_wait_ready(struct cluster *c, uint64_t ms)
{
    return wait_until(c, is_ready, 0, ms);
}

static bool is_noticed(struct cluster *c, uint32_t node)
{
    for (uint32_t i = 0; i < c->count; i++) {
        const enum member_state state =
            c->nodes[i].is_up && i != node ? cluster_view(c, i, node) : MEMBER_DEAD;
        if (state == MEMBER_ALIVE || state == MEMBER_SUSPECT) {
            return false;
        }
    }
    return true;
}

bool cluster_wait_noticed(struct cluster *c, uint32_t node, uint64_t ms)
{
    return wait_until(c, is_noticed, node, ms);
}

static bool is_converged(struct cluster *c, uint32_t unused)
{
    (void)unused;
    const struct engine_status *first = NULL;
    struct engine_status statuses[2];
    for (uint32_t i = 0; i < c->count; i++) {
        if (!c->nodes[i].is_up) {
            continue;
        }
        struct engine_status *status = &statuses[first == NULL ? 0 : 1];
        engine_status(c->nodes[i].engine, node_now_us(c, i), status);
        if (!status->has_clock) {
            return false;
        }
        if (first != NULL && (status->root_digest != first->root_digest ||
                              status->store.keys != first->store.keys)) {
            return false;
        }
        first = &statuses[0];
    }
    return true;
}

bool cluster_wait_converged(struct cluster *c, uint64_t ms)
{
    return wait_until(c, is_converged, 0, ms);
}

/* ---- Clients ---- */

uint64_t cluster_put_bytes(struct cluster *c, uint32_t node, const char *key, const void *value,
                           size_t value_len, uint64_t ttl_ms)
{
    const uint64_t token = c->put_count++;
    c->puts = mem_resize(c->puts, c->put_count, sizeof(*c->puts));
    c->puts[token] = (struct sim_put){.is_done = false};
    struct blob *blob = NULL;
    if (value_len > VALUE_INLINE_MAX) {
        blob = blob_new(value_len);
        ASSERT(blob != NULL && blob_append(blob, value, value_len) == RC_OK);
    }
    const struct put put = {
        .token = token,
        .key = (const uint8_t *)key,
        .key_len = strlen(key),
        .value = blob == NULL ? value : NULL,
        .blob = blob,
        .value_len = value_len,
        .ttl_ms = ttl_ms,
    };
    struct put_result result;
    const enum rc rc = engine_put(c->nodes[node].engine, &put, node_now_us(c, node), &result);
    blob_release(blob);
    drain(c, node);
    return rc == RC_OK ? token : UINT64_MAX;
}

uint64_t cluster_put(struct cluster *c, uint32_t node, const char *key, const char *value,
                     uint64_t ttl_ms)
{
    return cluster_put_bytes(c, node, key, value, strlen(value), ttl_ms);
}

static bool is_answered(struct cluster *c, uint32_t put)
{
    return c->puts[put].is_done;
}

enum put_status cluster_wait_put(struct cluster *c, uint64_t put, uint32_t *ret_have)
{
    ASSERT(put != UINT64_MAX);
    const bool is_done =
        wait_until(c, is_answered, (uint32_t)put, c->config.write_timeout_ms + 1000);
    ASSERT(is_done);
    *ret_have = c->puts[put].done.have;
    return c->puts[put].done.status;
}

const char *cluster_get(struct cluster *c, uint32_t node, const char *key)
{
    static char text[VALUE_TEXT_MAX];
    struct record r;
    if (engine_get(c->nodes[node].engine, (const uint8_t *)key, strlen(key), node_now_us(c, node),
                   &r) != RC_OK) {
        return NULL;
    }
    ASSERT(r.expiry_ms > engine_clock_ms(c->nodes[node].engine, node_now_us(c, node)));
    const size_t len = r.blob != NULL || r.value_len >= sizeof(text) ? 0 : r.value_len;
    memcpy(text, len > 0 ? r.value : (const uint8_t *)"", len);
    text[len] = '\0';
    return text;
}

uint64_t cluster_keys(struct cluster *c, uint32_t node)
{
    struct engine_status status;
    engine_status(c->nodes[node].engine, node_now_us(c, node), &status);
    return status.store.keys;
}

uint64_t cluster_hash(const struct cluster *c)
{
    return c->net.hash;
}
