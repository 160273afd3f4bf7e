/*
 * Deliberately broken engines, one for each invariant of the oracle (SIM_INVARIANTS). The oracle
 * must catch each by that invariant and by no other, so no check can pass by not looking. The
 * linker puts a function of ours before one of the engine's (--wrap): the engine's object files are
 * the very ones that are shipped. Past 600 lines, since all mutants share what they wrap.
 */
#include "core/store/merge.h"
#include "gossip/clock.h"
#include "gossip/crowd.h"
#include "gossip/engine_state.h"
#include "gossip/membership/hearsay.h"
#include "gossip/membership/ownaddr.h"
#include "gossip/membership/packet_in.h"
#include "gossip/membership/packet_out.h"
#include "gossip/membership/probe.h"
#include "gossip/membership/view.h"
#include "gossip/spread.h"
#include "tests/sim/faults.h"
#include "tests/sim/story.h"
#include "tests/unit/twins.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum mutant {
    MUTANT_NONE,
    MUTANT_FOUNDER,    /* takes a provider's failure for the answer that nobody is there */
    MUTANT_EAGER,      /* begins an enclave without the expected members */
    MUTANT_HERMIT,     /* asks nobody that discovery names */
    MUTANT_LATE,       /* serves and keeps half a second too long */
    MUTANT_GENEROUS,   /* gives five seconds more to live than was asked for */
    MUTANT_MISERLY,    /* gives three quarters of the time to live */
    MUTANT_BOASTFUL,   /* answers that it gives twice as much */
    MUTANT_VAGUE,      /* answers that it ends five seconds later */
    MUTANT_MISNAMING,  /* answers with another version */
    MUTANT_CONFUSED,   /* takes a key for its twin */
    MUTANT_STRETCHING, /* counts the time to live from the stamp */
    MUTANT_VAIN,       /* forgets that a stamp ran ahead, and takes it for the time of writing */
    MUTANT_GARBLER,    /* changes a byte of what it serves */
    MUTANT_SMUDGING,   /* changes a byte of large values */
    MUTANT_ROUNDING,   /* serves what it has with an end a millisecond earlier */
    MUTANT_MINGLING,   /* puts everybody into one enclave */
    MUTANT_STALE,      /* serves now and then what it served before */
    MUTANT_FITFUL,     /* now and then finds nothing of what it has had for long */
    MUTANT_BRIEF,      /* serves nothing in the last ten seconds of its time */
    MUTANT_DROPPING,   /* drops everything ten seconds early */
    MUTANT_SECRETIVE,  /* lists nothing */
    MUTANT_SKIPPING,   /* now and then leaves the next key out of a listing */
    MUTANT_TRAILING,   /* lists and keeps half a second too long */
    MUTANT_CIRCLING,   /* now and then lists from the start again */
    MUTANT_LITERAL,    /* lists no key by the whole of it */
    MUTANT_DEFERRED,   /* serves what it has written only from the next millisecond on */
    MUTANT_NO_GUARDS,  /* a replaced version leaves no trace */
    MUTANT_FORGETFUL,  /* at the end drops what has time left */
    MUTANT_HASTY,      /* one holder is a quorum */
    MUTANT_SOLITARY,   /* counts nobody but itself */
    MUTANT_SILENT,     /* says nothing when the quorum does not answer */
    MUTANT_MUTE,       /* now and then says nothing when it does */
    MUTANT_SWALLOWING, /* now and then takes a write, and does nothing */
    MUTANT_TARDY,      /* waits for the quorum for longer than it may */
    MUTANT_ECHOING,    /* answers twice */
    MUTANT_OBLIVIOUS,  /* takes every condition for one that holds */
    MUTANT_DOUBTFUL,   /* takes none for one that does */
    MUTANT_POLITE,     /* answers what it has no room for, too */
    MUTANT_TIMID,      /* now and then says 202 though the quorum holds it */
    MUTANT_OFFENDED,   /* never asks a member again that could not take a write */
    MUTANT_PRICKLY,    /* gives a write up once anybody has refused it */
    MUTANT_SOCIABLE,   /* counts members that follow another clock */
    MUTANT_LIAR,       /* acknowledges records that it does not keep */
    MUTANT_PICKY,      /* takes every other record of others for an old one */
    MUTANT_REPEATING,  /* sends every write twice */
    MUTANT_RASH,       /* declares somebody dead now and then */
    MUTANT_FAITHFUL,   /* declares nobody dead */
    MUTANT_OVERWEIGHT, /* holds more bytes than it may */
    MUTANT_GREEDY,     /* takes twice as much as it may */
    MUTANT_LONG_QUEUE, /* queues more than it may */
    MUTANT_JUMPY,      /* its clock steps while it has records */
    MUTANT_UNDATED,    /* exchanges data whatever the clocks */
    MUTANT_SOLO,       /* follows the leading clock, not that of the many */
    MUTANT_GRUDGING,   /* never asks the dead whether they are back */
    MUTANT_IDLE,       /* never reconciles */
    MUTANT_BLIND,      /* the same, and all its digests are equal */
    MUTANT_HANGMAN,    /* never asks a member whether it is dead, as others say */
    MUTANT_PLIANT,     /* takes hearsay for its own finding, and never takes it back */
    MUTANT_CREDULOUS,  /* believes of every address that it receives */
    MUTANT_LAVISH,     /* answers everybody at length */
    MUTANT_NAIVE,      /* takes cards that others show as certain */
    MUTANT_FLATTERED,  /* counts members that it knows from hearsay only */
    MUTANT_BELIEVER,   /* takes any incarnation for a member's */
    MUTANT_GULLIBLE,   /* takes anybody's card for a suspect's refutation */
    MUTANT_EASED,      /* takes any datagram in a member's name for its answer */
    MUTANT_CURTAINED,  /* takes anybody's word that the dead have left */
    MUTANT_TOUCHY,     /* counts itself unwell whenever anybody says that it is dead */
    MUTANT_LOST,       /* takes anybody's word for where it is */
    MUTANT_MEEK,       /* gives a link away to anybody who claims it */
    MUTANT_STUBBORN,   /* never gives up a link that is silent */
    MUTANT_SLOPPY,     /* its numbers do not add up */
};

static enum mutant mutant;
static bool is_ahead; /* another node's clock has pushed everybody's stamps */
static uint32_t turns;

enum {
    LATE_MS = 500,
    GENEROUS_MS = 5000,
    AHEAD_MS = 20000, /* stamps run so far ahead where a story has them do so */
    SEEDS = 8,
    SEEDS_BROKEN = 24, /* one that is broken may show it late */
    RASH_EVERY = 50,
    STALE_EVERY = 20,
    STALE_KEPT = 64,
    JUMPY_EVERY = 5000,
    JUMP_US = 200 * 1000,
    HERMIT_FROM_US = 20 * 1000 * 1000, /* the cluster has formed by then */
    LIAR_MS = 500,
    AGED_MS = 1000, /* its write has been answered long ago */
    BRIEF_MS = 10000,
    TARDY_US = 200 * 1000,
    SOME_EVERY = 20, /* of answers, or writes */
};

/* The nodes' wall clocks are right here, and virtual time begins at a second. */
#define WALL_MS UINT64_C(1767225600000)
#define RUN_MS UINT64_C(120000)
#define LATE_IN_LIFE_MS (WALL_MS + RUN_MS + 6000) /* faults and writes are over */
#define EARLY_IN_LIFE_MS (WALL_MS + RUN_MS / 2)

/* ---- What a stale node has served before ---- */

struct stale {
    const struct store *store;
    struct record record;
    uint8_t key[KEY_BYTES_MAX];
    uint8_t value[VALUE_INLINE_MAX];
};

static struct stale stale[STALE_KEPT];

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
            const bool is_due = turns++ % STALE_EVERY == 0;
            if (is_due && at->record.expiry_ms > now_ms + 1000) {
                *r = at->record;
            }
            return;
        }
    }
    struct stale *at = &stale[turns++ % STALE_KEPT];
    *at = (struct stale){.store = s, .record = *r};
    memcpy(at->key, r->key, r->key_len);
    memcpy(at->value, r->value, r->value_len);
    at->record.key = at->key;
    at->record.value = at->value;
}

/* ---- How data by another clock gets in ---- */

static void agree_anyway(struct engine *e, struct member *m)
{
    struct link *l = mesh_of(e->mesh, m);
    if (mutant == MUTANT_UNDATED && l != NULL) {
        l->clock.is_agreed = true;
        l->clock.is_conflict = false;
    }
}

/* The names are the linker's: __real_x is the engine's x, and __wrap_x is called for it. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
#define WRAP(type, name, ...)        \
    type __real_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__)

WRAP(void, engine_candidate, struct engine *e, const struct addr *addr, uint64_t now_us)
{
    if (mutant != MUTANT_HERMIT && (mutant != MUTANT_GRUDGING || now_us < HERMIT_FROM_US)) {
        __real_engine_candidate(e, addr, now_us);
    }
}

WRAP(enum rc, store_get, const struct store *s, const uint8_t *key, size_t key_len, uint64_t now_ms,
     struct record *ret_record)
{
    static uint8_t garbled[VALUE_INLINE_MAX];
    const uint64_t late_ms = mutant == MUTANT_LATE ? LATE_MS : 0;
    const enum rc rc = __real_store_get(s, key, key_len, now_ms - late_ms, ret_record);
    if (rc == RC_OK && mutant == MUTANT_GARBLER && ret_record->blob == NULL) {
        memcpy(garbled, ret_record->value, ret_record->value_len);
        garbled[ret_record->value_len - 1] ^= 1;
        ret_record->value = garbled;
    }
    if (rc == RC_OK && mutant == MUTANT_ROUNDING) {
        ret_record->expiry_ms--;
    }
    if (rc == RC_OK && mutant == MUTANT_STALE) {
        serve_stale(s, now_ms, ret_record);
    }
    return rc;
}

WRAP(size_t, blob_run, const struct blob *blob, size_t offset, const uint8_t **ret_data)
{
    static uint8_t smudged[BLOB_SEGMENT_BYTES];
    const size_t len = __real_blob_run(blob, offset, ret_data);
    if (mutant == MUTANT_SMUDGING && len > 0 && len <= sizeof(smudged)) {
        memcpy(smudged, *ret_data, len);
        smudged[len - 1] ^= 1;
        *ret_data = smudged;
    }
    return len;
}

WRAP(struct engine *, engine_new, const struct engine_config *config, uint64_t now_us)
{
    struct engine_config mingled = *config;
    if (mutant == MUTANT_MINGLING) {
        (void)snprintf(mingled.enclave, sizeof(mingled.enclave), "all");
    }
    return __real_engine_new(&mingled, now_us);
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
    const bool is_old = age_ms > AGED_MS && now_ms < LATE_IN_LIFE_MS;
    if ((mutant == MUTANT_DEFERRED && is_own && age_ms == 0) ||
        (mutant == MUTANT_FITFUL && is_old && turns++ % SOME_EVERY == 0) ||
        (mutant == MUTANT_BRIEF && is_old && ret_record->expiry_ms < now_ms + BRIEF_MS)) {
        return RC_NOT_FOUND;
    }
    return RC_OK;
}

WRAP(enum rc, store_next_key, const struct store *s, const uint8_t *prefix, size_t prefix_len,
     const uint8_t *after, size_t after_len, uint64_t now_ms, struct record *ret_record)
{
    const uint64_t late_ms = mutant == MUTANT_TRAILING ? LATE_MS : 0;
    return __real_store_next_key(s, prefix, prefix_len, after, after_len, now_ms - late_ms,
                                 ret_record);
}

WRAP(enum rc, engine_next_key, const struct engine *e, const uint8_t *prefix, size_t prefix_len,
     const uint8_t *after, size_t after_len, uint64_t now_us, struct record *ret_record)
{
    const bool is_again = mutant == MUTANT_CIRCLING && turns++ % SOME_EVERY == 0;
    const enum rc rc = __real_engine_next_key(e, prefix, prefix_len, after,
                                              is_again ? 0 : after_len, now_us, ret_record);
    if (mutant == MUTANT_SECRETIVE ||
        (rc == RC_OK && mutant == MUTANT_LITERAL && prefix_len == ret_record->key_len)) {
        return RC_NOT_FOUND;
    }
    if (rc == RC_OK && mutant == MUTANT_SKIPPING && turns++ % SOME_EVERY == 0) {
        return __real_engine_next_key(e, prefix, prefix_len, ret_record->key, ret_record->key_len,
                                      now_us, ret_record);
    }
    return rc;
}

WRAP(void, engine_candidates_done, struct engine *e, bool have_all_answered, uint64_t now_us)
{
    __real_engine_candidates_done(e, have_all_answered || mutant == MUTANT_FOUNDER, now_us);
}

WRAP(enum expect_news, expect_look, struct expect *x, uint32_t seen, uint64_t now_us)
{
    return __real_expect_look(x, mutant == MUTANT_EAGER ? x->wanted : seen, now_us);
}

WRAP(size_t, store_expire, struct store *s, uint64_t now_ms, size_t budget)
{
    const bool is_late = mutant == MUTANT_LATE || mutant == MUTANT_TRAILING;
    const uint64_t late_ms = is_late ? LATE_MS : 0;
    const uint64_t early_ms = mutant == MUTANT_DROPPING ? BRIEF_MS : 0;
    const bool is_lost = mutant == MUTANT_FORGETFUL && now_ms > LATE_IN_LIFE_MS;
    return __real_store_expire(s, is_lost ? now_ms + RUN_MS * 10 : now_ms + early_ms - late_ms,
                               budget);
}

WRAP(struct store *, store_new, const struct store_config *config)
{
    struct store_config greedy = *config;
    greedy.bytes_max *= mutant == MUTANT_GREEDY ? 2 : 1;
    return __real_store_new(&greedy);
}

WRAP(struct store_stats, store_stats, const struct store *s)
{
    struct store_stats stats = __real_store_stats(s);
    stats.bytes_used += mutant == MUTANT_OVERWEIGHT ? stats.bytes_max : 0;
    return stats;
}

WRAP(enum rc, store_root, struct store *s, uint64_t cut_s, struct digest *ret_root)
{
    const enum rc rc = __real_store_root(s, cut_s, ret_root);
    if (mutant == MUTANT_BLIND) {
        *ret_root = (struct digest){.sum = 0};
    }
    return rc;
}

WRAP(enum merge_outcome, merge_records, const struct record *held, const struct record *r,
     uint64_t now_ms, struct record *ret_next)
{
    const enum merge_outcome outcome = __real_merge_records(held, r, now_ms, ret_next);
    if (mutant == MUTANT_NO_GUARDS) {
        ret_next->guard_ms = 0;
        return outcome == MERGE_GUARDED ? MERGE_OLDER : outcome;
    }
    return outcome;
}

WRAP(enum rc, engine_put, struct engine *e, const struct put *put, uint64_t now_us)
{
    struct put longer = *put;
    longer.ttl_ms += mutant == MUTANT_GENEROUS ? GENEROUS_MS : 0;
    longer.ttl_ms += mutant == MUTANT_STRETCHING && is_ahead ? AHEAD_MS : 0;
    longer.ttl_ms -= mutant == MUTANT_MISERLY ? longer.ttl_ms / 4 : 0;
    if (mutant == MUTANT_OBLIVIOUS) {
        longer.condition = PUT_ALWAYS;
    }
    if (mutant == MUTANT_DOUBTFUL && put->condition != PUT_ALWAYS) {
        return RC_PRECONDITION;
    }
    if (mutant == MUTANT_SWALLOWING && turns++ % SOME_EVERY == 0) {
        return RC_OK;
    }
    const enum rc rc = __real_engine_put(e, &longer, now_us);
    if (mutant == MUTANT_POLITE && rc == RC_FULL) {
        outbox_put_done(
            e->outbox,
            &(struct put_done){.token = put->token, .status = PUT_QUORUM, .have = 1, .members = 1});
    }
    return rc;
}

WRAP(enum rc, engine_merge, struct engine *e, const struct record *r,
     enum merge_outcome *ret_outcome)
{
    const bool is_own = uuid_equal(&r->version.origin, &e->config.uuid);
    const bool is_young = (r->version.stamp >> 16) + LIAR_MS > engine_now_ms(e);
    if (mutant == MUTANT_LIAR && !is_own && is_young) {
        *ret_outcome = MERGE_APPLIED;
        return RC_OK;
    }
    if (mutant == MUTANT_PICKY && !is_own && turns++ % 2 == 0) {
        *ret_outcome = MERGE_OLDER;
        return RC_OK;
    }
    struct record kept = *r;
    uint8_t twin[TWIN_KEY_LEN];
    kept.ahead_ms = mutant == MUTANT_VAIN ? 0 : r->ahead_ms;
    if (mutant == MUTANT_CONFUSED && r->key_len == TWIN_KEY_LEN) {
        twin_key(swim_cluster_hash(e->config.network), false, twin);
        kept.key = twin;
    }
    return __real_engine_merge(e, &kept, ret_outcome);
}

WRAP(uint64_t, version_next, struct hlc *hlc, uint64_t now_ms)
{
    return __real_version_next(hlc, now_ms + (is_ahead ? AHEAD_MS : 0));
}

WRAP(struct quorum *, quorum_new, uint64_t timeout_us, struct outbox *outbox)
{
    return __real_quorum_new(timeout_us + (mutant == MUTANT_TARDY ? TARDY_US : 0), outbox);
}

WRAP(uint32_t, quorum_size, uint32_t members, uint32_t factor)
{
    return mutant == MUTANT_HASTY ? 1 : __real_quorum_size(members, factor);
}

WRAP(uint32_t, voters_count, const struct engine *e)
{
    return mutant == MUTANT_SOLITARY ? 1 : __real_voters_count(e);
}

WRAP(uint32_t, voters_needed, const struct engine *e)
{
    return mutant == MUTANT_SOLITARY ? 1 : __real_voters_needed(e);
}

WRAP(void, outbox_put_done, struct outbox *o, const struct put_done *done)
{
    struct put_done said = *done;
    const bool is_quorum = done->status == PUT_QUORUM;
    if ((mutant == MUTANT_SILENT && !is_quorum) ||
        (mutant == MUTANT_MUTE && is_quorum && turns++ % SOME_EVERY == 0)) {
        return;
    }
    if (mutant == MUTANT_TIMID && turns++ % SOME_EVERY == 0) {
        said.status = PUT_PENDING;
    }
    said.ttl_ms *= mutant == MUTANT_BOASTFUL ? 2 : 1;
    said.expiry_ms += mutant == MUTANT_VAGUE ? GENEROUS_MS : 0;
    said.version.stamp += mutant == MUTANT_MISNAMING;
    __real_outbox_put_done(o, &said);
    if (mutant == MUTANT_ECHOING) {
        __real_outbox_put_done(o, &said);
    }
}

WRAP(void, spread_write, struct spread *s, struct queued_write *w, uint64_t id, bool is_big)
{
    __real_spread_write(s, w, id, is_big);
    if (mutant == MUTANT_REPEATING) {
        __real_spread_write(s, w, id, is_big);
    }
}

WRAP(void, owed_put_off, struct engine *e, struct link *l, uint32_t waiter)
{
    if (mutant != MUTANT_OFFENDED) {
        __real_owed_put_off(e, l, waiter);
    }
}

WRAP(void, voters_refused, struct engine *e, const struct link *l, uint32_t waiter)
{
    __real_voters_refused(e, l, waiter);
    if (mutant == MUTANT_PRICKLY) {
        quorum_give_up(e->quorum, waiter);
    }
}

WRAP(void, voters_look, struct engine *e, struct member *m)
{
    const bool is_hidden = mutant == MUTANT_SOCIABLE && m->clock == MEMBER_CLOCK_APART;
    m->clock = is_hidden ? MEMBER_CLOCK_AGREES : m->clock;
    __real_voters_look(e, m);
    m->clock = is_hidden ? MEMBER_CLOCK_APART : m->clock;
}

WRAP(void, voters_check, const struct engine *e)
{
    if (mutant != MUTANT_SOCIABLE) {
        __real_voters_check(e);
    }
}

WRAP(void, view_declare_dead, struct swim *s, struct member *m)
{
    if (mutant != MUTANT_FAITHFUL) {
        __real_view_declare_dead(s, m);
    }
}

WRAP(void, probe_judge, struct swim *s, struct member *m, enum member_state said)
{
    if (mutant == MUTANT_HANGMAN) {
        __real_view_declare_dead(s, m);
    } else {
        __real_probe_judge(s, m, said);
    }
}

/* Makes members of all nodes that hearsay names, and believes every incarnation in it. */
WRAP(void, hearsay_entry, struct swim *s, const struct entry *e, const struct view_teller *teller)
{
    struct view_teller sure = *teller;
    struct member *m = roster_find(&s->roster, &e->uuid);
    sure.is_sure = sure.is_sure || (mutant == MUTANT_NAIVE && e->kind == ENTRY_ALIVE);
    if (mutant == MUTANT_TOUCHY && m == s->self) {
        sure.is_sure = true;
        s->refuted_us = 0;
    }
    if (mutant == MUTANT_GULLIBLE && e->kind == ENTRY_ALIVE && m != NULL &&
        m->state == MEMBER_SUSPECT) {
        sure = (struct view_teller){.uuid = &s->self->uuid, .is_sure = true};
    }
    if (mutant == MUTANT_BELIEVER && m != NULL && !m->is_self && e->incarnation > m->incarnation) {
        roster_set_state(&s->roster, m, m->state, e->incarnation, s->now_us);
    }
    __real_hearsay_entry(s, e, &sure);
    m = roster_find(&s->roster, &e->uuid);
    if (mutant == MUTANT_CURTAINED && e->kind == ENTRY_LEFT && m != NULL &&
        m->state == MEMBER_DEAD) {
        roster_set_state(&s->roster, m, MEMBER_LEFT, m->incarnation, s->now_us);
    }
    if (mutant == MUTANT_FLATTERED && m != NULL && !m->is_self && !m->is_ghost) {
        view_reached(s, m);
        view_answered(s, m);
    }
    if (mutant == MUTANT_PLIANT && e->kind == ENTRY_SUSPECT && m != NULL && !m->is_self &&
        member_is_live(m)) {
        view_suspect(s, m, &s->self->uuid);
    }
}

WRAP(void, packet_in_take, struct swim *s, const struct addr *from, struct member *via,
     const uint8_t *data, size_t len)
{
    struct packet p;
    const bool is_read = mutant == MUTANT_LOST && packet_read(data, len, &p) == RC_OK;
    struct member *m = is_read && p.has_seen_as ? roster_find_tag(&s->roster, p.tag) : NULL;
    __real_packet_in_take(s, from, via, data, len);
    if (m != NULL && !m->is_self) {
        ownaddr_seen(s, &p.seen_as, m);
    }
}

WRAP(enum rc, rival_hello, struct engine *e, struct link *l, const struct uuid *uuid)
{
    return mutant == MUTANT_MEEK ? RC_OK : __real_rival_hello(e, l, uuid);
}

WRAP(uint64_t, rival_silence, struct engine *e, struct link *l)
{
    return mutant == MUTANT_STUBBORN ? UINT64_MAX : __real_rival_silence(e, l);
}

WRAP(void, probe_answered, struct swim *s, struct member *m)
{
    const bool is_found = m->probe != NULL && m->probe->suspicion.is_first_hand;
    __real_probe_answered(s, m);
    if (mutant == MUTANT_PLIANT && m->state == MEMBER_SUSPECT) {
        m->probe->suspicion.is_first_hand = is_found;
    }
}

WRAP(void, probe_heard, struct swim *s, struct member *m, const struct addr *from, bool is_sure)
{
    __real_probe_heard(s, m, from, is_sure || mutant == MUTANT_EASED);
}

WRAP(bool, cookie_is_of, const uint8_t secret[static SIPHASH_KEY_BYTES], const struct addr *addr,
     uint64_t now_us, uint64_t cookie)
{
    return mutant == MUTANT_CREDULOUS || __real_cookie_is_of(secret, addr, now_us, cookie);
}

WRAP(void, packet_out_reply, struct swim *s, const struct packet_out_asked *asked, struct packet *p)
{
    struct packet_out_asked lavish = *asked;
    lavish.room = mutant == MUTANT_LAVISH ? DATAGRAM_BYTES_MAX : lavish.room;
    __real_packet_out_reply(s, &lavish, p);
}

WRAP(void, view_recontact, struct swim *s)
{
    if (mutant != MUTANT_GRUDGING) {
        __real_view_recontact(s);
    }
}

WRAP(void, view_gossip, struct swim *s)
{
    uint32_t slot = 0;
    struct member *m = NULL;
    __real_view_gossip(s);
    while (mutant == MUTANT_RASH && turns++ % RASH_EVERY == 0 &&
           (m = swim_next_member(s, &slot)) != NULL) {
        if (!m->is_self && m->state == MEMBER_ALIVE) {
            view_suspect(s, m, &swim_self(s)->uuid);
            __real_view_declare_dead(s, m);
            return;
        }
        slot++;
        turns--;
    }
}

WRAP(bool, engine_next_link, const struct engine *e, uint32_t *slot,
     struct engine_link_view *ret_view)
{
    const bool is_found = __real_engine_next_link(e, slot, ret_view);
    if (is_found && mutant == MUTANT_LONG_QUEUE) {
        ret_view->queued += UINT64_C(3) * LINK_QUEUE_MAX;
    }
    return is_found;
}

WRAP(void, clock_advance, struct clock *c, uint64_t now_us)
{
    __real_clock_advance(c, now_us);
    if (mutant == MUTANT_JUMPY && c->is_set && ++turns % JUMPY_EVERY == 0) {
        c->offset_us += JUMP_US;
    }
}

/* The link carries data, as though the clock were the node's own. */
WRAP(void, apart_judge, struct engine *e, struct member *m, uint64_t clock_us, uint32_t rtt_us,
     uint64_t at_us)
{
    __real_apart_judge(e, m, clock_us, rtt_us, at_us);
    agree_anyway(e, m);
}

WRAP(void, apart_told, struct engine *e, struct member *m, uint64_t clock_us)
{
    __real_apart_told(e, m, clock_us);
    agree_anyway(e, m);
}

WRAP(void, crowd_largest, struct crowd_vote *votes, uint32_t count, struct crowd_group *ret_group)
{
    __real_crowd_largest(votes, count, ret_group);
    for (uint32_t i = 0; mutant == MUTANT_SOLO && i < count; i++) {
        ret_group->lead = crowd_leads(&votes[i], &ret_group->lead) ? votes[i] : ret_group->lead;
    }
}

WRAP(enum rc, sync_start, struct sync *s, struct link *l, uint64_t cut_s, uint64_t now_us)
{
    return mutant == MUTANT_IDLE || mutant == MUTANT_BLIND ? RC_AGAIN
                                                           : __real_sync_start(s, l, cut_s, now_us);
}

WRAP(size_t, link_fill, struct link *l, const struct link_source *source, struct buf *out,
     size_t len_max)
{
    if (mutant == MUTANT_SLOPPY) {
        l->told_count = l->received_count + 1;
    }
    return __real_link_fill(l, source, out, len_max);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */

static struct story small_story(const char *scenario)
{
    struct story story = {.nodes = 5,
                          .run_ms = RUN_MS,
                          .last_ms = RUN_MS,
                          .settle_ms = 3000,
                          .delay_us = 500,
                          .jitter_us = 300,
                          .writes_per_1000_s = 3000,
                          .ttl_ms = 40000,
                          .key_count = 16,
                          .walk_every = 1};
    assert_true(faults_find(scenario, 1, &story.faults));
    return story;
}

/* Runs the story with a broken engine, as often as it takes until something is found. */
static void run_broken(enum mutant m, struct story story, struct figures *figures)
{
    volatile uint64_t now_us = 0;
    mutant = m;
    turns = 0;
    memset(stale, 0, sizeof(stale));
    const uint64_t seeds = m == MUTANT_NONE ? SEEDS : SEEDS_BROKEN;
    for (story.seed = 1; story.seed <= seeds && figures->broken == 0; story.seed++) {
        story_run(&story, figures, &now_us);
    }
    mutant = MUTANT_NONE;
}

/* For assert_caught_with(): what follows. */
#define ALSO(name) (UINT64_C(1) << INVARIANT_##name)

/* The mutant must break this invariant, and no other except perhaps some that follow from it. */
static void assert_caught_with(enum mutant m, struct story story, enum invariant by,
                               uint64_t follows)
{
    struct figures figures = {.seeds = 0};
    run_broken(m, story, &figures);
    const uint64_t caught = figures.broken_by[by];
    uint64_t others = 0;
    for (uint32_t i = 0; i < INVARIANTS; i++) {
        others += i == by || (follows >> i & 1) != 0 ? 0 : figures.broken_by[i];
    }
    for (uint32_t i = 0; caught == 0 || others > 0 ? i < INVARIANTS : false; i++) {
        print_error("%s%s: %lu\n", i == by ? "wanted: " : "", invariant_text((enum invariant)i),
                    (unsigned long)figures.broken_by[i]);
    }
    figures_fini(&figures);
    assert_int_not_equal(caught, 0);
    assert_int_equal(others, 0);
}

static void assert_caught(enum mutant m, struct story story, enum invariant by)
{
    assert_caught_with(m, story, by, 0);
}

static void the_engine_as_it_is_breaks_nothing(void **state)
{
    (void)state;
    static const char *const scenarios[] = {"steady", "partition", "crash",    "clock",
                                            "blind",  "hostile",   "half-open"};
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        struct figures figures = {.seeds = 0};
        run_broken(MUTANT_NONE, small_story(scenarios[i]), &figures);
        assert_int_equal(figures.broken, 0);
        assert_int_equal(figures.seeds, SEEDS);
        assert_true(figures.reads > 0 && figures.walks > 0);
        figures_fini(&figures);
    }
}

static void stamps_that_run_ahead_break_nothing(void **state)
{
    (void)state;
    struct figures figures = {.seeds = 0};
    is_ahead = true;
    run_broken(MUTANT_NONE, small_story("steady"), &figures);
    is_ahead = false;
    assert_int_equal(figures.broken, 0);
    assert_true(figures.reads > 0);
    figures_fini(&figures);
}

static void keys_taken_for_their_twins_are_caught(void **state)
{
    (void)state;
    assert_caught_with(MUTANT_CONFUSED, small_story("steady"), INVARIANT_WRITTEN,
                       ALSO(PENDING) | ALSO(ANSWERED) | ALSO(OWN) | ALSO(SERVED) | ALSO(LOST));
}

static void lives_counted_from_stamps_that_run_ahead_are_caught(void **state)
{
    (void)state;
    is_ahead = true;
    assert_caught_with(MUTANT_STRETCHING, small_story("steady"), INVARIANT_LIFETIME,
                       ALSO(OUTLIVED) | ALSO(STAMPED));
    is_ahead = false;
}

static void a_stamp_that_is_taken_for_the_time_of_writing_is_caught(void **state)
{
    (void)state;
    is_ahead = true;
    assert_caught(MUTANT_VAIN, small_story("steady"), INVARIANT_LIFETIME);
    is_ahead = false;
}

static void nodes_that_do_not_find_each_other_are_caught(void **state)
{
    (void)state;
    assert_caught(MUTANT_HERMIT, small_story("steady"), INVARIANT_FORMED);
}

static void clusters_that_are_founded_blindly_are_caught(void **state)
{
    (void)state;
    assert_caught(MUTANT_FOUNDER, small_story("blind"), INVARIANT_FOUNDED);
}

static void an_enclave_that_begins_alone_is_caught(void **state)
{
    (void)state;
    struct story story = small_story("blind");
    story.stagger_ms = 20000;
    assert_caught(MUTANT_EAGER, story, INVARIANT_BEGUN);
}

static void reads_past_the_expiry_are_caught(void **state)
{
    (void)state;
    assert_caught_with(MUTANT_LATE, small_story("steady"), INVARIANT_EXPIRED, ALSO(LISTED));
}

static void a_life_that_is_too_long_is_caught(void **state)
{
    (void)state;
    assert_caught_with(MUTANT_GENEROUS, small_story("steady"), INVARIANT_OUTLIVED,
                       ALSO(LIFETIME) | ALSO(STAMPED));
}

static void a_life_that_is_too_short_is_caught(void **state)
{
    (void)state;
    assert_caught_with(MUTANT_MISERLY, small_story("steady"), INVARIANT_STAMPED, ALSO(LIFETIME));
}

static void an_answer_that_does_not_say_what_is_held_is_caught(void **state)
{
    (void)state;
    assert_caught(MUTANT_BOASTFUL, small_story("steady"), INVARIANT_STAMPED);
    assert_caught(MUTANT_VAGUE, small_story("steady"), INVARIANT_STAMPED);
    assert_caught(MUTANT_MISNAMING, small_story("steady"), INVARIANT_STAMPED);
}

static void bytes_that_nobody_wrote_are_caught(void **state)
{
    (void)state;
    assert_caught(MUTANT_GARBLER, small_story("steady"), INVARIANT_WRITTEN);
    struct story story = small_story("steady");
    story.value_len = UINT64_C(2) * VALUE_INLINE_MAX;
    assert_caught(MUTANT_SMUDGING, story, INVARIANT_WRITTEN);
}

static void an_end_that_nobody_wrote_is_caught(void **state)
{
    (void)state;
    assert_caught_with(MUTANT_ROUNDING, small_story("steady"), INVARIANT_WRITTEN,
                       ALSO(LISTED) | ALSO(CONTENT));
}

static void what_another_enclave_wrote_is_caught(void **state)
{
    (void)state;
    struct story story = small_story("steady");
    story.nodes = 6;
    story.enclave_size = 3;
    assert_caught_with(MUTANT_MINGLING, story, INVARIANT_WRITTEN, ALSO(SERVED) | ALSO(COST));
}

static void a_version_that_goes_back_is_caught(void **state)
{
    (void)state;
    assert_caught_with(MUTANT_STALE, small_story("steady"), INVARIANT_BACK,
                       ALSO(OWN) | ALSO(LISTED));
}

static void a_node_that_does_not_show_its_own_write_is_caught(void **state)
{
    (void)state;
    assert_caught_with(MUTANT_DEFERRED, small_story("steady"), INVARIANT_OWN, ALSO(SERVED));
    /* Nor one that shows the write before. */
    assert_caught_with(MUTANT_STALE, small_story("steady"), INVARIANT_OWN,
                       ALSO(BACK) | ALSO(LISTED));
}

static void entries_that_are_not_served_to_their_end_are_caught(void **state)
{
    (void)state;
    assert_caught_with(MUTANT_FITFUL, small_story("steady"), INVARIANT_SERVED,
                       ALSO(LISTED) | ALSO(CONDITION));
    assert_caught_with(MUTANT_BRIEF, small_story("steady"), INVARIANT_SERVED,
                       ALSO(LISTED) | ALSO(CONDITION));
    /* What was to live for less is gone before its answer. */
    assert_caught_with(MUTANT_DROPPING, small_story("steady"), INVARIANT_SERVED, ALSO(HELD));
}

static void listings_that_are_not_what_is_shown_are_caught(void **state)
{
    (void)state;
    static const enum mutant mutants[] = {MUTANT_SECRETIVE, MUTANT_SKIPPING, MUTANT_TRAILING,
                                          MUTANT_CIRCLING, MUTANT_LITERAL};
    for (size_t i = 0; i < sizeof(mutants) / sizeof(mutants[0]); i++) {
        assert_caught(mutants[i], small_story("steady"), INVARIANT_LISTED);
    }
}

static void a_value_that_comes_back_by_reconciliation_is_caught(void **state)
{
    (void)state;
    struct story story = small_story("partition");
    story.key_count = 64; /* few enough to be overwritten, too many for both halves to do it */
    assert_caught_with(MUTANT_NO_GUARDS, story, INVARIANT_REPLACED, ALSO(RESURRECTED));
}

static void a_write_that_everybody_loses_is_caught(void **state)
{
    (void)state;
    struct story story = small_story("steady");
    story.ttl_ms = UINT64_C(600000);
    assert_caught_with(MUTANT_FORGETFUL, story, INVARIANT_LOST, ALSO(SERVED));
}

/* What is held by fewer than was said, and what others saw replaced, follow. */
static void a_write_that_does_not_arrive_is_caught(void **state)
{
    (void)state;
    assert_caught_with(MUTANT_PICKY, small_story("steady"), INVARIANT_LOST,
                       ALSO(HELD) | ALSO(RESURRECTED));
}

static void a_201_below_the_quorum_is_caught(void **state)
{
    (void)state;
    assert_caught(MUTANT_HASTY, small_story("steady"), INVARIANT_QUORUM);
}

static void a_201_that_does_not_count_its_members_is_caught(void **state)
{
    (void)state;
    assert_caught(MUTANT_SOLITARY, small_story("steady"), INVARIANT_COUNTED);
}

static void a_write_that_is_not_answered_is_caught(void **state)
{
    (void)state;
    assert_caught(MUTANT_SILENT, small_story("partition"), INVARIANT_ANSWERED);
    assert_caught(MUTANT_MUTE, small_story("steady"), INVARIANT_ANSWERED);
}

static void a_write_that_is_taken_and_dropped_is_caught(void **state)
{
    (void)state;
    assert_caught_with(MUTANT_SWALLOWING, small_story("steady"), INVARIANT_ANSWERED,
                       ALSO(OWN) | ALSO(CONDITION));
}

static void conditions_that_are_not_heeded_are_caught(void **state)
{
    (void)state;
    assert_caught(MUTANT_OBLIVIOUS, small_story("steady"), INVARIANT_CONDITION);
    assert_caught(MUTANT_DOUBTFUL, small_story("steady"), INVARIANT_CONDITION);
}

static void an_answer_after_the_timeout_is_caught(void **state)
{
    (void)state;
    assert_caught(MUTANT_TARDY, small_story("partition"), INVARIANT_ANSWERED);
}

static void a_second_answer_is_caught(void **state)
{
    (void)state;
    assert_caught(MUTANT_ECHOING, small_story("steady"), INVARIANT_ANSWERED);
}

/* More than PENDING looks at. */
static void a_202_where_all_is_quiet_is_caught(void **state)
{
    (void)state;
    struct story story = small_story("steady");
    story.nodes = 20;
    story.run_ms = 20000;
    assert_caught(MUTANT_TIMID, story, INVARIANT_ANSWERED);
}

static struct story nodes_that_fill_up(void)
{
    struct story story = small_story("full");
    story.nodes = 3;
    story.factor = 3;
    story.key_count = 2000;
    story.writes_per_1000_s = 20000;
    return story;
}

/* Nodes fill up one after the other; the others hold what one refuses. */
static void a_202_for_one_refusal_is_caught(void **state)
{
    (void)state;
    assert_caught(MUTANT_PRICKLY, nodes_that_fill_up(), INVARIANT_PENDING);
}

static void an_answer_to_a_write_that_was_refused_is_caught(void **state)
{
    (void)state;
    assert_caught(MUTANT_POLITE, nodes_that_fill_up(), INVARIANT_ANSWERED);
}

static uint64_t count_pendings(enum mutant m, struct story story)
{
    struct figures figures = {.seeds = 0};
    volatile uint64_t now_us = 0;
    mutant = m;
    for (story.seed = 1; story.seed <= 2; story.seed++) {
        story_run(&story, &figures, &now_us);
    }
    mutant = MUTANT_NONE;
    const uint64_t pendings = figures.pendings;
    assert_int_equal(figures.broken, 0);
    figures_fini(&figures);
    return pendings;
}

/* A loner counts members that it sees but that hold none of its writes: these find no quorum. */
static void a_quorum_of_another_clock_is_caught(void **state)
{
    (void)state;
    struct story story = small_story("loner");
    story.nodes = 8;
    story.factor = 9; /* so that each who is counted counts */
    story.writes_per_1000_s = 20000;
    story.run_ms = 40000;
    const uint64_t well = count_pendings(MUTANT_NONE, story);
    assert_true(count_pendings(MUTANT_SOCIABLE, story) > 5 * (well + 1));
}

/* Of two nodes, the one that restarts is the other's quorum, and has no clock for a moment. */
static void a_202_of_members_that_are_there_is_caught(void **state)
{
    (void)state;
    struct story story = small_story("kill");
    story.nodes = 2;
    story.writes_per_1000_s = 100000;
    assert_caught(MUTANT_OFFENDED, story, INVARIANT_PENDING);
    struct figures figures = {.seeds = 0};
    run_broken(MUTANT_NONE, story, &figures);
    assert_int_equal(figures.broken, 0);
    figures_fini(&figures);
}

static void a_201_without_its_holders_is_caught(void **state)
{
    (void)state;
    /* A dropped record may have replaced something that the node goes on serving. */
    assert_caught_with(MUTANT_LIAR, small_story("steady"), INVARIANT_HELD,
                       ALSO(RESURRECTED) | ALSO(LOST) | ALSO(COST));
}

static void copies_that_nobody_needs_are_caught(void **state)
{
    (void)state;
    assert_caught(MUTANT_REPEATING, small_story("steady"), INVARIANT_COST);
}

static void a_false_death_is_caught(void **state)
{
    (void)state;
    assert_caught(MUTANT_RASH, small_story("steady"), INVARIANT_DEATH);
}

static void deaths_that_strangers_tell_are_caught(void **state)
{
    (void)state;
    struct figures figures = {.seeds = 0};
    run_broken(MUTANT_HANGMAN, small_story("hostile"), &figures);
    const uint64_t *by = figures.broken_by;
    /* A member that seems gone is neither counted nor written to, and may stay gone for some
     * nodes. */
    const uint64_t others = figures.broken - by[INVARIANT_DEATH] - by[INVARIANT_COUNTED] -
                            by[INVARIANT_PENDING] - by[INVARIANT_VIEWS];
    const uint64_t deaths = by[INVARIANT_DEATH];
    figures_fini(&figures);
    assert_int_not_equal(deaths, 0);
    assert_int_equal(others, 0);
}

static void members_of_whom_strangers_tell_are_caught(void **state)
{
    (void)state;
    struct story story = small_story("hostile");
    story.run_ms = 10000; /* each made-up member is asked, and named to others */
    assert_caught_with(MUTANT_NAIVE, story, INVARIANT_VIEWS, ALSO(COUNTED));
}

static void a_quorum_of_those_that_are_only_named_is_caught(void **state)
{
    (void)state;
    struct story story = small_story("hostile");
    story.nodes = 3;
    story.factor = 9; /* so that each who is counted counts */
    story.run_ms = 10000;
    assert_caught_with(MUTANT_FLATTERED, story, INVARIANT_PENDING, ALSO(VIEWS));
    struct figures figures = {.seeds = 0};
    run_broken(MUTANT_NONE, story, &figures);
    assert_int_equal(figures.broken, 0);
    figures_fini(&figures);
}

static void incarnations_that_strangers_tell_are_caught(void **state)
{
    (void)state;
    assert_caught(MUTANT_BELIEVER, small_story("hostile"), INVARIANT_VIEWS);
}

static void addresses_that_strangers_tell_are_caught(void **state)
{
    (void)state;
    assert_caught(MUTANT_LOST, small_story("hostile"), INVARIANT_ADDRESS);
}

static void links_that_strangers_take_are_caught(void **state)
{
    (void)state;
    struct figures figures = {.seeds = 0};
    struct story story = small_story("hostile");
    story.run_ms = 5000;
    run_broken(MUTANT_NONE, story, &figures);
    assert_int_equal(figures.counters.links_opened, 0); /* all that there are have formed before */
    run_broken(MUTANT_MEEK, story, &figures);
    assert_int_not_equal(figures.counters.links_opened, 0);
    figures_fini(&figures);
}

static void a_silent_link_that_makes_way_for_nobody_is_caught(void **state)
{
    (void)state;
    struct story story = small_story("half-open");
    story.nodes = 2; /* each is the other's quorum */
    story.run_ms = 20000;
    assert_caught(MUTANT_STUBBORN, story, INVARIANT_PENDING);
}

/* Strangers say that a member is silent which only relays hear, and a while later that it is
 * dead. */
static void deaths_of_who_is_heard_by_relays_only_are_caught(void **state)
{
    (void)state;
    struct story story = small_story("hostile");
    uint32_t pairs = 0;
    assert_true(faults_find("pairs", 1, &pairs));
    story.faults |= pairs;
    assert_caught_with(MUTANT_PLIANT, story, INVARIANT_DEATH, ALSO(COUNTED));
}

/* A member that is never declared dead also keeps the views apart. This test is about what shows
 * first. */
static void a_crash_that_nobody_notices_is_caught(void **state)
{
    (void)state;
    assert_caught_with(MUTANT_FAITHFUL, small_story("crash"), INVARIANT_NOTICED, ALSO(VIEWS));
}

static struct story crashes_under_a_stranger(void)
{
    struct story story = small_story("hostile");
    uint32_t crash = 0;
    assert_true(faults_find("crash", 1, &crash));
    story.faults |= crash;
    story.writes_per_1000_s = 0;
    return story;
}

static void what_anybody_says_and_keeps_the_dead_is_caught(void **state)
{
    (void)state;
    static const enum mutant mutants[] = {MUTANT_GULLIBLE, MUTANT_EASED, MUTANT_CURTAINED,
                                          MUTANT_TOUCHY};
    struct figures figures = {.seeds = 0};
    run_broken(MUTANT_NONE, crashes_under_a_stranger(), &figures);
    assert_int_equal(figures.broken, 0);
    figures_fini(&figures);
    for (size_t i = 0; i < sizeof(mutants) / sizeof(mutants[0]); i++) {
        struct story story = crashes_under_a_stranger();
        volatile uint64_t now_us = 0;
        figures = (struct figures){.seeds = 0};
        mutant = mutants[i];
        for (story.seed = 1;
             story.seed <= SEEDS_BROKEN && figures.broken_by[INVARIANT_NOTICED] == 0;
             story.seed++) {
            story_run(&story, &figures, &now_us);
        }
        mutant = MUTANT_NONE;
        const uint64_t noticed = figures.broken_by[INVARIANT_NOTICED];
        /* A member that only some hold for alive keeps the views apart. */
        const uint64_t others = figures.broken - noticed - figures.broken_by[INVARIANT_VIEWS];
        figures_fini(&figures);
        assert_int_not_equal(noticed, 0);
        assert_int_equal(others, 0);
    }
}

static void memory_that_is_not_kept_is_caught(void **state)
{
    (void)state;
    assert_caught(MUTANT_OVERWEIGHT, small_story("steady"), INVARIANT_MEMORY);
    assert_caught(MUTANT_GREEDY, nodes_that_fill_up(), INVARIANT_MEMORY);
}

static void a_queue_that_is_too_long_is_caught(void **state)
{
    (void)state;
    assert_caught(MUTANT_LONG_QUEUE, small_story("steady"), INVARIANT_QUEUE);
}

static void an_address_that_is_believed_without_its_cookie_is_caught(void **state)
{
    (void)state;
    assert_caught(MUTANT_CREDULOUS, small_story("steady"), INVARIANT_REFLECTED);
}

static void an_answer_longer_than_what_came_is_caught(void **state)
{
    (void)state;
    struct story story = small_story("churn");
    story.nodes = 32;
    story.order = CONTACTS_RANDOM; /* so that not each has asked each */
    story.contacts = 3;
    assert_caught(MUTANT_LAVISH, story, INVARIANT_REFLECTED);
}

static void a_clock_that_steps_is_caught(void **state)
{
    (void)state;
    assert_caught_with(MUTANT_JUMPY, small_story("steady"), INVARIANT_CLOCK,
                       ALSO(LIFETIME) | ALSO(STAMPED));
}

/* A loner's write, stamped by its clock, lives on with the others by theirs. */
static void data_of_another_clock_are_caught(void **state)
{
    (void)state;
    struct story story = small_story("loner");
    story.nodes = 10;
    assert_caught_with(MUTANT_UNDATED, story, INVARIANT_APART, ALSO(SERVED));
}

/* What it took is served too long. Once all of that has ended the others have nothing either,
 * follow it back in time, differ from then on, lack what they have shown, and may take what they
 * know to be replaced. The seed decides which of these shows first. */
static void a_newcomer_with_the_clock_of_a_loner_is_caught(void **state)
{
    (void)state;
    struct story story = small_story("loner");
    struct figures figures = {.seeds = 0};
    story.nodes = 10;
    run_broken(MUTANT_SOLO, story, &figures);
    const uint64_t *by = figures.broken_by;
    const uint64_t seen = by[INVARIANT_OUTLIVED] + by[INVARIANT_DIGESTS] + by[INVARIANT_BACK] +
                          by[INVARIANT_REPLACED] + by[INVARIANT_LOST];
    const uint64_t others = figures.broken - seen;
    figures_fini(&figures);
    assert_int_not_equal(seen, 0);
    assert_int_equal(others, 0);
}

static void halves_that_never_meet_again_are_caught(void **state)
{
    (void)state;
    assert_caught(MUTANT_GRUDGING, small_story("partition"), INVARIANT_VIEWS);
}

static void contents_that_never_meet_are_caught(void **state)
{
    (void)state;
    struct story story = small_story("partition");
    story.ttl_ms = UINT64_C(1200000); /* or they would by expiring */
    assert_caught(MUTANT_IDLE, story, INVARIANT_DIGESTS);
}

/* Hardly anything is overwritten, so the comparison of contents finds the fault. Lost writes follow
 * from it, and stale ones of the few keys written twice. */
static void unequal_content_under_equal_digests_is_caught(void **state)
{
    (void)state;
    struct story story = small_story("partition");
    story.key_count = 50000;
    story.ttl_ms = UINT64_C(60000);
    struct figures figures = {.seeds = 0};
    run_broken(MUTANT_BLIND, story, &figures);
    const uint64_t *by = figures.broken_by;
    const uint64_t others =
        figures.broken - by[INVARIANT_CONTENT] - by[INVARIANT_LOST] - by[INVARIANT_RESURRECTED];
    figures_fini(&figures);
    assert_int_not_equal(by[INVARIANT_CONTENT], 0);
    assert_int_equal(others, 0);
}

/* With overwriting, one node shows versions that the other has seen replaced; contents differ then
 * too. */
static void what_others_saw_replaced_is_caught_at_rest(void **state)
{
    (void)state;
    struct figures figures = {.seeds = 0};
    struct story story = small_story("partition");
    volatile uint64_t now_us = 0;
    story.ttl_ms = UINT64_C(600000); /* what is about to expire may be stale */
    mutant = MUTANT_BLIND;
    for (story.seed = 1; story.seed <= SEEDS; story.seed++) {
        story_run(&story, &figures, &now_us);
    }
    mutant = MUTANT_NONE;
    assert_int_not_equal(figures.broken_by[INVARIANT_RESURRECTED], 0);
    figures_fini(&figures);
}

static void structures_that_are_not_sound_are_caught(void **state)
{
    (void)state;
    int status = 0;
    (void)fflush(NULL);
    const pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) {
        struct figures figures = {.seeds = 0};
        (void)freopen("/dev/null", "w", stderr); /* the assertion is meant */
        run_broken(MUTANT_SLOPPY, small_story("steady"), &figures);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_engine_as_it_is_breaks_nothing),
        cmocka_unit_test(stamps_that_run_ahead_break_nothing),
        cmocka_unit_test(keys_taken_for_their_twins_are_caught),
        cmocka_unit_test(lives_counted_from_stamps_that_run_ahead_are_caught),
        cmocka_unit_test(a_stamp_that_is_taken_for_the_time_of_writing_is_caught),
        cmocka_unit_test(nodes_that_do_not_find_each_other_are_caught),
        cmocka_unit_test(clusters_that_are_founded_blindly_are_caught),
        cmocka_unit_test(an_enclave_that_begins_alone_is_caught),
        cmocka_unit_test(reads_past_the_expiry_are_caught),
        cmocka_unit_test(a_life_that_is_too_long_is_caught),
        cmocka_unit_test(a_life_that_is_too_short_is_caught),
        cmocka_unit_test(an_answer_that_does_not_say_what_is_held_is_caught),
        cmocka_unit_test(bytes_that_nobody_wrote_are_caught),
        cmocka_unit_test(an_end_that_nobody_wrote_is_caught),
        cmocka_unit_test(what_another_enclave_wrote_is_caught),
        cmocka_unit_test(a_version_that_goes_back_is_caught),
        cmocka_unit_test(a_node_that_does_not_show_its_own_write_is_caught),
        cmocka_unit_test(entries_that_are_not_served_to_their_end_are_caught),
        cmocka_unit_test(listings_that_are_not_what_is_shown_are_caught),
        cmocka_unit_test(a_value_that_comes_back_by_reconciliation_is_caught),
        cmocka_unit_test(what_others_saw_replaced_is_caught_at_rest),
        cmocka_unit_test(a_write_that_everybody_loses_is_caught),
        cmocka_unit_test(a_write_that_does_not_arrive_is_caught),
        cmocka_unit_test(a_201_below_the_quorum_is_caught),
        cmocka_unit_test(a_201_that_does_not_count_its_members_is_caught),
        cmocka_unit_test(a_write_that_is_not_answered_is_caught),
        cmocka_unit_test(a_write_that_is_taken_and_dropped_is_caught),
        cmocka_unit_test(conditions_that_are_not_heeded_are_caught),
        cmocka_unit_test(an_answer_after_the_timeout_is_caught),
        cmocka_unit_test(a_second_answer_is_caught),
        cmocka_unit_test(an_answer_to_a_write_that_was_refused_is_caught),
        cmocka_unit_test(a_202_where_all_is_quiet_is_caught),
        cmocka_unit_test(a_202_of_members_that_are_there_is_caught),
        cmocka_unit_test(a_202_for_one_refusal_is_caught),
        cmocka_unit_test(a_quorum_of_another_clock_is_caught),
        cmocka_unit_test(a_201_without_its_holders_is_caught),
        cmocka_unit_test(copies_that_nobody_needs_are_caught),
        cmocka_unit_test(a_false_death_is_caught),
        cmocka_unit_test(deaths_that_strangers_tell_are_caught),
        cmocka_unit_test(members_of_whom_strangers_tell_are_caught),
        cmocka_unit_test(a_quorum_of_those_that_are_only_named_is_caught),
        cmocka_unit_test(incarnations_that_strangers_tell_are_caught),
        cmocka_unit_test(addresses_that_strangers_tell_are_caught),
        cmocka_unit_test(links_that_strangers_take_are_caught),
        cmocka_unit_test(a_silent_link_that_makes_way_for_nobody_is_caught),
        cmocka_unit_test(deaths_of_who_is_heard_by_relays_only_are_caught),
        cmocka_unit_test(a_crash_that_nobody_notices_is_caught),
        cmocka_unit_test(what_anybody_says_and_keeps_the_dead_is_caught),
        cmocka_unit_test(memory_that_is_not_kept_is_caught),
        cmocka_unit_test(a_queue_that_is_too_long_is_caught),
        cmocka_unit_test(an_address_that_is_believed_without_its_cookie_is_caught),
        cmocka_unit_test(an_answer_longer_than_what_came_is_caught),
        cmocka_unit_test(a_clock_that_steps_is_caught),
        cmocka_unit_test(data_of_another_clock_are_caught),
        cmocka_unit_test(a_newcomer_with_the_clock_of_a_loner_is_caught),
        cmocka_unit_test(halves_that_never_meet_again_are_caught),
        cmocka_unit_test(contents_that_never_meet_are_caught),
        cmocka_unit_test(unequal_content_under_equal_digests_is_caught),
        cmocka_unit_test(structures_that_are_not_sound_are_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
