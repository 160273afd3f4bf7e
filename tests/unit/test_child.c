#include "cmd/launch/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The words of this program where it is a child. */
static char program[] = "repram", as_child[] = "--as-child", saying[] = "a word";
static char *const child_words[] = {program, as_child, saying, NULL};

enum { DESCRIPTORS = 64, LINES_SIZE = 64 * 1024, PIECE = 16 * 1024, PIECES = 2 * PIECE };

/* What a child told, a line of its output behind the other. */
struct told {
    char text[LINES_SIZE];
    size_t len;
};

static void keep_line(void *arg, const char *line, size_t len)
{
    struct told *told = arg;
    assert_true(told->len + len < sizeof(told->text));
    memcpy(told->text + told->len, line, len);
    told->len += len;
    told->text[told->len] = '\0';
}

static int open_count(void)
{
    int count = 0;
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    return count;
}

/* In the child: says what it finds, so that the test can judge it. */
static int act_as_child(const char *what)
{
    sigset_t mask;
    char byte = 0;
    (void)sigprocmask(SIG_SETMASK, NULL, &mask);
    (void)dprintf(CHILD_READY_FD, "port 4711\n");
    (void)dprintf(STDERR_FILENO, "%s\n", what);
    char secrets[8] = "";
    if (pread(CHILD_SECRETS_FD, secrets, sizeof(secrets) - 1, 0) > 0) {
        (void)dprintf(STDOUT_FILENO, "secrets: %s\n", secrets);
    }
    (void)dprintf(STDOUT_FILENO, "stdin %zd, group %d, descriptors %d, blocked %d, pipes %s",
                  read(STDIN_FILENO, &byte, 1), getpgrp() == getpid(), open_count(),
                  sigismember(&mask, SIGTERM),
                  signal(SIGPIPE, SIG_DFL) == SIG_DFL ? "end it" : "are ignored");
    return 7;
}

static void wait_readable(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, -1), 1);
}

static void a_child_has_pipes_for_its_output_and_its_port_and_else_nothing(void **state)
{
    (void)state;
    struct told told = {.len = 0};
    struct child c;
    sigset_t blocked;
    int status = 0;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    assert_int_equal(sigprocmask(SIG_BLOCK, &blocked, NULL), 0);
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    child_init(&c, "n-1", LOG_TEXT);
    assert_int_equal(child_start(&c, child_words, -1), RC_OK);
    (void)signal(SIGPIPE, before);
    assert_int_equal(sigprocmask(SIG_UNBLOCK, &blocked, NULL), 0);
    assert_true(c.pid > 0);
    assert_true((fcntl(c.out_fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(c.ready_fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(c.out_fd, F_GETFD) & FD_CLOEXEC) != 0);
    wait_readable(c.ready_fd);
    assert_true(child_read_ready(&c));
    assert_int_equal(c.port, 4711);
    assert_int_equal(c.ready_fd, -1);
    assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
    assert_int_equal(WEXITSTATUS(status), 7);
    child_ended(&c, 0, keep_line, &told);
    assert_string_equal(told.text,
                        "[n-1] a word\n"
                        "[n-1] stdin 0, group 1, descriptors 4, blocked 0, pipes end it\n");
    assert_int_equal(c.pid, 0);
    assert_int_equal(c.port, 0);
    assert_int_equal(c.out_fd, -1);
}

static void a_child_inherits_its_secrets_at_their_number(void **state)
{
    (void)state;
    struct told told = {.len = 0};
    struct child c;
    int status = 0;
    const int fd = memfd_create("secrets", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "hush", 4), 4);
    child_init(&c, "n-1", LOG_TEXT);
    assert_int_equal(child_start(&c, child_words, fd), RC_OK);
    assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
    child_ended(&c, 0, keep_line, &told);
    assert_non_null(strstr(told.text, "descriptors 5, "));
    assert_non_null(strstr(told.text, "secrets: hush\n"));
    (void)close(fd);
}

static void a_child_that_cannot_be_started_leaves_nothing_open(void **state)
{
    (void)state;
    struct child c;
    struct rlimit before;
    const int count = open_count();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    child_init(&c, "n-1", LOG_TEXT);
    /* Room for one pipe of two. */
    const int lowest = dup(STDIN_FILENO);
    (void)close(lowest);
    const struct rlimit low = {.rlim_cur = (rlim_t)lowest + 3, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    const enum rc rc = child_start(&c, child_words, -1);
    const int error = errno;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(rc, RC_IO);
    assert_int_equal(error, EMFILE);
    assert_int_equal(open_count(), count);
    assert_int_equal(c.pid, 0);
}

/* A child whose port comes from the test. Returns the other end. */
static int open_ready(struct child *c)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    child_init(c, "n-1", LOG_TEXT);
    c->ready_fd = ends[0];
    return ends[1];
}

static void write_text(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void a_port_that_comes_in_pieces_is_known_at_its_end(void **state)
{
    (void)state;
    struct child c;
    const int fd = open_ready(&c);
    assert_false(child_read_ready(&c));
    write_text(fd, "po");
    assert_false(child_read_ready(&c));
    write_text(fd, "rt 65535");
    assert_false(child_read_ready(&c));
    assert_int_equal(c.port, 0);
    assert_true(c.ready_fd >= 0);
    write_text(fd, "\n");
    assert_true(child_read_ready(&c));
    assert_int_equal(c.port, 65535);
    assert_int_equal(c.ready_fd, -1);
    (void)close(fd);
}

static void what_is_no_port_is_none(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "port 0\n",  "port 65536\n", "port 8x\n", "port \n",
        "bort 81\n", "\n",           "port81 \n", "0123456789012345678901234567890\n"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct child c;
        const int fd = open_ready(&c);
        write_text(fd, lines[i]);
        assert_false(child_read_ready(&c));
        assert_int_equal(c.port, 0);
        (void)close(fd);
        assert_false(child_read_ready(&c));
        assert_int_equal(c.ready_fd, -1);
    }
}

static void output_is_taken_in_turns_of_bounded_length(void **state)
{
    (void)state;
    static struct told told;
    static char line[PIECE];
    struct child c;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    child_init(&c, "n", LOG_TEXT);
    c.out_fd = ends[0];
    memset(line, '\n', sizeof(line));
    told.len = 0;
    const size_t line_len = strlen("[n] \n");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(write(ends[1], line, PIECE / 16), PIECE / 16);
    }
    child_read_output(&c, 0, 0, keep_line, &told);
    assert_int_equal(told.len, 0);
    child_read_output(&c, 1, 0, keep_line, &told);
    assert_int_equal(told.len, line_len * 3 * (PIECE / 16));
    told.len = 0;
    for (int i = 0; i < 2; i++) {
        memset(line, 'x', sizeof(line));
        line[sizeof(line) - 1] = '\n';
        assert_int_equal(write(ends[1], line, sizeof(line)), (ssize_t)sizeof(line));
    }
    child_read_output(&c, PIECE, 0, keep_line, &told);
    assert_true(told.len > PIECE && told.len < PIECES);
    child_read_output(&c, PIECE, 0, keep_line, &told);
    assert_true(told.len > PIECES);
    assert_int_equal(c.out_fd, ends[0]);
    write_text(ends[1], "no end");
    (void)close(ends[1]);
    told.len = 0;
    child_read_output(&c, PIECE, 0, keep_line, &told);
    assert_string_equal(told.text, "[n] no end\n");
    assert_int_equal(c.out_fd, -1);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], as_child) == 0) {
        return act_as_child(argv[2]);
    }
    /* What this program was given itself is nothing that a child has from the launcher. */
    for (int fd = STDERR_FILENO + 1; fd < DESCRIPTORS; fd++) {
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_has_pipes_for_its_output_and_its_port_and_else_nothing),
        cmocka_unit_test(a_child_inherits_its_secrets_at_their_number),
        cmocka_unit_test(a_child_that_cannot_be_started_leaves_nothing_open),
        cmocka_unit_test(a_port_that_comes_in_pieces_is_known_at_its_end),
        cmocka_unit_test(what_is_no_port_is_none),
        cmocka_unit_test(output_is_taken_in_turns_of_bounded_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
