/* `repram keygen`: a new key for a cluster, or a token for a client, for its owner's eyes alone. */
#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "cmd/base/options.h"
#include "cmd/base/output.h"
#include "cmd/settings/help.h"
#include "cmd/settings/settings.h"
#include "core/base/base64.h"
#include "core/base/mem.h"
#include "net/access/acl.h"
#include "net/crypto/digest.h"
#include "net/crypto/key_text.h"
#include "net/crypto/seal_openssl.h"
#include "net/sys/hostinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum keygen_option { KEYGEN_OUT, KEYGEN_NETWORK, KEYGEN_TOKEN, KEYGEN_HELP, KEYGEN_OPTIONS };

static const struct option_def defs[KEYGEN_OPTIONS] = {
    [KEYGEN_OUT] = {"out", 'o', true},
    [KEYGEN_NETWORK] = {"network", 0, true},
    [KEYGEN_TOKEN] = {"token", 0, true},
    [KEYGEN_HELP] = {"help", 'h', false},
};

enum { TOKEN_BYTES = 32, USER_LINE_SIZE = ACL_NAME_SIZE + 96 };

static const char TOKEN_PREFIX[] = "rt1_";

struct keygen {
    const char *values[KEYGEN_OPTIONS]; /* NULL: not given */
    char network[NAME_SIZE];
    char text[KEY_TEXT_SIZE + 1]; /* the key's or the token's, with a newline */
    unsigned id;
    char user[USER_LINE_SIZE]; /* for the file of rules, with a newline */
};

static int complain(const char *what, const char *why)
{
    (void)fprintf(stderr, "repram keygen: %s: %s\n", what, why);
    return EXIT_CODE_FAILED;
}

/* -1 to go on, else the exit code. */
static int read_options(struct keygen *k, int argc, char **argv)
{
    struct options options = options_begin(argc, argv, defs, KEYGEN_OPTIONS);
    const char *value = NULL;
    for (int at; (at = options_next(&options, &value)) != OPTIONS_END;) {
        if (at == OPTIONS_LISTED) {
            return EXIT_CODE_OK;
        }
        if (at < 0) {
            (void)fprintf(stderr, "repram keygen: %s; see repram keygen --help\n",
                          at == OPTIONS_BAD ? options.error : "unexpected word");
            return EXIT_CODE_USAGE;
        }
        k->values[at] = value != NULL ? value : "";
    }
    if (k->values[KEYGEN_HELP] != NULL) {
        return help_command(stdout, argv[0]) == RC_OK ? EXIT_CODE_OK : EXIT_CODE_INTERNAL;
    }
    if (k->values[KEYGEN_TOKEN] != NULL && k->values[KEYGEN_NETWORK] != NULL) {
        (void)fputs("repram keygen: a token is of no network; see repram keygen --help\n", stderr);
        return EXIT_CODE_USAGE;
    }
    return -1;
}

/* The network, on which the key's id hangs, as a node started here would have it. */
static int read_network(struct keygen *k)
{
    const struct settings_flag flag = {SETTING_NETWORK, k->values[KEYGEN_NETWORK]};
    const struct settings_sources sources = {.environment = environ,
                                             .flags = &flag,
                                             .flag_count = flag.value != NULL ? 1 : 0,
                                             .is_client = true};
    struct settings *s = mem_new(1, sizeof(*s));
    settings_load(s, &sources);
    report_print(&s->errors, "repram keygen: ");
    const int code = s->errors.count > 0 ? EXIT_CODE_BAD_CONFIG : -1;
    (void)snprintf(k->network, sizeof(k->network), "%s", settings_text(s, SETTING_NETWORK));
    settings_fini(s);
    free(s);
    return code;
}

static enum rc draw(struct keygen *k)
{
    struct keyring_items items = {.count = 1};
    struct keyring ring;
    struct seal_openssl *crypto = seal_openssl_new();
    enum rc rc = crypto == NULL ? RC_NO_MEMORY
                                : hostinfo_random(items.items[0].key, sizeof(items.items[0].key));
    if (rc == RC_OK) {
        rc = key_text_make(items.items[0].key, k->text);
    }
    if (rc == RC_OK) {
        rc = keyring_init(&ring, seal_openssl_ops(crypto), k->network, &items);
    }
    if (rc == RC_OK) {
        k->id = ring.keys[0].id;
        keyring_fini(&ring);
    }
    k->text[KEY_TEXT_LEN] = '\n';
    mem_wipe(&items, sizeof(items));
    seal_openssl_free(crypto);
    return rc;
}

/* -1 to go on, else the exit code. */
static int draw_key(struct keygen *k)
{
    const int code = read_network(k);
    const enum rc rc = code < 0 ? draw(k) : RC_OK;
    return rc == RC_OK ? code : complain("no key could be made", rc_text(rc));
}

/* ---- Tokens ---- */

/* Whether the line is one that a file of rules may have; says what is wrong with the name. */
static bool is_good_user(const struct keygen *k)
{
    struct acl_fault fault;
    struct acl *acl = acl_parse(k->user, strlen(k->user), &fault);
    if (acl == NULL) {
        (void)fprintf(stderr, "repram keygen: --token %.64s: %s\n", k->values[KEYGEN_TOKEN],
                      fault.text);
    }
    acl_free(acl);
    return acl != NULL;
}

/* A token and its user's line. -1 to go on, else the exit code. */
static int draw_token(struct keygen *k)
{
    uint8_t bytes[TOKEN_BYTES];
    uint8_t hash[DIGEST_SIZE];
    enum rc rc = hostinfo_random(bytes, sizeof(bytes));
    size_t len = sizeof(TOKEN_PREFIX) - 1;
    memcpy(k->text, TOKEN_PREFIX, len);
    len += base64_url_encode(bytes, sizeof(bytes), k->text + len);
    if (rc == RC_OK && !digest_once(k->text, len, hash)) {
        rc = RC_NO_MEMORY;
    }
    mem_wipe(bytes, sizeof(bytes));
    if (rc != RC_OK) {
        return complain("no token could be made", rc_text(rc));
    }
    memcpy(k->text + len, "\n", 2);
    int used = snprintf(k->user, sizeof(k->user), "user %.65s sha256:", k->values[KEYGEN_TOKEN]);
    for (size_t i = 0; i < sizeof(hash); i++) {
        used += snprintf(k->user + used, sizeof(k->user) - (size_t)used, "%02x", hash[i]);
    }
    (void)snprintf(k->user + used, sizeof(k->user) - (size_t)used, "\n");
    return is_good_user(k) ? -1 : EXIT_CODE_USAGE;
}

/* ---- Where it goes ---- */

static void tell_key(const struct keygen *k, const char *path)
{
    (void)printf("%s: a new key, id %04x in the network %s; only its owner may read the file\n"
                 "\n"
                 "a new cluster is sealed when every node is started with it:\n"
                 "  REPRAM_CLUSTER_SECRET_FILE=%s repram launch\n"
                 "one that runs is sealed, or gets a new key, step by step and without a stop:\n"
                 "docs/security.md; `repram status --keys` says when the next step is safe\n",
                 path, k->id, k->network, path);
}

/* The token's line, alone, so that it can be added to the rules. A token whose line nobody has is
 * of no use to anybody, so its file goes too. */
static int write_user(const struct keygen *k, const char *path)
{
    (void)fputs(k->user, stdout);
    if (output_flush()) {
        return EXIT_CODE_OK;
    }
    (void)unlink(path);
    return complain(path, "no token is left there, as the line with its hash could not be written");
}

/* Whole, on the disk, or not at all. */
static int write_file(const struct keygen *k, const char *path)
{
    const bool is_token = k->values[KEYGEN_TOKEN] != NULL;
    /* Never over a file that is there: it may be the key of a cluster that runs. */
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        return complain(path, errno != EEXIST ? strerror(errno)
                              : is_token
                                  ? "there is a file already, and no token is written over it"
                                  : "there is a file already, and no key is written over it");
    }
    const size_t len = strlen(k->text);
    const ssize_t n = write(fd, k->text, len);
    const bool is_written = n == (ssize_t)len && fsync(fd) == 0;
    const int error = n >= 0 && n < (ssize_t)len ? ENOSPC : errno;
    if (close(fd) != 0 || !is_written) {
        (void)unlink(path);
        return complain(path, strerror(is_written ? errno : error));
    }
    if (is_token) {
        return write_user(k, path);
    }
    tell_key(k, path);
    return EXIT_CODE_OK;
}

static int write_output(const struct keygen *k)
{
    (void)fputs(k->text, stdout);
    if (k->values[KEYGEN_TOKEN] != NULL) {
        (void)fputs(k->user, stdout);
        return EXIT_CODE_OK;
    }
    (void)fprintf(stderr, "repram keygen: a new key, id %04x in the network %s\n", k->id,
                  k->network);
    return EXIT_CODE_OK;
}

int command_keygen(int argc, char **argv)
{
    struct keygen k = {.id = 0};
    int code = read_options(&k, argc, argv);
    if (code < 0) {
        code = k.values[KEYGEN_TOKEN] != NULL ? draw_token(&k) : draw_key(&k);
    }
    if (code < 0) {
        code =
            k.values[KEYGEN_OUT] != NULL ? write_file(&k, k.values[KEYGEN_OUT]) : write_output(&k);
    }
    mem_wipe(k.text, sizeof(k.text));
    return code;
}
