/*
 * launch: `repram launch`: NODE_COUNT nodes, each a process of its own, watched over until the end.
 * It is correct as PID 1: it reaps every orphan, passes signals on, and leaves nobody behind.
 *
 * The decisions are cmd/launch/supervisor's, the processes cmd/launch/child's; here is the loop
 * between them: one poll() over signals and pipes, which never waits for a child's output or for a
 * full log.
 */
#ifndef CMD_LAUNCH_LAUNCH_H
#define CMD_LAUNCH_LAUNCH_H

#include "cmd/launch/child.h"
#include "cmd/launch/formation.h"
#include "cmd/launch/supervisor.h"
#include "cmd/settings/startup.h"
#include "gossip/sealing/keyring.h"

/* Bytes of one child's log in one turn, so that none starves the others. */
enum { LAUNCH_OUTPUT_TURN_MAX = 64 * 1024 };

struct launch {
    struct startup startup;
    struct log log;
    struct supervisor supervisor;
    struct formation formation;
    struct child *children; /* owned; `count` of them */
    size_t count;
    uint64_t start_timeout_ms;
    bool is_all_or_nothing;
    bool is_table_printed;
    bool is_late_told; /* that the cluster has not formed in time */
    uint64_t started_ms;
    uint64_t ask_at_ms;         /* when the nodes are asked next */
    uint64_t ask_gap_ms;        /* and how long after that again */
    size_t ask_next;            /* the next node of a round */
    char host[ADDR_TEXT_SIZE];  /* where its nodes answer */
    enum keyring_state sealing; /* of its nodes, by the secret that they were given */
    bool is_tls;                /* to all but probes by https alone */
    int signal_fd;
    int secrets_fd; /* memory that children inherit (cmd/settings/handover); -1: no secret is set */
};

/* Writes a line of a child's log; `arg` is the launcher. */
void launch_relay(void *arg, const char *line, size_t len);

/* Asks one node what it sees when it is time to; prints the table once all see all and are
 * ready. */
void launch_ask(struct launch *l, uint64_t now_ms);

/* When launch_ask() wants to be called; NEVER when there is nothing left to ask. */
uint64_t launch_ask_deadline(const struct launch *l);

#endif
