#include "tests/sim/pipe.h"

#include "tests/sim/stage.h"

enum {
    RTO_US = 200 * 1000,           /* Linux's least retransmission timeout, and delay of an ACK */
    PROBE_MIN_US = 8 * 1000,       /* Linux adds two ticks to a probe's two round trips */
    DIAL_TIMEOUT_US = 2000 * 1000, /* as the driver has it */
    OUTPUT_PIECE = 64 * 1024,
    OUTPUT_MAX = 8 << 20,
    SEGMENT_BYTES = 1448,
    SEGMENT_HEADERS = 52, /* IPv4 20, TCP 20, timestamps 12 */
    DIAL_HEADERS = 172,   /* SYN 60, SYN-ACK 60, ACK 52 */
    UPGRADE_ASK = 250,    /* the HTTP request and its answer, with headers */
    UPGRADE_ANSWER = 180,
    /* Instead, of a sealed one: TLS 1.3 with a pre-shared key (RFC 8446): ClientHello and Finished,
     * and what answers them; and 22 bytes around each 16 KiB. */
    SEALED_ASK = 360,
    SEALED_ANSWER = 270,
    SEALED_RECORD = 16384,
    SEALED_RECORD_HEADERS = 22,
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
    c->streams.all[stream].key_id = a->key_id;
    count_headers(c, from, DIAL_HEADERS);
    schedule(c, c->net.now_us + stage_one_way_us(c),
             &(struct event){.kind = EVENT_DIAL,
                             .from = from,
                             .to = to < c->count ? to : from,
                             .to_life = life,
                             .stream = stream,
                             .key_id = a->key_id});
}

/* Why a node does not accept a link. One that has not the key cannot finish the handshake. */
static enum link_end refusal(const struct engine *e, uint16_t key_id)
{
    const bool has_key = keyring_find(engine_keyring(e), key_id) != NULL;
    return has_key || key_id == KEYRING_ID_OPEN ? LINK_END_REJECTED : LINK_END_UNSEALED;
}

/* Whether streams between two nodes stand still: what one direction loses is not acknowledged. */
static bool is_closed(const struct cluster *c, uint32_t from, uint32_t to)
{
    return ((barrier_of(&c->barrier, from, to) | barrier_of(&c->barrier, to, from)) & BLOCK_TCP) !=
               0 ||
           (!c->nodes[to].is_up && c->nodes[to].is_silent);
}

/* How long a stopped process will not answer. Its kernel accepts connections, but nobody reads
 * their requests. */
static uint64_t asleep_us(const struct cluster *c, uint32_t node)
{
    const struct sim_node *n = &c->nodes[node];
    return n->is_up && n->paused_until_us > c->net.now_us ? n->paused_until_us - c->net.now_us : 0;
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
    const bool is_closed_now = to >= c->count || is_closed(c, from, to);
    const uint64_t wait_us = is_closed_now ? 0 : asleep_us(c, to);
    if (wait_us > 0 && wait_us < DIAL_TIMEOUT_US) {
        schedule(c, c->net.now_us + wait_us, e);
        return;
    }
    if (is_closed_now || wait_us > 0) {
        why = (int)LINK_END_TIMEOUT;
        at_us = c->net.now_us + DIAL_TIMEOUT_US;
    } else if (!c->nodes[to].is_up) {
        why = (int)LINK_END_REFUSED;
    } else if (to == from) {
        why = (int)LINK_END_SELF;
    } else {
        const struct addr addr = stage_addr(from);
        struct engine *there = c->nodes[to].engine;
        const uint32_t link = engine_link_accept(there, &addr, e->key_id, stage_now_us(c, to));
        c->streams.all[e->stream].life[1] = c->nodes[to].life;
        streams_set_link(&c->streams, e->stream, 1, link);
        why = link == 0 ? (int)refusal(there, e->key_id) : -1;
        const bool is_sealed = e->key_id != KEYRING_ID_OPEN;
        count_headers(c, from, is_sealed ? SEALED_ASK : UPGRADE_ASK);
        count_headers(c, to, is_sealed ? SEALED_ANSWER : UPGRADE_ANSWER);
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
        engine_link_up(c->nodes[e->to].engine, link, now_us);
    }
}

/* ---- Bytes ---- */

/* One attempt to send bytes. */
struct flight {
    uint64_t last_us;  /* until all of it has arrived */
    uint64_t heard_us; /* how long the repair of the loss before it takes; 0: it reveals no loss */
};

/* The time from sending a segment, whose acknowledgement reveals the loss of an earlier one, until
 * that one has arrived: one way for each step, and the quarter of a round trip that allows for
 * reordering (RFC 8985). */
static uint64_t repair_us(uint64_t one_way_us)
{
    return 3 * one_way_us + one_way_us / 2;
}

/* `is_alone`: nothing else is under way. */
static struct flight fly(struct cluster *c, uint32_t from, uint32_t to, size_t len, bool is_alone)
{
    const uint64_t one_way_us = stage_one_way_us(c);
    const uint64_t burst_us = burst_left_us(&c->burst, &c->net.rng, from, to, c->net.now_us);
    const size_t segments = (len + SEGMENT_BYTES - 1) / SEGMENT_BYTES;
    const uint64_t probe_us = 4 * one_way_us + (is_alone && segments == 1 ? RTO_US : PROBE_MIN_US);
    struct flight flight = {.last_us = one_way_us};
    if (c->stream_loss_ppm == 0 && burst_us == 0) {
        flight.heard_us = repair_us(one_way_us);
        return flight;
    }
    for (size_t i = segments; i-- > 0;) {
        if (burst_us == 0 && !network_chance(&c->net, c->stream_loss_ppm)) {
            flight.heard_us = repair_us(one_way_us);
            continue;
        }
        uint64_t late_us = flight.heard_us > 0 ? flight.heard_us - one_way_us : probe_us;
        uint64_t rto_us = RTO_US;
        c->effects.segments_resent++;
        while (late_us < burst_us || network_chance(&c->net, c->stream_loss_ppm)) {
            late_us += rto_us;
            rto_us *= 2;
            c->effects.segments_resent++;
        }
        if (one_way_us + late_us > flight.last_us) {
            flight.last_us = one_way_us + late_us;
        }
    }
    return flight;
}

/* Does to a piece what a broken proxy or a bad peer does: noise in its place, or words before it.
 * (TCP's checksum catches a faulty cable.) */
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

/* Bytes that end `end` has sent may arrive at `at_us`. */
static void schedule_bytes(struct cluster *c, uint32_t stream, uint32_t end, uint64_t at_us)
{
    const struct stream *s = &c->streams.all[stream];
    schedule(c, at_us,
             &(struct event){.kind = EVENT_BYTES,
                             .from = s->node[end],
                             .to = s->node[1 - end],
                             .to_life = s->life[1 - end],
                             .stream = stream,
                             .end = 1 - end});
}

/* The losses of what end `end` has under way are known: it has arrived at `at_us`. */
static void repair(struct cluster *c, uint32_t stream, uint32_t end, uint64_t at_us)
{
    struct stream *s = &c->streams.all[stream];
    for (struct piece *piece = s->first[end]; piece != NULL; piece = piece->next) {
        piece->due_us = piece->due_us < at_us ? piece->due_us : at_us;
    }
    s->free_us[end] = at_us;
    schedule_bytes(c, stream, end, at_us);
}

/* What TLS adds to so many bytes. */
static size_t record_headers(const struct stream *s, size_t len)
{
    const size_t records = (len + SEALED_RECORD - 1) / SEALED_RECORD;
    return s->key_id == KEYRING_ID_OPEN ? 0 : records * SEALED_RECORD_HEADERS;
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
            engine_link_output(c->nodes[from].engine, s->link[end], &out, NULL, OUTPUT_PIECE,
                               stage_now_us(c, from)) == 0) {
            break;
        }
        if (network_chance(&c->net, c->spoil_ppm)) {
            spoil(c, &out);
        }
        const size_t segments = (out.len + SEGMENT_BYTES - 1) / SEGMENT_BYTES;
        const struct flight flight = fly(c, from, to, out.len, s->in_flight[end] == 0);
        if (flight.last_us > CLUSTER_STUCK_US) {
            /* TCP_USER_TIMEOUT: both ends give up while it is being sent again and again. */
            give_up(c, stream, c->net.now_us + CLUSTER_STUCK_US);
        }
        if (flight.heard_us > 0 && s->free_us[end] > c->net.now_us + flight.heard_us &&
            !network_chance(&c->net, c->stream_loss_ppm)) {
            repair(c, stream, end, c->net.now_us + flight.heard_us);
        }
        const uint64_t due_us = c->net.now_us + flight.last_us;
        streams_push(&c->streams, stream, end, due_us > s->free_us[end] ? due_us : s->free_us[end],
                     buf_data(&out), out.len);
        c->traffic.stream_bytes += out.len;
        c->nodes[from].sent_bytes += out.len;
        count_headers(c, from, segments * SEGMENT_HEADERS + record_headers(s, out.len));
        count_headers(c, to, (segments + 1) / 2 * SEGMENT_HEADERS);
        schedule_bytes(c, stream, end, s->free_us[end]);
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

bool pipe_arrives(struct cluster *c, const struct event *e)
{
    struct stream *s = &c->streams.all[e->stream];
    const uint32_t sender = 1 - e->end;
    const uint64_t again_us = c->net.now_us + RTO_US;
    if (s->first[sender] == NULL || s->first[sender]->due_us > c->net.now_us) {
        return false; /* it came earlier than expected, or will come later */
    }
    if (!is_closed(c, e->from, e->to)) {
        s->stuck_us[sender] = 0;
        return true;
    }
    s->stuck_us[sender] = s->stuck_us[sender] == 0 ? c->net.now_us : s->stuck_us[sender];
    if (c->net.now_us - s->stuck_us[sender] > CLUSTER_STUCK_US) {
        give_up(c, e->stream, c->net.now_us);
        return false;
    }
    c->effects.pieces_held++;
    for (struct piece *piece = s->first[sender]; piece != NULL; piece = piece->next) {
        piece->due_us = piece->due_us > again_us ? piece->due_us : again_us;
    }
    s->free_us[sender] = s->free_us[sender] > again_us ? s->free_us[sender] : again_us;
    schedule_bytes(c, e->stream, sender, again_us);
    return false;
}

/* A piece has arrived: its sender may send more, and its receiver reads it. */
static void deliver(struct cluster *c, const struct event *e, const struct piece *piece)
{
    const struct stream *s = &c->streams.all[e->stream];
    const uint32_t sender = 1 - e->end;
    network_note(&c->net, piece->bytes, piece->len);
    if (c->is_keeping && c->keep_to == e->to) {
        (void)!buf_append(&c->kept, piece->bytes, piece->len);
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
        engine_link_input(c->nodes[e->to].engine, s->link[e->end], piece->bytes, piece->len,
                          stage_now_us(c, e->to));
    }
}

static void deliver_due(struct cluster *c, const struct event *e)
{
    const uint32_t sender = 1 - e->end;
    for (;;) {
        const struct piece *piece = c->streams.all[e->stream].first[sender];
        if (piece == NULL || piece->due_us > c->net.now_us) {
            return;
        }
        deliver(c, e, piece);
        streams_pop(&c->streams, e->stream, sender);
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

void pipe_lose_end(struct cluster *c, uint32_t node, uint32_t other)
{
    for (uint32_t i = 0; i < c->streams.count; i++) {
        const struct stream *s = &c->streams.all[i];
        for (uint32_t end = 0; s->is_used && end < 2; end++) {
            if (s->node[end] == node && s->node[1 - end] == other && s->link[end] != 0 &&
                s->link[1 - end] != 0) {
                c->effects.ends_lost++;
                pipe_end(c, i, end, LINK_END_RESET, c->net.now_us);
            }
        }
    }
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
        deliver_due(c, e);
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
    case EVENT_KEYS:
        break;
    }
}
