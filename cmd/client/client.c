#include "cmd/client/client.h"

#include "cmd/base/exit_code.h"
#include "cmd/base/output.h"
#include "cmd/base/plain.h"
#include "cmd/settings/help.h"
#include "cmd/settings/local_host.h"
#include "cmd/settings/settings.h"
#include "core/base/addr.h"
#include "core/base/mem.h"
#include "core/base/parse.h"
#include "core/base/units.h"
#include "net/out/fetch.h"
#include "net/out/tls_client.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PROBLEM_BYTES_MAX = 16 * 1024,
    SAY_SIZE = 4096,   /* of one line on standard error */
    CONNECT_MS = 3000, /* before the next server is tried */
};

enum common_option {
    OPTION_SERVER,
    OPTION_TIMEOUT,
    OPTION_CACERT,
    OPTION_CERT,
    OPTION_KEY,
    OPTION_TOKEN_IN_CLEAR,
    OPTION_JSON,
    OPTION_COLOR,
    OPTION_HELP,
    OPTION_COUNT
};

static const struct option_def common[OPTION_COUNT] = {
    [OPTION_SERVER] = {"server", 's', true},
    [OPTION_TIMEOUT] = {"timeout", 't', true},
    [OPTION_CACERT] = {"cacert", 0, true},
    [OPTION_CERT] = {"cert", 0, true},
    [OPTION_KEY] = {"key", 0, true},
    [OPTION_TOKEN_IN_CLEAR] = {"token-in-clear", 0, false},
    [OPTION_JSON] = {"json", 0, false},
    /* Of what is for people: JSON has none. */
    [OPTION_COLOR] = {"color", 0, true},
    [OPTION_HELP] = {"help", 'h', false},
};

void client_say(const struct client *c, const char *format, ...)
{
    char text[SAY_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)plain_clean(text, strlen(text));
    output_progress_end();
    (void)fprintf(stderr, "repram %s: %s\n", c->command, text);
}

/* ---- Servers ---- */

const char *client_server_text(const struct client_server *server, char *ret_text, size_t size)
{
    const bool is_v6 = strchr(server->at.host, ':') != NULL;
    (void)snprintf(ret_text, size, "%s%s%s:%u", is_v6 ? "[" : "", server->at.host, is_v6 ? "]" : "",
                   server->at.port);
    return ret_text;
}

/* Adds the servers of a comma list; false when a word of it is none, which was said then. BASE_PORT
 * is put in when it is known (find_servers). */
static bool take_servers(struct client *c, const char *source, const char *text)
{
    char word[CLIENT_SERVERS_WORD_SIZE];
    const enum rc rc = client_servers_parse(text, UINT16_MAX, c->servers, CLIENT_SERVERS_MAX,
                                            &c->server_count, word);
    if (rc == RC_FULL) {
        client_say(c, "%s: more than %d servers", source, CLIENT_SERVERS_MAX);
    } else if (rc != RC_OK) {
        client_say(c,
                   "%s: '%s' is no server; allowed: host, host:port, [IPv6]:port (without a zone), "
                   "http://host, https://host, or a comma list of them",
                   source, word);
    }
    return rc == RC_OK;
}

/* Whether it matters that a setting is wrong: for named servers with their ports it does not. */
static bool needs_settings(const struct client *c)
{
    for (size_t i = 0; i < c->server_count; i++) {
        if (c->servers[i].has_base_port) {
            return true;
        }
    }
    return c->is_local;
}

/* The range, or the one fixed port, that a node started with this environment would have. */
static void local_servers(struct client *c, const struct settings *s)
{
    const bool is_fixed = settings_is_set(s, SETTING_HTTP_PORT);
    const uint64_t first = settings_number(s, is_fixed ? SETTING_HTTP_PORT : SETTING_BASE_PORT);
    const uint64_t count = is_fixed ? 1 : settings_number(s, SETTING_MAX_PORTS);
    char host[ADDR_TEXT_SIZE];
    (void)local_host(s, host);
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
    (void)snprintf(c->enclave, sizeof(c->enclave), "%s", settings_text(s, SETTING_ENCLAVE));
    if (c->server_count == 0 && named != NULL && *named != '\0') {
        code = take_servers(c, "REPRAM_SERVER", named) ? -1 : EXIT_CODE_BAD_CONFIG;
    } else if (c->server_count == 0) {
        c->is_local = true;
    }
    if (code < 0 && s->errors.count > 0 && needs_settings(c)) {
        report_print(&s->errors, "repram: ");
        code = EXIT_CODE_BAD_CONFIG;
    } else if (c->is_local) {
        local_servers(c, s);
    }
    client_servers_set_base_port(c->servers, c->server_count,
                                 (uint16_t)settings_number(s, SETTING_BASE_PORT));
    settings_fini(s);
    free(s);
    return code;
}

/* ---- What is trusted and shown ---- */

bool client_may_send_token(const struct client *c, const struct client_server *server)
{
    struct addr addr;
    const bool is_this_host =
        strcmp(server->at.host, "localhost") == 0 ||
        (addr_parse_ip(server->at.host, 0, &addr) == RC_OK && addr_is_loopback(&addr));
    return server->is_tls || is_this_host || c->is_token_in_clear;
}

static int check_token(const struct client *c)
{
    char where[NODE_TEXT_SIZE + 16];
    for (size_t i = 0; i < c->server_count && c->credentials.authorization != NULL; i++) {
        if (!client_may_send_token(c, &c->servers[i])) {
            client_say(c,
                       "the token is not sent to %s by plain http, where whoever is on the way "
                       "reads it: name the server as https://, or allow that by --token-in-clear",
                       client_server_text(&c->servers[i], where, sizeof(where)));
            return EXIT_CODE_USAGE;
        }
    }
    return -1;
}

static int begin_tls(struct client *c, bool has_options)
{
    const struct tls_client_files files = {
        .ca = c->credentials.ca, .cert = c->credentials.cert, .key = c->credentials.key};
    char why[SAY_SIZE / 4];
    if (*files.ca != '\0' || *files.cert != '\0') {
        client_servers_set_tls(c->servers, c->server_count);
    }
    bool is_tls = false;
    for (size_t i = 0; i < c->server_count; i++) {
        is_tls = is_tls || c->servers[i].is_tls;
    }
    if (has_options && !is_tls) {
        client_say(c, "--cacert, --cert and --key are for https, and every server is named by "
                      "http://");
        return EXIT_CODE_USAGE;
    }
    c->tls = is_tls ? tls_client_new(&files, why, sizeof(why)) : NULL;
    if (is_tls && c->tls == NULL) {
        client_say(c, "%s", why);
        return EXIT_CODE_BAD_CONFIG;
    }
    return -1;
}

static int find_credentials(struct client *c, bool is_probe)
{
    struct report errors = {.count = 0};
    const bool has_options = c->credentials.ca != NULL || c->credentials.cert != NULL;
    enum rc rc = credentials_find_files(&c->credentials, &errors);
    rc = rc == RC_OK && !is_probe ? credentials_read_token(&c->credentials, &errors) : rc;
    if (rc != RC_OK) {
        report_print(&errors, "repram: ");
        return EXIT_CODE_BAD_CONFIG;
    }
    const int code = begin_tls(c, has_options);
    return code < 0 ? check_token(c) : code;
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
        return take_servers(c, "--server", value) ? -1 : EXIT_CODE_USAGE;
    case OPTION_TIMEOUT:
        if (parse_duration_ms(value, strlen(value), &ms) != RC_OK || ms == 0 || ms > DAY_MS) {
            return usage_error(c, "--timeout takes " PARSE_DURATION_MS_TAKES ", up to 24h");
        }
        c->timeout_ms = (uint32_t)ms;
        break;
    case OPTION_CACERT:
        c->credentials.ca = value;
        break;
    case OPTION_CERT:
        c->credentials.cert = value;
        break;
    case OPTION_KEY:
        c->credentials.key = value;
        break;
    case OPTION_TOKEN_IN_CLEAR:
        c->is_token_in_clear = true;
        break;
    case OPTION_JSON:
        c->is_json = true;
        break;
    case OPTION_COLOR:
        if (output_set_color(value) != RC_OK) {
            return usage_error(c, "--color takes auto, always or never");
        }
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
    char problem[256];
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
        if (at == OPTIONS_LISTED) {
            code = EXIT_CODE_OK;
        } else if (at == OPTIONS_BAD) {
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
    const int code = find_servers(c);
    return code < 0 ? find_credentials(c, usage->is_probe) : code;
}

int client_run(int argc, char **argv, const struct client_usage *usage,
               int (*command)(struct client *c))
{
    struct client c = {
        .command = argv[0], .timeout_ms = usage->timeout_ms, .is_data = usage->is_data};
    c.servers = mem_new(CLIENT_SERVERS_MAX, sizeof(*c.servers));
    int code = begin(&c, argc, argv, usage);
    code = code < 0 ? command(&c) : code;
    tls_client_free(c.tls);
    credentials_fini(&c.credentials);
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
    [HEADER_RETRY_AFTER] = "Retry-After",
};

/* As the node's JSON has it: without the quotes, and without the mark of a proxy that compresses.
 */
static void bare_tag(char *etag)
{
    size_t len = 0;
    for (const char *c = strncmp(etag, "W/", 2) == 0 ? etag + 2 : etag; *c != '\0'; c++) {
        if (*c != '"') {
            etag[len++] = *c;
        }
    }
    etag[len] = '\0';
}

static void keep_answer(void *arg, const struct fetch_answer *from)
{
    struct client_answer *to = arg;
    to->rc = from->rc;
    to->was_sent = from->was_sent;
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
    bare_tag(to->headers[HEADER_ETAG]);
    (void)snprintf(to->error, sizeof(to->error), "%s", from->error);
}

enum { OWN_HEADERS = 2 };

/* Returns how many. */
static size_t own_headers(const struct client *c, const struct client_server *server, bool is_probe,
                          struct fetch_header ret_headers[static OWN_HEADERS])
{
    size_t count = 0;
    ret_headers[count++] = (struct fetch_header){"User-Agent", "repram/" REPRAM_VERSION};
    if (c->credentials.authorization != NULL && !is_probe && client_may_send_token(c, server)) {
        ret_headers[count++] = (struct fetch_header){"Authorization", c->credentials.authorization};
    }
    return count;
}

void client_ask_stream(const struct client *c, const struct client_server *server,
                       const char *target, const struct client_stream *stream,
                       struct client_answer *ret_answer)
{
    struct fetch_header headers[OWN_HEADERS + 1];
    size_t header_count = own_headers(c, server, false, headers);
    if (stream->header != NULL) {
        headers[header_count++] = *stream->header;
    }
    const struct fetch_request fetch = {.method = "GET",
                                        .host = server->at.host,
                                        .port = server->at.port,
                                        .is_tls = server->is_tls,
                                        .tls = c->tls,
                                        .target = target,
                                        .headers = headers,
                                        .header_count = header_count,
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
    struct fetch_header headers[OWN_HEADERS];
    const struct fetch_request fetch = {.method = request->method,
                                        .host = server->at.host,
                                        .port = server->at.port,
                                        .is_tls = server->is_tls,
                                        .tls = c->tls,
                                        .target = request->target,
                                        .headers = headers,
                                        .header_count =
                                            own_headers(c, server, request->is_probe, headers),
                                        .body = request->body,
                                        .body_len = request->body_len,
                                        .timeout_ms = timeout_ms,
                                        .connect_ms = c->server_count > 1 ? CONNECT_MS : 0,
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

/* What the one who asked can do about a refusal. */
static const char *remedy(const struct client *c, int status, const char *code)
{
    if (code != NULL && strcmp(code, "tls_required") == 0) {
        return "; name the server as https://, and by --cacert FILE the authority that signed its "
               "certificate where the system does not know it";
    }
    if (status == FETCH_UNAUTHORIZED && c->credentials.authorization == NULL) {
        return "; a token is taken from REPRAM_TOKEN, or from the file that REPRAM_TOKEN_FILE "
               "names";
    }
    return "";
}

void client_complain(const struct client *c, const struct client_answer *answer)
{
    cJSON *root = answer->body_len <= PROBLEM_BYTES_MAX
                      ? cJSON_ParseWithLength((const char *)answer->body, answer->body_len)
                      : NULL;
    const char *code = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "code"));
    const char *detail = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "detail"));
    client_say(c, "the node answers %d%s%s%s%s%s", answer->status, code != NULL ? " " : "",
               code != NULL ? code : "", detail != NULL ? ": " : "", detail != NULL ? detail : "",
               remedy(c, answer->status, code));
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

void client_print_json(cJSON *root)
{
    char *text = cJSON_PrintUnformatted(root);
    plain_print_json(stdout, text != NULL ? text : "{}", strlen(text != NULL ? text : "{}"));
    (void)putchar('\n');
    cJSON_free(text);
    cJSON_Delete(root);
}
