/*
 * client: what the client commands share: which node to ask, one request at a time, and how
 * answers and errors are shown.
 *
 * Servers come from --server (repeatable, comma lists), else from REPRAM_SERVER, else from the
 * local port range, where nodes of other networks are passed over, and for data those of other
 * enclaves. Of several servers the next is asked where one fails (cmd/client/client_any). Errors go
 * to standard error, behind the command's name.
 *
 * A token goes to servers by https, and by http to this host alone unless that was allowed. Whoever
 * answers on a port may be another program, so what every node answers to everybody, as who it is,
 * is asked without the token.
 */
#ifndef CMD_CLIENT_CLIENT_H
#define CMD_CLIENT_CLIENT_H

#include "cmd/base/options.h"
#include "cmd/client/client_servers.h"
#include "cmd/settings/credentials.h"
#include "core/base/rc.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CLIENT_SERVERS_MAX = 1000,
    CLIENT_WORDS_MAX = 2,
    CLIENT_EXTRAS_MAX = 16,
    CLIENT_BODY_MAX = (64 << 20) + 4096, /* the largest value that the protocol knows */
    CLIENT_HEADER_SIZE = 160,
    CLIENT_TARGET_MAX = 8 * 1024,
    CLIENT_KEY_MAX = 1024,
};

struct client {
    const char *command;
    struct client_server *servers; /* owned */
    size_t server_count;
    size_t server_at; /* the one that answered last, which is asked first */
    bool is_local;    /* the servers are the local port range */
    bool is_data;     /* the command is about entries, so nodes of other enclaves are no use */
    bool is_json;
    uint32_t timeout_ms;
    struct credentials credentials;
    struct tls_client *tls; /* NULL where no server is asked by https */
    bool is_token_in_clear; /* by http to other hosts too */
    int hangup_fd; /* of the output (net/sys/hangup): a request ends when nobody reads any more; 0:
                      none */
    uint64_t node_count; /* NODE_COUNT, for health --all */
    char network[NAME_SIZE];
    char enclave[NAME_SIZE];
    char passed[512]; /* which node of the local range was passed over, and why; "" for none */
    const char *words[CLIENT_WORDS_MAX];
    size_t word_count;
    const char *extras[CLIENT_EXTRAS_MAX]; /* values of the command's own options; "" when given
                                              without one, NULL when not given */
};

enum client_header {
    HEADER_ETAG,
    HEADER_REPLICAS,
    HEADER_CREATED,
    HEADER_ORIGINAL_TTL,
    HEADER_REMAINING_TTL,
    HEADER_LENGTH,
    HEADER_RETRY_AFTER,
    CLIENT_HEADER_COUNT,
};

struct client_answer {
    enum rc rc;    /* RC_OK when any answer came */
    bool was_sent; /* the server may have got the request */
    int status;
    uint8_t *body; /* owned, and terminated behind body_len; never NULL */
    size_t body_len;
    char headers[CLIENT_HEADER_COUNT][CLIENT_HEADER_SIZE]; /* "" when absent */
    char error[384];
};

struct client_usage {
    const struct option_def *extras;
    size_t extra_count;
    size_t words_min, words_max;
    uint32_t timeout_ms; /* default */
    bool is_data;        /* as in struct client */
    bool is_probe;       /* it asks for nothing that needs a token, so none is read */
};

/* Reads the command line, finds out the servers, and runs the command. Returns its exit code, or
 * that of what was wrong before it. */
int client_run(int argc, char **argv, const struct client_usage *usage,
               int (*command)(struct client *c));

struct client_request {
    const char *method;
    const char *target;
    const void *body;
    size_t body_len;
    bool is_probe; /* everybody is answered: it goes without the token */
};

struct fetch_header;

struct client_stream {
    const struct fetch_header *header; /* one more to send; NULL: none */
    /* False: no more of it. */
    bool (*piece)(void *arg, const uint8_t *data, size_t len);
    void *arg;
};

/* Asks one server. The caller calls client_answer_fini(). */
void client_ask(const struct client *c, const struct client_server *server,
                const struct client_request *request, uint32_t timeout_ms,
                struct client_answer *ret_answer);

/* Asks the servers in turn, from the one on that answered last, until one does what is asked, or
 * says what is final; a PUT may have no condition. *ret_answer is the last refusal when all fail,
 * and *ret_server, when not NULL, becomes who gave it. Says so when nobody answers, and when a
 * write may have been done all the same. */
void client_ask_any(struct client *c, const struct client_request *request,
                    struct client_answer *ret_answer, struct client_server *ret_server);

/* Who answers there now: the local range may hold other programs, and nodes of other clusters.
 * Asked before each request and each stream, as another node may have taken the port since. */
enum client_kinship client_probe(struct client *c, const struct client_server *server);

/* Whether the server may be sent the token. */
bool client_may_send_token(const struct client *c, const struct client_server *server);

/* Says that the local range has no node of ours, and which were passed over. */
void client_say_nobody_local(const struct client *c);

/* Gets a target and takes the body of a 200 as it comes, for as long as it comes. The client's
 * timeout is for each silence. */
void client_ask_stream(const struct client *c, const struct client_server *server,
                       const char *target, const struct client_stream *stream,
                       struct client_answer *ret_answer);

void client_answer_fini(struct client_answer *answer);

/* Says on standard error what the server refused with (RFC 9457). */
void client_complain(const struct client *c, const struct client_answer *answer);

/* "repram command: text" on standard error; what is not plain in it becomes '?'. */
void client_say(const struct client *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* /data/{key} with the key percent-encoded, and "?query" unless `query` is empty. RC_TOO_LONG. */
MUST_USE enum rc client_data_target(const char *key, const char *query, char *ret_target,
                                    size_t size);

/* Appends `text` percent-encoded; `kept` are reserved characters to leave as they are. RC_TOO_LONG,
 * with the target as it was. */
MUST_USE enum rc client_encode(char *target, size_t size, const char *text, const char *kept);

/* "host:port" for people. Returns `ret_text`. */
const char *client_server_text(const struct client_server *server, char *ret_text, size_t size);

/* How long who was refused waits, by the value of Retry-After, milliseconds; a second where that is
 * a date or makes no sense, and 0 when it is NULL or empty. */
uint64_t client_retry_after_ms(const char *text);

/* A value as a table's cell: strings as they are, the rest as in JSON. The caller frees it. */
char *client_cell(const cJSON *value);

/* An object that a GET answers 200 with, the caller's to delete; NULL, and what was wrong is said.
 * `server`: whom to ask; NULL: any, and *ret_server, when not NULL, becomes it. The caller calls
 * client_answer_fini(). */
cJSON *client_get_json(struct client *c, const char *target, const struct client_server *server,
                       struct client_answer *ret_answer, struct client_server *ret_server);

/* Writes JSON and a newline to standard output, as a terminal may have it. Deletes it. */
void client_print_json(cJSON *root);

/* Writes bytes to standard output; the exit code, which is 1 when they could not be written. main()
 * says so at the end. */
int client_output(const void *data, size_t len);

#endif
