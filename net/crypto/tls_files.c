#include "net/crypto/tls_files.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CERT = TLS_PART_CERT, KEY = TLS_PART_KEY, CA = TLS_PART_CA, TEXTS };

struct text {
    char *data; /* owned; NULL: there is no such file */
    size_t len, size;
};

struct texts {
    struct text all[TEXTS];
};

static enum rc unreadable(const char *path, const char *what,
                          char ret_why[static TLS_FILES_WHY_SIZE])
{
    (void)snprintf(ret_why, TLS_FILES_WHY_SIZE, "%.256s: %s", path, what);
    return RC_CONFIG;
}

static enum rc read_open(int fd, const char *path, struct text *ret_text,
                         char ret_why[static TLS_FILES_WHY_SIZE])
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return unreadable(path, "is no file", ret_why);
    }
    if (st.st_size > TLS_FILE_MAX) {
        return unreadable(path, "is longer than 1 MiB", ret_why);
    }
    ret_text->size = (size_t)st.st_size + 1;
    ret_text->data = malloc(ret_text->size);
    if (ret_text->data == NULL) {
        return RC_NO_MEMORY;
    }
    /* One that grows meanwhile is looked at again later, and is another one then. */
    ssize_t got = 1;
    while (got > 0 && ret_text->len < ret_text->size) {
        got = read(fd, ret_text->data + ret_text->len, ret_text->size - ret_text->len);
        ret_text->len += got > 0 ? (size_t)got : 0;
    }
    return got < 0 ? unreadable(path, strerror(errno), ret_why) : RC_OK;
}

static enum rc read_file(const char *path, struct text *ret_text,
                         char ret_why[static TLS_FILES_WHY_SIZE])
{
    /* Not to wait for who writes into a FIFO. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return unreadable(path, strerror(errno), ret_why);
    }
    const enum rc rc = read_open(fd, path, ret_text, ret_why);
    (void)close(fd);
    return rc;
}

static void texts_fini(struct texts *t)
{
    for (int i = 0; i < TEXTS; i++) {
        if (t->all[i].data != NULL) {
            OPENSSL_cleanse(t->all[i].data, t->all[i].size);
            free(t->all[i].data);
        }
    }
}

static enum rc texts_read(struct texts *t, const struct tls_files *f,
                          char ret_why[static TLS_FILES_WHY_SIZE])
{
    const char *const paths[TEXTS] = {f->cert, f->key, f->ca};
    enum rc rc = RC_OK;
    for (int i = 0; i < TEXTS && rc == RC_OK; i++) {
        rc = paths[i][0] == '\0' ? RC_OK : read_file(paths[i], &t->all[i], ret_why);
    }
    return rc;
}

/* Of all of them, and of why they cannot be read. */
static bool digest(const struct texts *t, const char *why, uint8_t ret[static TLS_DIGEST_BYTES])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool is_good = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
                   EVP_DigestUpdate(ctx, why, strlen(why)) == 1;
    for (int i = 0; i < TEXTS && is_good; i++) {
        is_good = EVP_DigestUpdate(ctx, &t->all[i].len, sizeof(t->all[i].len)) == 1 &&
                  EVP_DigestUpdate(ctx, t->all[i].data, t->all[i].len) == 1;
    }
    is_good = is_good && EVP_DigestFinal_ex(ctx, ret, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return is_good;
}

static enum rc take(const struct tls_files *f, struct tls_context *c, const struct texts *t,
                    char ret_why[static TLS_FILES_WHY_SIZE])
{
    struct tls_fault fault;
    const char *const paths[TEXTS] = {f->cert, f->key, f->ca};
    const struct tls_pem pem = {.cert = t->all[CERT].data,
                                .cert_len = t->all[CERT].len,
                                .key = t->all[KEY].data,
                                .key_len = t->all[KEY].len,
                                .ca = t->all[CA].data,
                                .ca_len = t->all[CA].len};
    const enum rc rc = tls_context_load(c, &pem, &fault);
    if (rc == RC_CONFIG) {
        (void)snprintf(ret_why, TLS_FILES_WHY_SIZE, "%.256s: %s", paths[fault.part], fault.why);
    }
    return rc;
}

enum rc tls_files_look(struct tls_files *f, struct tls_context *c,
                       char ret_why[static TLS_FILES_WHY_SIZE])
{
    struct texts texts = {0};
    uint8_t found[TLS_DIGEST_BYTES];
    ret_why[0] = '\0';
    enum rc rc = texts_read(&texts, f, ret_why);
    if (rc == RC_NO_MEMORY || !digest(&texts, ret_why, found)) {
        texts_fini(&texts);
        return RC_NO_MEMORY;
    }
    if (f->has_seen && memcmp(found, f->seen, sizeof(found)) == 0) {
        texts_fini(&texts);
        return RC_EXISTS;
    }
    if (rc == RC_OK) {
        rc = take(f, c, &texts, ret_why);
    }
    texts_fini(&texts);
    if (rc != RC_NO_MEMORY) {
        memcpy(f->seen, found, sizeof(found));
        f->has_seen = true;
    }
    return rc;
}

enum rc tls_files_check(const char *cert, const char *key, const char *ca,
                        char ret_why[static TLS_FILES_WHY_SIZE])
{
    struct tls_files files = {.cert = cert, .key = key, .ca = ca};
    struct tls_context *context = tls_context_new();
    const enum rc rc = context == NULL ? RC_NO_MEMORY : tls_files_look(&files, context, ret_why);
    tls_context_free(context);
    return rc;
}
