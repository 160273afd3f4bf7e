/*
 * `repram health`: are the nodes of this host well? The image's HEALTHCHECK.
 *
 * A node is well that says who it is in /health and that it can serve in /livez. That it is ready
 * is not asked: a node that still joins should not be ended for that.
 *
 * Without --all, one healthy node is enough. With --all, NODE_COUNT healthy nodes of this cluster
 * are asked for in the local range (one, with a fixed port), or every server that was named.
 */
#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "cmd/base/json_in.h"
#include "cmd/base/output.h"
#include "cmd/base/table.h"
#include "cmd/client/client.h"
#include "net/sys/hostclock.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Docker's own limit for the check is usually 5 s or more. */
enum { TIMEOUT_MS = 4000, WHY_SIZE = 384 };

enum health_extra { HEALTH_ALL, HEALTH_EXTRA_COUNT };

static const struct option_def health_extras[HEALTH_EXTRA_COUNT] = {
    [HEALTH_ALL] = {"all", 'a', false},
};

struct checkup {
    struct client *client;
    struct table *table;
    cJSON *list;
    uint64_t healthy;
    char problem[NODE_TEXT_SIZE + WHY_SIZE + 32]; /* of the last that answered badly or not in
                                                     time; else of the last that refused */
    bool is_problem_refused;
};

/* What the answer says: "healthy", or what is wrong. */
static const char *judge(const struct client *c, const struct client_answer *answer,
                         const cJSON *root)
{
    if (answer->rc != RC_OK) {
        return rc_text(answer->rc);
    }
    if (json_in_text(root, "uuid", "")[0] == '\0') {
        return "not a node";
    }
    if (c->is_local && strcmp(json_in_text(root, "network", ""), c->network) != 0) {
        return "of another cluster";
    }
    return answer->status == 200 && strcmp(json_in_text(root, "status", ""), "healthy") == 0
               ? "healthy"
               : "unhealthy";
}

/* Most ports of a range refuse because nobody is there. Any other reason is more worth a line. */
static void note_problem(struct checkup *k, const char *where, const char *why, bool is_refused)
{
    if (!is_refused || k->is_problem_refused) {
        k->is_problem_refused = is_refused;
        (void)snprintf(k->problem, sizeof(k->problem), "%s: %s", where, why);
    }
}

static void add_row(struct checkup *k, const char *where, const char *verdict, const cJSON *root)
{
    char peers[16] = "";
    const cJSON *active = cJSON_GetObjectItemCaseSensitive(root, "active_peers");
    if (cJSON_IsNumber(active)) {
        (void)snprintf(peers, sizeof(peers), "%d", active->valueint);
    }
    const char *const cells[] = {where, json_in_text(root, "node_id", ""), verdict, peers,
                                 json_in_text(root, "uptime", "")};
    table_add(k->table, cells);
    cJSON *item = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(item, "server", where);
    (void)cJSON_AddStringToObject(item, "node_id", cells[1]);
    (void)cJSON_AddStringToObject(item, "health", verdict);
    if (cJSON_IsNumber(active)) {
        (void)cJSON_AddNumberToObject(item, "active_peers", active->valueint);
        (void)cJSON_AddStringToObject(item, "uptime", cells[4]);
    }
    (void)cJSON_AddItemToArray(k->list, item);
}

/* The verdict at length: what was wrong with a connection, as its certificate. */
static void explain(const struct client_answer *answer, const char *verdict,
                    char ret_why[static WHY_SIZE])
{
    (void)snprintf(ret_why, WHY_SIZE, "%s", answer->rc == RC_IO ? answer->error : verdict);
}

/* "healthy", or why the node cannot serve. */
static const char *judge_life(struct checkup *k, const struct client_server *server,
                              uint32_t timeout_ms, char ret_why[static WHY_SIZE])
{
    const struct client_request request = {.method = "GET", .target = "/v1/livez"};
    struct client_answer answer;
    client_ask(k->client, server, &request, timeout_ms, &answer);
    const char *verdict = answer.rc != RC_OK     ? rc_text(answer.rc)
                          : answer.status != 200 ? "cannot serve"
                                                 : "healthy";
    explain(&answer, verdict, ret_why);
    client_answer_fini(&answer);
    return verdict;
}

static void check(struct checkup *k, const struct client_server *server, uint32_t timeout_ms)
{
    const struct client_request request = {.method = "GET", .target = "/v1/health"};
    const uint64_t deadline = hostclock_boot_ms() + timeout_ms;
    struct client_answer answer;
    char where[NODE_TEXT_SIZE + 16], why[WHY_SIZE];
    client_ask(k->client, server, &request, timeout_ms, &answer);
    cJSON *root = answer.rc == RC_OK
                      ? cJSON_ParseWithLength((const char *)answer.body, answer.body_len)
                      : NULL;
    const char *verdict = judge(k->client, &answer, root);
    explain(&answer, verdict, why);
    if (strcmp(verdict, "healthy") == 0) {
        const uint64_t now = hostclock_boot_ms();
        verdict = judge_life(k, server, now < deadline ? (uint32_t)(deadline - now) : 1, why);
    }
    const bool is_healthy = strcmp(verdict, "healthy") == 0;
    client_server_text(server, where, sizeof(where));
    k->healthy += is_healthy ? 1 : 0;
    if (!is_healthy) {
        note_problem(k, where, why, answer.rc == RC_REFUSED);
    }
    /* A port of the range that nobody holds deserves no line. */
    if (!k->client->is_local || answer.rc != RC_REFUSED) {
        add_row(k, where, verdict, root);
    }
    cJSON_Delete(root);
    client_answer_fini(&answer);
}

static void print_checkup(const struct checkup *k)
{
    if (k->client->is_json) {
        client_print_json(cJSON_Duplicate(k->list, true));
    } else {
        table_fit(k->table, output_columns());
        table_print(k->table);
    }
}

static int health(struct client *c)
{
    static const char *const headings[] = {"SERVER", "NODE", "HEALTH", "PEERS", "UPTIME"};
    const bool is_all = c->extras[HEALTH_ALL] != NULL;
    const uint64_t wanted = !is_all ? 1 : (c->is_local ? c->node_count : c->server_count);
    const uint64_t deadline = hostclock_boot_ms() + c->timeout_ms;
    struct checkup k = {.client = c,
                        .table = table_new(headings, sizeof(headings) / sizeof(headings[0])),
                        .list = cJSON_CreateArray(),
                        .problem = "no time left",
                        .is_problem_refused = true};
    for (size_t i = 0; i < c->server_count && (is_all || k.healthy == 0); i++) {
        const uint64_t now = hostclock_boot_ms();
        if (now >= deadline) {
            break;
        }
        /* One that hangs leaves time for the others. */
        const uint64_t share = (deadline - now) / (is_all ? 2 : c->server_count - i) + 1;
        check(&k, &c->servers[i], (uint32_t)share);
    }
    print_checkup(&k);
    const bool is_well = k.healthy >= wanted;
    if (!is_well) {
        client_say(c, "%llu healthy, %llu wanted; %s", (unsigned long long)k.healthy,
                   (unsigned long long)wanted, k.problem);
    }
    cJSON_Delete(k.list);
    table_free(k.table);
    return is_well ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

int command_health(int argc, char **argv)
{
    const struct client_usage usage = {.extras = health_extras,
                                       .extra_count = HEALTH_EXTRA_COUNT,
                                       .timeout_ms = TIMEOUT_MS,
                                       .is_probe = true};
    return client_run(argc, argv, &usage, health);
}
