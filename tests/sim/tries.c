#include "tests/sim/tries.h"

#include "tests/sim/stage.h"
#include "tests/sim/writes_state.h"

/* Conditions on a key of which the node shows this version. */
static void choose_for_shown(uint64_t token, const struct version *shown,
                             const struct version *other, struct sim_tries *ret_tries)
{
    const struct put any_not = {.condition = PUT_IF_NONE_MATCH, .is_any = true};
    const struct put other_only = {
        .condition = PUT_IF_MATCH, .versions = other, .version_count = 1};
    const struct put this_only = {.condition = PUT_IF_MATCH, .versions = shown, .version_count = 1};
    const struct put other_not = {
        .condition = PUT_IF_NONE_MATCH, .versions = other, .version_count = 1};
    ret_tries->fails = token % 2 == 0 ? any_not : other_only;
    ret_tries->holds = token / 2 % 2 == 0 ? this_only : other_not;
}

uint64_t tries_put(struct writes *w, uint64_t token, const char *key)
{
    struct cluster *c = w->config.cluster;
    const struct write *at = &w->all[token];
    struct sim_tries tries = {.fails = {.condition = PUT_IF_MATCH, .is_any = true},
                              .holds = {.condition = PUT_IF_NONE_MATCH, .is_any = true}};
    struct engine_status status;
    struct record r;
    /* The write will move the clock on; what is over then is not shown now. */
    engine_status(c->nodes[at->node].engine, stage_now_us(c, at->node), &status);
    const bool is_shown = writes_get(w, at->node, at->key, &r) == RC_OK;
    struct version shown = {.stamp = 0};
    struct version other = {.stamp = 1};
    if (is_shown) {
        shown = r.version;
        other = r.version;
        other.stamp++;
        choose_for_shown(token, &shown, &other, &tries);
    }
    const uint64_t put =
        cluster_put_tries(c, at->node, key, w->value, w->config.value_len, at->ttl_ms, &tries);
    const bool is_told = tries.ret_fails == RC_PRECONDITION;
    if (tries.ret_fails == RC_OK || (tries.ret_holds == RC_OK && !is_told)) {
        oracle_broken(w->oracle, INVARIANT_CONDITION,
                      "node %u has taken a write whose condition does not hold", at->node);
    }
    if (tries.ret_holds == RC_PRECONDITION) {
        oracle_broken(w->oracle, INVARIANT_CONDITION,
                      "node %u has refused a write whose condition holds", at->node);
    }
    return put;
}
