/* `repram peers`: the members that a node knows, behind itself. */
#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "cmd/base/human.h"
#include "cmd/base/json_in.h"
#include "cmd/base/nearest.h"
#include "cmd/base/output.h"
#include "cmd/base/plain.h"
#include "cmd/base/table.h"
#include "cmd/client/client.h"
#include "core/base/mem.h"
#include "net/sys/rfc3339.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 10000, SHORT_UUID = 8, CELL_SIZE = 320 };

enum peers_extra { PEERS_STATE, PEERS_WIDE, PEERS_EXTRA_COUNT };

static const struct option_def peers_extras[PEERS_EXTRA_COUNT] = {
    [PEERS_STATE] = {"state", 0, true},
    [PEERS_WIDE] = {"wide", 'w', false},
};

/* ---- --state ---- */

static const char *const states[] = {"alive", "suspect", "dead", "left"};

/* Whether each word of the comma list is a state; what is wrong is said. */
static bool are_states(const struct client *c, const char *list)
{
    for (;;) {
        const size_t len = strcspn(list, ",");
        char meant[NEAREST_TEXT_SIZE];
        struct nearest n = nearest_begin(list, len);
        bool is_one = false;
        for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
            is_one = is_one || (strlen(states[i]) == len && memcmp(states[i], list, len) == 0);
            nearest_offer(&n, states[i], strlen(states[i]));
        }
        if (!is_one) {
            client_say(c,
                       "--state %.*s is not allowed; allowed: alive, suspect, dead, left, or a "
                       "comma list of them%s",
                       (int)(len < 64 ? len : 64), list, nearest_text(&n, "", meant));
            return false;
        }
        if (list[len] == '\0') {
            return true;
        }
        list += len + 1;
    }
}

static bool is_wanted(const struct client *c, const char *state)
{
    const char *list = c->extras[PEERS_STATE];
    const size_t state_len = strlen(state);
    while (list != NULL) {
        const size_t len = strcspn(list, ",");
        if (len == state_len && memcmp(list, state, len) == 0) {
            return true;
        }
        if (list[len] == '\0') {
            return false;
        }
        list += len + 1;
    }
    return true;
}

/* ---- Rows ---- */

enum column {
    COLUMN_ID,
    COLUMN_ADDRESS,
    COLUMN_PORT,
    COLUMN_STATE,
    COLUMN_ENCLAVE,
    COLUMN_INCARNATION,
    COLUMN_RTT,
    COLUMN_SEEN,
    COLUMN_UUID,
    COLUMN_COUNT,
};

static const char *const names[COLUMN_COUNT] = {
    "id", "address", "port", "state", "enclave", "incarnation", "rtt_ms", "last_seen", "uuid"};

/* Everything, exactly: for scripts, and with --wide. */
static struct table *wide_table(void)
{
    static const char *const headings[COLUMN_COUNT] = {"NODE",   "ADDRESS",   "PORT",
                                                       "STATE",  "ENCLAVE",   "INCARNATION",
                                                       "RTT_MS", "LAST_SEEN", "UUID"};
    return table_new(headings, COLUMN_COUNT);
}

static void add_wide(struct table *table, const cJSON *peer)
{
    char *cells[COLUMN_COUNT];
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        cells[i] = client_cell(cJSON_GetObjectItemCaseSensitive(peer, names[i]));
    }
    table_add(table, (const char *const *)cells);
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        free(cells[i]);
    }
}

/* What a person looks for, in 80 columns. */
static struct table *narrow_table(void)
{
    static const char *const headings[] = {"NODE", "ADDRESS", "STATE", "ENCLAVE",
                                           "RTT",  "SEEN",    "UUID"};
    return table_new(headings, sizeof(headings) / sizeof(headings[0]));
}

/* How long before `now_ms`, by the node's own clock. */
static void format_age(const cJSON *peer, uint64_t now_ms, char *ret_text, size_t size)
{
    char age[HUMAN_SIZE];
    uint64_t seen_ms = 0;
    if (rfc3339_parse(json_in_text(peer, "last_seen", ""), &seen_ms) != RC_OK) {
        (void)snprintf(ret_text, size, "never");
        return;
    }
    const uint64_t age_ms = seen_ms < now_ms ? now_ms - seen_ms : 0;
    (void)snprintf(ret_text, size, "%s ago", human_duration(age_ms / 1000, 2, age));
}

static void add_narrow(struct table *table, const cJSON *peer, bool is_self, uint64_t now_ms)
{
    const cJSON *rtt = cJSON_GetObjectItemCaseSensitive(peer, "rtt_ms");
    const cJSON *port = cJSON_GetObjectItemCaseSensitive(peer, "port");
    const char *address = json_in_text(peer, "address", "");
    const bool is_v6 = strchr(address, ':') != NULL;
    char at[CELL_SIZE], took[HUMAN_SIZE] = "", seen[CELL_SIZE] = "this node", uuid[SHORT_UUID + 1];
    (void)snprintf(at, sizeof(at), "%s%.255s%s:%d", is_v6 ? "[" : "", address, is_v6 ? "]" : "",
                   cJSON_IsNumber(port) ? port->valueint : 0);
    (void)snprintf(uuid, sizeof(uuid), "%s", json_in_text(peer, "uuid", ""));
    if (cJSON_IsNumber(rtt)) {
        (void)snprintf(took, sizeof(took), "%.1f ms", cJSON_GetNumberValue(rtt));
    }
    if (!is_self) {
        format_age(peer, now_ms, seen, sizeof(seen));
    }
    const char *const cells[] = {json_in_text(peer, "id", ""),
                                 at,
                                 json_in_text(peer, "state", ""),
                                 json_in_text(peer, "enclave", ""),
                                 took,
                                 seen,
                                 uuid};
    table_add(table, cells);
}

/* The node itself as its peers are shown, which the caller deletes; NULL when it did not say, which
 * is a failure: then only the others are shown. */
static cJSON *find_self(struct client *c, const struct client_server *server, const char *now)
{
    struct client_answer answer;
    cJSON *health = client_get_json(c, "/v1/health", server, &answer, NULL);
    client_answer_fini(&answer);
    if (health == NULL) {
        return NULL;
    }
    cJSON *self = cJSON_CreateObject();
    const char *const texts[][2] = {{"id", json_in_text(health, "node_id", "")},
                                    {"uuid", json_in_text(health, "uuid", "")},
                                    {"address", server->at.host},
                                    {"state", "alive"},
                                    {"enclave", json_in_text(health, "enclave", "")},
                                    {"last_seen", now}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        (void)cJSON_AddStringToObject(self, texts[i][0], texts[i][1]);
    }
    (void)cJSON_AddNumberToObject(self, "port", server->at.port);
    cJSON_Delete(health);
    return self;
}

struct rows {
    const struct client *client;
    struct table *table;
    bool is_wide;
    uint64_t now_ms; /* the node's */
};

static void add_row(const struct rows *r, const cJSON *peer, bool is_self)
{
    if (!is_wanted(r->client, json_in_text(peer, "state", ""))) {
        return;
    }
    if (r->is_wide) {
        add_wide(r->table, peer);
    } else {
        add_narrow(r->table, peer, is_self, r->now_ms);
    }
}

static int by_name(const void *a, const void *b)
{
    const cJSON *const *one = a, *const *other = b;
    const int order = strcmp(json_in_text(*one, "id", ""), json_in_text(*other, "id", ""));
    return order != 0 ? order
                      : strcmp(json_in_text(*one, "uuid", ""), json_in_text(*other, "uuid", ""));
}

static void add_peers(const struct rows *r, const cJSON *peers)
{
    const size_t count = (size_t)cJSON_GetArraySize(peers);
    const cJSON **sorted = mem_new(count + 1, sizeof(cJSON *));
    const cJSON *peer = NULL;
    size_t at = 0;
    cJSON_ArrayForEach(peer, peers)
    {
        sorted[at++] = peer;
    }
    qsort(sorted, count, sizeof(cJSON *), by_name);
    for (size_t i = 0; i < count; i++) {
        add_row(r, sorted[i], false);
    }
    free(sorted);
}

static void print_table(const struct client *c, const cJSON *root, const cJSON *self)
{
    struct rows r = {.client = c,
                     .is_wide = c->extras[PEERS_WIDE] != NULL || !output_is_terminal()};
    if (rfc3339_parse(json_in_text(root, "last_updated", ""), &r.now_ms) != RC_OK) {
        r.now_ms = 0;
    }
    r.table = r.is_wide ? wide_table() : narrow_table();
    if (self != NULL) {
        add_row(&r, self, true);
    }
    add_peers(&r, cJSON_GetObjectItemCaseSensitive(root, "peers"));
    if (!r.is_wide) {
        table_fit(r.table, output_columns());
    }
    table_print(r.table);
    table_free(r.table);
}

/* The node's own answer, to the letter; or what is left of it without peers in other states. */
static void print_json(const struct client *c, cJSON *root, const struct client_answer *answer)
{
    if (c->extras[PEERS_STATE] == NULL) {
        plain_print_json(stdout, (const char *)answer->body, answer->body_len);
        (void)putchar('\n');
        return;
    }
    cJSON *peers = cJSON_GetObjectItemCaseSensitive(root, "peers");
    cJSON *next = NULL;
    for (cJSON *peer = peers != NULL ? peers->child : NULL; peer != NULL; peer = next) {
        next = peer->next;
        if (!is_wanted(c, json_in_text(peer, "state", ""))) {
            cJSON_Delete(cJSON_DetachItemViaPointer(peers, peer));
        }
    }
    client_print_json(cJSON_Duplicate(root, true));
}

static int show_peers(struct client *c)
{
    struct client_answer answer;
    struct client_server server = {.is_tls = false};
    if (c->extras[PEERS_STATE] != NULL && !are_states(c, c->extras[PEERS_STATE])) {
        return EXIT_CODE_USAGE;
    }
    cJSON *root = client_get_json(c, "/v1/peers", NULL, &answer, &server);
    cJSON *self = NULL;
    int code = EXIT_CODE_FAILED;
    if (root != NULL && c->is_json) {
        print_json(c, root, &answer);
        code = EXIT_CODE_OK;
    } else if (root != NULL) {
        self = find_self(c, &server, json_in_text(root, "last_updated", ""));
        code = self != NULL ? EXIT_CODE_OK : EXIT_CODE_FAILED;
        print_table(c, root, self);
    }
    cJSON_Delete(root);
    cJSON_Delete(self);
    client_answer_fini(&answer);
    return code;
}

int command_peers(int argc, char **argv)
{
    const struct client_usage usage = {
        .extras = peers_extras, .extra_count = PEERS_EXTRA_COUNT, .timeout_ms = TIMEOUT_MS};
    return client_run(argc, argv, &usage, show_peers);
}
