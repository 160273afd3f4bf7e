#include "cmd/client/client.h"

#include "cmd/base/exit_code.h"
#include "cmd/base/output.h"
#include "cmd/settings/help.h"
#include "cmd/settings/local_host.h"
#include "cmd/settings/settings.h"
#include "cmd/settings/value.h"
#include "core/base/mem.h"
#include "core/base/parse.h"
#include "core/base/units.h"
#include "net/out/fetch.h"
#include "net/sys/hostclock.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DEFAULT_PORT = 8081,
    PROBE_TIMEOUT_MS = 1000, /* of one port of this host, whoever answers there */
    PROBLEM_BYTES_MAX = 16 * 1024,
};

enum common_option { OPTION_SERVER, OPTION_TIMEOUT, OPTION_JSON, OPTION_HELP, OPTION_COUNT };

static const struct option_def common[OPTION_COUNT] = {
    [OPTION_SERVER] = {"server", 's', true},
    [OPTION_TIMEOUT] = {"timeout", 't', true},
    [OPTION_JSON] = {"json", 0, false},
    [OPTION_HELP] = {"help", 'h', false},
};

void client_say(const struct client *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fprintf(stderr, "repram %s: ", c->command);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
}

/* ---- Servers ---- */

static enum rc parse_server(const char *text, size_t len, struct client_server *ret_server)
{
    char copy[NODE_TEXT_SIZE + 16];
    struct value_url url;
    if (len >= sizeof(copy)) {
        return RC_MALFORMED;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (strstr(copy, "://") == NULL) {
        ret_server->is_tls = false;
        return value_host_port(copy, len, DEFAULT_PORT, &ret_server->at);
    }
    const enum rc rc = value_url(copy, &url);
    if (rc != RC_OK) {
        return rc;
    }
    if (url.path[0] != '\0' && strcmp(url.path, "/") != 0) {
        return RC_MALFORMED;
    }
    *ret_server = (struct client_server){.at = url.server, .is_tls = url.is_tls};
    return RC_OK;
}

enum rc client_parse_servers(const char *text, struct client_server *ret_servers, size_t max,
                             size_t *count)
{
    for (;;) {
        const size_t len = strcspn(text, ",");
        if (*count == max) {
            return RC_FULL;
        }
        const enum rc rc = parse_server(text, len, &ret_servers[*count]);
        if (rc != RC_OK) {
            return rc;
        }
        (*count)++;
        if (text[len] == '\0') {
            return RC_OK;
        }
        text += len + 1;
    }
}

const char *client_server_text(const struct client_server *server, char *ret_text, size_t size)
{
    const bool is_v6 = strchr(server->at.host, ':') != NULL;
    (void)snprintf(ret_text, size, "%s%s%s:%u", is_v6 ? "[" : "", server->at.host, is_v6 ? "]" : "",
                   server->at.port);
    return ret_text;
}

/* The range, or the one fixed port, that a node started with this environment would have. */
static void local_servers(struct client *c, const struct settings *s)
{
    const bool is_fixed = settings_is_set(s, SETTING_HTTP_PORT);
    const uint64_t first = settings_number(s, is_fixed ? SETTING_HTTP_PORT : SETTING_BASE_PORT);
    const uint64_t count = is_fixed ? 1 : settings_number(s, SETTING_MAX_PORTS);
    char host[ADDR_TEXT_SIZE];
    (void)local_host(s, host);
    c->is_local = true;
    for (uint64_t i = 0; i < count && i < CLIENT_SERVERS_MAX && first + i <= UINT16_MAX; i++) {
        struct client_server *server = &c->servers[c->server_count++];
        *server = (struct client_server){.at = {.port = (uint16_t)(first + i)}};
        (void)snprintf(server->at.host, sizeof(server->at.host), "%s", host);
    }
}

static int find_servers(struct client *c)
{
    const struct settings_sources sources = {.environment = environ, .is_client = true};
    struct settings *s = mem_new(1, sizeof(*s));
    const char *named = getenv("REPRAM_SERVER");
    int code = -1;
    settings_load(s, &sources);
    c->node_count =
        settings_is_set(s, SETTING_HTTP_PORT) ? 1 : settings_number(s, SETTING_NODE_COUNT);
    (void)snprintf(c->network, sizeof(c->network), "%s", settings_text(s, SETTING_NETWORK));
    if (c->server_count > 0) {
        /* Named on the command line. */
    } else if (named != NULL && *named != '\0') {
        if (client_parse_servers(named, c->servers, CLIENT_SERVERS_MAX, &c->server_count) !=
            RC_OK) {
            client_say(c, "REPRAM_SERVER=%s is not allowed; allowed: host:port,...", named);
            code = EXIT_CODE_BAD_CONFIG;
        }
    } else if (s->errors.count > 0) {
        report_print(&s->errors, "repram: ");
        code = EXIT_CODE_BAD_CONFIG;
    } else {
        local_servers(c, s);
    }
    settings_fini(s);
    free(s);
    return code;
}

/* ---- The command line ---- */

static int usage_error(const struct client *c, const char *problem)
{
    client_say(c, "%s; see repram %s --help", problem, c->command);
    return EXIT_CODE_USAGE;
}

static int take_common(struct client *c, enum common_option option, const char *value)
{
    uint64_t ms = 0;
    switch (option) {
    case OPTION_SERVER:
        if (client_parse_servers(value, c->servers, CLIENT_SERVERS_MAX, &c->server_count) !=
            RC_OK) {
            return usage_error(c, "--server takes host:port, or a comma list of them");
        }
        break;
    case OPTION_TIMEOUT:
        if (parse_duration_ms(value, strlen(value), &ms) != RC_OK || ms == 0 || ms > DAY_MS) {
            return usage_error(c, "--timeout takes " PARSE_DURATION_MS_TAKES ", up to 24h");
        }
        c->timeout_ms = (uint32_t)ms;
        break;
    case OPTION_JSON:
        c->is_json = true;
        break;
    case OPTION_HELP:
        return help_command(stdout, c->command) == RC_OK ? EXIT_CODE_OK : EXIT_CODE_INTERNAL;
    case OPTION_COUNT:
        break;
    }
    return -1;
}

static int take_word(struct client *c, const char *word, size_t words_max)
{
    char problem[128];
    if (c->word_count == words_max) {
        (void)snprintf(problem, sizeof(problem), "unexpected word '%.64s'", word);
        return usage_error(c, problem);
    }
    c->words[c->word_count++] = word;
    return -1;
}

/* -1 to go on, else the exit code. */
static int begin(struct client *c, int argc, char **argv, const struct client_usage *usage)
{
    struct option_def defs[OPTION_COUNT + CLIENT_EXTRAS_MAX];
    const char *value = NULL;
    memcpy(defs, common, sizeof(common));
    if (usage->extra_count > 0) {
        memcpy(defs + OPTION_COUNT, usage->extras, usage->extra_count * sizeof(*usage->extras));
    }
    struct options options = options_begin(argc, argv, defs, OPTION_COUNT + usage->extra_count);
    for (int at; (at = options_next(&options, &value)) != OPTIONS_END;) {
        int code = -1;
        if (at == OPTIONS_BAD) {
            code = usage_error(c, options.error);
        } else if (at == OPTIONS_WORD) {
            code = take_word(c, value, usage->words_max);
        } else if (at < OPTION_COUNT) {
            code = take_common(c, (enum common_option)at, value);
        } else {
            c->extras[at - OPTION_COUNT] = value != NULL ? value : "";
        }
        if (code >= 0) {
            return code;
        }
    }
    if (c->word_count < usage->words_min) {
        return usage_error(c, "a key is missing");
    }
    return find_servers(c);
}

int client_run(int argc, char **argv, const struct client_usage *usage,
               int (*command)(struct client *c))
{
    struct client c = {.command = argv[0], .timeout_ms = usage->timeout_ms};
    c.servers = mem_new(CLIENT_SERVERS_MAX, sizeof(*c.servers));
    int code = begin(&c, argc, argv, usage);
    code = code < 0 ? command(&c) : code;
    free(c.servers);
    return code;
}

/* ---- Asking ---- */

static const char *const header_names[CLIENT_HEADER_COUNT] = {
    [HEADER_ETAG] = "ETag",
    [HEADER_REPLICAS] = "X-Replicas",
    [HEADER_CREATED] = "X-Created-At",
    [HEADER_ORIGINAL_TTL] = "X-Original-TTL",
    [HEADER_REMAINING_TTL] = "X-Remaining-TTL",
    [HEADER_LENGTH] = "Content-Length",
};

static void keep_answer(void *arg, const struct fetch_answer *from)
{
    struct client_answer *to = arg;
    to->rc = from->rc;
    to->status = from->status;
    to->body_len = from->body_len;
    to->body = mem_new(from->body_len + 1, 1);
    if (from->body_len > 0) {
        memcpy(to->body, from->body, from->body_len);
    }
    for (size_t i = 0; i < CLIENT_HEADER_COUNT; i++) {
        const char *value = fetch_header_of(from, header_names[i]);
        (void)snprintf(to->headers[i], CLIENT_HEADER_SIZE, "%s", value != NULL ? value : "");
    }
    (void)snprintf(to->error, sizeof(to->error), "%s", from->error);
}

static const struct fetch_header agent = {"User-Agent", "repram/" REPRAM_VERSION};

void client_ask_stream(const struct client *c, const struct client_server *server,
                       const char *target, const struct client_stream *stream,
                       struct client_answer *ret_answer)
{
    struct fetch_header headers[2] = {agent};
    if (stream->header != NULL) {
        headers[1] = *stream->header;
    }
    const struct fetch_request fetch = {.method = "GET",
                                        .host = server->at.host,
                                        .port = server->at.port,
                                        .is_tls = server->is_tls,
                                        .target = target,
                                        .headers = headers,
                                        .header_count = stream->header != NULL ? 2 : 1,
                                        .timeout_ms = c->timeout_ms,
                                        .bytes_max = CLIENT_BODY_MAX,
                                        .hangup_fd = c->hangup_fd,
                                        .piece = stream->piece,
                                        .piece_arg = stream->arg};
    memset(ret_answer, 0, sizeof(*ret_answer));
    (void)fetch_wait(&fetch, keep_answer, ret_answer);
}

void client_ask(const struct client *c, const struct client_server *server,
                const struct client_request *request, uint32_t timeout_ms,
                struct client_answer *ret_answer)
{
    const struct fetch_request fetch = {.method = request->method,
                                        .host = server->at.host,
                                        .port = server->at.port,
                                        .is_tls = server->is_tls,
                                        .target = request->target,
                                        .headers = &agent,
                                        .header_count = 1,
                                        .body = request->body,
                                        .body_len = request->body_len,
                                        .timeout_ms = timeout_ms,
                                        .hangup_fd = c->hangup_fd,
                                        .bytes_max = CLIENT_BODY_MAX};
    memset(ret_answer, 0, sizeof(*ret_answer));
    (void)fetch_wait(&fetch, keep_answer, ret_answer);
}

void client_answer_fini(struct client_answer *answer)
{
    free(answer->body);
    answer->body = NULL;
}

bool client_is_node(const struct client *c, const struct client_server *server)
{
    const struct client_request request = {.method = "GET", .target = "/health"};
    const uint32_t timeout_ms = c->timeout_ms < PROBE_TIMEOUT_MS ? c->timeout_ms : PROBE_TIMEOUT_MS;
    struct client_answer answer;
    client_ask(c, server, &request, timeout_ms, &answer);
    cJSON *root = answer.rc == RC_OK && answer.status == 200
                      ? cJSON_ParseWithLength((const char *)answer.body, answer.body_len)
                      : NULL;
    const bool is_ours = cJSON_IsString(cJSON_GetObjectItemCaseSensitive(root, "uuid"));
    cJSON_Delete(root);
    client_answer_fini(&answer);
    return is_ours;
}

static void say_nobody(const struct client *c, const struct client_answer *answer)
{
    char first[NODE_TEXT_SIZE + 16];
    client_server_text(&c->servers[0], first, sizeof(first));
    if (c->is_local) {
        client_say(c, "no node answers on %s to port %u; --server names another", first,
                   c->servers[c->server_count - 1].at.port);
    } else if (c->server_count == 1) {
        client_say(c, "%s does not answer: %s", first, answer->error);
    } else {
        client_say(c, "none of %zu servers answers; the last one: %s", c->server_count,
                   answer->error);
    }
}

void client_ask_any(struct client *c, const struct client_request *request,
                    struct client_answer *ret_answer, struct client_server *ret_server)
{
    const uint64_t deadline = hostclock_boot_ms() + c->timeout_ms;
    memset(ret_answer, 0, sizeof(*ret_answer));
    ret_answer->rc = RC_REFUSED;
    for (size_t i = 0; i < c->server_count; i++) {
        const uint64_t now = hostclock_boot_ms();
        if (now >= deadline) {
            break;
        }
        if (c->is_local && !client_is_node(c, &c->servers[i])) {
            continue;
        }
        /* A server that swallows packets must not use up the time of those after it. */
        const uint64_t share =
            c->is_local ? deadline - now : (deadline - now) / (c->server_count - i);
        client_answer_fini(ret_answer);
        client_ask(c, &c->servers[i], request, (uint32_t)(share > 0 ? share : 1), ret_answer);
        if (ret_answer->rc == RC_OK) {
            if (ret_server != NULL) {
                *ret_server = c->servers[i];
            }
            return;
        }
    }
    say_nobody(c, ret_answer);
}

void client_complain(const struct client *c, const struct client_answer *answer)
{
    cJSON *root = answer->body_len <= PROBLEM_BYTES_MAX
                      ? cJSON_ParseWithLength((const char *)answer->body, answer->body_len)
                      : NULL;
    const char *code = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "code"));
    const char *detail = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "detail"));
    client_say(c, "the node answers %d%s%s%s%s", answer->status, code != NULL ? " " : "",
               code != NULL ? code : "", detail != NULL ? ": " : "", detail != NULL ? detail : "");
    cJSON_Delete(root);
}

/* ---- Targets and output ---- */

static bool is_unreserved(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           strchr("-._~", c) != NULL;
}

enum rc client_encode(char *target, size_t size, const char *text, const char *kept)
{
    const size_t start = strlen(target);
    size_t len = start;
    for (; *text != '\0'; text++) {
        const bool is_plain = is_unreserved(*text) || strchr(kept, *text) != NULL;
        if (len + (is_plain ? 1 : 3) >= size) {
            target[start] = '\0';
            return RC_TOO_LONG;
        }
        if (is_plain) {
            target[len++] = *text;
            target[len] = '\0';
        } else {
            (void)snprintf(target + len, 4, "%%%02X", (unsigned char)*text);
            len += 3;
        }
    }
    return RC_OK;
}

enum rc client_data_target(const char *key, const char *query, char *ret_target, size_t size)
{
    (void)snprintf(ret_target, size, "/v1/data/");
    const enum rc rc =
        strlen(key) > CLIENT_KEY_MAX ? RC_TOO_LONG : client_encode(ret_target, size, key, "/");
    const size_t len = strlen(ret_target);
    if (rc != RC_OK || len + strlen(query) + 2 > size) {
        return RC_TOO_LONG;
    }
    if (*query != '\0') {
        (void)snprintf(ret_target + len, size - len, "?%s", query);
    }
    return RC_OK;
}

int client_output(const void *data, size_t len)
{
    (void)fwrite(data, 1, len, stdout);
    return output_flush() ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}
