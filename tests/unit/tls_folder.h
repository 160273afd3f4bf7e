/*
 * tls_folder: a folder of a test's own with the files of a certificate and its key.
 */
#ifndef TESTS_UNIT_TLS_FOLDER_H
#define TESTS_UNIT_TLS_FOLDER_H

#include "tls_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TLS_FOLDER_PATH_SIZE = 64 };

struct tls_folder {
    char path[TLS_FOLDER_PATH_SIZE / 2];
    char cert[TLS_FOLDER_PATH_SIZE], key[TLS_FOLDER_PATH_SIZE];
};

static inline void tls_folder_make(struct tls_folder *f)
{
    (void)snprintf(f->path, sizeof(f->path), "/tmp/repram-tls-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    (void)snprintf(f->cert, sizeof(f->cert), "%s/cert.pem", f->path);
    (void)snprintf(f->key, sizeof(f->key), "%s/key.pem", f->path);
}

static inline void tls_folder_put(const char *path, const char *text)
{
    FILE *to = fopen(path, "we");
    assert_non_null(to);
    assert_true(fputs(text, to) >= 0);
    assert_int_equal(fclose(to), 0);
}

static inline void tls_folder_remove(struct tls_folder *f)
{
    (void)unlink(f->cert);
    (void)unlink(f->key);
    assert_int_equal(rmdir(f->path), 0);
}

#endif
