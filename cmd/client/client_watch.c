/* `repram watch`: changes as they happen, through lost connections, until Ctrl-C. */
#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "cmd/base/human.h"
#include "cmd/base/json_in.h"
#include "cmd/base/output.h"
#include "cmd/base/plain.h"
#include "cmd/client/client.h"
#include "net/out/event_stream.h"
#include "net/out/fetch.h"
#include "net/sys/hangup.h"
#include "net/sys/hostclock.h"
#include "net/sys/rfc3339.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TIMEOUT_MS = 15000, /* of silence: three heartbeats */
    WAIT_MIN_MS = 250,  /* before a lost connection is made again, doubling */
    WAIT_MAX_MS = 5000,
    STATUS_OK = 200,
    STATUS_BUSY = 429,
    STOP_WAIT_S = 1, /* for a line that is being printed */
};

enum watch_extra { WATCH_PREFIX, WATCH_VALUES, WATCH_NEW, WATCH_EXTRA_COUNT };

static const struct option_def watch_extras[WATCH_EXTRA_COUNT] = {
    [WATCH_PREFIX] = {"prefix", 'p', true},
    [WATCH_VALUES] = {"values", 0, false},
    [WATCH_NEW] = {"new", 0, false},
};

struct watching {
    struct client *client;
    struct event_stream stream;
    size_t at; /* the server in use */
    bool is_live;
    bool was_live;   /* was live once: from then on it reconnects for ever */
    bool is_ended;   /* the node has said that it ends the stream, and why */
    bool is_garbled; /* the answer is no stream of events */
};

/* ---- Ctrl-C ---- */

static volatile sig_atomic_t is_printing;
static volatile sig_atomic_t is_stopped; /* the signal's number */

/* Interrupted is not the same as told to end, which is no failure for whoever supervises it. */
static int code_of(int number)
{
    return number == SIGINT ? EXIT_CODE_INTERRUPTED : EXIT_CODE_OK;
}

/* A line is printed whole: the stop waits for its end, but not for a reader that does not read. */
static void on_stop(int number)
{
    if (is_printing != 0) {
        is_stopped = number;
        (void)alarm(STOP_WAIT_S);
    } else {
        _exit(code_of(number));
    }
}

static void on_alarm(int number)
{
    (void)number;
    _exit(code_of(is_stopped));
}

static void catch_stops(void)
{
    const struct sigaction stop = {.sa_handler = on_stop};
    const struct sigaction late = {.sa_handler = on_alarm};
    (void)sigaction(SIGINT, &stop, NULL);
    (void)sigaction(SIGTERM, &stop, NULL);
    (void)sigaction(SIGALRM, &late, NULL);
}

static void begin_printing(void)
{
    is_printing = 1;
}

/* The line is out. Ends the program when that was asked for, or when nobody reads the output. A
 * signal behind the test must end it by itself: so printing is over before. */
static void end_printing(void)
{
    const bool is_written = output_flush();
    is_printing = 0;
    if (!is_written || is_stopped != 0) {
        _exit(output_end(is_stopped != 0 ? code_of(is_stopped) : EXIT_CODE_OK));
    }
}

/* ---- Output ---- */

/* The key of an event, or its value, in at most so many columns. */
static void print_field(const char *text, const char *base64, size_t columns_max)
{
    if (text != NULL) {
        plain_print(stdout, text, strlen(text), columns_max);
    } else if (base64 != NULL) {
        plain_print_base64(stdout, base64, columns_max);
    }
}

static const char *tint_of(const char *name)
{
    return output_tint(strcmp(name, "put") == 0 ? TINT_GOOD : TINT_DOUBTFUL);
}

/* "put", time left, size, key and value, with tabs between: for scripts. */
static void print_exact(const char *name, const cJSON *data)
{
    const char *value = json_in_text(data, "value", NULL);
    (void)printf("%s%s%s\t%" PRIu64 "s\t%" PRIu64 "\t", tint_of(name), name, output_tint(TINT_NONE),
                 (json_in_number(data, "ttl_ms") + 500) / 1000, json_in_number(data, "size"));
    print_field(json_in_text(data, "key", NULL), json_in_text(data, "key_base64", NULL), SIZE_MAX);
    if (value != NULL) {
        (void)putchar('\t');
        print_field(NULL, value, SIZE_MAX);
    }
    (void)putchar('\n');
}

/* The time of day in UTC, as the log has it, and the same in columns: a line for each event. */
static void print_row(const char *name, const cJSON *data)
{
    enum { TIME_AT = 11, TIME_LEN = 8, HEAD_COLUMNS = 37, KEY_SHARE = 2, GAP = 2 };
    char when[RFC3339_TEXT_SIZE], left[HUMAN_SIZE], size[HUMAN_SIZE];
    const char *value = json_in_text(data, "value", NULL);
    const size_t columns = output_columns();
    const size_t room = columns > HEAD_COLUMNS + 8 ? columns - HEAD_COLUMNS : 8;
    const bool is_put = strcmp(name, "put") == 0;
    (void)rfc3339_format(hostclock_wall_ms(), when);
    (void)human_duration(json_in_number(data, "ttl_ms") / 1000, 2, left);
    (void)human_bytes(json_in_number(data, "size"), size);
    (void)printf("%.*s  %s%-6s%s %7s %10s  ", TIME_LEN, when + TIME_AT, tint_of(name), name,
                 output_tint(TINT_NONE), is_put ? left : "", size);
    print_field(json_in_text(data, "key", NULL), json_in_text(data, "key_base64", NULL),
                value != NULL ? room / KEY_SHARE - GAP : room);
    if (value != NULL) {
        (void)fputs("  ", stdout);
        print_field(NULL, value, room / KEY_SHARE);
    }
    (void)putchar('\n');
}

static void print_change(const char *name, const cJSON *data)
{
    if (output_is_terminal()) {
        print_row(name, data);
    } else {
        print_exact(name, data);
    }
}

static void print_json(const struct watching *w, const char *name, const cJSON *data)
{
    char *text = cJSON_PrintUnformatted(data);
    const bool is_empty = text == NULL || strcmp(text, "{}") == 0;
    (void)printf("{\"event\":\"%s\"", name);
    if (w->stream.id[0] != '\0') {
        (void)printf(",\"id\":\"%s\"", w->stream.id);
    }
    (void)fputs(is_empty ? "" : ",", stdout);
    plain_print_json(stdout, is_empty ? "}" : text + 1, strlen(is_empty ? "}" : text + 1));
    (void)putchar('\n');
    cJSON_free(text);
}

/* Letters only: it goes into JSON and onto a terminal. */
static bool is_word(const char *text)
{
    return *text != '\0' && strspn(text, "abcdefghijklmnopqrstuvwxyz_") == strlen(text);
}

/* An id is the node's own; one that could end a header or a string is none. */
static bool is_id(const char *text)
{
    return strspn(text, "0123456789abcdef-") == strlen(text);
}

static void take_place(struct watching *w, const char *name, const cJSON *data)
{
    if (strcmp(name, "live") == 0) {
        w->is_live = true;
        w->was_live = true;
    } else if (strcmp(name, "reset") == 0 && w->was_live) {
        const char *reason = json_in_text(data, "reason", NULL);
        client_say(w->client, "begins anew: %s", reason != NULL && is_word(reason) ? reason : "?");
    } else if (strcmp(name, "end") == 0) {
        const char *code = json_in_text(data, "code", NULL);
        w->is_ended = true;
        client_say(w->client, "the node ends the stream: %s",
                   code != NULL && is_word(code) ? code : "?");
    }
}

static void on_event(void *arg, const struct stream_event *event)
{
    struct watching *w = arg;
    if (w->is_garbled) {
        return;
    }
    cJSON *data = cJSON_ParseWithLength(event->data, event->data_len);
    if (!cJSON_IsObject(data) || !is_word(event->name) || !is_id(w->stream.id)) {
        w->is_garbled = true;
    } else {
        begin_printing();
        take_place(w, event->name, data);
        if (w->client->is_json) {
            print_json(w, event->name, data);
        } else if (strcmp(event->name, "put") == 0 || strcmp(event->name, "expire") == 0) {
            print_change(event->name, data);
        }
        end_printing();
    }
    cJSON_Delete(data);
}

static bool on_piece(void *arg, const uint8_t *data, size_t len)
{
    struct watching *w = arg;
    if (event_stream_feed(&w->stream, data, len) != RC_OK) {
        w->is_garbled = true; /* an event may have said so already */
    }
    return !w->is_garbled;
}

/* ---- Connections ---- */

static enum rc make_target(const struct client *c, char *ret_target, size_t size)
{
    (void)snprintf(ret_target, size,
                   "/v1/watch?values=%d&snapshot=%d&prefix=", c->extras[WATCH_VALUES] != NULL,
                   c->extras[WATCH_NEW] == NULL);
    return c->extras[WATCH_PREFIX] == NULL
               ? RC_OK
               : client_encode(ret_target, size, c->extras[WATCH_PREFIX], "");
}

/* What ended a stream, and what comes of it. */
static void say_end(const struct watching *w, const struct client_answer *answer, const char *where)
{
    const char *again = w->was_live ? "; trying again" : "";
    const char *why = answer->rc == RC_OK ? "the stream ended" : answer->error;
    if (answer->rc == RC_CLOSED) {
        /* Nobody reads any more: not even what could be said about it. */
    } else if (w->is_garbled) {
        client_say(w->client, "%s answers with something else than events%s", where, again);
    } else if (answer->rc == RC_OK && answer->status != STATUS_OK) {
        client_complain(w->client, answer);
    } else if (!w->was_live && !w->is_ended) {
        client_say(w->client, "%s does not answer: %s", where, why);
    } else if (w->is_live) {
        client_say(w->client, "%s: %s%s", where, why, again);
    }
}

/* What is no stream of events has no place in it either: the next one begins anew, and after as
 * long as if nobody had answered. */
static void forget_garbled(struct watching *w)
{
    event_stream_fini(&w->stream);
    event_stream_init(&w->stream, on_event, w);
    w->is_garbled = false;
    w->is_live = false;
}

/* Watches one server as long as it answers. False when another try cannot help: the request is
 * wrong, unless it came too early (429). */
static bool watch_server(struct watching *w, const char *target)
{
    struct client_answer answer;
    const struct client_server *server = &w->client->servers[w->at];
    const struct fetch_header last_id = {"Last-Event-ID", w->stream.last_id};
    const struct client_stream stream = {
        .header = w->stream.last_id[0] != '\0' ? &last_id : NULL, .piece = on_piece, .arg = w};
    char where[NODE_TEXT_SIZE + 16];
    client_server_text(server, where, sizeof(where));
    event_stream_restart(&w->stream);
    w->is_live = false;
    w->is_ended = false;
    client_ask_stream(w->client, server, target, &stream, &answer);
    const bool is_final =
        answer.rc == RC_OK && answer.status / 100 == 4 && answer.status != STATUS_BUSY;
    say_end(w, &answer, where);
    if (w->is_garbled) {
        forget_garbled(w);
    }
    client_answer_fini(&answer);
    return !is_final;
}

/* The next server, from the one after the last. On a local port any other program may answer. */
static bool find_server(struct watching *w, bool is_same_first)
{
    struct client *c = w->client;
    for (size_t i = is_same_first ? 0 : 1; i <= c->server_count; i++) {
        const size_t at = (w->at + i) % c->server_count;
        if (!c->is_local || client_probe(c, &c->servers[at]) == KINSHIP_OURS) {
            w->at = at;
            return true;
        }
    }
    return false;
}

/* Where the reader has gone before anybody was asked, that is no reason to speak. */
static void say_where_nobody_was(const struct client *c, size_t failures)
{
    if (c->is_local && failures == 0 && output_has_reader()) {
        client_say_nobody_local(c);
    }
}

/* Goes round the servers. Until one was live, a round without success ends the program. A server
 * that was live is tried first, as the stream goes on there exactly. */
static int watch(struct watching *w, const char *target)
{
    const struct client *c = w->client;
    uint32_t wait_ms = WAIT_MIN_MS;
    size_t failures = 0;
    bool is_same_first = true;
    while ((w->was_live || failures < c->server_count) && output_has_reader()) {
        const bool is_found = find_server(w, is_same_first);
        if (is_found && !watch_server(w, target)) {
            return EXIT_CODE_FAILED;
        }
        if (!is_found && !w->was_live) {
            break;
        }
        failures = w->is_live ? 0 : failures + 1;
        is_same_first = is_found && w->is_live;
        if (w->was_live) {
            wait_ms = w->is_live ? WAIT_MIN_MS : wait_ms;
            output_pause(wait_ms);
            wait_ms = 2 * wait_ms < WAIT_MAX_MS ? 2 * wait_ms : WAIT_MAX_MS;
        }
        w->is_live = false;
    }
    say_where_nobody_was(c, failures);
    return EXIT_CODE_FAILED;
}

static int watch_prefix(struct client *c)
{
    char target[CLIENT_TARGET_MAX];
    struct watching w = {.client = c};
    if (make_target(c, target, sizeof(target)) != RC_OK) {
        client_say(c, "the prefix is too long");
        return EXIT_CODE_USAGE;
    }
    event_stream_init(&w.stream, on_event, &w);
    catch_stops();
    const int hangup = hangup_open(STDOUT_FILENO);
    c->hangup_fd = hangup >= 0 ? hangup : 0;
    const int code = watch(&w, target);
    if (hangup >= 0) {
        (void)close(hangup);
    }
    event_stream_fini(&w.stream);
    return code;
}

int command_watch(int argc, char **argv)
{
    const struct client_usage usage = {.extras = watch_extras,
                                       .extra_count = WATCH_EXTRA_COUNT,
                                       .timeout_ms = TIMEOUT_MS,
                                       .is_data = true};
    return client_run(argc, argv, &usage, watch_prefix);
}
