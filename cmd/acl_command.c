/* `repram acl check`: whether a file of rules is good, and what a node would decide by it. */
#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "cmd/base/options.h"
#include "cmd/base/output.h"
#include "cmd/settings/acl_file.h"
#include "cmd/settings/credentials.h"
#include "cmd/settings/help.h"
#include "cmd/settings/settings.h"
#include "core/base/mem.h"
#include "core/base/parse.h"
#include "net/api/api.h"
#include "net/api/api_admit.h"
#include "net/http/http_head.h"
#include "net/sys/hostclock.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPTION_REQUEST, OPTION_TOKEN_FILE, OPTION_SIZE, OPTION_CONDITIONAL, OPTION_HELP, OPTIONS };

static const struct option_def defs[OPTIONS] = {
    [OPTION_REQUEST] = {"request", 0, true}, [OPTION_TOKEN_FILE] = {"token-file", 0, true},
    [OPTION_SIZE] = {"size", 0, true},       [OPTION_CONDITIONAL] = {"conditional", 0, false},
    [OPTION_HELP] = {"help", 'h', false},
};

enum { WORDS = 2, HEADERS = 2, LINE_SIZE = HTTP_REQUEST_LINE_MAX, PREFIXES_SIZE = 1024 };

struct asked {
    const char *values[OPTIONS]; /* NULL: not given */
    const char *words[WORDS];
    size_t word_count;
};

/* One request, as a node would see its head. */
struct imagined {
    char line[LINE_SIZE];
    char length[32];
    struct http_header headers[HEADERS];
    struct http_request rq;
};

static int usage(const char *problem)
{
    (void)fprintf(stderr, "repram acl: %s; see repram acl --help\n", problem);
    return EXIT_CODE_USAGE;
}

/* -1 to go on, else the exit code. */
static int read_options(struct asked *asked, int argc, char **argv)
{
    struct options options = options_begin(argc, argv, defs, OPTIONS);
    const char *value = NULL;
    for (int at; (at = options_next(&options, &value)) != OPTIONS_END;) {
        if (at == OPTIONS_LISTED) {
            return EXIT_CODE_OK;
        }
        if (at == OPTIONS_BAD) {
            return usage(options.error);
        }
        if (at >= 0) {
            asked->values[at] = value != NULL ? value : "";
        } else if (asked->word_count == WORDS) {
            return usage("unexpected word");
        } else {
            asked->words[asked->word_count++] = value;
        }
    }
    if (asked->values[OPTION_HELP] != NULL) {
        return help_command(stdout, "acl") == RC_OK ? EXIT_CODE_OK : EXIT_CODE_INTERNAL;
    }
    if (asked->word_count < WORDS || strcmp(asked->words[0], "check") != 0) {
        return usage("allowed: repram acl check FILE");
    }
    const bool has_others = asked->values[OPTION_TOKEN_FILE] != NULL ||
                            asked->values[OPTION_SIZE] != NULL ||
                            asked->values[OPTION_CONDITIONAL] != NULL;
    return has_others && asked->values[OPTION_REQUEST] == NULL ? usage("--request is missing") : -1;
}

static void add_header(struct imagined *im, const char *name, const char *value)
{
    im->headers[im->rq.header_count++] =
        (struct http_header){{name, strlen(name)}, {value, strlen(value)}};
    im->rq.headers = im->headers;
}

/* NULL, or what is wrong with it. */
static const char *imagine(const struct asked *asked, struct imagined *im)
{
    struct http_request_line line;
    struct http_refusal refusal = {.detail = ""};
    const char *size = asked->values[OPTION_SIZE];
    uint64_t bytes = 0;
    const int len =
        snprintf(im->line, sizeof(im->line), "%s HTTP/1.1", asked->values[OPTION_REQUEST]);
    if (len >= (int)sizeof(im->line)) {
        return "the request is longer than 8 KiB";
    }
    if (!http_head_request_line((struct http_text){im->line, (size_t)len}, &line, &refusal) ||
        !http_head_target(&line, &im->rq, &refusal)) {
        return "--request takes a method and a path, as 'GET /data/k'";
    }
    if (size != NULL && parse_size(size, strlen(size), &bytes) != RC_OK) {
        return "--size takes bytes, or a number with KiB, MiB or GiB";
    }
    if (size != NULL) {
        (void)snprintf(im->length, sizeof(im->length), "%" PRIu64, bytes);
        add_header(im, "Content-Length", im->length);
        im->rq.body_len = (size_t)bytes;
    }
    if (asked->values[OPTION_CONDITIONAL] != NULL) {
        add_header(im, "If-Match", "*");
    }
    api_find_right(&im->rq);
    return NULL;
}

/* The bounds of times to live and values. */
static void read_config(struct api_config *ret_config)
{
    struct settings *s = mem_new(1, sizeof(*s));
    const struct settings_sources sources = {.environment = environ};
    settings_load(s, &sources);
    *ret_config = (struct api_config){.ttl_default_s = settings_number(s, SETTING_DEFAULT_TTL),
                                      .ttl_min_s = settings_number(s, SETTING_MIN_TTL),
                                      .ttl_max_s = settings_number(s, SETTING_MAX_TTL),
                                      .value_max = settings_number(s, SETTING_MAX_VALUE_SIZE)};
    settings_fini(s);
    free(s);
}

/* ---- Who ---- */

static enum rc find_token(const struct acl *acl, const char *token, uint32_t *ret_user)
{
    uint8_t hash[DIGEST_SIZE];
    return digest_once(token, strlen(token), hash)
               ? acl_find(acl, hash, hostclock_wall_ms(), ret_user)
               : RC_NO_MEMORY;
}

/* -1 to go on, else the exit code. */
static int read_token(const char *token_file, struct credentials *c)
{
    struct report *errors = mem_new(1, sizeof(*errors));
    const enum rc rc = token_file == NULL
                           ? RC_OK
                           : credentials_read_token_file(c, "--token-file", token_file, errors);
    report_print(errors, "repram acl: ");
    free(errors);
    return rc == RC_OK ? -1 : EXIT_CODE_BAD_CONFIG;
}

/* -1 to go on, else the exit code. */
static int find_user(const struct acl *acl, const struct credentials *c, uint32_t *ret_user)
{
    static const size_t bearer = sizeof("Bearer ") - 1;
    if (c->authorization == NULL) {
        if (acl_anybody(acl, ret_user) == RC_OK) {
            return -1;
        }
        (void)puts("refused, 401: no token, and the file has no user *");
        return EXIT_CODE_FAILED;
    }
    const enum rc rc = find_token(acl, c->authorization + bearer, ret_user);
    if (rc == RC_OK) {
        return -1;
    }
    (void)printf("refused, 401: the token is %s\n",
                 rc == RC_EXPIRED ? "over" : "nobody's in this file");
    return EXIT_CODE_FAILED;
}

/* ---- What ---- */

static void say_refusal(const struct acl *acl, uint32_t user, const struct acl_ask *ask,
                        const struct acl_verdict *v)
{
    char prefixes[PREFIXES_SIZE];
    const char *verb = acl_verb_name(ask->verb);
    switch (v->why) {
    case ACL_NO_VERB:
        (void)printf("%s: no line allows it\n", verb);
        break;
    case ACL_NO_PREFIX:
        (void)printf("%s: allowed with these prefixes alone: %s\n", verb,
                     acl_prefixes(acl, user, ask->verb, prefixes, sizeof(prefixes)));
        break;
    case ACL_TTL:
        (void)printf("%s: line %u allows at most %" PRIu64 " s to live, and this ", verb, v->line,
                     v->limit);
        if (ask->ttl_s == UINT64_MAX) {
            (void)puts("says nothing that can be read");
        } else {
            (void)printf("would have %" PRIu64 "\n", ask->ttl_s);
        }
        break;
    case ACL_SIZE:
        (void)printf("%s: line %u allows at most %" PRIu64 " bytes\n", verb, v->line, v->limit);
        break;
    case ACL_ALLOWED:
        (void)printf("%s: allowed by line %u\n", verb, v->line);
        break;
    }
}

static bool judge(const struct acl *acl, uint32_t user, const struct acl_ask *ask)
{
    const struct acl_verdict v = acl_judge(acl, user, ask);
    say_refusal(acl, user, ask, &v);
    return v.why == ACL_ALLOWED;
}

/* Says of each thing that the request needs whether it is allowed. */
static bool judge_all(const struct acl *acl, uint32_t user, const struct api_config *config,
                      const struct http_request *rq)
{
    uint8_t key[KEY_BYTES_MAX];
    struct acl_ask asks[API_ADMIT_ASKS_MAX];
    bool is_allowed = true;
    const size_t count = api_admit_asks(config, rq, key, asks);
    for (size_t i = 0; i < count; i++) {
        is_allowed = judge(acl, user, &asks[i]) && is_allowed;
    }
    if (rq->route.right == API_RIGHT_MGET) {
        const struct acl_ask ask = {.verb = ACL_READ};
        const enum acl_why why = acl_judge(acl, user, &ask).why;
        is_allowed = why == ACL_ALLOWED || why == ACL_NO_PREFIX;
        (void)puts(is_allowed ? "read: each key of the body is judged by itself"
                              : "read: no line allows it");
    }
    return is_allowed;
}

/* What a node would say to it, were it allowed, which need not be to serve it. */
static int serve(const struct api_config *config, const struct http_request *rq,
                 const char *request, const char *by)
{
    struct http_response rs;
    http_response_init(&rs);
    const bool is_good = api_is_good(config, rq, &rs);
    cJSON *root =
        is_good ? NULL : cJSON_ParseWithLength((const char *)buf_data(&rs.bytes), rs.bytes.len);
    const char *detail = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "detail"));
    if (is_good) {
        (void)printf("allowed: %s %s\n", request, by);
    } else {
        (void)printf("refused, %d: %s: %s\n", rs.status, request, detail != NULL ? detail : "");
    }
    cJSON_Delete(root);
    http_response_fini(&rs);
    return is_good ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

/* As a node decides: whether it is allowed, and only then what else is wrong with it. */
static int decide(const struct acl *acl, const struct http_request *rq, const char *request,
                  const struct credentials *c)
{
    struct api_config config;
    uint32_t user = 0;
    char by[ACL_NAME_SIZE + 16];
    read_config(&config);
    if (rq->route.right == API_RIGHT_NONE) {
        return serve(&config, rq, request, "takes no right");
    }
    const int code = find_user(acl, c, &user);
    if (code >= 0) {
        return code;
    }
    (void)snprintf(by, sizeof(by), "by user %s", acl_name(acl, user));
    if (judge_all(acl, user, &config, rq)) {
        return serve(&config, rq, request, by);
    }
    (void)printf("refused, %d: %s %s\n", c->authorization != NULL ? 403 : 401, request, by);
    return EXIT_CODE_FAILED;
}

static int answer(const struct acl *acl, const struct asked *asked)
{
    struct imagined *im = mem_new(1, sizeof(*im));
    struct credentials credentials = {.authorization = NULL};
    const char *wrong = imagine(asked, im);
    int code = wrong != NULL ? usage(wrong) : -1;
    code = code < 0 ? read_token(asked->values[OPTION_TOKEN_FILE], &credentials) : code;
    code = code < 0 ? decide(acl, &im->rq, asked->values[OPTION_REQUEST], &credentials) : code;
    credentials_fini(&credentials);
    free(im);
    return code;
}

int command_acl(int argc, char **argv)
{
    struct asked asked = {.word_count = 0};
    char why[ACL_FILE_WHY_SIZE], described[ACL_DESCRIBED_SIZE];
    int code = read_options(&asked, argc, argv);
    if (code >= 0) {
        return code;
    }
    struct acl *acl = acl_file_read(asked.words[1], why);
    if (acl == NULL) {
        (void)fprintf(stderr, "repram acl: %s\n", why);
        return EXIT_CODE_BAD_CONFIG;
    }
    if (asked.values[OPTION_REQUEST] != NULL) {
        code = answer(acl, &asked);
    } else {
        (void)printf("the rules are good: %s, digest %016" PRIx64 "\n",
                     acl_describe(acl, described), acl_digest(acl));
        code = EXIT_CODE_OK;
    }
    acl_free(acl);
    return code;
}
