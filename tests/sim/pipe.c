#include "tests/sim/pipe.h"

#include "tests/sim/stage.h"

enum {
    HOLD_UP_US = 20 * 1000,        /* how soon what waits for an earlier piece looks again */
    RTO_US = 200 * 1000,           /* a stream's probe and retransmission (RFC 8985, 6298) */
    DIAL_TIMEOUT_US = 2000 * 1000, /* as the driver has it */
    OUTPUT_PIECE = 64 * 1024,
    OUTPUT_MAX = 8 << 20,
    SEGMENT_BYTES = 1448,
    SEGMENT_HEADERS = 52,      /* IPv4 20, TCP 20, timestamps 12 */
    FAST_RETRANSMIT_AFTER = 3, /* segments behind a lost one that show the loss (RFC 5681) */
    DIAL_HEADERS = 172,        /* SYN 60, SYN-ACK 60, ACK 52 */
    UPGRADE_ASK = 250,         /* the HTTP request and its answer, with headers */
    UPGRADE_ANSWER = 180,
    CLOSE_HEADERS = 104, /* FIN and its ACK, each side */
    NOISE_BYTES = 256,
};

static bool is_of_stream(enum event_kind kind)
{
    return kind == EVENT_DIAL || kind == EVENT_DIAL_DONE || kind == EVENT_BYTES ||
           kind == EVENT_DRAINED || kind == EVENT_END;
}

static void schedule(struct cluster *c, uint64_t at_us, const struct event *e)
{
    c->streams.all[e->stream].events++;
    network_at(&c->net, at_us, e);
}

bool pipe_is_quiet(const struct cluster *c)
{
    for (uint32_t i = 0; i < c->streams.count; i++) {
        const struct stream *s = &c->streams.all[i];
        for (uint32_t end = 0; s->is_used && end < 2; end++) {
            if (s->in_flight[end] > 0 && s->link[1 - end] != 0 &&
                s->free_us[end] > c->net.now_us + RTO_US) {
                return false;
            }
        }
    }
    return true;
}

void pipe_put_off(struct cluster *c, const struct event *e, uint64_t at_us)
{
    if (is_of_stream(e->kind)) {
        schedule(c, at_us, e);
    } else {
        network_at(&c->net, at_us, e);
    }
}

void pipe_event_over(struct cluster *c, const struct event *e)
{
    if (is_of_stream(e->kind)) {
        c->streams.all[e->stream].events--;
        streams_release(&c->streams, e->stream);
    }
}

static void count_headers(struct cluster *c, uint32_t node, uint64_t bytes)
{
    c->traffic.stream_headers += bytes;
    c->nodes[node].sent_bytes += bytes;
}

/* ---- Beginning ---- */

void pipe_dial(struct cluster *c, uint32_t from, const struct action *a)
{
    const uint32_t to = stage_node_at(c, &a->addr);
    const uint32_t life = to < c->count ? c->nodes[to].life : 0;
    const uint32_t stream = streams_add(&c->streams, from, c->nodes[from].life, a->link, to, life);
    count_headers(c, from, DIAL_HEADERS);
    schedule(c, c->net.now_us + stage_one_way_us(c),
             &(struct event){.kind = EVENT_DIAL,
                             .from = from,
                             .to = to < c->count ? to : from,
                             .to_life = life,
                             .stream = stream});
}

/* Whether streams between two nodes stand still: what one direction loses is not acknowledged. */
static bool is_closed(const struct cluster *c, uint32_t from, uint32_t to)
{
    return ((barrier_of(&c->barrier, from, to) | barrier_of(&c->barrier, to, from)) & BLOCK_TCP) !=
               0 ||
           (!c->nodes[to].is_up && c->nodes[to].is_silent);
}

void pipe_answer(struct cluster *c, const struct event *e)
{
    const uint32_t from = e->from;
    const uint32_t to = c->streams.all[e->stream].node[1];
    uint64_t at_us = c->net.now_us + stage_one_way_us(c);
    int why = -1;
    if (c->streams.all[e->stream].link[0] == 0) {
        return; /* the dialer is gone, or has thought better of it */
    }
    if (to >= c->count || is_closed(c, from, to)) {
        why = (int)LINK_END_TIMEOUT;
        at_us = c->net.now_us + DIAL_TIMEOUT_US;
    } else if (!c->nodes[to].is_up) {
        why = (int)LINK_END_REFUSED;
    } else if (to == from) {
        why = (int)LINK_END_SELF;
    } else {
        const struct addr addr = stage_addr(from);
        const uint32_t link = engine_link_accept(c->nodes[to].engine, &addr, stage_now_us(c, to));
        c->streams.all[e->stream].life[1] = c->nodes[to].life;
        streams_set_link(&c->streams, e->stream, 1, link);
        why = link == 0 ? (int)LINK_END_REJECTED : -1;
        count_headers(c, from, UPGRADE_ASK);
        count_headers(c, to, UPGRADE_ANSWER);
    }
    c->streams.all[e->stream].free_us[1] = at_us; /* no byte overtakes the answer */
    schedule(c, at_us,
             &(struct event){.kind = EVENT_DIAL_DONE,
                             .to = from,
                             .to_life = c->streams.all[e->stream].life[0],
                             .stream = e->stream,
                             .why = why});
    if (why < 0) {
        stage_drain(c, to);
    }
}

static void finish_dial(struct cluster *c, const struct event *e)
{
    const uint32_t link = c->streams.all[e->stream].link[0];
    const uint64_t now_us = stage_now_us(c, e->to);
    if (link == 0) {
        return;
    }
    if (e->why >= 0) {
        streams_set_link(&c->streams, e->stream, 0, 0);
        engine_link_down(c->nodes[e->to].engine, link, (enum link_end)e->why, now_us);
    } else {
        const struct addr own = stage_addr(e->to);
        engine_link_up(c->nodes[e->to].engine, link, &own, now_us);
    }
}

/* ---- Bytes ---- */

/* How long the segments of one flight take until the last has arrived. */
static uint64_t flight_us(struct cluster *c, uint32_t from, uint32_t to, size_t len)
{
    const uint64_t one_way_us = stage_one_way_us(c);
    const uint64_t burst_us = burst_left_us(&c->burst, &c->net.rng, from, to, c->net.now_us);
    const size_t segments = (len + SEGMENT_BYTES - 1) / SEGMENT_BYTES;
    uint64_t last_us = one_way_us;
    if (c->stream_loss_ppm == 0 && burst_us == 0) {
        return one_way_us;
    }
    for (size_t i = 0; i < segments; i++) {
        uint64_t late_us = 0;
        uint64_t rto_us = RTO_US;
        bool is_fast = burst_us == 0 && i + FAST_RETRANSMIT_AFTER < segments;
        bool is_probe = !is_fast; /* the first is the tail loss probe, which doubles nothing */
        while (late_us < burst_us || network_chance(&c->net, c->stream_loss_ppm)) {
            late_us += is_fast ? 2 * one_way_us : rto_us;
            rto_us = is_fast || is_probe ? rto_us : 2 * rto_us;
            is_fast = false;
            is_probe = false;
            c->effects.segments_resent++;
        }
        last_us = one_way_us + late_us > last_us ? one_way_us + late_us : last_us;
    }
    return last_us;
}

/* What a broken proxy or a bad peer makes of a piece: noise in its place, or words before it. (What
 * a faulty cable does TCP's checksum tells.) */
static void spoil(struct cluster *c, struct buf *out)
{
    static const char words[] = "HTTP/1.1 502 Bad Gateway\r\n\r\n";
    uint8_t noise[NOISE_BYTES];
    c->effects.streams_spoiled++;
    buf_clear(out);
    if (rng_below(&c->net.rng, 2) == 0) {
        (void)!buf_append(out, words, sizeof(words) - 1);
        return;
    }
    for (size_t i = 0; i < sizeof(noise); i++) {
        noise[i] = (uint8_t)rng_next(&c->net.rng);
    }
    (void)!buf_append(out, noise, sizeof(noise));
}

/* Nothing was acknowledged for too long: the stream ends on both sides. */
static void give_up(struct cluster *c, uint32_t stream, uint64_t at_us)
{
    c->effects.streams_reset++;
    pipe_end(c, stream, 0, LINK_END_RESET, at_us);
    pipe_end(c, stream, 1, LINK_END_RESET, at_us);
}

/* Takes what the engine has for a link, as far as the window allows, and sends it in order. */
static void pump(struct cluster *c, uint32_t stream, uint32_t end)
{
    struct buf out;
    const uint32_t from = c->streams.all[stream].node[end];
    const uint32_t to = c->streams.all[stream].node[1 - end];
    buf_init(&out, OUTPUT_MAX);
    for (;;) {
        struct stream *s = &c->streams.all[stream];
        if (s->in_flight[end] >= STREAM_WINDOW ||
            engine_link_output(c->nodes[from].engine, s->link[end], &out, OUTPUT_PIECE,
                               stage_now_us(c, from)) == 0) {
            break;
        }
        if (network_chance(&c->net, c->spoil_ppm)) {
            spoil(c, &out);
        }
        const size_t segments = (out.len + SEGMENT_BYTES - 1) / SEGMENT_BYTES;
        const uint64_t flight = flight_us(c, from, to, out.len);
        uint64_t at_us = c->net.now_us + flight;
        if (flight > CLUSTER_STUCK_US) {
            /* TCP_USER_TIMEOUT: both ends give up while it is being sent again and again. */
            give_up(c, stream, c->net.now_us + CLUSTER_STUCK_US);
        }
        at_us = at_us > s->free_us[end] ? at_us : s->free_us[end];
        s->free_us[end] = at_us;
        s->in_flight[end] += out.len;
        c->traffic.stream_bytes += out.len;
        c->nodes[from].sent_bytes += out.len;
        count_headers(c, from, segments * SEGMENT_HEADERS);
        count_headers(c, to, (segments + 1) / 2 * SEGMENT_HEADERS);
        schedule(c, at_us,
                 &(struct event){.kind = EVENT_BYTES,
                                 .from = from,
                                 .to = to,
                                 .to_life = s->life[1 - end],
                                 .stream = stream,
                                 .end = 1 - end,
                                 .piece = s->sent[end]++,
                                 .data = buf_data(&out),
                                 .len = out.len});
        buf_clear(&out);
    }
    buf_fini(&out);
}

void pipe_output(struct cluster *c, uint32_t node, uint32_t link)
{
    uint32_t end = 0;
    const struct stream *s = streams_find(&c->streams, node, link, &end);
    if (s != NULL) {
        pump(c, (uint32_t)(s - c->streams.all), end);
    }
}

bool pipe_is_stuck(struct cluster *c, const struct event *e)
{
    struct stream *s = &c->streams.all[e->stream];
    const uint32_t sender = 1 - e->end;
    if (!is_closed(c, e->from, e->to)) {
        const bool is_next = e->piece == s->taken[sender];
        s->stuck_us[sender] = 0;
        if (!is_next) {
            /* One before it is still to be sent again, and a stream keeps its order. */
            schedule(c, c->net.now_us + HOLD_UP_US, e);
        }
        return !is_next;
    }
    s->stuck_us[sender] = s->stuck_us[sender] == 0 ? c->net.now_us : s->stuck_us[sender];
    if (c->net.now_us - s->stuck_us[sender] > CLUSTER_STUCK_US) {
        give_up(c, e->stream, c->net.now_us);
        return true;
    }
    c->effects.pieces_held++;
    schedule(c, c->net.now_us + RTO_US, e);
    s->free_us[sender] = c->net.now_us + RTO_US;
    return true;
}

static void deliver(struct cluster *c, const struct event *e)
{
    struct stream *s = &c->streams.all[e->stream];
    const uint32_t sender = 1 - e->end;
    s->in_flight[sender] -= e->len;
    s->taken[sender]++;
    if (c->is_keeping && c->keep_to == e->to) {
        (void)!buf_append(&c->kept, e->data, e->len);
    }
    if (s->link[sender] != 0) {
        schedule(c, c->net.now_us + stage_one_way_us(c),
                 &(struct event){.kind = EVENT_DRAINED,
                                 .to = e->from,
                                 .to_life = s->life[sender],
                                 .stream = e->stream,
                                 .end = sender});
    }
    if (s->link[e->end] != 0) {
        engine_link_input(c->nodes[e->to].engine, s->link[e->end], e->data, e->len,
                          stage_now_us(c, e->to));
    }
}

/* ---- Ending ---- */

void pipe_end(struct cluster *c, uint32_t stream, uint32_t end, enum link_end why, uint64_t at_us)
{
    const struct stream *s = &c->streams.all[stream];
    if (s->node[end] >= c->count) {
        return;
    }
    count_headers(c, s->node[1 - end], CLOSE_HEADERS);
    schedule(c, at_us,
             &(struct event){.kind = EVENT_END,
                             .to = s->node[end],
                             .to_life = s->life[end],
                             .stream = stream,
                             .end = end,
                             .why = (int)why});
}

void pipe_close(struct cluster *c, uint32_t node, uint32_t link)
{
    uint32_t end = 0;
    const struct stream *s = streams_find(&c->streams, node, link, &end);
    if (s != NULL) {
        const uint32_t stream = (uint32_t)(s - c->streams.all);
        const uint64_t at_us = c->net.now_us + stage_one_way_us(c);
        pipe_end(c, stream, 1 - end, LINK_END_EOF,
                 at_us > s->free_us[end] ? at_us : s->free_us[end]);
        streams_set_link(&c->streams, stream, end, 0);
    }
}

static void take_end(struct cluster *c, const struct event *e)
{
    const uint32_t link = c->streams.all[e->stream].link[e->end];
    if (link != 0) {
        streams_set_link(&c->streams, e->stream, e->end, 0);
        engine_link_down(c->nodes[e->to].engine, link, (enum link_end)e->why,
                         stage_now_us(c, e->to));
    }
}

void pipe_take(struct cluster *c, const struct event *e)
{
    switch (e->kind) {
    case EVENT_DIAL_DONE:
        finish_dial(c, e);
        break;
    case EVENT_BYTES:
        deliver(c, e);
        break;
    case EVENT_DRAINED:
        if (c->streams.all[e->stream].link[e->end] != 0) {
            pump(c, e->stream, e->end);
        }
        break;
    case EVENT_END:
        take_end(c, e);
        break;
    case EVENT_TICK:
    case EVENT_DATAGRAM:
    case EVENT_REFUSED:
    case EVENT_DIAL:
    case EVENT_DISCOVERY:
        break;
    }
}
