/*
 * child: one node process of the launcher: its start, its pipes, its name.
 *
 * A child is this very program again, in a process group of its own (so that Ctrl-C reaches it only
 * through the launcher, once), and dies with the launcher. Two pipes come back from it: its output,
 * and a line that says its port.
 */
#ifndef CMD_LAUNCH_CHILD_H
#define CMD_LAUNCH_CHILD_H

#include "cmd/launch/line_relay.h"
#include "core/base/rc.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CHILD_READY_FD = 3, CHILD_SECRETS_FD = 4 }; /* in the child */

struct child {
    pid_t pid; /* 0 when it does not run */
    int out_fd, ready_fd;
    uint16_t port; /* 0 until the child has said it */
    char ready_line[32];
    size_t ready_len;
    struct line_relay relay;
};

void child_init(struct child *c, const char *name, enum log_format format);

/* Starts it with these words, argv[0] included, and with a copy of `secrets_fd` unless that is -1.
 * RC_IO, with errno, when no process can be made. */
MUST_USE enum rc child_start(struct child *c, char *const *argv, int secrets_fd);

/* Takes what its output pipe holds, at most `bytes_max`; closes the pipe at its end. */
void child_read_output(struct child *c, size_t bytes_max, uint64_t wall_ms, line_relay_emit emit,
                       void *arg);

/* Takes what the other pipe holds; true when the port just became known. */
bool child_read_ready(struct child *c);

/* It was reaped: reads what is left and closes the pipes. */
void child_ended(struct child *c, uint64_t wall_ms, line_relay_emit emit, void *arg);

#endif
