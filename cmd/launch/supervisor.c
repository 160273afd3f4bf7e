#include "cmd/launch/supervisor.h"

#include "cmd/base/exit_code.h"
#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/units.h"

#include <signal.h>
#include <stdlib.h>

void supervisor_init(struct supervisor *s, size_t count, uint64_t now_ms, uint64_t form_by_ms,
                     uint64_t grace_ms)
{
    *s = (struct supervisor){.count = count,
                             .children = mem_new(count, sizeof(*s->children)),
                             .is_all_or_nothing = form_by_ms != NEVER,
                             .form_by_ms = form_by_ms,
                             .grace_ms = grace_ms};
    for (size_t i = 0; i < count; i++) {
        s->children[i].start_at_ms = now_ms;
    }
}

void supervisor_fini(struct supervisor *s)
{
    free(s->children);
    s->children = NULL;
}

/* Children that wait for a restart are not started any more; the others get the signal. */
static void begin_stop(struct supervisor *s, int exit_code, uint64_t now_ms)
{
    if (s->is_stopping) {
        return;
    }
    s->is_stopping = true;
    s->exit_code = exit_code;
    s->kill_at_ms = now_ms + s->grace_ms + LEAVE_MS;
    for (size_t i = 0; i < s->count; i++) {
        if (s->children[i].state == CHILD_RUNNING) {
            s->children[i].signal_owed = SIGTERM;
        } else {
            s->children[i].state = CHILD_ENDED;
        }
    }
}

static void begin_kill(struct supervisor *s)
{
    s->is_killing = true;
    for (size_t i = 0; i < s->count; i++) {
        if (s->children[i].state == CHILD_RUNNING) {
            s->children[i].signal_owed = SIGKILL;
            /* A child that had to be killed did not end well. */
            s->exit_code = s->exit_code == EXIT_CODE_OK ? EXIT_CODE_FAILED : s->exit_code;
        }
    }
}

static bool has_running(const struct supervisor *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->children[i].state == CHILD_RUNNING) {
            return true;
        }
    }
    return false;
}

static bool next_for_child(struct supervisor *s, size_t i, uint64_t now_ms,
                           struct supervisor_action *ret_action)
{
    struct supervised *child = &s->children[i];
    if (child->state == CHILD_RUNNING && child->signal_owed != 0) {
        *ret_action = (struct supervisor_action){
            .step = STEP_SIGNAL, .child = i, .signal = child->signal_owed};
        child->signal_owed = 0;
        return true;
    }
    if (child->state == CHILD_WAITING && now_ms >= child->start_at_ms) {
        child->state = CHILD_RUNNING;
        child->started_ms = now_ms;
        child->signal_owed = 0;
        *ret_action = (struct supervisor_action){.step = STEP_START, .child = i};
        return true;
    }
    return false;
}

bool supervisor_next(struct supervisor *s, uint64_t now_ms, struct supervisor_action *ret_action)
{
    if (s->is_all_or_nothing && !s->is_formed && now_ms >= s->form_by_ms) {
        begin_stop(s, EXIT_CODE_NOT_FORMED, now_ms);
    }
    if (s->is_stopping && !s->is_killing && now_ms >= s->kill_at_ms) {
        begin_kill(s);
    }
    for (size_t i = 0; i < s->count; i++) {
        if (next_for_child(s, i, now_ms, ret_action)) {
            return true;
        }
    }
    if (s->is_stopping && !has_running(s)) {
        *ret_action = (struct supervisor_action){.step = STEP_EXIT, .exit_code = s->exit_code};
        return true;
    }
    return false;
}

uint64_t supervisor_deadline(const struct supervisor *s)
{
    uint64_t deadline = NEVER;
    if (s->is_stopping) {
        return s->is_killing ? NEVER : s->kill_at_ms;
    }
    if (s->is_all_or_nothing && !s->is_formed) {
        deadline = s->form_by_ms;
    }
    for (size_t i = 0; i < s->count; i++) {
        const struct supervised *child = &s->children[i];
        if (child->state == CHILD_WAITING && child->start_at_ms < deadline) {
            deadline = child->start_at_ms;
        }
    }
    return deadline;
}

/* Counts the failure and says when to try again. */
static enum exit_verdict plan_restart(struct supervised *child, uint64_t now_ms)
{
    const uint64_t life_ms = now_ms - child->started_ms;
    if (life_ms >= RESTART_HEALTHY_MS) {
        child->delay_ms = 0;
    }
    if (life_ms >= LOOP_LIFE_MS) {
        child->quick_failures = 0;
        child->is_looping = false;
    } else {
        child->quick_failures++;
    }
    const bool is_new_loop = child->quick_failures >= LOOP_FAILURES && !child->is_looping;
    child->is_looping = child->is_looping || is_new_loop;
    child->delay_ms = child->delay_ms == 0 ? RESTART_DELAY_MIN_MS : child->delay_ms * 2;
    if (child->is_looping || child->delay_ms > RESTART_DELAY_MAX_MS) {
        child->delay_ms = RESTART_DELAY_MAX_MS;
    }
    child->state = CHILD_WAITING;
    child->start_at_ms = now_ms + child->delay_ms;
    return is_new_loop ? VERDICT_LOOP : VERDICT_RESTART;
}

static bool nobody_finds_a_port(const struct supervisor *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (!s->children[i].lacks_port) {
            return false;
        }
    }
    return true;
}

enum exit_verdict supervisor_exited(struct supervisor *s, size_t child, int code, int signal,
                                    uint64_t now_ms)
{
    ASSERT(child < s->count);
    struct supervised *ended = &s->children[child];
    if (s->is_stopping) {
        ended->state = CHILD_ENDED;
        return VERDICT_STOPPED;
    }
    const bool is_exit = signal == 0;
    /* Files change while nodes run, and one that is wrong for now is no reason to stop those that
     * serve. */
    const bool is_refused = code == EXIT_CODE_BAD_CONFIG || code == EXIT_CODE_USAGE;
    if (is_exit && is_refused && !ended->has_served) {
        ended->state = CHILD_ENDED;
        begin_stop(s, code, now_ms);
        return VERDICT_FATAL;
    }
    if (is_exit && code == EXIT_CODE_NO_PORT && s->is_all_or_nothing && !s->is_formed) {
        ended->state = CHILD_ENDED;
        begin_stop(s, EXIT_CODE_NOT_FORMED, now_ms);
        return VERDICT_FATAL;
    }
    ended->lacks_port = is_exit && code == EXIT_CODE_NO_PORT;
    if (nobody_finds_a_port(s)) {
        ended->state = CHILD_ENDED;
        begin_stop(s, EXIT_CODE_NO_PORT, now_ms);
        return VERDICT_FATAL;
    }
    return plan_restart(ended, now_ms);
}

void supervisor_signal(struct supervisor *s, int signal, uint64_t now_ms)
{
    if (signal == SIGHUP) {
        for (size_t i = 0; i < s->count && !s->is_stopping; i++) {
            s->children[i].signal_owed = SIGHUP;
        }
    } else if (!s->is_stopping) {
        begin_stop(s, EXIT_CODE_OK, now_ms);
    } else {
        begin_kill(s);
    }
}

void supervisor_serves(struct supervisor *s, size_t child)
{
    ASSERT(child < s->count);
    s->children[child].lacks_port = false;
    s->children[child].has_served = true;
}

void supervisor_formed(struct supervisor *s)
{
    s->is_formed = true;
}

uint64_t supervisor_wait_ms(const struct supervisor *s, size_t child, uint64_t now_ms)
{
    const struct supervised *waiting = &s->children[child];
    return waiting->state == CHILD_WAITING && waiting->start_at_ms > now_ms
               ? waiting->start_at_ms - now_ms
               : 0;
}
