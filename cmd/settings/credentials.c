#include "cmd/settings/credentials.h"

#include "cmd/settings/config_file.h"
#include "core/base/mem.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 64 * 1024 };

static const char bearer[] = "Bearer ";

/* The value of a variable; an empty one is not set. */
static const char *text_of(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? text : "";
}

static void find(const char **file, const char *name)
{
    if (*file == NULL || **file == '\0') {
        *file = text_of(name);
    }
}

enum rc credentials_find_files(struct credentials *c, struct report *errors)
{
    find(&c->ca, "REPRAM_CACERT");
    find(&c->cert, "REPRAM_CLIENT_CERT");
    find(&c->key, "REPRAM_CLIENT_KEY");
    if (*c->key != '\0' && *c->cert == '\0') {
        report_add(errors, "a key without a certificate: --cert (REPRAM_CLIENT_CERT) is missing");
        return RC_CONFIG;
    }
    return RC_OK;
}

/* RFC 6750, 2.1, without its order of characters: visible, and nothing that ends a header. */
static bool is_token(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return false;
        }
    }
    return len > 0 && len <= CREDENTIALS_TOKEN_MAX;
}

static enum rc take(struct credentials *c, const char *text, size_t len, const char *from,
                    struct report *errors)
{
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r')) {
        len--;
    }
    if (!is_token(text, len)) {
        report_add(errors, "%s holds no token; allowed: 1 to %d visible characters, one line", from,
                   CREDENTIALS_TOKEN_MAX);
        return RC_CONFIG;
    }
    c->authorization = mem_new(sizeof(bearer) + len, 1);
    memcpy(c->authorization, bearer, sizeof(bearer) - 1);
    memcpy(c->authorization + sizeof(bearer) - 1, text, len);
    return RC_OK;
}

enum rc credentials_read_token_file(struct credentials *c, const char *name, const char *path,
                                    struct report *errors)
{
    char from[256];
    char *text = NULL;
    size_t len = 0;
    enum rc rc = config_file_read(path, FILE_MAX, &text, &len);
    (void)snprintf(from, sizeof(from), "%.40s=%.200s", name, path);
    if (rc != RC_OK) {
        report_add(errors, "%s cannot be read: %s", from, config_file_why(rc));
        return RC_CONFIG;
    }
    rc = take(c, text, len, from, errors);
    mem_wipe(text, len);
    free(text);
    return rc;
}

enum rc credentials_read_token(struct credentials *c, struct report *errors)
{
    const char *token = text_of("REPRAM_TOKEN");
    const char *file = text_of("REPRAM_TOKEN_FILE");
    if (*token != '\0' && *file != '\0') {
        report_add(errors, "REPRAM_TOKEN and REPRAM_TOKEN_FILE are both set; allowed: one of them");
        return RC_CONFIG;
    }
    if (*file != '\0') {
        return credentials_read_token_file(c, "REPRAM_TOKEN_FILE", file, errors);
    }
    return *token != '\0' ? take(c, token, strlen(token), "REPRAM_TOKEN", errors) : RC_OK;
}

void credentials_fini(struct credentials *c)
{
    if (c->authorization != NULL) {
        mem_wipe(c->authorization, strlen(c->authorization));
        free(c->authorization);
        c->authorization = NULL;
    }
}
