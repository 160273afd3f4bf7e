#include "tests/sim/stage.h"

#include "core/assert.h"
#include "core/mem.h"

#include <stdlib.h>

enum {
    NODE_PORT = 8081,
    RTO_US = 200 * 1000,           /* a stream's first retransmission, doubling */
    HOLD_UP_US = 20 * 1000,        /* how soon what waits for an earlier piece looks again */
    DIAL_TIMEOUT_US = 2000 * 1000, /* as the driver has it */
    OUTPUT_PIECE = 64 * 1024,
    DISCOVERY_MS = 30 * 1000,
    DISCOVERY_ALONE_MS = 1000,
    CHECK_EVERY = 16, /* a walk through all invariants takes longer than the event before it */
};

struct addr stage_addr(uint32_t node)
{
    const uint8_t ip[4] = {10, 0, (uint8_t)(node / 250), (uint8_t)(1 + node % 250)};
    return addr_v4(ip, NODE_PORT);
}

/* The node that an address belongs to; CLUSTER_NODES_MAX when it is nobody's. */
static uint32_t node_at(const struct cluster *c, const struct addr *addr)
{
    for (uint32_t i = 0; i < c->count; i++) {
        const struct addr own = stage_addr(i);
        if (addr_equal(&own, addr)) {
            return i;
        }
    }
    return CLUSTER_NODES_MAX;
}

uint64_t stage_now_us(const struct cluster *c, uint32_t node)
{
    return c->net.now_us + c->nodes[node].boot_offset_us;
}

uint64_t stage_one_way_us(struct cluster *c)
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
    const uint64_t at_us = c->net.now_us + stage_one_way_us(c);
    if (!c->nodes[to].is_up) {
        if (!c->nodes[to].is_silent && (c->blocked[to][from] & BLOCK_UDP) == 0) {
            network_at(
                &c->net, at_us + stage_one_way_us(c),
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
    network_at(&c->net, c->net.now_us + stage_one_way_us(c),
               (struct event){.kind = EVENT_DIAL,
                              .from = from,
                              .to = to < c->count ? to : from,
                              .to_life = to < c->count ? c->nodes[to].life : 0,
                              .stream = stream});
}

void stage_end_stream(struct cluster *c, uint32_t stream, uint32_t end, enum link_end why,
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
                              stage_now_us(c, from)) > 0) {
        uint64_t at_us = c->net.now_us + stage_one_way_us(c);
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
                                  .piece = s->sent[end]++,
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
            const uint64_t at_us = c->net.now_us + stage_one_way_us(c);
            s->link[end] = 0;
            stage_end_stream(c, (uint32_t)(s - c->streams), 1 - end, LINK_END_EOF,
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

void stage_drain(struct cluster *c, uint32_t node)
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

void stage_discover(struct cluster *c, uint32_t node)
{
    struct sim_node *n = &c->nodes[node];
    for (uint32_t i = 0; i < c->count; i++) {
        const struct addr addr = stage_addr(i);
        if (i != node && !engine_knows_addr(n->engine, &addr)) {
            engine_candidate(n->engine, &addr, stage_now_us(c, node));
        }
    }
    engine_candidates_done(n->engine, stage_now_us(c, node));
    struct engine_status status;
    engine_status(n->engine, stage_now_us(c, node), &status);
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
    uint64_t at_us = c->net.now_us + stage_one_way_us(c);
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
        const struct addr from = stage_addr(e->from);
        s->life[1] = c->nodes[to].life;
        s->link[1] = engine_link_accept(c->nodes[to].engine, &from, stage_now_us(c, to));
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
        stage_drain(c, to);
    }
}

static void finish_dial(struct cluster *c, const struct event *e)
{
    struct stream *s = &c->streams[e->stream];
    struct sim_node *n = &c->nodes[e->to];
    if (e->why >= 0) {
        engine_link_down(n->engine, s->link[0], (enum link_end)e->why, stage_now_us(c, e->to));
    } else {
        const struct addr own = stage_addr(e->to);
        engine_link_up(n->engine, s->link[0], &own, stage_now_us(c, e->to));
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
        const bool is_next = e->piece == s->taken[sender];
        s->stuck_us[sender] = 0;
        if (!is_next) {
            /* One before it is still to be sent again, and a stream keeps its order. */
            network_at(&c->net, c->net.now_us + HOLD_UP_US, *e);
        }
        return !is_next;
    }
    s->stuck_us[sender] = s->stuck_us[sender] == 0 ? c->net.now_us : s->stuck_us[sender];
    if (c->net.now_us - s->stuck_us[sender] > CLUSTER_STUCK_US) {
        stage_end_stream(c, e->stream, 0, LINK_END_RESET, c->net.now_us);
        stage_end_stream(c, e->stream, 1, LINK_END_RESET, c->net.now_us);
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
    s->taken[sender]++;
    if (c->is_keeping && c->keep_to == e->to) {
        (void)!buf_append(&c->kept, e->data, e->len);
    }
    if (s->link[e->end] != 0) {
        engine_link_input(c->nodes[e->to].engine, s->link[e->end], e->data, e->len,
                          stage_now_us(c, e->to));
    }
    if (s->link[sender] != 0) {
        network_at(&c->net, c->net.now_us + stage_one_way_us(c),
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
                         stage_now_us(c, e->to));
    }
    s->is_open = s->link[0] != 0 || s->link[1] != 0;
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
        stage_discover(c, e->to);
        break;
    case EVENT_DIAL:
        break;
    }
}

static bool is_for_the_living(const struct cluster *c, const struct event *e)
{
    return c->nodes[e->to].is_up && c->nodes[e->to].life == e->to_life;
}

void stage_step(struct cluster *c, struct event *e)
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
    stage_drain(c, e->to);
    if (c->is_checked_often && c->net.age % CHECK_EVERY == 0) {
        engine_check(n->engine);
    }
}
