#include "gossip/engine.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/units.h"
#include "gossip/engine_state.h"
#include "gossip/hello.h"
#include "gossip/spread.h"
#include "gossip/wiring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TURN_US = 100 * 1000, /* work that needs no exact time is looked at this often */
    EXPIRE_BUDGET = 500,  /* entries freed in one tick: about a millisecond */
    FULL_CLEAR_PERCENT = 95,
    FULL_HOLD_US = 5000 * 1000,       /* a large value can be too much long before 95 % are used */
    UNHEARD_WAIT_US = 3000 * 1000,    /* a joining node waits so long to hear who is ready */
    DONOR_WAIT_US = 60 * 1000 * 1000, /* and so long for a link to one that is */
};

bool engine_has_records(const struct engine *e)
{
    const struct store_stats stats = store_stats(e->store);
    return stats.keys + stats.shadows > 0;
}

/* Those of MEMBER_STATE_FLAGS. */
static uint8_t state_flags(const struct engine *e)
{
    /* Until it leaves, a node that drains takes part as any other. */
    const uint32_t besides =
        READY_FULL | READY_NO_QUORUM | (e->is_leaving ? 0U : (uint32_t)READY_DRAINING);
    const bool is_caught_up = (engine_unready(e) & ~besides) == 0;
    uint8_t flags = 0;
    flags |= is_caught_up ? MEMBER_IS_CAUGHT_UP : 0;
    flags |= e->is_full ? MEMBER_IS_FULL : 0;
    flags |= e->is_draining ? MEMBER_IS_DRAINING : 0;
    flags |= e->clock.is_set ? MEMBER_HAS_CLOCK : 0;
    flags |= e->is_pass_over && e->expect.may_begin ? MEMBER_MAY_BEGIN : 0;
    return flags;
}

uint8_t engine_flags(const struct engine *e)
{
    return (uint8_t)(state_flags(e) | (engine_has_records(e) ? MEMBER_HAS_RECORDS : 0));
}

static void fill_vitals(void *arg, uint64_t cut_s, uint64_t now_us, struct vitals *ret_vitals)
{
    struct engine *e = arg;
    (void)now_us; /* swim's callers have advanced the engine already */
    *ret_vitals = (struct vitals){.flags = engine_flags(e)};
    if (e->clock.is_set) {
        ret_vitals->clock_us = clock_now_us(&e->clock, e->now_us);
        const uint64_t cut = cut_s != 0 ? cut_s : ret_vitals->clock_us / 1000000 - SYNC_CUT_DELAY_S;
        struct digest root;
        if (!sync_is_joining(e->sync) && store_root(e->store, cut, &root) == RC_OK) {
            ret_vitals->cut_s = cut;
            ret_vitals->root = root.sum;
        }
    }
}

static struct swim *make_swim(struct engine *e, uint64_t now_us)
{
    struct swim_config swim = {
        .self = {.uuid = e->config.uuid,
                 .boot = e->config.boot,
                 .host_tag = e->config.host_tag,
                 .incarnation = 1,
                 .version_min = PROTOCOL_VERSION_MIN,
                 .version_max = PROTOCOL_VERSION_MAX,
                 .features = PROTOCOL_FEATURES,
                 .addr_count = e->config.addr_count},
        .seed = rng_next(&e->rng),
        .counters = &e->counters,
        .vitals = fill_vitals,
        .vitals_arg = e,
        .seal = e->config.seal,
    };
    memcpy(swim.secret, e->config.secret, sizeof(swim.secret));
    memcpy(swim.self.name, e->config.name, sizeof(swim.self.name));
    memcpy(swim.self.enclave, e->config.enclave, sizeof(swim.self.enclave));
    memcpy(swim.self.addrs, e->config.addrs, sizeof(swim.self.addrs));
    memcpy(swim.network, e->config.network, sizeof(swim.network));
    struct swim *made = swim_new(&swim, e->outbox, now_us);
    const enum rc rc = e->config.keys == NULL ? RC_OK : swim_set_keys(made, e->config.keys, now_us);
    ASSERT(rc == RC_OK);
    return made;
}

static struct spread make_spread(struct engine *e)
{
    return (struct spread){
        .env = {.mesh = e->mesh, .tree = e->tree, .overlay = &e->overlay, .counters = &e->counters},
        .store = e->store,
        .swim = e->swim,
        .quorum = e->quorum,
        .outbox = e->outbox,
        .reconcile = &e->reconcile,
        .rng = &e->rng,
        .self = &e->config.uuid,
        .replication_factor = e->config.replication_factor,
        .is_meshed = true,
        .news_at_us = NEVER,
        .look_at_us = NEVER,
    };
}

struct spread *engine_spread(struct engine *e)
{
    e->spread.env.now_us = e->now_us;
    e->spread.now_ms = engine_now_ms(e);
    e->spread.is_joining = sync_is_joining(e->sync);
    return &e->spread;
}

struct engine *engine_new(const struct engine_config *config, uint64_t now_us)
{
    ASSERT(!uuid_is_nil(&config->uuid));
    ASSERT(config->replication_factor >= 1 && config->replication_factor <= REPLICATION_FACTOR_MAX);
    struct engine *e = mem_new(1, sizeof(*e));
    e->config = *config;
    e->now_us = now_us;
    e->started_us = now_us;
    rng_init(&e->rng, config->seed);
    expect_init(&e->expect, config->expect_members);
    e->begun_us = now_us;
    e->outbox = outbox_new();
    const struct store_config store = {
        .bytes_max = config->bytes_max,
        .table_seed = config->table_seed,
        .digest_seed = swim_cluster_hash(config->network),
        .pages = config->pages,
    };
    e->store = store_new(&store);
    e->mesh = mesh_new(e->outbox);
    e->tree = tree_new(config->table_seed);
    overlay_init(&e->overlay, &config->uuid, config->replication_factor - 1);
    e->peers_at_us = NEVER;
    holdings_init(&e->holdings, config->bytes_max);
    e->quorum = quorum_new((uint64_t)config->write_timeout_ms * 1000, e->outbox);
    const struct sync_config sync = {
        .store = e->store,
        .mesh = e->mesh,
        .quorum = e->quorum,
        .outbox = e->outbox,
        .counters = &e->counters,
        .secret = e->config.secret,
        .cells_max = holdings_cells_max(&e->holdings),
    };
    e->sync = sync_new(&sync);
    sync_join(e->sync, now_us);
    e->swim = make_swim(e, now_us);
    e->config.keys = NULL; /* nobody keeps them */
    mesh_know_self(e->mesh, swim_self(e->swim));
    mesh_know_keys(e->mesh, engine_keyring(e));
    e->spread = make_spread(e);
    engine_settle(e);
    return e;
}

void engine_free(struct engine *e)
{
    if (e == NULL) {
        return;
    }
    for (struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        sync_link_gone(e->sync, l);
        l->member = NULL;
    }
    mesh_free(e->mesh);
    tree_free(e->tree);
    overlay_fini(&e->overlay);
    sync_free(e->sync);
    quorum_free(e->quorum);
    swim_free(e->swim);
    store_free(e->store);
    outbox_free(e->outbox);
    free(e->apart.offsets_us);
    free(e);
}

struct outbox *engine_outbox(struct engine *e)
{
    return e->outbox;
}

void engine_advance(struct engine *e, uint64_t now_us)
{
    ASSERT(now_us >= e->now_us);
    e->now_us = now_us;
    clock_advance(&e->clock, now_us);
}

uint64_t engine_now_ms(const struct engine *e)
{
    if (e->clock.is_set) {
        return clock_now_us(&e->clock, e->now_us) / 1000;
    }
    return e->config.wall_ms + (e->now_us - e->started_us) / 1000;
}

uint64_t engine_clock_ms(const struct engine *e, uint64_t now_us)
{
    return engine_now_ms(e) + (now_us - e->now_us) / 1000;
}

void engine_refused_room(struct engine *e)
{
    e->full_until_us = e->now_us + FULL_HOLD_US;
    e->turn_at_us = min_u64(e->turn_at_us, e->now_us + TURN_US);
    if (!e->is_full) {
        e->is_full = true;
        outbox_notice(e->outbox, NOTICE_FULL, NULL, 0, NULL);
    }
}

enum rc engine_merge(struct engine *e, const struct record *r, enum merge_outcome *ret_outcome)
{
    version_see(&e->hlc, r->version.stamp);
    const enum rc rc = store_merge(e->store, r, engine_now_ms(e), ret_outcome);
    if (rc == RC_FULL || rc == RC_NO_MEMORY) {
        engine_refused_room(e);
    }
    return rc;
}

/* ---- Discovery, joining, readiness ---- */

void engine_candidate(struct engine *e, const struct addr *addr, uint64_t now_us)
{
    engine_advance(e, now_us);
    swim_candidate(e->swim, addr, now_us);
    engine_settle(e);
}

bool engine_knows_addr(const struct engine *e, const struct addr *addr)
{
    return swim_find_addr(e->swim, addr) != NULL || swim_is_own(e->swim, addr);
}

/* While joining: may a member that has the data, and has no link yet, still turn up? Until that is
 * settled, members that are as new as this node are no donors. */
static bool awaits_donor(const struct engine *e)
{
    const uint64_t age_us = e->now_us - e->begun_us;
    if (!e->expect.may_begin) {
        return true;
    }
    if (!sync_is_joining(e->sync) || age_us > DONOR_WAIT_US) {
        return false;
    }
    const struct uuid *uuid = NULL;
    uint32_t reasons = 0;
    for (uint32_t at = 0; (uuid = mesh_next_wanted(e->mesh, &at, &reasons)) != NULL; at++) {
        const struct member *m = swim_find(e->swim, uuid);
        if (m == NULL || m->link != 0 || !member_is_live(m) || !m->is_mate) {
            continue;
        }
        const bool is_unheard = m->heard_us == 0 && age_us < UNHEARD_WAIT_US;
        if (is_unheard || (m->flags & (MEMBER_IS_CAUGHT_UP | MEMBER_IS_DRAINING)) != 0) {
            return true;
        }
    }
    return false;
}

uint32_t engine_unready(const struct engine *e)
{
    uint32_t reasons = 0;
    reasons |= e->is_pass_over ? 0 : READY_DISCOVERING;
    reasons |= sync_is_joining(e->sync) ? READY_JOINING : 0;
    reasons |= e->clock.is_set ? 0 : READY_NO_CLOCK;
    reasons |= e->is_full ? READY_FULL : 0;
    reasons |= e->is_draining ? READY_DRAINING : 0;
    reasons |= e->expect.may_begin ? 0 : READY_EXPECTING | READY_JOINING;
    reasons |= e->has_formed ? 0 : READY_NO_QUORUM;
    reasons |= e->has_formed || e->now_us >= e->refused_until_us ? 0 : READY_REFUSED;
    return reasons;
}

static void look_at_fullness(struct engine *e)
{
    const struct store_stats stats = store_stats(e->store);
    if (e->is_full && e->now_us >= e->full_until_us &&
        stats.bytes_used < stats.bytes_max / 100 * FULL_CLEAR_PERCENT) {
        e->is_full = false;
        outbox_notice(e->outbox, NOTICE_ROOM, NULL, 0, NULL);
    }
}

void engine_drain(struct engine *e, uint64_t now_us)
{
    engine_advance(e, now_us);
    e->is_draining = true;
    engine_settle(e);
}

void engine_leave(struct engine *e, uint64_t now_us)
{
    engine_advance(e, now_us);
    if (!e->is_leaving) {
        e->is_draining = true;
        e->is_leaving = true;
        quorum_hurry(e->quorum, now_us + UINT64_C(1000) * LEAVE_WAIT_MS);
        swim_leave(e->swim, now_us);
    }
    engine_settle(e);
}

/* ---- Events of swim ---- */

static void member_changed(struct engine *e, struct member *m, enum member_state was)
{
    struct link *l = mesh_of(e->mesh, m);
    clock_source_heard(e, m);
    wiring_member(e, m);
    voters_look(e, m);
    switch ((enum member_state)m->state) {
    case MEMBER_ALIVE:
        outbox_notice(e->outbox, NOTICE_MEMBER_ALIVE, m, was, NULL);
        break;
    case MEMBER_SUSPECT:
        outbox_notice(e->outbox, NOTICE_MEMBER_SUSPECT, m, was, NULL);
        break;
    case MEMBER_DEAD:
        outbox_notice(e->outbox, NOTICE_MEMBER_DEAD, m, was, NULL);
        break;
    case MEMBER_LEFT:
        outbox_notice(e->outbox, NOTICE_MEMBER_LEFT, m, was, NULL);
        break;
    case MEMBER_NAMED:
        break;
    }
    /* A member that left may still have writes to hand over. It closes the link itself. */
    if (m->state == MEMBER_DEAD && l != NULL) {
        peer_end(e, l, 0);
        if (m->is_mate) {
            peer_reconcile_after_loss(e);
        }
    }
    mesh_hurry(e->mesh);
}

static void send_by_link(struct engine *e, const struct swim_event *event)
{
    struct link *l = mesh_of(e->mesh, event->member);
    if (l == NULL) {
        return;
    }
    if (mesh_send(e->mesh, l, FRAME_PACKET, event->data, event->len) == RC_OK) {
        l->used_us = e->now_us;
    } else {
        peer_end(e, l, 0);
    }
}

static void tell_stranger(struct engine *e, const struct swim_event *event)
{
    char where[ADDR_TEXT_SIZE];
    char text[NOTICE_TEXT_SIZE];
    (void)addr_format(&event->addr, where);
    if (event->version == 0) {
        outbox_notice(e->outbox, NOTICE_STRANGER, NULL, 0, where);
        return;
    }
    (void)snprintf(text, sizeof(text), "%s speaks version %u, this node %u", where, event->version,
                   PROTOCOL_VERSION_MAX);
    outbox_notice(e->outbox, NOTICE_VERSION, NULL, 0, text);
}

static void tell_key(struct engine *e, const struct swim_event *event)
{
    char where[ADDR_TEXT_SIZE];
    char text[NOTICE_TEXT_SIZE];
    (void)addr_format(&event->addr, where);
    (void)snprintf(text, sizeof(text), "%04x, from %s", event->key_id, where);
    outbox_notice(e->outbox, NOTICE_KEY_UNKNOWN, NULL, event->key_id, text);
}

/* Dials an address that discovery has named. */
static void seek(struct engine *e, const struct addr *addr)
{
    struct link *l = mesh_dial(e->mesh, addr, e->now_us);
    if (l == NULL) {
        swim_candidate_failed(e->swim, addr, e->now_us);
    } else {
        l->is_sought = true;
    }
}

static void take_swim_event(struct engine *e, const struct swim_event *event)
{
    switch (event->kind) {
    case SWIM_MEMBER_NEW:
        e->newest_member_us = e->now_us;
        wiring_member(e, event->member);
        voters_look(e, event->member);
        outbox_notice(e->outbox,
                      event->member->state == MEMBER_SUSPECT ? NOTICE_MEMBER_SUSPECT
                                                             : NOTICE_MEMBER_JOINED,
                      event->member, 0, NULL);
        mesh_hurry(e->mesh);
        break;
    case SWIM_MEMBER_STATE:
        member_changed(e, event->member, event->was);
        break;
    case SWIM_PACKET_BY_LINK:
        send_by_link(e, event);
        break;
    case SWIM_CANDIDATE_DIAL:
        seek(e, &event->addr);
        break;
    case SWIM_LINK_WANTED:
        mesh_want(e->mesh, &e->config.uuid, event->member, MESH_DEMAND, e->now_us);
        break;
    case SWIM_VITALS:
        if (event->rtt_us > 0) {
            hello_answered(e, event->member);
        }
        if (apart_flags(event->vitals.flags, event->vitals.clock_us) != event->vitals.flags) {
            event->member->flags &= (uint8_t)~MEMBER_HAS_CLOCK;
        }
        start_heard(e, event->member);
        clock_source_heard(e, event->member);
        clock_source_sample(e, event->member, &event->vitals, event->rtt_us, event->vitals_at_us);
        peer_compare_roots(e, event->member, &event->vitals);
        break;
    case SWIM_STRANGER:
        tell_stranger(e, event);
        break;
    case SWIM_KEY_UNKNOWN:
        tell_key(e, event);
        break;
    case SWIM_NAME_TWICE:
        outbox_notice(e->outbox, NOTICE_NAME_TWICE, event->member, 0, NULL);
        break;
    case SWIM_ANSWERED:
        voters_look(e, event->member);
        break;
    case SWIM_REFUTED:
        break;
    }
}

void engine_settle(struct engine *e)
{
    struct swim_event event;
    for (;;) {
        while (swim_next_event(e->swim, &event)) {
            take_swim_event(e, &event);
        }
        wiring_turn(e);
        mesh_turn(e->mesh, e->swim, e->now_us);
        if (!swim_next_event(e->swim, &event)) {
            break;
        }
        take_swim_event(e, &event);
    }
    start_look(e);
    const bool is_ready = (engine_unready(e) & ~(uint32_t)READY_WRITES_ONLY) == 0;
    if (is_ready && !e->was_ready) {
        char text[NOTICE_TEXT_SIZE];
        (void)snprintf(text, sizeof(text), "%u", voters_count(e));
        outbox_notice(e->outbox, NOTICE_READY, NULL, 0, text);
    }
    e->was_ready = is_ready;
    owed_tell_state(e, state_flags(e));
}

/* ---- Time ---- */

/* Work that needs no exact time, while there is any: starting, joining, sessions that may stall, a
 * full store, memory to hand back. */
static void take_turn(struct engine *e)
{
    look_at_fullness(e);
    const bool has_trimmed = store_trim(e->store);
    const bool is_waited_for = e->is_full || has_trimmed || sync_is_under_way(e->sync) ||
                               !e->has_formed || !e->clock.is_set || !e->expect.may_begin;
    e->turn_at_us = is_waited_for ? e->now_us + TURN_US : NEVER;
}

static void turn_by(struct engine *e, uint64_t at_us)
{
    e->turn_at_us = min_u64(at_us, e->turn_at_us);
}

void engine_tick(struct engine *e, uint64_t now_us)
{
    engine_advance(e, now_us);
    const uint64_t now_ms = engine_now_ms(e);
    if (swim_deadline(e->swim) <= now_us) {
        swim_tick(e->swim, now_us, e->clock.is_set ? clock_now_us(&e->clock, now_us) : 0);
    }
    (void)quorum_expire(e->quorum, now_us);
    if (e->clock.is_set) {
        const size_t expired = store_expire(e->store, now_ms, EXPIRE_BUDGET);
        e->is_expiry_due = expired == EXPIRE_BUDGET;
        if (sync_turn(e->sync, now_us, now_ms, awaits_donor(e))) {
            peer_look_by(e, now_us);
        }
    }
    if (store_has_spare(e->store)) {
        turn_by(e, now_us + TURN_US);
    }
    clock_source_ask(e);
    spread_turn(engine_spread(e));
    peer_turn(e);
    if (now_us >= e->turn_at_us) {
        take_turn(e);
    }
    engine_settle(e);
}

uint64_t engine_deadline(const struct engine *e)
{
    if (e->is_expiry_due || (e->clock.is_set && sync_deadline(e->sync) == 0)) {
        return e->now_us;
    }
    uint64_t deadline_us = min_u64(swim_deadline(e->swim), quorum_deadline(e->quorum));
    deadline_us = min_u64(deadline_us, e->clock.is_set ? e->turn_at_us : e->ask_at_us);
    deadline_us = min_u64(deadline_us, e->clock.is_set ? sync_deadline(e->sync) : NEVER);
    deadline_us = min_u64(deadline_us, min_u64(e->peers_at_us, e->spread.look_at_us));
    deadline_us = min_u64(deadline_us, spread_deadline(&e->spread));
    deadline_us = min_u64(deadline_us, mesh_deadline(e->mesh));
    deadline_us = min_u64(deadline_us, expect_deadline(&e->expect));
    const uint64_t expiry_ms = store_deadline(e->store);
    if (e->clock.is_set && expiry_ms != NEVER) {
        const uint64_t now_ms = engine_now_ms(e);
        const uint64_t wait_ms = expiry_ms > now_ms ? expiry_ms - now_ms : 0;
        deadline_us = min_u64(deadline_us, e->now_us + wait_ms * 1000 + 1000);
    }
    if (sync_is_under_way(e->sync)) {
        deadline_us = min_u64(deadline_us, e->now_us + TURN_US);
    }
    return deadline_us > e->now_us ? deadline_us : e->now_us;
}

/* ---- Datagrams ---- */

void engine_datagram(struct engine *e, const struct addr *from, const uint8_t *data, size_t len,
                     uint64_t now_us)
{
    engine_advance(e, now_us);
    swim_packet(e->swim, from, NULL, data, len, now_us);
    engine_settle(e);
}

void engine_refused(struct engine *e, const struct addr *addr, uint64_t now_us)
{
    engine_advance(e, now_us);
    swim_refused(e->swim, addr, now_us);
    engine_settle(e);
}

void engine_check(const struct engine *e)
{
    store_check(e->store);
    swim_check(e->swim);
    quorum_check(e->quorum);
    sync_check(e->sync);
    overlay_check(&e->overlay);
    voters_check(e);
    tree_check(e->tree);
    apart_check(e);
    for (const struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        ASSERT(l->state != LINK_FREE);
        ASSERT(l->acked_count <= l->sent_count && l->told_count <= l->received_count);
        ASSERT((l->state == LINK_OPEN) == (l->member != NULL));
        ASSERT(l->member == NULL || l->member->link == l->id);
    }
}
