/*
 * supervisor: what the launcher should do next, as a function of time, exits and signals.
 *
 * It holds no process, pipe or clock: cmd/launch tells it what happened and does what
 * supervisor_next() says. Times are milliseconds of any clock that does not go back.
 *
 * A child that ends is started again after a delay that doubles from RESTART_DELAY_MIN_MS to
 * RESTART_DELAY_MAX_MS and is forgotten after RESTART_HEALTHY_MS of life. LOOP_FAILURES ends in a
 * row, each within LOOP_LIFE_MS, are a crash loop. It is reported once, and the child is tried
 * again at the slowest pace. A child whose configuration is bad would only fail again, so
 * everything stops with its exit code. Everything stops too when every child has ended for lack of
 * a port and none has held one since.
 *
 *             supervisor_next()        supervisor_exited()
 *   WAITING ------- start ----> RUNNING -------+-- delay --> WAITING
 *                                              +-- stopping --> ENDED
 */
#ifndef CMD_LAUNCH_SUPERVISOR_H
#define CMD_LAUNCH_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RESTART_DELAY_MIN_MS = 100,
    RESTART_DELAY_MAX_MS = 10000,
    RESTART_HEALTHY_MS = 30000,
    LOOP_FAILURES = 5,
    LOOP_LIFE_MS = 10000,
    /* After the nodes' grace. With the default of that, 1 s, it is less than the 10 s that `docker
     * stop` and FluxOS give. */
    LEAVE_MS = 7000,
};

enum child_state { CHILD_WAITING, CHILD_RUNNING, CHILD_ENDED };

struct supervised {
    enum child_state state;
    uint64_t started_ms;
    uint64_t start_at_ms;
    uint32_t delay_ms;       /* of the next restart; 0 before the first failure */
    uint32_t quick_failures; /* in a row */
    bool is_looping;
    bool lacks_port; /* ended with EXIT_CODE_NO_PORT and has not held a port since */
    bool has_served; /* held a port once: what it was configured with was good */
    int signal_owed; /* 0, or what is to be sent to it */
};

struct supervisor {
    struct supervised *children; /* owned */
    size_t count;
    bool is_stopping;
    bool is_killing;
    bool is_formed;
    bool is_all_or_nothing;
    uint64_t form_by_ms; /* when it is all or nothing */
    uint64_t kill_at_ms; /* while stopping */
    uint64_t grace_ms;   /* for which a node that is told to stop serves on */
    int exit_code;
};

enum supervisor_step { STEP_START, STEP_SIGNAL, STEP_EXIT };

struct supervisor_action {
    enum supervisor_step step;
    size_t child; /* of STEP_START and STEP_SIGNAL */
    int signal;   /* of STEP_SIGNAL */
    int exit_code;
};

enum exit_verdict {
    VERDICT_RESTART,
    VERDICT_LOOP, /* restart, and a crash loop was recognised just now */
    /* Bad configuration of one that has never served, no port for any, all-or-nothing failed:
     * everything stops. */
    VERDICT_FATAL,
    VERDICT_STOPPED, /* as it was asked to */
};

/* `form_by_ms`: NEVER unless all must have formed by then. Told to stop, a child has `grace_ms` and
 * LEAVE_MS before it is killed. */
void supervisor_init(struct supervisor *s, size_t count, uint64_t now_ms, uint64_t form_by_ms,
                     uint64_t grace_ms);
void supervisor_fini(struct supervisor *s);

/* What to do now; called until it returns false. STEP_EXIT is final. */
bool supervisor_next(struct supervisor *s, uint64_t now_ms, struct supervisor_action *ret_action);

/* When supervisor_next() has something to do if nothing happens before; NEVER: never. */
uint64_t supervisor_deadline(const struct supervisor *s);

/* A child ended: `code` is its exit code, or 0 with `signal` when a signal ended it. */
enum exit_verdict supervisor_exited(struct supervisor *s, size_t child, int code, int signal,
                                    uint64_t now_ms);

/* SIGHUP is passed on; the first SIGTERM or SIGINT stops everything, the second kills. */
void supervisor_signal(struct supervisor *s, int signal, uint64_t now_ms);

/* The child holds a port. */
void supervisor_serves(struct supervisor *s, size_t child);

/* Every node sees every other and is ready. */
void supervisor_formed(struct supervisor *s);

/* How long until the child is started again; 0 when it is not waiting. */
uint64_t supervisor_wait_ms(const struct supervisor *s, size_t child, uint64_t now_ms);

#endif
