#include "cmd/launch/child.h"

#include "cmd/base/exit_code.h"
#include "core/base/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { LAST_OUTPUT_MAX = 1 << 20 }; /* of a child that has ended */

void child_init(struct child *c, const char *name, enum log_format format)
{
    *c = (struct child){.out_fd = -1, .ready_fd = -1};
    line_relay_init(&c->relay, name, format);
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

/* Between fork and exec: only async-signal-safe calls. */
static _Noreturn void become_node(char *const *argv, pid_t parent, int out_fd, int ready_fd,
                                  int secrets_fd)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)setpgid(0, 0);
    /* The launcher may have ended before the kernel was asked to report that. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
        _exit(EXIT_CODE_FAILED);
    }
    const int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    /* Out of the way of the numbers that are about to be given away; copies lose CLOEXEC. */
    const int ready_copy = fcntl(ready_fd, F_DUPFD_CLOEXEC, CHILD_SECRETS_FD + 1);
    const int out_copy = fcntl(out_fd, F_DUPFD_CLOEXEC, CHILD_SECRETS_FD + 1);
    const int secrets_copy =
        secrets_fd >= 0 ? fcntl(secrets_fd, F_DUPFD_CLOEXEC, CHILD_SECRETS_FD + 1) : -1;
    if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(out_copy, STDOUT_FILENO) < 0 ||
        dup2(out_copy, STDERR_FILENO) < 0 || dup2(ready_copy, CHILD_READY_FD) < 0 ||
        (secrets_fd >= 0 && dup2(secrets_copy, CHILD_SECRETS_FD) < 0)) {
        _exit(EXIT_CODE_FAILED);
    }
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execv("/proc/self/exe", argv);
    static const char problem[] = "repram: /proc/self/exe cannot be started\n";
    (void)!write(STDERR_FILENO, problem, sizeof(problem) - 1);
    _exit(EXIT_CODE_INTERNAL);
}

enum rc child_start(struct child *c, char *const *argv, int secrets_fd)
{
    int out[2] = {-1, -1}, ready[2] = {-1, -1};
    const pid_t parent = getpid();
    pid_t pid = -1;
    if (pipe2(out, O_CLOEXEC) == 0 && pipe2(ready, O_CLOEXEC) == 0 &&
        fcntl(out[0], F_SETFL, O_NONBLOCK) == 0 && fcntl(ready[0], F_SETFL, O_NONBLOCK) == 0) {
        pid = fork();
    }
    if (pid == 0) {
        become_node(argv, parent, out[1], ready[1], secrets_fd);
    }
    const int error = errno;
    close_fd(&out[1]);
    close_fd(&ready[1]);
    if (pid < 0) {
        close_fd(&out[0]);
        close_fd(&ready[0]);
        errno = error;
        return RC_IO;
    }
    c->pid = pid;
    c->out_fd = out[0];
    c->ready_fd = ready[0];
    c->port = 0;
    c->ready_len = 0;
    return RC_OK;
}

void child_read_output(struct child *c, size_t bytes_max, uint64_t wall_ms, line_relay_emit emit,
                       void *arg)
{
    char data[16 * 1024];
    for (size_t total = 0; c->out_fd >= 0 && total < bytes_max;) {
        const ssize_t n = read(c->out_fd, data, sizeof(data));
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (n <= 0) {
            line_relay_end(&c->relay, wall_ms, emit, arg);
            close_fd(&c->out_fd);
            return;
        }
        line_relay_feed(&c->relay, data, (size_t)n, wall_ms, emit, arg);
        total += (size_t)n;
    }
}

/* The line is "port <n>\n". */
static bool parse_ready(struct child *c)
{
    static const char word[] = "port ";
    const size_t word_len = sizeof(word) - 1;
    const char *end = memchr(c->ready_line, '\n', c->ready_len);
    uint64_t port = 0;
    if (end == NULL || memcmp(c->ready_line, word, word_len) != 0 ||
        parse_u64(c->ready_line + word_len, (size_t)(end - c->ready_line) - word_len, UINT16_MAX,
                  &port) != RC_OK) {
        return false;
    }
    c->port = (uint16_t)port;
    return port != 0;
}

bool child_read_ready(struct child *c)
{
    const ssize_t n =
        read(c->ready_fd, c->ready_line + c->ready_len, sizeof(c->ready_line) - c->ready_len);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (n <= 0) {
        close_fd(&c->ready_fd);
        return false;
    }
    c->ready_len += (size_t)n;
    if (parse_ready(c)) {
        close_fd(&c->ready_fd);
        return true;
    }
    return false;
}

void child_ended(struct child *c, uint64_t wall_ms, line_relay_emit emit, void *arg)
{
    child_read_output(c, LAST_OUTPUT_MAX, wall_ms, emit, arg);
    line_relay_end(&c->relay, wall_ms, emit, arg);
    close_fd(&c->out_fd);
    close_fd(&c->ready_fd);
    c->pid = 0;
    c->port = 0;
}
