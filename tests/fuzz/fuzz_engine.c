/*
 * Sequences of frames and packets that are valid but for what the input changes, against an engine.
 *
 * Two engines, linked by a stream and by datagrams that tests/sim would call lossless, and four
 * peers that are nothing but what the input has them say: hellos, frames, packets, and frames that
 * an engine has said before. Among them time passes, clients put, get and list, links and dials
 * begin and end. tests/fuzz/choices.h turns the input into these decisions and tests/fuzz/grammar.h
 * into fields. After each step everything that the engines hold is walked, and what clients are
 * shown has not expired and is in order; no write is answered twice. Past 600 lines, because every
 * step acts on the same world.
 */
#include "core/base/assert.h"
#include "core/store/version.h"
#include "gossip/engine.h"
#include "gossip/engine_state.h"
#include "gossip/hello.h"
#include "gossip/membership/swim.h"
#include "tests/fuzz/grammar.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    START_US = 1000000,
    STEPS_MAX = 160, /* of one input: what it does later costs time and shows no more */
    TOKENS_MAX = 256,
    MANY = 200,
    DIALS_MAX = 8,
    DATAGRAMS_MAX = 32,
    HEARD_FRAMES = 8, /* of the engines, to be said again by peers */
    HEARD_BYTES = 2048,
    CROWD = 14, /* members enough for a large enclave */
    TICK_MAX_US = 500 * 1000,
};

#define WALL_MS UINT64_C(1767225600000)

struct heard_frame {
    uint8_t type, flags;
    size_t len;
    uint8_t bytes[HEARD_BYTES];
};

struct datagram {
    struct addr to;
    size_t len;
    uint8_t bytes[DATAGRAM_BYTES_MAX];
};

struct dial {
    uint32_t link; /* 0: no dial */
    struct addr to;
};

/* One of the two engines. */
struct node {
    struct engine *engine;
    struct addr addr;
    uint32_t pair; /* its link to the other engine; 0: none */
    struct dial dials[DIALS_MAX];
    struct datagram datagrams[DATAGRAMS_MAX]; /* sent, not arrived */
    uint32_t datagram_count;
    bool is_waiting[TOKENS_MAX]; /* for the answer to a write */
    uint32_t token;
};

struct world {
    struct choices in;
    struct told told;
    uint64_t now_us;
    bool is_flowing; /* what one engine sends reaches the other while time passes */
    struct node nodes[2];
    uint32_t links[PEERS]; /* to the first engine */
    struct heard_frame heard[HEARD_FRAMES];
    uint32_t heard_count;
    struct buf out;
};

static struct addr addr_of(uint32_t writer)
{
    const uint8_t ip[4] = {10, 0, writer < 2 ? 0 : 1, (uint8_t)(1 + writer)};
    return addr_v4(ip, 8081);
}

/* ---- What engines ask for ---- */

static void keep_dial(struct node *n, uint32_t link, const struct addr *to)
{
    for (uint32_t i = 0; i < DIALS_MAX; i++) {
        if (n->dials[i].link == 0) {
            n->dials[i] = (struct dial){.link = link, .to = *to};
            return;
        }
    }
    n->dials[0] = (struct dial){.link = link, .to = *to}; /* the other one never ends */
}

static void keep_datagram(struct world *w, struct node *n, const struct action *a)
{
    struct packet p;
    if (packet_read(a->data, a->len, &p) == RC_OK) {
        w->told.seq = p.seq;
        w->told.cookie = p.cookie != 0 ? p.cookie : w->told.cookie;
        w->told.cut_s = p.vitals.cut_s != 0 ? p.vitals.cut_s : w->told.cut_s;
    }
    if (n->datagram_count < DATAGRAMS_MAX) {
        struct datagram *d = &n->datagrams[n->datagram_count++];
        d->to = a->addr;
        d->len = a->len;
        memcpy(d->bytes, a->data, a->len);
    }
}

static void link_closed(struct world *w, struct node *n, uint32_t link)
{
    struct node *other = n == w->nodes ? n + 1 : n - 1;
    for (uint32_t i = 0; i < PEERS; i++) {
        w->links[i] = n == w->nodes && w->links[i] == link ? 0 : w->links[i];
    }
    for (uint32_t i = 0; i < DIALS_MAX; i++) {
        n->dials[i].link = n->dials[i].link == link ? 0 : n->dials[i].link;
    }
    if (n->pair == link) {
        n->pair = 0;
        if (other->pair != 0) {
            const uint32_t there = other->pair;
            other->pair = 0;
            engine_link_down(other->engine, there, LINK_END_EOF, w->now_us);
        }
    }
}

static void take_actions(struct world *w)
{
    struct action a;
    for (uint32_t i = 0; i < 2; i++) {
        struct node *n = &w->nodes[i];
        while (outbox_next(engine_outbox(n->engine), &a)) {
            if (a.kind == ACTION_DATAGRAM) {
                keep_datagram(w, n, &a);
            } else if (a.kind == ACTION_DIAL) {
                keep_dial(n, a.link, &a.addr);
            } else if (a.kind == ACTION_CLOSE) {
                link_closed(w, n, a.link);
            } else if (a.kind == ACTION_PUT_DONE) {
                ASSERT(n->is_waiting[a.put.token]);
                n->is_waiting[a.put.token] = false;
            }
        }
    }
}

/* Keeps what peers may say again, and what frames say of sessions. */
static void hear_frames(struct world *w, const uint8_t *bytes, size_t len)
{
    struct cursor c = cursor_reader(bytes, len);
    while (cursor_left(&c) >= FRAME_HEADER_BYTES) {
        struct heard_frame *f = &w->heard[w->heard_count % HEARD_FRAMES];
        const uint8_t type = cursor_u8(&c);
        const uint8_t flags = cursor_u8(&c);
        const uint32_t size = cursor_u32(&c);
        const uint8_t *payload = cursor_bytes(&c, size);
        if (payload == NULL) {
            return;
        }
        if (size <= HEARD_BYTES - 1) {
            f->type = type;
            f->flags = flags;
            f->len = size;
            memcpy(f->bytes, payload, size);
            w->heard_count++;
        }
        if (type >= FRAME_SYNC_GROUPS && type <= FRAME_SYNC_DONE && size > 0) {
            w->told.session = payload[0];
        }
        if (type == FRAME_SYNC_GROUPS) {
            struct cursor of = cursor_reader(payload + 1, size - 1);
            w->told.cut_s = cursor_u64(&of);
            w->told.key = cursor_u64(&of);
        }
    }
}

/* ---- Between the two engines ---- */

static void end_pair(struct world *w, enum link_end why)
{
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t link = w->nodes[i].pair;
        w->nodes[i].pair = 0;
        if (link != 0) {
            engine_link_down(w->nodes[i].engine, link, why, w->now_us);
        }
    }
    take_actions(w);
}

/* Bytes of one engine's link arrive at the other, spoiled or whole. */
static void carry(struct world *w, uint32_t from, bool is_spoiled)
{
    struct node *n = &w->nodes[from];
    struct node *to = &w->nodes[1 - from];
    if (n->pair == 0 || to->pair == 0) {
        return;
    }
    buf_clear(&w->out);
    (void)engine_link_output(n->engine, n->pair, &w->out, NULL, 4096, w->now_us);
    hear_frames(w, buf_data(&w->out), w->out.len);
    const size_t len = w->out.len;
    uint8_t *bytes = malloc(len + 1);
    ASSERT(bytes != NULL);
    memcpy(bytes, buf_data(&w->out), len);
    const size_t said = is_spoiled ? spoil(&w->in, bytes, len, len + 1) : len;
    take_actions(w);
    if (said > 0 && to->pair != 0) {
        engine_link_input(to->engine, to->pair, bytes, said, w->now_us);
    }
    free(bytes);
    take_actions(w);
}

static void deliver_datagrams(struct world *w, bool is_spoiled)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct node *n = &w->nodes[i];
        struct node *to = &w->nodes[1 - i];
        const uint32_t count = n->datagram_count;
        n->datagram_count = 0;
        for (uint32_t j = 0; j < count; j++) {
            struct datagram d = n->datagrams[j];
            if (addr_equal(&d.to, &to->addr)) {
                const size_t room = sizeof(d.bytes);
                const size_t len =
                    is_spoiled && d.len < room ? spoil(&w->in, d.bytes, d.len, room) : d.len;
                engine_datagram(to->engine, &n->addr, d.bytes, len, w->now_us);
                take_actions(w);
            }
        }
    }
}

/* Dials of one engine to the other come through, one pair at a time. */
static void connect_pair(struct world *w)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct node *n = &w->nodes[i];
        struct node *to = &w->nodes[1 - i];
        for (uint32_t j = 0; j < DIALS_MAX; j++) {
            const struct dial d = n->dials[j];
            if (d.link == 0 || !addr_equal(&d.to, &to->addr)) {
                continue;
            }
            n->dials[j].link = 0;
            const uint32_t there =
                n->pair != 0 ? 0 : engine_link_accept(to->engine, &n->addr, 0, w->now_us);
            if (there == 0) {
                engine_link_down(n->engine, d.link, LINK_END_REFUSED, w->now_us);
            } else {
                n->pair = d.link;
                to->pair = there;
                engine_link_up(n->engine, d.link, w->now_us);
            }
            take_actions(w);
        }
    }
}

static void flow(struct world *w)
{
    connect_pair(w);
    deliver_datagrams(w, false);
    for (uint32_t round = 0; round < 3; round++) {
        carry(w, 0, false);
        carry(w, 1, false);
    }
}

static void pass_time(struct world *w)
{
    static const uint64_t spans_us[] = {100000,  1000,     20000,    500000,    1000000,
                                        3000000, 10000000, 70000000, 3600000000};
    uint64_t left = choose_of(&w->in, spans_us, sizeof(spans_us) / sizeof(*spans_us));
    const uint64_t step = left / 20 > TICK_MAX_US ? left / 20 : TICK_MAX_US;
    while (left > 0) {
        const uint64_t us = left < step ? left : step;
        left -= us;
        w->now_us += us;
        for (uint32_t i = 0; i < 2; i++) {
            engine_tick(w->nodes[i].engine, w->now_us);
            take_actions(w);
        }
        if (w->is_flowing) {
            flow(w);
        }
    }
}

/* ---- Peers ---- */

static void say_bytes(struct world *w, uint32_t peer, const uint8_t *bytes, size_t len)
{
    /* A block of just that size, so that the sanitizer sees a read past it. */
    uint8_t *copy = malloc(len + (len == 0));
    ASSERT(copy != NULL);
    memcpy(copy, bytes, len);
    if (w->links[peer] != 0) {
        engine_link_input(w->nodes[0].engine, w->links[peer], copy, len, w->now_us);
    }
    free(copy);
    take_actions(w);
}

/* The payload stands in `bytes` behind room for the header. */
static void say_frame(struct world *w, uint32_t peer, uint8_t type, uint8_t flags, uint8_t *bytes,
                      size_t payload_len)
{
    const size_t said = spoil(&w->in, bytes + FRAME_HEADER_BYTES, payload_len,
                              payload_len + 1); /* each caller has one byte more */
    struct cursor header = cursor_writer(bytes, FRAME_HEADER_BYTES);
    frame_header_write(&header, (enum frame_type)type, flags, said);
    const size_t len = FRAME_HEADER_BYTES + said;
    if (choose(&w->in, 8) == 1) { /* in two pieces */
        const size_t first = 1 + choose_byte(&w->in) % len;
        say_bytes(w, peer, bytes, first);
        say_bytes(w, peer, bytes + first, len - first);
    } else {
        say_bytes(w, peer, bytes, len);
    }
}

static void say_pieces(struct world *w, uint32_t peer, uint8_t *bytes, size_t left)
{
    while (left > 0 && w->links[peer] != 0) {
        const size_t len = left < FRAME_LARGE_COPY_MAX ? left : FRAME_LARGE_COPY_MAX;
        memset(bytes + FRAME_HEADER_BYTES, 'v', len);
        say_frame(w, peer, FRAME_LARGE_DATA, 0, bytes, len);
        left -= len;
    }
}

static void say_one_record(struct world *w, uint32_t peer, uint8_t *bytes, size_t size)
{
    struct cursor c = cursor_writer(bytes + FRAME_HEADER_BYTES, size);
    const struct record r = say_record(&w->in, &w->told);
    const bool is_large = r.value_len > VALUE_INLINE_MAX;
    uint8_t kind = choose(&w->in, 4) == 1 ? say_u8(&w->in, 0) : RECORD_IS_COUNTED;
    kind &= (uint8_t) ~(RECORD_HAS_GUARD | RECORD_IS_SHADOW | RECORD_HAS_AHEAD);
    frame_record_write(&c, &r, kind, is_large);
    if (!is_large && (kind & RECORD_IS_GUARD) == 0) {
        cursor_put_bytes(&c, r.value, r.value_len);
    }
    say_frame(w, peer, is_large ? FRAME_LARGE_BEGIN : FRAME_RECORD, FRAME_CRITICAL, bytes, c.pos);
    if (is_large) {
        say_pieces(w, peer, bytes, r.value_len);
    }
}

static void say_any_frame(struct world *w, uint32_t peer)
{
    static const uint8_t types[] = {FRAME_HELLO,        FRAME_CLOSE,       FRAME_PACKET,
                                    FRAME_RECORD,       FRAME_ACK,         FRAME_NACK,
                                    FRAME_ROLE,         FRAME_CLOCK,       FRAME_STATE,
                                    FRAME_SYNC_GROUPS,  FRAME_SYNC_EPOCHS, FRAME_SYNC_SCOPE,
                                    FRAME_SYNC_LIST,    FRAME_SYNC_CELLS,  FRAME_SYNC_MORE,
                                    FRAME_SYNC_WANT,    FRAME_SYNC_DONE,   FRAME_SYNC_ROOT,
                                    FRAME_JOIN,         FRAME_JOIN_DONE,   FRAME_RECORDS,
                                    FRAME_TREE_HAVE,    FRAME_TREE_GRAFT,  FRAME_TREE_PRUNE,
                                    FRAME_TREE_HELD,    FRAME_LARGE_DATA,  0,
                                    FRAME_TREE_HELD + 1};
    static uint8_t bytes[FRAME_HEADER_BYTES + FRAME_PAYLOAD_MAX + 1];
    struct cursor c = cursor_writer(bytes + FRAME_HEADER_BYTES, FRAME_PAYLOAD_MAX);
    const uint8_t type = types[choose(&w->in, sizeof(types))];
    if (type == FRAME_RECORD) {
        say_one_record(w, peer, bytes, FRAME_PAYLOAD_MAX);
        return;
    }
    if (type == FRAME_HELLO) {
        say_hello(&w->in, &w->told, 2 + peer, &c);
    } else if (type == FRAME_PACKET) {
        uint8_t packet[DATAGRAM_BYTES_MAX];
        const size_t len = say_packet(&w->in, &w->told, 2 + peer, packet);
        cursor_put_bytes(&c, packet, len);
    } else if (type == FRAME_RECORDS) {
        say_batch(&w->in, &w->told, &c);
    } else {
        say_letters(&w->in, &w->told, frame_letters(type), &c);
    }
    const uint8_t flags = choose(&w->in, 8) == 1 ? 0 : FRAME_CRITICAL;
    say_frame(w, peer, type, flags, bytes, c.pos);
}

/* What an engine has said before, from another mouth. */
static void say_again(struct world *w, uint32_t peer)
{
    uint8_t bytes[FRAME_HEADER_BYTES + HEARD_BYTES];
    const struct heard_frame *f = &w->heard[choose(&w->in, HEARD_FRAMES)];
    memcpy(bytes + FRAME_HEADER_BYTES, f->bytes, f->len);
    say_frame(w, peer, f->type, f->flags, bytes, f->len);
}

static void say_datagram(struct world *w, uint32_t peer)
{
    uint8_t bytes[DATAGRAM_BYTES_MAX + 1];
    const struct addr from = addr_of(2 + peer);
    const size_t len = say_packet(&w->in, &w->told, 2 + peer, bytes);
    const size_t said = spoil(&w->in, bytes, len, sizeof(bytes));
    engine_datagram(w->nodes[0].engine, &from, bytes, said, w->now_us);
    take_actions(w);
}

/* A link that the peer has dialed, or an answer to the engine's own dial. */
static void begin_link(struct world *w, uint32_t peer)
{
    static uint8_t bytes[FRAME_HEADER_BYTES + 1024];
    struct node *n = &w->nodes[0];
    const struct addr from = addr_of(2 + peer);
    uint32_t link = 0;
    if (w->links[peer] != 0) {
        return;
    }
    for (uint32_t i = 0; i < DIALS_MAX && link == 0; i++) {
        if (n->dials[i].link != 0 && addr_equal(&n->dials[i].to, &from)) {
            link = n->dials[i].link;
            n->dials[i].link = 0;
            if (choose(&w->in, 4) == 1) {
                engine_link_down(n->engine, link, LINK_END_REFUSED, w->now_us);
                take_actions(w);
                return;
            }
            engine_link_up(n->engine, link, w->now_us);
        }
    }
    w->links[peer] = link != 0 ? link : engine_link_accept(n->engine, &from, 0, w->now_us);
    take_actions(w);
    const struct link *l = mesh_find(n->engine->mesh, w->links[peer]);
    w->told.token = l != NULL ? hello_token(n->engine, l) : 0;
    struct cursor c = cursor_writer(bytes + FRAME_HEADER_BYTES, sizeof(bytes) - 8);
    say_hello(&w->in, &w->told, 2 + peer, &c);
    say_frame(w, peer, FRAME_HELLO, FRAME_CRITICAL, bytes, c.pos);
}

static void end_link(struct world *w, uint32_t peer)
{
    const uint32_t link = w->links[peer];
    const enum link_end why = (enum link_end)choose(&w->in, LINK_END_SELF + 1);
    w->links[peer] = 0;
    if (link != 0) {
        engine_link_down(w->nodes[0].engine, link, why, w->now_us);
    }
    take_actions(w);
}

static void hear_link(struct world *w, uint32_t peer)
{
    static const uint64_t lens[] = {65536, 1, 100, 4096};
    const size_t len_max = (size_t)choose_of(&w->in, lens, sizeof(lens) / sizeof(*lens));
    buf_clear(&w->out);
    if (w->links[peer] != 0) {
        (void)engine_link_output(w->nodes[0].engine, w->links[peer], &w->out, NULL, len_max,
                                 w->now_us);
        hear_frames(w, buf_data(&w->out), w->out.len);
    }
    take_actions(w);
}

/* ---- Clients ---- */

static void put(struct world *w, struct node *n)
{
    static const uint64_t ttls_ms[] = {60000, 1000, 1, 64000, 3600000, DAY_MS, 30 * DAY_MS};
    struct version version = {.stamp = w->told.clock_ms << VERSION_COUNTER_BITS};
    struct put p = {.token = n->token, .value = value_bytes()};
    p.key = say_key(&w->in, &p.key_len);
    p.value_len = say_value_len(&w->in);
    p.ttl_ms = choose_of(&w->in, ttls_ms, sizeof(ttls_ms) / sizeof(*ttls_ms));
    p.condition = (enum put_condition)choose(&w->in, PUT_IF_NONE_MATCH + 1);
    p.is_any = choose(&w->in, 2) == 0;
    version.origin = say_uuid(&w->in, &w->told, 0);
    p.versions = &version;
    p.version_count = p.is_any ? 0 : 1;
    if (n->is_waiting[n->token]) {
        return;
    }
    n->is_waiting[n->token] = true;
    n->is_waiting[n->token] = engine_put(n->engine, &p, w->now_us) == RC_OK;
    n->token = (n->token + 1) % TOKENS_MAX;
    take_actions(w);
}

/* So many records of one node that a reconciliation of them takes a stream of cells. */
static void put_many(struct world *w, struct node *n)
{
    uint8_t key[] = "many-0000";
    struct put p = {.key = key, .key_len = sizeof(key) - 1, .value = value_bytes(), .value_len = 4};
    key[4] = (uint8_t)('0' + (n - w->nodes));
    for (uint32_t i = 0; i < MANY && !n->is_waiting[n->token]; i++) {
        key[5] = (uint8_t)('a' + i / 26);
        key[6] = (uint8_t)('a' + i % 26);
        p.token = n->token;
        p.ttl_ms = 600000;
        n->is_waiting[n->token] = true;
        n->is_waiting[n->token] = engine_put(n->engine, &p, w->now_us) == RC_OK;
        n->token = (n->token + 1) % TOKENS_MAX;
        take_actions(w);
    }
}

/* What a client finds, by key and in order. */
static void look(const struct world *w, const struct node *n)
{
    const uint64_t clock_ms = engine_clock_ms(n->engine, w->now_us);
    uint8_t after[KEY_BYTES_MAX];
    size_t after_len = 0;
    struct record r;
    struct record found;
    while (engine_next_key(n->engine, NULL, 0, after, after_len, w->now_us, &r) == RC_OK) {
        ASSERT(r.expiry_ms > clock_ms && !r.is_shadow);
        ASSERT(after_len == 0 ||
               memcmp(r.key, after, r.key_len < after_len ? r.key_len : after_len) >= 0);
        ASSERT(engine_get(n->engine, r.key, r.key_len, w->now_us, &found) == RC_OK);
        ASSERT(version_compare(&found.version, &r.version) == 0);
        after_len = r.key_len;
        memcpy(after, r.key, r.key_len);
    }
}

/* ---- Steps ---- */

static void other_step(struct world *w)
{
    struct node *n = &w->nodes[choose(&w->in, 2)];
    const struct addr addr = addr_of(choose(&w->in, WRITERS));
    switch (choose(&w->in, 8)) {
    case 0:
        engine_candidate(n->engine, &addr, w->now_us);
        break;
    case 1:
        engine_refused(n->engine, &addr, w->now_us);
        break;
    case 2:
        end_pair(w, LINK_END_RESET);
        break;
    case 3:
        carry(w, n == w->nodes ? 0 : 1, true);
        break;
    case 4:
        deliver_datagrams(w, true);
        break;
    case 5:
        /* First it drains, and the next time it leaves. */
        if ((engine_unready(n->engine) & READY_DRAINING) != 0) {
            engine_leave(n->engine, w->now_us);
        } else {
            engine_drain(n->engine, w->now_us);
        }
        break;
    case 6:
        put_many(w, n);
        break;
    default:
        w->is_flowing = !w->is_flowing;
        break;
    }
    take_actions(w);
}

static void step(struct world *w)
{
    const uint32_t what = choose(&w->in, 16);
    const uint32_t peer = what >= 5 ? choose(&w->in, PEERS) : 0;
    switch (what) {
    case 0:
    case 1:
        pass_time(w);
        break;
    case 2:
    case 3:
        put(w, &w->nodes[what - 2]);
        break;
    case 4:
        other_step(w);
        break;
    case 5:
        end_link(w, peer);
        break;
    case 6:
    case 7:
        begin_link(w, peer);
        break;
    case 8:
        hear_link(w, peer);
        break;
    case 9:
        say_again(w, peer);
        break;
    case 10:
    case 11:
        say_datagram(w, peer);
        break;
    default:
        say_any_frame(w, peer);
        break;
    }
}

static void check(struct world *w)
{
    w->told.clock_ms = engine_clock_ms(w->nodes[0].engine, w->now_us);
    for (uint32_t i = 0; i < 2; i++) {
        engine_check(w->nodes[i].engine);
        look(w, &w->nodes[i]);
    }
}

/* ---- The world ---- */

static struct engine *new_engine(uint32_t number, uint64_t bytes_max)
{
    struct engine_config config = {
        .uuid = {{(uint8_t)(1 + number)}},
        .host_tag = 7,
        .seed = 2 + number,
        .table_seed = 3,
        .wall_ms = WALL_MS,
        .name = "node0",
        .network = "fuzz",
        .enclave = "default",
        .addr_count = 1,
        .replication_factor = 3,
        .write_timeout_ms = 1000,
        .bytes_max = bytes_max,
        .value_max = 1 << 20,
        .ttl_min_ms = 1,
        .ttl_max_ms = 30 * DAY_MS,
    };
    config.name[4] = (char)('0' + number);
    config.addrs[0] = (struct member_addr){SCOPE_GLOBAL, addr_of(number)};
    return engine_new(&config, START_US);
}

/* So many mates that the enclave is large, and writes travel along its trees. */
static void meet_crowd(struct world *w)
{
    struct member *m = NULL;
    struct member_card card = {.version_min = PROTOCOL_VERSION_MIN,
                               .version_max = PROTOCOL_VERSION_MAX,
                               .name = "crowd",
                               .enclave = "default"};
    for (uint32_t i = 0; i < CROWD; i++) {
        card.uuid = i < PEERS ? w->told.uuids[2 + i] : (struct uuid){{100, (uint8_t)i}};
        ASSERT(swim_meet(w->nodes[0].engine->swim, &card, NULL, w->now_us, &m) == RC_OK);
    }
    engine_tick(w->nodes[0].engine, w->now_us); /* hears of them */
}

static struct world *new_world(const uint8_t *data, size_t size)
{
    struct world *w = calloc(1, sizeof(*w));
    ASSERT(w != NULL);
    w->in = (struct choices){.data = data, .size = size};
    w->now_us = START_US;
    w->is_flowing = true;
    buf_init(&w->out, 16 << 20);
    for (uint32_t i = 0; i < WRITERS; i++) {
        w->told.uuids[i] = (struct uuid){{(uint8_t)(1 + i)}};
    }
    w->told.cluster = swim_cluster_hash("fuzz");
    const uint32_t kind = choose(&w->in, 8);
    for (uint32_t i = 0; i < 2; i++) {
        w->nodes[i].engine = new_engine(i, (kind & 1) != 0 ? 100 << 10 : 8 << 20);
        w->nodes[i].addr = addr_of(i);
        if ((kind & 4) == 0) { /* else neither has ended its discovery yet */
            engine_candidates_done(w->nodes[i].engine, true, w->now_us);
        }
    }
    if ((kind & 2) != 0) {
        meet_crowd(w);
    }
    engine_candidate(w->nodes[1].engine, &w->nodes[0].addr, w->now_us);
    take_actions(w);
    return w;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world *w = new_world(data, size);
    for (uint32_t i = 0; i < STEPS_MAX && !choices_are_over(&w->in); i++) {
        step(w);
        check(w);
    }
    for (uint32_t i = 0; i < 2; i++) {
        engine_free(w->nodes[i].engine);
    }
    buf_fini(&w->out);
    free(w);
    return 0;
}
