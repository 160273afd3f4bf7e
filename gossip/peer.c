/* How links begin and end, and what is looked at meanwhile. */
#include "core/base/assert.h"
#include "core/base/units.h"
#include "gossip/engine.h"
#include "gossip/engine_state.h"
#include "gossip/hello.h"
#include "gossip/link_out.h"
#include "gossip/tree_links.h"
#include "gossip/wiring.h"

#include <stdio.h>

enum {
    CLOSE_FLUSH_US = LINK_CLOSE_FLUSH_MS * 1000,
    UNMET_TURN_US = 500 * 1000,       /* who has not shown in this time who is there makes way */
    CROWD_TOLD_US = 60 * 1000 * 1000, /* a crowd is told of no more often */
    LINK_IDLE_US = 20 * 1000 * 1000,  /* a link without a reason ends after so long without use */
};

/* ---- Links come and go ---- */

/* Nobody uses the link any more, which was `m`'s (NULL: nobody's). */
static void detach(struct engine *e, struct link *l, struct member *m)
{
    sync_link_gone(e->sync, l);
    tree_link_gone(e->tree, l->id, e->now_us);
    spread_relinked(&e->spread);
    peer_look_by(e, reconcile_link_gone(&e->reconcile, l, e->now_us));
    if (m != NULL && rival_of(e, m) != NULL) {
        peer_look_by(e, e->now_us);
    }
}

static void drop(struct engine *e, struct link *l)
{
    struct member *m = l->member;
    hello_was_all(e, l, m);
    detach(e, l, m);
    holdings_drop(&e->holdings, l);
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
    hello_was_all(e, l, m);
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

void peer_rekey(struct engine *e)
{
    uint32_t id = 0;
    for (struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, id)) {
        id = l->id;
        if (l->state == LINK_CLOSING || keyring_find(engine_keyring(e), l->key_id) != NULL) {
            continue;
        }
        if (l->member == NULL && l->is_dialed) {
            swim_candidate_failed(e->swim, &l->addr, e->now_us);
        }
        if (l->member != NULL) {
            outbox_notice(e->outbox, NOTICE_LINK_DOWN, l->member, 0, "its key was removed");
        }
        peer_end(e, l, l->state == LINK_OPEN ? CLOSE_KEY : 0);
    }
    mesh_hurry(e->mesh);
}

static void tell_crowd(struct engine *e, enum mesh_limit limit, const struct addr *from)
{
    char where[ADDR_TEXT_SIZE];
    char text[NOTICE_TEXT_SIZE];
    if (e->crowd_told_us != 0 && e->now_us - e->crowd_told_us < CROWD_TOLD_US) {
        return;
    }
    e->crowd_told_us = e->now_us;
    (void)addr_format(from, where);
    if (limit == MESH_ADDR_IS_FULL) {
        (void)snprintf(text, sizeof(text), "%d from the address%s of %s", MESH_UNMET_ADDR_MAX,
                       addr_is_v4(from) ? "" : " or the /64", where);
    } else {
        (void)snprintf(text, sizeof(text), "%d, the last from %s", MESH_UNMET_MAX, where);
    }
    outbox_notice(e->outbox, NOTICE_LINKS_CROWDED, NULL, 0, text);
}

/* Whether there is a place for one more whom nobody knows yet. Who only holds his makes way for the
 * next, or one stranger could keep all others out for as long as he liked. A member shows who it is
 * within two round trips. */
static bool make_place(struct engine *e, const struct addr *from)
{
    struct link *oldest = NULL;
    const enum mesh_limit limit =
        mesh_crowding(e->mesh, mesh_is_own_host(e->mesh, from) ? NULL : from, &oldest);
    if (limit != MESH_HAS_ROOM) {
        tell_crowd(e, limit, from);
    }
    if (oldest != NULL && e->now_us - oldest->since_us >= UNMET_TURN_US) {
        e->counters.links_displaced++;
        peer_end(e, oldest, 0);
        return true;
    }
    e->counters.links_refused_addr += limit == MESH_ADDR_IS_FULL;
    e->counters.links_refused_all += limit == MESH_IS_FULL;
    return limit == MESH_HAS_ROOM;
}

/* Who has a key is no stranger: the limits for these do not hold for it. */
uint32_t engine_link_accept(struct engine *e, const struct addr *from, uint16_t key_id,
                            uint64_t now_us)
{
    engine_advance(e, now_us);
    if (keyring_find(engine_keyring(e), key_id) == NULL ||
        (key_id == KEYRING_ID_OPEN && !make_place(e, from))) {
        return 0;
    }
    struct link *l = mesh_add(e->mesh, LINK_HELLO, false, from, now_us);
    if (l == NULL) {
        e->counters.links_refused_all++;
        return 0;
    }
    l->key_id = key_id;
    hello_await(e, l);
    if (hello_say(e, l, hello_token(e, l)) != RC_OK) {
        drop(e, l);
        return 0;
    }
    return l->id;
}

void peer_count(struct engine *e, struct link *l)
{
    struct link *heaviest = NULL;
    holdings_count(&e->holdings, e->mesh, l, e->now_us);
    while ((heaviest = holdings_excess(&e->holdings, e->mesh)) != NULL) {
        e->counters.links_outgrown++;
        if (heaviest->member != NULL) {
            outbox_notice(e->outbox, NOTICE_LINK_DOWN, heaviest->member, 0, "too much memory");
            mesh_failed(e->mesh, heaviest->member, e->now_us);
        }
        peer_end(e, heaviest, 0);
    }
}

void engine_link_unsent(struct engine *e, uint32_t link, size_t bytes)
{
    struct link *l = mesh_find(e->mesh, link);
    if (l != NULL) {
        l->unsent_bytes = bytes;
    }
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
    case LINK_END_NO_HOST:
        return "no route to this host (EHOSTUNREACH)";
    case LINK_END_NO_NET:
        return "no route to this network (ENETUNREACH)";
    case LINK_END_DENIED:
        return "not permitted on this host (EACCES)";
    case LINK_END_NO_FD:
        return "no descriptor is left (EMFILE)";
    case LINK_END_UNSEALED:
        return "the handshake failed, as with a node of other keys";
    }
    return "?";
}

/* The same of a dial, with the name of the error where the system gave one. */
static const char *dial_text(enum link_end why)
{
    if (why == LINK_END_TIMEOUT) {
        return "timed out (ETIMEDOUT)";
    }
    if (why == LINK_END_REFUSED) {
        return "refused (ECONNREFUSED)";
    }
    return why == LINK_END_RESET ? "reset (ECONNRESET)" : end_text(why);
}

/* A member that is there and cannot be dialled is no member to write to. */
static void tell_undialed(struct engine *e, const struct member *m, const struct addr *addr,
                          uint32_t failures, enum link_end why)
{
    char where[ADDR_TEXT_SIZE];
    char text[NOTICE_TEXT_SIZE];
    if (m->state != MEMBER_ALIVE || !m->has_answered || m->link != 0) {
        return;
    }
    (void)snprintf(text, sizeof(text), "%s: %s", addr_format(addr, where), dial_text(why));
    outbox_notice(e->outbox, NOTICE_UNDIALED, m, failures, text);
}

/* So many dials in vain are no accident; and again each time that they have doubled. */
static bool is_told(uint32_t failures)
{
    const uint32_t doubled = failures / DIALS_TOLD;
    return failures > 0 && failures % DIALS_TOLD == 0 && (doubled & (doubled - 1)) == 0;
}

/* A dial failed: settles the candidate, or has the member tried again later. */
static void dial_failed(struct engine *e, const struct link *l, enum link_end why)
{
    swim_candidate_failed(e->swim, &l->addr, e->now_us);
    struct member *m = swim_find_addr(e->swim, &l->addr);
    if (m == NULL || m->is_self) {
        return;
    }
    const uint32_t failures = mesh_dial_failed(e->mesh, m, e->now_us);
    if (is_told(failures)) {
        tell_undialed(e, m, &l->addr, failures, why);
    }
    if (why == LINK_END_REFUSED) {
        swim_refused(e->swim, &l->addr, e->now_us);
    }
}

void engine_link_up(struct engine *e, uint32_t link, uint64_t now_us)
{
    engine_advance(e, now_us);
    struct link *l = mesh_find(e->mesh, link);
    if (l != NULL && l->state == LINK_DIALING) {
        hello_await(e, l);
    }
    engine_settle(e);
}

struct reconcile_env peer_reconcile_env(struct engine *e)
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

/* Whether the dial would get through with another key of the ring, or without one: a node that
 * takes none but sealed links refuses the plain upgrade. */
static bool is_for_another_key(const struct link *l, enum link_end why)
{
    return l->state == LINK_DIALING &&
           (why == LINK_END_UNSEALED || (why == LINK_END_REJECTED && l->key_id == KEYRING_ID_OPEN));
}

void engine_link_down(struct engine *e, uint32_t link, enum link_end why, uint64_t now_us)
{
    engine_advance(e, now_us);
    struct link *l = mesh_find(e->mesh, link);
    if (l == NULL) {
        return;
    }
    if (is_for_another_key(l, why) && mesh_dial_on(e->mesh, l)) {
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
        outbox_notice(e->outbox, NOTICE_LINK_DOWN, m, 0, end_text(why));
        mesh_failed(e->mesh, m, now_us);
    }
    drop(e, l);
    if (was_open && m != NULL && !e->is_leaving) {
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

size_t engine_link_output(struct engine *e, uint32_t link, struct buf *out, struct blobrefs *refs,
                          size_t len_max, uint64_t now_us)
{
    engine_advance(e, now_us);
    struct link *l = mesh_find(e->mesh, link);
    return l == NULL ? 0 : link_out_take(e, l, out, refs, len_max);
}

/* ---- Time ---- */

/* Whether neither side has a reason for the link and nothing is under way on it. */
static bool is_needless(const struct engine *e, const struct link *l)
{
    return ((l->role.flags | l->role.peer_flags) & ROLE_KEEPS) == 0 && !link_has_output(l) &&
           l->sent_count == l->acked_count && l->unacked.count == 0 && !e->is_leaving;
}

/* Looks after an open link. Returns when to look again. The link may be gone after it. */
static uint64_t look_at_open(struct engine *e, struct link *l)
{
    if (l->repair.reasons != 0) {
        const struct reconcile_env env = peer_reconcile_env(e);
        return reconcile_link(&env, l);
    }
    if (((l->role.flags | l->role.peer_flags) & ROLE_KEEPS) != 0) {
        return NEVER;
    }
    if (e->overlay.is_large && !l->trees.is_left && wiring_is_up(e)) {
        tree_links_leave(&engine_spread(e)->env, l);
    }
    const uint64_t idle_us = e->now_us - l->used_us;
    if (idle_us < LINK_IDLE_US) {
        return l->used_us + LINK_IDLE_US;
    }
    if (is_needless(e, l)) {
        tree_links_leave(&engine_spread(e)->env, l);
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
    if (e->now_us < min_u64(e->peers_at_us, e->spread.look_at_us)) {
        return;
    }
    const struct reconcile_env env = peer_reconcile_env(e);
    e->peers_at_us = reconcile_settle(&e->reconcile, &env);
    e->spread.look_at_us = NEVER;
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
    const struct reconcile_env env = peer_reconcile_env(e);
    peer_look_by(e, reconcile_vitals(&e->reconcile, &env, m, v));
}

void peer_take_root(struct engine *e, struct link *l, struct cursor *c)
{
    const uint64_t cut_s = cursor_u64(c);
    const uint64_t sum = cursor_u64(c);
    const struct reconcile_env env = peer_reconcile_env(e);
    peer_look_by(e, reconcile_root(&env, l, cut_s, sum));
}
