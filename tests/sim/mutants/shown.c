/* What a node shows, and lists: see mutant.h. */
#include "core/store/blob.h"
#include "gossip/engine.h"
#include "gossip/engine_state.h"
#include "tests/sim/mutants/mutant.h"

#include <stdio.h>
#include <string.h>

enum {
    STALE_EVERY = 20,
    STALE_KEPT = 64,
    AGED_MS = 1000,    /* its write has been answered long ago */
    FITFUL_EVERY = 10, /* of reads */
};

#define EARLY_IN_LIFE_MS (MUTANT_WALL_MS + MUTANT_RUN_MS / 2)

/* ---- What a stale node has served before ---- */

struct stale {
    const struct store *store;
    struct record record;
    uint8_t key[KEY_BYTES_MAX];
    uint8_t value[VALUE_INLINE_MAX];
};

static struct stale stale[STALE_KEPT];
static uint32_t stale_count; /* ever kept */

/* A new store may stand where another one stood. */
static void forget_served(const struct store *s)
{
    for (size_t i = 0; i < STALE_KEPT; i++) {
        if (stale[i].store == s) {
            stale[i].store = NULL;
        }
    }
}

/* Replaces the version to be served by the one that this store served first, if both are alive. */
static void serve_stale(const struct store *s, uint64_t now_ms, struct record *r)
{
    if (r->blob != NULL || now_ms > EARLY_IN_LIFE_MS) {
        return;
    }
    for (size_t i = 0; i < STALE_KEPT; i++) {
        struct stale *at = &stale[i];
        if (at->store == s && at->record.key_len == r->key_len &&
            memcmp(at->key, r->key, r->key_len) == 0) {
            const bool is_due = mutant_is_turn(STALE_EVERY);
            if (is_due && at->record.expiry_ms > now_ms + 1000) {
                *r = at->record;
            }
            return;
        }
    }
    struct stale *at = &stale[stale_count++ % STALE_KEPT];
    *at = (struct stale){.store = s, .record = *r};
    memcpy(at->key, r->key, r->key_len);
    memcpy(at->value, r->value, r->value_len);
    at->record.key = at->key;
    at->record.value = at->value;
}

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
WRAP(enum rc, store_get, const struct store *s, const uint8_t *key, size_t key_len, uint64_t now_ms,
     struct record *ret_record)
{
    static uint8_t garbled[VALUE_INLINE_MAX];
    const uint64_t late_ms = mutant_is(MUTANT_LATE) ? MUTANT_LATE_MS : 0;
    const enum rc rc = __real_store_get(s, key, key_len, now_ms - late_ms, ret_record);
    if (rc == RC_OK && mutant_is(MUTANT_GARBLER) && ret_record->blob == NULL) {
        memcpy(garbled, ret_record->value, ret_record->value_len);
        garbled[ret_record->value_len - 1] ^= 1;
        ret_record->value = garbled;
    }
    if (rc == RC_OK && mutant_is(MUTANT_ROUNDING)) {
        ret_record->expiry_ms--;
    }
    if (rc == RC_OK && mutant_is(MUTANT_STALE)) {
        serve_stale(s, now_ms, ret_record);
    }
    return rc;
}

WRAP(size_t, blob_run, const struct blob *blob, size_t offset, const uint8_t **ret_data)
{
    static uint8_t smudged[BLOB_SEGMENT_BYTES];
    const size_t len = __real_blob_run(blob, offset, ret_data);
    if (mutant_is(MUTANT_SMUDGING) && len > 0 && len <= sizeof(smudged)) {
        memcpy(smudged, *ret_data, len);
        smudged[len - 1] ^= 1;
        *ret_data = smudged;
    }
    return len;
}

WRAP(struct engine *, engine_new, const struct engine_config *config, uint64_t now_us)
{
    struct engine_config mingled = *config;
    if (mutant_is(MUTANT_MINGLING)) {
        (void)snprintf(mingled.enclave, sizeof(mingled.enclave), "all");
    }
    struct engine *e = __real_engine_new(&mingled, now_us);
    forget_served(e->store);
    return e;
}

WRAP(enum rc, engine_get, const struct engine *e, const uint8_t *key, size_t key_len,
     uint64_t now_us, struct record *ret_record)
{
    const enum rc rc = __real_engine_get(e, key, key_len, now_us, ret_record);
    if (rc != RC_OK) {
        return rc;
    }
    const uint64_t now_ms = engine_clock_ms(e, now_us);
    const uint64_t age_ms = now_ms - record_written_ms(ret_record);
    const bool is_own = uuid_equal(&ret_record->version.origin, &e->config.uuid);
    const bool is_old = age_ms > AGED_MS && now_ms < MUTANT_LATE_IN_LIFE_MS;
    if ((mutant_is(MUTANT_DEFERRED) && is_own && age_ms == 0) ||
        (mutant_is(MUTANT_FITFUL) && is_old && mutant_is_turn(FITFUL_EVERY)) ||
        (mutant_is(MUTANT_BRIEF) && is_old && ret_record->expiry_ms < now_ms + MUTANT_BRIEF_MS)) {
        return RC_NOT_FOUND;
    }
    return RC_OK;
}

WRAP(enum rc, store_next_key, const struct store *s, const uint8_t *prefix, size_t prefix_len,
     const uint8_t *after, size_t after_len, uint64_t now_ms, struct record *ret_record)
{
    const uint64_t late_ms = mutant_is(MUTANT_TRAILING) ? MUTANT_LATE_MS : 0;
    return __real_store_next_key(s, prefix, prefix_len, after, after_len, now_ms - late_ms,
                                 ret_record);
}

WRAP(enum rc, engine_next_key, const struct engine *e, const uint8_t *prefix, size_t prefix_len,
     const uint8_t *after, size_t after_len, uint64_t now_us, struct record *ret_record)
{
    const bool is_again = mutant_is(MUTANT_CIRCLING) && mutant_is_turn(MUTANT_SOME_EVERY);
    const enum rc rc = __real_engine_next_key(e, prefix, prefix_len, after,
                                              is_again ? 0 : after_len, now_us, ret_record);
    if (mutant_is(MUTANT_SECRETIVE) ||
        (rc == RC_OK && mutant_is(MUTANT_LITERAL) && prefix_len == ret_record->key_len)) {
        return RC_NOT_FOUND;
    }
    if (rc == RC_OK && mutant_is(MUTANT_SKIPPING) && mutant_is_turn(MUTANT_SOME_EVERY)) {
        return __real_engine_next_key(e, prefix, prefix_len, ret_record->key, ret_record->key_len,
                                      now_us, ret_record);
    }
    return rc;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
