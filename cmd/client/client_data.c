/* `repram put`, `repram get` and `repram head`, each about one key. */
#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "cmd/base/human.h"
#include "cmd/base/output.h"
#include "cmd/base/plain.h"
#include "cmd/base/table.h"
#include "cmd/client/client.h"
#include "core/base/base64.h"
#include "core/base/mem.h"
#include "core/base/parse.h"
#include "net/http/json_out.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TIMEOUT_MS = 15000, READ_CHUNK = 64 * 1024 };

static const uint64_t NOT_ASKED = UINT64_MAX - 1;

enum put_extra { PUT_TTL, PUT_FILE, PUT_EXTRA_COUNT };

static const struct option_def put_extras[PUT_EXTRA_COUNT] = {
    [PUT_TTL] = {"ttl", 0, true},
    [PUT_FILE] = {"file", 'f', true},
};

/* All of a descriptor, at most CLIENT_BODY_MAX bytes, into memory that is the caller's. */
static enum rc read_all(int fd, uint8_t **ret_data, size_t *ret_len)
{
    size_t size = READ_CHUNK, len = 0;
    uint8_t *data = mem_new(size, 1);
    for (;;) {
        if (len == size) {
            uint8_t *grown = realloc(data, 2 * size);
            if (grown == NULL) {
                *ret_data = data;
                *ret_len = len;
                return RC_NO_MEMORY;
            }
            data = grown;
            size *= 2;
        }
        const ssize_t n = read(fd, data + len, size - len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        len += n > 0 ? (size_t)n : 0;
        if (n <= 0 || len > CLIENT_BODY_MAX) {
            *ret_data = data;
            *ret_len = len;
            return n < 0 ? RC_IO : (n == 0 ? RC_OK : RC_TOO_LONG);
        }
    }
}

/* The value: the second word, or a file, or standard input. */
static enum rc read_value(const struct client *c, uint8_t **ret_data, size_t *ret_len)
{
    const char *path = c->extras[PUT_FILE];
    const char *word = c->word_count > 1 ? c->words[1] : "-";
    *ret_data = NULL;
    if (path == NULL && strcmp(word, "-") != 0) {
        *ret_len = strlen(word);
        *ret_data = mem_new(*ret_len + 1, 1);
        memcpy(*ret_data, word, *ret_len);
        return RC_OK;
    }
    const bool is_stdin = path == NULL || strcmp(path, "-") == 0;
    const int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    enum rc rc = fd < 0 ? RC_IO : read_all(fd, ret_data, ret_len);
    const int error = errno;
    if (!is_stdin && fd >= 0) {
        (void)close(fd);
    }
    if (rc != RC_OK) {
        client_say(c, "%s: %s", is_stdin ? "standard input" : path,
                   rc == RC_TOO_LONG ? "longer than 64 MiB" : strerror(error));
    }
    return rc;
}

/* A header's number as a number; a header that the server left out is null. */
static void add_number(cJSON *root, const char *name, const char *text)
{
    uint64_t number = 0;
    if (parse_u64(text, strlen(text), 1ULL << 53, &number) == RC_OK) {
        (void)cJSON_AddNumberToObject(root, name, (double)number);
    } else {
        (void)cJSON_AddNullToObject(root, name);
    }
}

/* JSON has no bytes: what is not UTF-8, or has a NUL, stands in NAME_base64. */
static void add_bytes(cJSON *root, const char *name, const void *data, size_t len)
{
    if (memchr(data, 0, len) == NULL && json_out_is_utf8(data, len)) {
        char *text = mem_new(len + 1, 1);
        memcpy(text, data, len);
        (void)cJSON_AddStringToObject(root, name, text);
        free(text);
        return;
    }
    char name_base64[32];
    (void)snprintf(name_base64, sizeof(name_base64), "%s_base64", name);
    char *text = mem_new(BASE64_TEXT_MAX(len) + 1, 1);
    text[base64_encode(data, len, text)] = '\0';
    (void)cJSON_AddStringToObject(root, name_base64, text);
    free(text);
}

/* How long it lives; and that this is not what was asked for, where the node has bounds for it. */
static void print_stored_for(const struct client_answer *answer, uint64_t asked_s)
{
    const char *header = answer->headers[HEADER_ORIGINAL_TTL];
    char stored[HUMAN_SIZE], asked[HUMAN_SIZE];
    uint64_t ttl_s = 0;
    (void)printf("%s: stored", answer->status == 201 ? "OK" : "Accepted");
    if (parse_u64(header, strlen(header), UINT64_MAX, &ttl_s) != RC_OK) {
        return;
    }
    (void)printf(" for %s", human_duration(ttl_s, 4, stored));
    if (asked_s != NOT_ASKED && asked_s != ttl_s) {
        (void)printf(", not %s (the %s that the node takes),",
                     asked_s == UINT64_MAX ? "so long" : human_duration(asked_s, 4, asked),
                     asked_s < ttl_s ? "least" : "most");
    }
}

/* Where it is. A member that has not answered yet lacks nothing once the quorum holds it. */
static void print_stored_on(const struct client_answer *answer)
{
    const char *have_text = answer->headers[HEADER_REPLICAS];
    const size_t have_len = strcspn(have_text, "/");
    const char *members_text = have_text + have_len + (have_text[have_len] == '/' ? 1 : 0);
    uint64_t have = 0, members = 0;
    if (parse_u64(have_text, have_len, UINT32_MAX, &have) != RC_OK ||
        parse_u64(members_text, strlen(members_text), UINT32_MAX, &members) != RC_OK) {
        return;
    }
    if (answer->status != 201) {
        (void)printf(" on %" PRIu64 " of %" PRIu64 " members so far; the quorum is pending", have,
                     members);
    } else if (members == 1) {
        (void)fputs(" on the only member", stdout);
    } else if (have == members) {
        (void)printf(" on all %" PRIu64 " members", members);
    } else {
        (void)printf(" on a quorum of %" PRIu64 " members; the others get it too", members);
    }
}

static int print_stored(const struct client *c, const struct client_answer *answer,
                        uint64_t asked_s)
{
    const char *etag = answer->headers[HEADER_ETAG];
    const char *ttl = answer->headers[HEADER_ORIGINAL_TTL];
    const char *replicas = answer->headers[HEADER_REPLICAS];
    if (c->is_json) {
        cJSON *root = cJSON_CreateObject();
        add_bytes(root, "key", c->words[0], strlen(c->words[0]));
        (void)cJSON_AddNumberToObject(root, "status", answer->status);
        (void)cJSON_AddStringToObject(root, "etag", etag);
        add_number(root, "ttl", ttl);
        (void)cJSON_AddStringToObject(root, "replicas", replicas);
        client_print_json(root);
        return EXIT_CODE_OK;
    }
    print_stored_for(answer, asked_s);
    print_stored_on(answer);
    (void)putchar('\n');
    return EXIT_CODE_OK;
}

static int put(struct client *c)
{
    char target[CLIENT_TARGET_MAX];
    char query[64] = "";
    uint64_t seconds = 0;
    const char *ttl = c->extras[PUT_TTL];
    if (ttl != NULL) {
        /* One that is beyond all numbers is the node's to bring into its bounds, like any other. */
        const enum rc rc = parse_duration_s(ttl, strlen(ttl), &seconds);
        seconds = rc == RC_RANGE ? UINT64_MAX : seconds;
        if (rc != RC_OK && rc != RC_RANGE) {
            client_say(c, "--ttl %s is not allowed; allowed: " PARSE_DURATION_S_TAKES, ttl);
            return EXIT_CODE_USAGE;
        }
        (void)snprintf(query, sizeof(query), "ttl=%llu", (unsigned long long)seconds);
    }
    if (c->extras[PUT_FILE] != NULL && c->word_count > 1) {
        client_say(c, "a value and --file are one too many; see repram put --help");
        return EXIT_CODE_USAGE;
    }
    if (client_data_target(c->words[0], query, target, sizeof(target)) != RC_OK) {
        client_say(c, "the key is too long; allowed: %d bytes", CLIENT_KEY_MAX);
        return EXIT_CODE_USAGE;
    }
    struct client_request request = {.method = "PUT", .target = target};
    uint8_t *value = NULL;
    if (read_value(c, &value, &request.body_len) != RC_OK) {
        free(value);
        return EXIT_CODE_FAILED;
    }
    request.body = value;
    struct client_answer answer;
    int code = EXIT_CODE_FAILED;
    client_ask_any(c, &request, &answer, NULL);
    if (answer.rc == RC_OK && (answer.status == 201 || answer.status == 202)) {
        code = print_stored(c, &answer, ttl != NULL ? seconds : NOT_ASKED);
    } else if (answer.rc == RC_OK) {
        client_complain(c, &answer);
    }
    client_answer_fini(&answer);
    free(value);
    return code;
}

int command_put(int argc, char **argv)
{
    const struct client_usage usage = {.extras = put_extras,
                                       .extra_count = PUT_EXTRA_COUNT,
                                       .words_min = 1,
                                       .words_max = 2,
                                       .timeout_ms = TIMEOUT_MS,
                                       .is_data = true};
    return client_run(argc, argv, &usage, put);
}

/* Asks for the key. Returns the exit code; when the key is not there the reason was printed. */
static int ask_key(struct client *c, const char *method, struct client_answer *ret_answer)
{
    char target[CLIENT_TARGET_MAX];
    memset(ret_answer, 0, sizeof(*ret_answer));
    if (client_data_target(c->words[0], "", target, sizeof(target)) != RC_OK) {
        client_say(c, "the key is too long; allowed: %d bytes", CLIENT_KEY_MAX);
        return EXIT_CODE_USAGE;
    }
    const struct client_request request = {.method = method, .target = target};
    client_ask_any(c, &request, ret_answer, NULL);
    if (ret_answer->rc == RC_OK && ret_answer->status == 200) {
        return EXIT_CODE_OK;
    }
    if (ret_answer->rc == RC_OK && ret_answer->status == 404) {
        client_say(c, "no such key, or its time is over");
    } else if (ret_answer->rc == RC_OK) {
        client_complain(c, ret_answer);
    }
    return EXIT_CODE_FAILED;
}

struct head_row {
    const char *name;
    enum client_header header;
    bool is_number;
};

static const struct head_row head_rows[] = {
    {"size", HEADER_LENGTH, true},
    {"created_at", HEADER_CREATED, false},
    {"original_ttl", HEADER_ORIGINAL_TTL, true},
    {"remaining_ttl", HEADER_REMAINING_TTL, true},
    {"etag", HEADER_ETAG, false},
};

/* The headers of a key as JSON, which the caller frees. */
static cJSON *head_json(const struct client *c, const struct client_answer *answer)
{
    cJSON *root = cJSON_CreateObject();
    add_bytes(root, "key", c->words[0], strlen(c->words[0]));
    for (size_t i = 0; i < sizeof(head_rows) / sizeof(head_rows[0]); i++) {
        const char *text = answer->headers[head_rows[i].header];
        if (head_rows[i].is_number) {
            add_number(root, head_rows[i].name, text);
        } else {
            (void)cJSON_AddStringToObject(root, head_rows[i].name, text);
        }
    }
    return root;
}

static void print_value_json(const struct client *c, const struct client_answer *answer)
{
    cJSON *root = head_json(c, answer);
    add_bytes(root, "value", answer->body, answer->body_len);
    client_print_json(root);
}

/* To a terminal: lines and tabs as they are, nothing that it would obey, and an end of the line. */
static int show_value(const struct client *c, const struct client_answer *answer)
{
    const char *text = (const char *)answer->body;
    bool is_changed = false;
    for (size_t at = 0; at < answer->body_len;) {
        const struct plain p = plain_next(text + at, answer->body_len - at);
        const bool is_shown = p.is_plain || text[at] == '\n' || text[at] == '\t';
        (void)fwrite(is_shown ? text + at : "?", 1, is_shown ? p.len : 1, stdout);
        is_changed = is_changed || !is_shown;
        at += p.len;
    }
    if (answer->body_len > 0 && text[answer->body_len - 1] != '\n') {
        (void)putchar('\n');
    }
    const int code = client_output("", 0);
    if (is_changed) {
        client_say(c,
                   "each ? may stand for what a terminal cannot show; a pipe or a file gets every "
                   "byte");
    }
    return code;
}

static int get(struct client *c)
{
    struct client_answer answer;
    int code = ask_key(c, "GET", &answer);
    if (code == EXIT_CODE_OK && c->is_json) {
        print_value_json(c, &answer);
    } else if (code == EXIT_CODE_OK) {
        code = output_is_terminal() ? show_value(c, &answer)
                                    : client_output(answer.body, answer.body_len);
    }
    client_answer_fini(&answer);
    return code;
}

int command_get(int argc, char **argv)
{
    const struct client_usage usage = {
        .words_min = 1, .words_max = 1, .timeout_ms = TIMEOUT_MS, .is_data = true};
    return client_run(argc, argv, &usage, get);
}

static void print_head(const struct client *c, const struct client_answer *answer)
{
    static const char *const headings[] = {"FIELD", "VALUE"};
    if (c->is_json) {
        client_print_json(head_json(c, answer));
        return;
    }
    struct table *table = table_new(headings, 2);
    for (size_t i = 0; i < sizeof(head_rows) / sizeof(head_rows[0]); i++) {
        const char *const cells[] = {head_rows[i].name, answer->headers[head_rows[i].header]};
        table_add(table, cells);
    }
    table_print(table);
    table_free(table);
}

static int head(struct client *c)
{
    struct client_answer answer;
    const int code = ask_key(c, "HEAD", &answer);
    if (code == EXIT_CODE_OK) {
        print_head(c, &answer);
    }
    client_answer_fini(&answer);
    return code;
}

int command_head(int argc, char **argv)
{
    const struct client_usage usage = {
        .words_min = 1, .words_max = 1, .timeout_ms = TIMEOUT_MS, .is_data = true};
    return client_run(argc, argv, &usage, head);
}
