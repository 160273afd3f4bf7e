#include "gossip/hello.h"

#include "core/base/assert.h"
#include "gossip/engine_state.h"
#include "gossip/wiring.h"

#include <inttypes.h>
#include <stdio.h>

enum { HELLO_SIZE_MAX = 8 + 2 + 8 + 4 + 1 + 8 + 24 + ADDR_WIRE_MAX + CARD_WIRE_MAX };

uint64_t hello_token(const struct engine *e, const struct link *l)
{
    uint8_t bytes[4 + 8];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    cursor_put_u32(&c, l->id);
    cursor_put_u64(&c, l->begun_us);
    return siphash(e->config.secret, bytes, c.pos);
}

void hello_await(struct engine *e, struct link *l)
{
    l->state = LINK_HELLO;
    l->since_us = e->now_us;
    peer_look_by(e, e->now_us + LINK_HELLO_TIMEOUT_US);
}

enum rc hello_say(struct engine *e, struct link *l, uint64_t token)
{
    struct frame_hello hello = {
        .cluster = swim_cluster_hash(e->config.network),
        .version_min = PROTOCOL_VERSION_MIN,
        .version_max = PROTOCOL_VERSION_MAX,
        .token = token,
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
    const enum rc rc = mesh_send(e->mesh, l, FRAME_HELLO, payload, c.pos);
    if (rc != RC_OK) {
        return rc;
    }
    l->terms.has_said = true;
    l->terms.said_ready = (hello.flags & MEMBER_IS_CAUGHT_UP) != 0;
    l->terms.said_records = (hello.flags & MEMBER_HAS_RECORDS) != 0;
    return RC_OK;
}

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
            outbox_notice(e->outbox, NOTICE_CONFIG_DIFFERS, m, 0, text);
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
    swim_host_answers(e->swim, &l->addr);
    e->counters.links_opened++;
    outbox_notice(e->outbox, NOTICE_LINK_UP, m, 0, NULL);
    if ((hello->flags & MEMBER_HAS_CLOCK) != 0) {
        apart_told(e, m, hello->clock_us);
        clock_source_heard(e, m);
    }
    voters_look(e, m);
    wiring_opened(e, l);
    owed_resend(e, l);
    const struct reconcile_env env = peer_reconcile_env(e);
    reconcile_opened(&env, l, hello->flags, engine_has_records(e));
    peer_look_by(e, e->now_us);
    mesh_ask_output(e->mesh, l);
}

/* Whether the HELLO on `l` is all that the member has answered with since it was last dead. */
static bool is_only_word(const struct engine *e, const struct uuid *uuid)
{
    const struct member *m = swim_find(e->swim, uuid);
    const struct link *other = m == NULL ? NULL : mesh_of(e->mesh, m);
    return m == NULL || !m->has_answered || (other != NULL && other->terms.is_only_word);
}

void hello_answered(struct engine *e, const struct member *m)
{
    struct link *l = mesh_of(e->mesh, m);
    if (l != NULL) {
        l->terms.is_only_word = false;
    }
}

void hello_was_all(struct engine *e, struct link *l, struct member *m)
{
    if (m != NULL && (m->link == 0 || m->link == l->id) && l->terms.is_only_word) {
        l->terms.is_only_word = false;
        swim_unheard(e->swim, m, e->now_us);
        voters_look(e, m);
    }
}

/* Whether the HELLO is one to go on with. One of another cluster or version gets ours too, and so
 * hears whose we are. */
static enum rc check(struct engine *e, struct link *l, const struct frame_hello *hello)
{
    if (l->is_dialed && !l->terms.has_said) {
        const enum rc rc = hello_say(e, l, hello->token);
        if (rc != RC_OK) {
            return rc;
        }
    }
    if (hello->cluster != swim_cluster_hash(e->config.network)) {
        swim_stranger(e->swim, &l->addr, 0, e->now_us);
        return RC_STRANGER;
    }
    if (!frame_hello_is_ours(hello)) {
        swim_stranger(e->swim, &l->addr, hello->version_max, e->now_us);
        return RC_VERSION;
    }
    return l->is_dialed || hello->token == hello_token(e, l) ? RC_OK : RC_MALFORMED;
}

enum rc hello_take(struct engine *e, struct link *l, struct cursor *c)
{
    struct frame_hello hello = {.token = 0};
    struct member *m = NULL;
    frame_hello_read(c, &hello);
    if (!cursor_ok(c)) {
        return RC_MALFORMED;
    }
    enum rc rc = check(e, l, &hello);
    if (rc != RC_OK) {
        return rc;
    }
    if (uuid_equal(&hello.card.uuid, &e->config.uuid)) {
        swim_candidate_failed(e->swim, &l->addr, e->now_us);
        peer_end(e, l, CLOSE_SELF);
        return RC_OK;
    }
    rc = rival_hello(e, l, &hello.card.uuid);
    if (rc != RC_OK) {
        return rc == RC_EXISTS ? RC_OK : rc;
    }
    l->terms.is_only_word = is_only_word(e, &hello.card.uuid);
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

void hello_tell_clock(struct engine *e)
{
    uint8_t payload[8];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    cursor_put_u64(&c, clock_now_us(&e->clock, e->now_us));
    for (struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        /* A HELLO that is on its way was said without it. */
        if (link_has_said_hello(l)) {
            (void)mesh_send(e->mesh, l, FRAME_CLOCK, payload, c.pos);
        }
    }
}

enum rc hello_take_clock(struct engine *e, struct link *l, struct cursor *c)
{
    const uint64_t clock_us = cursor_u64(c);
    if ((apart_flags(MEMBER_HAS_CLOCK, clock_us) & MEMBER_HAS_CLOCK) == 0) {
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
