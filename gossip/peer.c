/* The links' side of the engine: how they begin, what goes out on them, and how they end. */
#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/units.h"
#include "gossip/engine.h"
#include "gossip/engine_state.h"
#include "gossip/tree_links.h"
#include "gossip/wiring.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    CLOSE_FLUSH_US = 2000 * 1000,    /* a link being closed may take this long to flush */
    LINK_IDLE_US = 20 * 1000 * 1000, /* a link without a reason ends after so long without use */
    HELLO_SIZE_MAX = 8 + 2 + 4 + 1 + 8 + 24 + ADDR_WIRE_MAX + CARD_WIRE_MAX,
};

/* ---- Links come and go ---- */

/* Nobody uses the link any more, which was `m`'s (NULL: nobody's). */
static void detach(struct engine *e, struct link *l, struct member *m)
{
    sync_link_gone(e->sync, l);
    tree_link_gone(e->tree, l->id, e->now_us);
    e->is_meshed = false;
    peer_look_by(e, reconcile_link_gone(&e->reconcile, l, e->now_us));
    if (m != NULL && rival_of(e, m) != NULL) {
        peer_look_by(e, e->now_us);
    }
}

static void drop(struct engine *e, struct link *l)
{
    struct member *m = l->member;
    detach(e, l, m);
    mesh_remove(e->mesh, l);
    if (m != NULL) {
        voters_link_gone(e, m);
    }
}

void peer_end(struct engine *e, struct link *l, enum close_reason reason)
{
    struct member *m = l->member;
    if (m != NULL && m->link == l->id) {
        m->link = 0;
    }
    const uint8_t payload[1] = {(uint8_t)reason};
    if (reason != 0 &&
        link_control(l, FRAME_CLOSE, FRAME_CRITICAL, payload, sizeof(payload)) == RC_OK) {
        l->state = LINK_CLOSING;
        l->since_us = e->now_us;
        l->member = NULL; /* which may be forgotten before the link is gone */
        detach(e, l, m);
        if (m != NULL) {
            voters_link_gone(e, m);
        }
        mesh_ask_output(e->mesh, l);
        peer_look_by(e, e->now_us + CLOSE_FLUSH_US);
        return;
    }
    outbox_close(e->outbox, l->id);
    drop(e, l);
}

static void say_hello(struct engine *e, struct link *l)
{
    struct frame_hello hello = {
        .cluster = swim_cluster_hash(e->config.network),
        .version_min = PROTOCOL_VERSION_MIN,
        .version_max = PROTOCOL_VERSION_MAX,
        .flags = engine_flags(e),
        .clock_us = e->clock.is_set ? clock_now_us(&e->clock, e->now_us) : 0,
        .value_max = e->config.value_max,
        .ttl_min_ms = e->config.ttl_min_ms,
        .ttl_max_ms = e->config.ttl_max_ms,
        .seen_as = l->addr,
    };
    member_card(swim_self(e->swim), &hello.card);
    uint8_t payload[HELLO_SIZE_MAX];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    frame_hello_write(&c, &hello);
    ASSERT(cursor_ok(&c));
    const enum rc rc = link_control(l, FRAME_HELLO, FRAME_CRITICAL, payload, c.pos);
    ASSERT(rc == RC_OK);
    l->terms.said_ready = (hello.flags & MEMBER_IS_CAUGHT_UP) != 0;
    l->terms.said_records = (hello.flags & MEMBER_HAS_RECORDS) != 0;
    l->state = LINK_HELLO;
    l->since_us = e->now_us;
    mesh_ask_output(e->mesh, l);
    peer_look_by(e, e->now_us + LINK_HELLO_TIMEOUT_US);
}

uint32_t engine_link_accept(struct engine *e, const struct addr *from, uint64_t now_us)
{
    engine_advance(e, now_us);
    struct link *l =
        mesh_may_accept(e->mesh) ? mesh_add(e->mesh, LINK_HELLO, false, from, now_us) : NULL;
    if (l == NULL) {
        return 0;
    }
    say_hello(e, l);
    return l->id;
}

void engine_link_up(struct engine *e, uint32_t link, const struct addr *seen_as, uint64_t now_us)
{
    engine_advance(e, now_us);
    struct link *l = mesh_find(e->mesh, link);
    if (l != NULL && l->state == LINK_DIALING) {
        l->seen_as = *seen_as;
        say_hello(e, l);
    }
    engine_settle(e);
}

static const char *end_text(enum link_end why)
{
    switch (why) {
    case LINK_END_EOF:
        return "closed by the peer";
    case LINK_END_RESET:
        return "reset";
    case LINK_END_REFUSED:
        return "refused";
    case LINK_END_TIMEOUT:
        return "timed out";
    case LINK_END_REJECTED:
        return "rejected by something that is no peer";
    case LINK_END_SELF:
        return "reached this node itself";
    }
    return "?";
}

/* A dial failed: settles the candidate, or has the member tried again later. */
static void dial_failed(struct engine *e, const struct link *l, enum link_end why)
{
    swim_candidate_failed(e->swim, &l->addr, e->now_us);
    struct member *m = swim_find_addr(e->swim, &l->addr);
    if (m == NULL || m->is_self) {
        return;
    }
    mesh_failed(e->mesh, m, e->now_us);
    if (why == LINK_END_REFUSED) {
        swim_refused(e->swim, &l->addr, e->now_us);
    }
}

static struct reconcile_env reconcile_env(struct engine *e)
{
    return (struct reconcile_env){
        .store = e->store,
        .swim = e->swim,
        .mesh = e->mesh,
        .sync = e->sync,
        .overlay = &e->overlay,
        .rng = &e->rng,
        .self = &e->config.uuid,
        .has_clock = e->clock.is_set,
        .is_full = e->is_full,
        .now_us = e->now_us,
        .now_ms = engine_now_ms(e),
    };
}

void peer_reconcile_after_loss(struct engine *e)
{
    peer_look_by(e, reconcile_after_loss(&e->reconcile, e->now_us));
}

void engine_link_down(struct engine *e, uint32_t link, enum link_end why, uint64_t now_us)
{
    engine_advance(e, now_us);
    struct link *l = mesh_find(e->mesh, link);
    if (l == NULL) {
        return;
    }
    struct member *m = l->member;
    const bool was_open = l->state == LINK_OPEN;
    if (m == NULL && l->is_dialed && l->state != LINK_CLOSING) {
        dial_failed(e, l, why);
    }
    if (was_open) {
        ASSERT(m != NULL);
        e->counters.links_lost++;
        engine_notice(e, NOTICE_LINK_DOWN, m, 0, end_text(why));
        mesh_failed(e->mesh, m, now_us);
    }
    drop(e, l);
    if (was_open && m != NULL && !e->is_draining) {
        if (m->state != MEMBER_LEFT) {
            swim_suspect_link(e->swim, m, now_us);
        }
        if (m->is_mate) {
            peer_reconcile_after_loss(e);
        }
    }
    mesh_hurry(e->mesh);
    engine_settle(e);
}

/* ---- HELLO ---- */

static void compare_settings(struct engine *e, const struct member *m,
                             const struct frame_hello *hello)
{
    const struct {
        const char *name;
        uint64_t own, theirs;
    } settings[] = {
        {"REPRAM_MAX_VALUE_SIZE", e->config.value_max, hello->value_max},
        {"REPRAM_MIN_TTL", e->config.ttl_min_ms / 1000, hello->ttl_min_ms / 1000},
        {"REPRAM_MAX_TTL", e->config.ttl_max_ms / 1000, hello->ttl_max_ms / 1000},
    };
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (settings[i].own != settings[i].theirs) {
            char text[NOTICE_TEXT_SIZE];
            (void)snprintf(text, sizeof(text), "%s is %" PRIu64 " here and %" PRIu64 " there",
                           settings[i].name, settings[i].own, settings[i].theirs);
            engine_notice(e, NOTICE_CONFIG_DIFFERS, m, 0, text);
        }
    }
}

static void open_link(struct engine *e, struct link *l, struct member *m,
                      const struct frame_hello *hello)
{
    l->member = m;
    l->terms.value_max = hello->value_max;
    l->terms.ttl_min_ms = hello->ttl_min_ms;
    l->terms.ttl_max_ms = hello->ttl_max_ms;
    struct link *surplus = mesh_of(e->mesh, m);
    l->state = LINK_OPEN;
    l->since_us = e->now_us;
    m->link = l->id;
    if (surplus != NULL) {
        link_move_queue(surplus, l);
        if (m->is_mate) {
            link_ask_repair(l, REPAIR_TAKEN_OVER);
        }
        peer_end(e, surplus, CLOSE_DUPLICATE);
        m->link = l->id;
    }
    mesh_succeeded(e->mesh, m);
    e->counters.links_opened++;
    engine_notice(e, NOTICE_LINK_UP, m, 0, NULL);
    if ((hello->flags & MEMBER_HAS_CLOCK) != 0) {
        apart_told(e, m, hello->clock_us);
        clock_source_heard(e, m);
    }
    voters_look(e, m);
    wiring_opened(e, l);
    owed_resend(e, l);
    const struct reconcile_env env = reconcile_env(e);
    reconcile_opened(&env, l, hello->flags, engine_has_records(e));
    peer_look_by(e, e->now_us);
    mesh_ask_output(e->mesh, l);
}

enum rc peer_hello(struct engine *e, struct link *l, struct cursor *c)
{
    struct frame_hello hello;
    struct member *m = NULL;
    frame_hello_read(c, &hello);
    if (!cursor_ok(c)) {
        return RC_MALFORMED;
    }
    if (hello.cluster != swim_cluster_hash(e->config.network)) {
        swim_stranger(e->swim, &l->addr, 0, e->now_us);
        return RC_STRANGER;
    }
    if (!frame_hello_is_ours(&hello)) {
        swim_stranger(e->swim, &l->addr, hello.version_max, e->now_us);
        return RC_VERSION;
    }
    if (uuid_equal(&hello.card.uuid, &e->config.uuid)) {
        swim_candidate_failed(e->swim, &l->addr, e->now_us);
        peer_end(e, l, CLOSE_SELF);
        return RC_OK;
    }
    enum rc rc = rival_hello(e, l, &hello.card.uuid);
    if (rc != RC_OK) {
        return rc == RC_EXISTS ? RC_OK : rc;
    }
    rc = swim_meet(e->swim, &hello.card, l->is_dialed ? &l->addr : NULL, e->now_us, &m);
    if (rc != RC_OK && rc != RC_STALE) {
        return rc;
    }
    hello.flags = apart_flags(hello.flags, hello.clock_us);
    m->flags = hello.flags;
    clock_source_heard(e, m);
    if (l->is_dialed && hello.seen_as.port != 0 && e->config.addr_count > 0) {
        struct addr seen_as = hello.seen_as;
        seen_as.port = e->config.addrs[0].addr.port;
        swim_seen_as(e->swim, &seen_as, m, e->now_us);
    }
    compare_settings(e, m, &hello);
    open_link(e, l, m, &hello);
    return RC_OK;
}

/* ---- CLOCK ---- */

void peer_tell_clock(struct engine *e)
{
    uint8_t payload[8];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    cursor_put_u64(&c, clock_now_us(&e->clock, e->now_us));
    for (struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        /* A HELLO that is on its way was said without it. */
        if (link_has_said_hello(l) &&
            link_control(l, FRAME_CLOCK, FRAME_CRITICAL, payload, c.pos) == RC_OK) {
            mesh_ask_output(e->mesh, l);
        }
    }
}

enum rc peer_take_clock(struct engine *e, struct link *l, struct cursor *c)
{
    const uint64_t clock_us = cursor_u64(c);
    if (!cursor_ok(c) || cursor_left(c) > 0 ||
        (apart_flags(MEMBER_HAS_CLOCK, clock_us) & MEMBER_HAS_CLOCK) == 0) {
        return RC_MALFORMED;
    }
    l->member->flags |= MEMBER_HAS_CLOCK;
    sync_ask_again(e->sync, l);
    if (member_is_live(l->member)) {
        apart_told(e, l->member, clock_us);
        clock_source_heard(e, l->member);
    }
    return RC_OK;
}

/* ---- Output ---- */

void peer_enqueue(struct engine *e, struct link *l, const struct queued_write *w, bool is_big)
{
    if (link_enqueue(l, w, is_big) != RC_OK) {
        link_clear_queue(l, is_big);
        link_ask_repair(l, REPAIR_NO_ROOM);
        peer_look_by(e, e->now_us);
        e->counters.link_overflows++;
        engine_notice(e, NOTICE_LINK_OVERFLOW, l->member, LINK_QUEUE_MAX, NULL);
        (void)!link_enqueue(l, w, is_big);
    }
    mesh_ask_output(e->mesh, l);
}

/* A client that waits for a replaced version is served by the version that replaced it. */
static bool replacement(void *arg, const struct queued_write *w, struct record *ret_record)
{
    const struct engine *e = arg;
    const struct waiting *waiting = quorum_at(e->quorum, w->waiter);
    return waiting != NULL && store_get(e->store, waiting->key, waiting->key_len, engine_now_ms(e),
                                        ret_record) == RC_OK;
}

size_t engine_link_output(struct engine *e, uint32_t link, struct buf *out, size_t len_max,
                          uint64_t now_us)
{
    engine_advance(e, now_us);
    struct link *l = mesh_find(e->mesh, link);
    if (l == NULL) {
        return 0;
    }
    const struct link_source source = {
        .store = e->store,
        .now_ms = engine_now_ms(e),
        .arg = e,
        .replacement = replacement,
    };
    const uint64_t records = l->records_out;
    l->is_output_asked = false;
    const size_t len = link_fill(l, &source, out, len_max);
    e->counters.records_sent += l->records_out - records;
    sync_wake(e->sync, l);
    if (link_needs_repair(l)) {
        peer_look_by(e, now_us);
    }
    if (l->state == LINK_CLOSING && !link_has_output(l)) {
        outbox_close(e->outbox, l->id);
        drop(e, l);
    }
    return len;
}

/* Whether neither side has a reason for the link and nothing is under way on it. */
static bool is_needless(const struct engine *e, const struct link *l)
{
    return ((l->role.flags | l->role.peer_flags) & ROLE_KEEPS) == 0 && !link_has_output(l) &&
           l->sent_count == l->acked_count && l->unacked.count == 0 && !e->is_draining;
}

/* Looks after an open link. Returns when to look again. The link may be gone after it. */
static uint64_t look_at_open(struct engine *e, struct link *l)
{
    if (l->repair.reasons != 0) {
        const struct reconcile_env env = reconcile_env(e);
        return reconcile_link(&env, l);
    }
    if (((l->role.flags | l->role.peer_flags) & ROLE_KEEPS) != 0) {
        return NEVER;
    }
    if (e->overlay.is_large && !l->trees.is_left && wiring_is_up(e)) {
        tree_links_leave(e, l);
    }
    const uint64_t idle_us = e->now_us - l->used_us;
    if (idle_us < LINK_IDLE_US) {
        return l->used_us + LINK_IDLE_US;
    }
    if (is_needless(e, l)) {
        tree_links_leave(e, l);
        peer_end(e, l, CLOSE_IDLE);
        return NEVER;
    }
    return e->now_us + LINK_IDLE_US;
}

/* Ends a link that takes too long to begin or to end. Returns when to look again. */
static uint64_t look_at_timeout(struct engine *e, struct link *l, uint64_t most_us)
{
    if (e->now_us - l->since_us <= most_us) {
        return l->since_us + most_us + 1;
    }
    if (l->state == LINK_HELLO && l->is_dialed) {
        dial_failed(e, l, LINK_END_TIMEOUT);
    }
    peer_end(e, l, 0);
    return NEVER;
}

void peer_look_by(struct engine *e, uint64_t at_us)
{
    e->peers_at_us = min_u64(at_us, e->peers_at_us);
}

void peer_turn(struct engine *e)
{
    if (e->now_us < e->peers_at_us) {
        return;
    }
    const struct reconcile_env env = reconcile_env(e);
    e->peers_at_us = reconcile_settle(&e->reconcile, &env);
    uint32_t id = 0;
    for (struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, id)) {
        id = l->id;
        uint64_t again_us = NEVER;
        if (l->state == LINK_HELLO) {
            again_us = look_at_timeout(e, l, LINK_HELLO_TIMEOUT_US);
        } else if (l->state == LINK_RIVAL) {
            again_us = rival_turn(e, l);
        } else if (l->state == LINK_CLOSING) {
            again_us = look_at_timeout(e, l, CLOSE_FLUSH_US);
        } else if (l->state == LINK_OPEN && (again_us = rival_silence(e, l)) > e->now_us) {
            peer_look_by(e, owed_turn(e, l));
            peer_look_by(e, look_at_open(e, l));
        }
        peer_look_by(e, again_us);
    }
}

void peer_compare_roots(struct engine *e, const struct member *m, const struct vitals *v)
{
    const struct reconcile_env env = reconcile_env(e);
    peer_look_by(e, reconcile_vitals(&e->reconcile, &env, m, v));
}

enum rc peer_take_root(struct engine *e, struct link *l, struct cursor *c)
{
    const uint64_t cut_s = cursor_u64(c);
    const uint64_t sum = cursor_u64(c);
    if (!cursor_ok(c) || cursor_left(c) > 0) {
        return RC_MALFORMED;
    }
    const struct reconcile_env env = reconcile_env(e);
    peer_look_by(e, reconcile_root(&env, l, cut_s, sum));
    return RC_OK;
}
