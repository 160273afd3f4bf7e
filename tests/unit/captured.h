/*
 * captured: what the code under test writes to standard output or standard error, for a test to
 * read. A file in memory takes the descriptor's place until the end.
 */
#ifndef TESTS_UNIT_CAPTURED_H
#define TESTS_UNIT_CAPTURED_H

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CAPTURED_SIZE = 64 * 1024 };

struct captured {
    int fd;    /* 1 or 2 */
    int saved; /* what the descriptor was before */
    char text[CAPTURED_SIZE];
};

static inline void captured_begin(struct captured *c, int fd)
{
    (void)fflush(fd == STDOUT_FILENO ? stdout : stderr);
    c->fd = fd;
    c->saved = dup(fd);
    const int file = memfd_create("captured", MFD_CLOEXEC);
    assert_true(c->saved >= 0 && file >= 0);
    assert_int_equal(dup2(file, fd), fd);
    (void)close(file);
}

/* Puts the descriptor back. Returns c->text. */
static inline const char *captured_end(struct captured *c)
{
    (void)fflush(c->fd == STDOUT_FILENO ? stdout : stderr);
    const ssize_t len = pread(c->fd, c->text, sizeof(c->text) - 1, 0);
    assert_int_equal(dup2(c->saved, c->fd), c->fd);
    (void)close(c->saved);
    assert_true(len >= 0);
    c->text[len] = '\0';
    return c->text;
}

#endif
