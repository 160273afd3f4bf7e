#include "tests/sim/answers.h"

#include "tests/sim/stage.h"
#include "tests/sim/writes_state.h"

enum {
    ANSWER_SLACK_US = 100 * 1000,  /* a tick may be late */
    COUNTED_US = 60 * 1000 * 1000, /* for this long others may count a node that has ended */
};

/* ---- When it is taken ---- */

/* Its time to live after the time at which its node took it, by the node's clock. */
static bool is_end(const struct write *at, uint64_t expiry_ms)
{
    const int64_t taken_ms = (int64_t)(at->at_us / 1000) + at->clock_ms;
    const int64_t late_ms = (int64_t)expiry_ms - taken_ms - (int64_t)at->ttl_ms;
    return late_ms >= -WRITES_TAKEN_SLACK_MS && late_ms <= WRITES_TAKEN_SLACK_MS;
}

void answers_judge_own(struct writes *w, uint64_t token)
{
    const struct write *at = &w->all[token];
    struct record r;
    if (writes_get(w, at->node, at->key, &r) != RC_OK) {
        oracle_broken(w->oracle, INVARIANT_OWN,
                      "node %u has taken a write of key %u, and shows none", at->node, at->key);
    } else if (writes_find(w, &r.version) != at) {
        oracle_broken(w->oracle, INVARIANT_OWN,
                      "node %u has taken a write of key %u, and shows another", at->node, at->key);
    } else if (!is_end(at, r.expiry_ms)) {
        oracle_broken(w->oracle, INVARIANT_STAMPED,
                      "node %u has taken a write of key %u to end at another time than asked",
                      at->node, at->key);
    }
}

/* ---- In time ---- */

/* By then the answer must have come: a node that is stopped gives it when it goes on. */
static uint64_t due_us(const struct writes *w, const struct write *at)
{
    const struct cluster *c = w->config.cluster;
    const uint64_t timeout_us = at->at_us + (uint64_t)c->config.write_timeout_ms * 1000;
    const uint64_t resumed_us = c->nodes[at->node].paused_until_us;
    return (timeout_us > resumed_us ? timeout_us : resumed_us) + ANSWER_SLACK_US;
}

/* Whether the node that took the write still owes the answer. */
static bool is_owed(const struct writes *w, uint64_t token)
{
    const struct cluster *c = w->config.cluster;
    const struct write *at = &w->all[token];
    return c->puts[token].is_accepted && !at->is_answered && c->nodes[at->node].is_up &&
           c->nodes[at->node].life == at->life;
}

void answers_judge_owed(struct writes *w, bool is_rest)
{
    for (; w->owed_from < w->count; w->owed_from++) {
        const struct write *at = &w->all[w->owed_from];
        if (!is_owed(w, w->owed_from)) {
            continue;
        }
        if (!is_rest && w->config.cluster->net.now_us <= due_us(w, at)) {
            return; /* all wait equally long */
        }
        oracle_broken(w->oracle, INVARIANT_ANSWERED, "a write to node %u is not answered",
                      at->node);
    }
}

/* The answer names the entry that there is, and its times. */
static void judge_times(struct writes *w, const struct write *at, const struct put_done *done)
{
    const bool is_named =
        version_compare(&done->version, &at->version) == 0 && done->expiry_ms == at->expiry_ms;
    if (done->ttl_ms != at->ttl_ms || !is_end(at, done->expiry_ms) || !is_named) {
        oracle_broken(w->oracle, INVARIANT_STAMPED,
                      "a write to node %u was answered with another version, life or end",
                      at->node);
    }
}

/* ---- 202 ---- */

/* Whether the node has been there since the write, and can take it. */
static bool could_answer(const struct cluster *c, uint32_t node, uint64_t since_us)
{
    const struct sim_node *n = &c->nodes[node];
    return n->is_up && n->started_us <= since_us && n->paused_until_us < since_us &&
           (engine_unready(n->engine) & (READY_FULL | READY_DRAINING)) == 0;
}

/* Whether others may still count the node, or who was in its place: it is up, or was not long ago.
 */
static bool was_there(const struct cluster *c, uint32_t node, uint64_t at_us)
{
    return c->nodes[node].is_up || c->nodes[node].stopped_us + COUNTED_US > at_us;
}

/* Where nothing goes wrong all can take a write, in an enclave of any size, unless they are full.
 */
static void judge_quiet(struct writes *w, const struct write *at)
{
    const struct cluster *c = w->config.cluster;
    for (uint32_t i = at->first; i < at->end; i++) {
        if (!could_answer(c, i, at->at_us)) {
            return;
        }
    }
    oracle_broken(w->oracle, INVARIANT_ANSWERED,
                  "a write to node %u was answered 202 where nothing is wrong", at->node);
}

static void judge_pending(struct writes *w, const struct write *at, const struct put_done *done)
{
    const struct cluster *c = w->config.cluster;
    const uint32_t factor = c->config.replication_factor;
    uint32_t could = 1;
    uint32_t there = 1;
    if (w->config.is_quiet) {
        judge_quiet(w, at);
    }
    if (!w->config.is_calm || at->end - at->first > WRITES_JUDGED_MAX) {
        return;
    }
    for (uint32_t i = at->first; i < at->end; i++) {
        could += (at->seen_alive >> (i - at->first) & 1) != 0 && could_answer(c, i, at->at_us);
        there += i != at->node && was_there(c, i, at->at_us);
    }
    const uint32_t members = done->members < there ? done->members : there;
    if (could >= (members < factor ? members : factor) / 2 + 1 &&
        could_answer(c, at->node, at->at_us)) {
        oracle_broken(w->oracle, INVARIANT_PENDING,
                      "a write to node %u was answered 202 with %u holders, %u could hold it",
                      at->node, done->have, could);
    }
}

/* ---- 201 ---- */

/* As many hold the write as the answer says, or may have held it. */
static void judge_holders(struct writes *w, const struct write *at, const struct put_done *done)
{
    const struct cluster *c = w->config.cluster;
    uint32_t holders = 0;
    for (uint32_t i = at->first; i < at->end; i++) {
        const struct sim_node *n = &c->nodes[i];
        struct record r;
        const bool has_it = n->is_up && writes_get(w, i, at->key, &r) == RC_OK &&
                            version_compare(&r.version, &at->version) >= 0;
        /* A node that has ended since may have held it. Where its time is over nobody shows it. */
        holders += has_it || n->stopped_us >= at->at_us || (n->is_up && n->started_us > at->at_us);
    }
    if (holders < done->have && !writes_may_be_shadowed(w, at) &&
        c->net.now_us + WRITES_TRUE_SLACK_US < at->at_us + at->ttl_ms * 1000) {
        oracle_broken(w->oracle, INVARIANT_HELD,
                      "a write to node %u was answered 201 with %u holders, has %u", at->node,
                      done->have, holders);
    }
}

static void judge_quorum(struct writes *w, const struct write *at, const struct put_done *done)
{
    const uint32_t factor = w->config.cluster->config.replication_factor;
    if (done->have < (done->members < factor ? done->members : factor) / 2 + 1) {
        oracle_broken(w->oracle, INVARIANT_QUORUM,
                      "a write to node %u was answered 201 with %u holders of %u", at->node,
                      done->have, done->members);
    }
    if (done->members < (at->well < factor ? at->well : factor)) {
        oracle_broken(w->oracle, INVARIANT_COUNTED,
                      "a write to node %u was answered 201 by a quorum of %u members, %u are well",
                      at->node, done->members, at->well);
    }
}

void answers_done(struct writes *w, const struct put_done *done)
{
    const struct cluster *c = w->config.cluster;
    struct write *at = &w->all[done->token];
    if (at->is_answered || !c->puts[done->token].is_accepted) {
        oracle_broken(w->oracle, INVARIANT_ANSWERED, "a write to node %u was answered %s", at->node,
                      at->is_answered ? "twice" : "and had been refused");
        return;
    }
    writes_learn(w, done->token);
    at->is_answered = true;
    if (c->net.now_us > due_us(w, at)) {
        oracle_broken(w->oracle, INVARIANT_ANSWERED,
                      "a write to node %u was answered after the timeout", at->node);
    }
    judge_times(w, at, done);
    if (done->status != PUT_QUORUM) {
        w->config.figures->pendings++;
        judge_pending(w, at, done);
        return;
    }
    w->config.figures->quorums++;
    judge_quorum(w, at, done);
    judge_holders(w, at, done);
}
