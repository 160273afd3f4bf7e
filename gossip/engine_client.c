/* The clients' side of the engine: writes, reads, listings, what the pages show, and keys. */
#include "core/base/assert.h"
#include "gossip/engine.h"
#include "gossip/engine_state.h"
#include "gossip/spread.h"

#include <stdio.h>
#include <string.h>

static bool matches(const struct put *put, const struct record *held)
{
    if (held == NULL) {
        return false;
    }
    for (size_t i = 0; i < put->version_count; i++) {
        if (version_compare(&put->versions[i], &held->version) == 0) {
            return true;
        }
    }
    return put->is_any;
}

/* RFC 9110 section 13.1, judged on what this node holds. */
static bool is_allowed(const struct engine *e, const struct put *put)
{
    if (put->condition == PUT_ALWAYS) {
        return true;
    }
    struct record held;
    const bool is_held =
        store_get(e->store, put->key, put->key_len, engine_now_ms(e), &held) == RC_OK;
    const bool does_match = matches(put, is_held ? &held : NULL);
    return put->condition == PUT_IF_MATCH ? does_match : !does_match;
}

int64_t engine_clock_difference_ms(const struct engine *e, const struct member *m)
{
    const bool is_apart = m->clock == MEMBER_CLOCK_APART;
    return is_apart ? (apart_offset_us(e, m) - apart_own_us(e)) / 1000 : 0;
}

bool engine_has_room(const struct engine *e)
{
    uint32_t with_room = 0;
    uint32_t without = 0;
    for (const struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        if (l->state == LINK_OPEN && l->member->is_mate) {
            const bool has_room =
                l->live.count < LINK_QUEUE_MAX / 2 && l->big.count < LINK_QUEUE_MAX / 2;
            with_room += has_room;
            without += !has_room;
        }
    }
    if (quorum_count(e->quorum) >= QUORUM_WAITING_MAX / 2) {
        return false;
    }
    return without == 0 || with_room + 1 >= voters_needed(e);
}

static enum rc check_put(const struct engine *e, const struct put *put)
{
    if (e->is_leaving) {
        return RC_DRAINING;
    }
    if (!e->clock.is_set || !e->expect.may_begin) {
        return RC_JOINING;
    }
    if (!engine_has_room(e)) {
        return RC_OVERLOADED;
    }
    return is_allowed(e, put) ? RC_OK : RC_PRECONDITION;
}

/* Sends a stored write to the enclave, and has it wait for its quorum. A node that is a quorum
 * alone answers at once. */
static void replicate(struct engine *e, const struct put *put, const struct record *r)
{
    struct queued_write write = {.handle = store_find(e->store, r), .version = r->version};
    uint8_t key[KEY_BYTES_MAX];
    struct waiting waiting = {
        .done = {.token = put->token,
                 .began_us = put->began_us,
                 .status = PUT_QUORUM,
                 .have = 1,
                 .members = voters_count(e),
                 .version = r->version,
                 .ttl_ms = put->ttl_ms,
                 .expiry_ms = r->expiry_ms},
        .handle = write.handle,
        .quorum = voters_needed(e),
        .record_id = record_write_id(r, store_digest_seed(e->store)),
        .key = key,
        .key_len = (uint16_t)put->key_len,
        .is_big = put->value_len > VALUE_INLINE_MAX,
    };
    if (waiting.quorum <= 1) {
        outbox_put_done(e->outbox, &waiting.done);
        e->counters.puts_quorum++;
    } else {
        memcpy(key, put->key, put->key_len);
        const enum rc rc = quorum_wait(e->quorum, &waiting, e->now_us, &write.waiter);
        ASSERT(rc == RC_OK); /* check_put() has seen to room for one more */
    }
    spread_write(engine_spread(e), &write, waiting.record_id, waiting.is_big);
}

/*
 * Gives the record its version and its times. The expiry is counted from the clock. It is not
 * counted from the stamp, which runs ahead where another node's clock does, so no entry outlives
 * its time to live. Two kinds of writes cannot be sent to anybody: one that would be over before
 * its own stamp, and one whose stamp all others would take for another clock's.
 */
static enum rc stamp(struct engine *e, uint64_t ttl_ms, struct record *r)
{
    const uint64_t now_ms = engine_now_ms(e);
    struct hlc hlc = e->hlc;
    r->version = (struct version){.stamp = version_next(&hlc, now_ms), .origin = e->config.uuid};
    r->expiry_ms = now_ms + ttl_ms;
    const uint64_t ahead_ms = version_ms(&r->version) - now_ms;
    if (ahead_ms >= ttl_ms || ahead_ms > RECORD_AHEAD_MAX_MS) {
        e->counters.puts_rejected_ahead++;
        return RC_AHEAD;
    }
    r->ahead_ms = (uint16_t)ahead_ms;
    const enum rc rc = record_check(r);
    if (rc == RC_OK) {
        e->hlc = hlc;
    }
    return rc;
}

enum rc engine_put(struct engine *e, const struct put *put, uint64_t now_us)
{
    engine_advance(e, now_us);
    enum rc rc = check_put(e, put);
    if (rc != RC_OK) {
        return rc;
    }
    struct record r = {
        .key = put->key,
        .key_len = put->key_len,
        .value = put->value,
        .blob = put->blob,
        .value_len = put->value_len,
    };
    rc = stamp(e, put->ttl_ms, &r);
    if (rc != RC_OK) {
        return rc;
    }
    enum merge_outcome outcome = MERGE_SAME;
    rc = engine_merge(e, &r, &outcome);
    if (rc != RC_OK) {
        e->counters.puts_rejected_full++;
        return rc;
    }
    e->counters.puts++;
    replicate(e, put, &r);
    return RC_OK;
}

enum rc engine_get(const struct engine *e, const uint8_t *key, size_t key_len, uint64_t now_us,
                   struct record *ret_record)
{
    const enum rc rc = store_get(e->store, key, key_len, engine_clock_ms(e, now_us), ret_record);
    if (rc == RC_NOT_FOUND && (engine_unready(e) & (READY_JOINING | READY_NO_CLOCK)) != 0) {
        return RC_JOINING;
    }
    return rc;
}

enum rc engine_next_key(const struct engine *e, const uint8_t *prefix, size_t prefix_len,
                        const uint8_t *after, size_t after_len, uint64_t now_us,
                        struct record *ret_record)
{
    return engine_next_key_at(e, prefix, prefix_len, after, after_len, engine_clock_ms(e, now_us),
                              ret_record);
}

enum rc engine_next_key_at(const struct engine *e, const uint8_t *prefix, size_t prefix_len,
                           const uint8_t *after, size_t after_len, uint64_t clock_ms,
                           struct record *ret_record)
{
    return store_next_key(e->store, prefix, prefix_len, after, after_len, clock_ms, ret_record);
}

void engine_observe(struct engine *e, const struct store_observer *observer)
{
    store_observe(e->store, observer);
}

const struct member *engine_next_member(const struct engine *e, uint32_t *slot)
{
    return swim_next_member(e->swim, slot);
}

bool engine_shares_name(const struct engine *e, const struct uuid *uuid)
{
    const struct member *m = swim_find(e->swim, uuid);
    return m != NULL && swim_shares_name(e->swim, m);
}

bool engine_next_link(const struct engine *e, uint32_t *slot, struct engine_link_view *ret_view)
{
    const struct link *l = mesh_after(e->mesh, *slot == 0 ? 0 : *slot - 1);
    while (l != NULL && l->state != LINK_OPEN) {
        l = mesh_after(e->mesh, l->id);
    }
    if (l == NULL) {
        return false;
    }
    *slot = l->slot;
    *ret_view = (struct engine_link_view){
        .member = l->member->uuid,
        .addr = l->addr,
        .is_dialed = l->is_dialed,
        .key_id = l->key_id,
        .up_since_us = l->since_us,
        .bytes_in = l->bytes_in,
        .bytes_out = l->bytes_out,
        .records_in = l->records_in,
        .records_out = l->records_out,
        .unacked = l->sent_count - l->acked_count,
        .queued = l->live.count + l->big.count,
        .is_clock_conflict = l->clock.is_conflict,
        .clock_difference_ms = l->clock.is_conflict ? engine_clock_difference_ms(e, l->member) : 0,
        .value_max = l->terms.value_max,
        .ttl_min_ms = l->terms.ttl_min_ms,
        .ttl_max_ms = l->terms.ttl_max_ms,
        .is_config_different = l->terms.value_max != e->config.value_max ||
                               l->terms.ttl_min_ms != e->config.ttl_min_ms ||
                               l->terms.ttl_max_ms != e->config.ttl_max_ms,
    };
    (void)snprintf(ret_view->name, sizeof(ret_view->name), "%s", member_name(l->member));
    return true;
}

void engine_status(struct engine *e, uint64_t now_us, struct engine_status *ret_status)
{
    engine_advance(e, now_us);
    const struct swim_counts counts = swim_shown_counts(e->swim);
    *ret_status = (struct engine_status){
        .uuid = e->config.uuid,
        .unready = engine_unready(e),
        .alive = counts.alive,
        .suspect = counts.suspect,
        .dead = counts.dead,
        .left = counts.left,
        .enclave_members = voters_count(e),
        .quorum = voters_needed(e),
        .undialed = mesh_undialed(e->mesh, e->swim),
        .has_quorum = voters_are_linked(e),
        .expected = e->expect.wanted,
        .expected_seen = e->expect.seen,
        .member_digest = swim_digest(e->swim),
        .has_clock = e->clock.is_set,
        .clock_error_ms = (clock_error_us(&e->clock) + 999) / 1000,
        .clock_conflicts = e->apart.count,
        .puts_waiting = quorum_count(e->quorum),
        .store = store_stats(e->store),
        .counters = e->counters,
    };
    ret_status->counters.puts_quorum += quorum_reached_total(e->quorum);
    ret_status->counters.puts_pending += quorum_pending_total(e->quorum);
    if (e->clock.is_set) {
        const uint64_t wall_ms = e->config.wall_ms + (now_us - e->started_us) / 1000;
        struct digest root = {.sum = 0};
        ret_status->clock_offset_ms = (int64_t)(engine_now_ms(e) - wall_ms);
        ret_status->root_cut_s = engine_now_ms(e) / 1000;
        if (store_root(e->store, ret_status->root_cut_s, &root) == RC_OK) {
            ret_status->root_digest = root.sum;
        }
    }
}

/* ---- Keys ---- */

enum rc engine_set_keys(struct engine *e, const struct keyring_items *items, uint64_t now_us)
{
    engine_advance(e, now_us);
    const enum rc rc = swim_set_keys(e->swim, items, now_us);
    if (rc == RC_OK) {
        peer_rekey(e);
        engine_settle(e);
    }
    return rc;
}

const struct keyring *engine_keyring(const struct engine *e)
{
    return &swim_sealing(e->swim)->ring;
}

static void add_name(struct sealing_names *names, const struct member *m)
{
    if (names->count < SEALING_NAMES_MAX) {
        memcpy(names->names[names->count], member_name(m), strlen(member_name(m)) + 1);
    }
    names->count++;
}

static void add_member(const struct sealing *x, const struct member *m,
                       struct sealing_status *status)
{
    for (uint32_t i = 0; i < status->key_count; i++) {
        struct sealing_key_status *key = &status->keys[i];
        if (sealing_has(x, m, i)) {
            key->members_holding++;
        } else {
            add_name(&key->lacking, m);
        }
        if (sealing_last_was(x, m, i)) {
            add_name(&key->senders, m);
        }
        key->members_sending = key->senders.count;
    }
    if (!sealing_has(x, m, 0)) {
        add_name(&status->lacking_first, m);
    }
    if (!sealing_has_any(x, m)) {
        add_name(&status->cut_off, m);
    }
    if (sealing_has_another(x, m)) {
        add_name(&status->with_others, m);
    }
}

void engine_sealing(const struct engine *e, struct sealing_status *ret_status)
{
    const struct sealing *x = swim_sealing(e->swim);
    *ret_status = (struct sealing_status){.state = x->state, .key_count = x->ring.count};
    for (uint32_t i = 0; i < x->ring.count; i++) {
        ret_status->keys[i] = (struct sealing_key_status){
            .id = x->ring.keys[i].id,
            .sent = x->uses[i].sent,
            .received = x->uses[i].received,
            .used_us = x->uses[i].used_us,
        };
    }
    memcpy(ret_status->refused, x->refused, sizeof(x->refused));
    const struct member *m = NULL;
    for (uint32_t slot = 0; (m = swim_next_member(e->swim, &slot)) != NULL; slot++) {
        if (!m->is_self && member_is_live(m)) {
            add_member(x, m, ret_status);
        }
    }
}
