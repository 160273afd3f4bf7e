/* `repram peers` and `repram status`, which show what a node says about its cluster and itself. */
#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "cmd/base/table.h"
#include "cmd/client/client.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 10000, PATH_SIZE = 160, DEPTH_MAX = 8 };

/* A value as a table's cell: strings as they are, the rest as in JSON. The caller frees it. */
static char *cell_of(const cJSON *value)
{
    const char *text = cJSON_GetStringValue(value);
    if (text != NULL) {
        return strdup(text);
    }
    if (value == NULL || cJSON_IsNull(value)) {
        return strdup("");
    }
    return cJSON_PrintUnformatted(value);
}

static void print_peers(const cJSON *root)
{
    static const char *const names[] = {"id",          "address", "port",      "state", "enclave",
                                        "incarnation", "rtt_ms",  "last_seen", "uuid"};
    static const char *const headings[] = {"NODE",   "ADDRESS",   "PORT",
                                           "STATE",  "ENCLAVE",   "INCARNATION",
                                           "RTT_MS", "LAST_SEEN", "UUID"};
    enum { COLUMNS = sizeof(names) / sizeof(names[0]) };
    struct table *table = table_new(headings, COLUMNS);
    const cJSON *peer = NULL;
    cJSON_ArrayForEach(peer, cJSON_GetObjectItemCaseSensitive(root, "peers"))
    {
        char *cells[COLUMNS];
        for (size_t i = 0; i < COLUMNS; i++) {
            cells[i] = cell_of(cJSON_GetObjectItemCaseSensitive(peer, names[i]));
        }
        table_add(table, (const char *const *)cells);
        for (size_t i = 0; i < COLUMNS; i++) {
            free(cells[i]);
        }
    }
    table_print(table, stdout);
    table_free(table);
}

/* One row for each value, with its path: membership.alive, links[0].name. */
static void add_rows(struct table *table, const cJSON *value, const char *path, int depth)
{
    char below[PATH_SIZE];
    const bool is_list = cJSON_IsArray(value);
    const bool is_leaf = !is_list && !cJSON_IsObject(value);
    if (is_leaf || depth == DEPTH_MAX || cJSON_GetArraySize(value) == 0) {
        char *cell = cell_of(value);
        const char *const cells[] = {path, cell};
        table_add(table, cells);
        free(cell);
        return;
    }
    unsigned index = 0;
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, value)
    {
        if (is_list) {
            (void)snprintf(below, sizeof(below), "%.100s[%u]", path, index++);
        } else {
            (void)snprintf(below, sizeof(below), "%.100s%s%.50s", path, *path != '\0' ? "." : "",
                           item->string != NULL ? item->string : "");
        }
        add_rows(table, item, below, depth + 1);
    }
}

static void print_status(const cJSON *root)
{
    static const char *const headings[] = {"FIELD", "VALUE"};
    struct table *table = table_new(headings, 2);
    add_rows(table, root, "", 0);
    table_print(table, stdout);
    table_free(table);
}

static int show(struct client *c, const char *target, void (*print)(const cJSON *root))
{
    const struct client_request request = {.method = "GET", .target = target};
    struct client_answer answer;
    int code = EXIT_CODE_FAILED;
    client_ask_any(c, &request, &answer, NULL);
    cJSON *root = answer.rc == RC_OK && answer.status == 200
                      ? cJSON_ParseWithLength((const char *)answer.body, answer.body_len)
                      : NULL;
    if (answer.rc == RC_OK && answer.status != 200) {
        client_complain(c, &answer);
    } else if (answer.rc == RC_OK && !cJSON_IsObject(root)) {
        client_say(c, "the answer is not JSON");
    } else if (answer.rc == RC_OK && c->is_json) {
        code = client_output(answer.body, answer.body_len);
        code = code == EXIT_CODE_OK ? client_output("\n", 1) : code;
    } else if (answer.rc == RC_OK) {
        print(root);
        code = EXIT_CODE_OK;
    }
    cJSON_Delete(root);
    client_answer_fini(&answer);
    return code;
}

static int show_peers(struct client *c)
{
    return show(c, "/v1/peers", print_peers);
}

static int show_status(struct client *c)
{
    return show(c, "/v1/status", print_status);
}

static const struct client_usage usage = {NULL, 0, 0, 0, TIMEOUT_MS, false};

int command_peers(int argc, char **argv)
{
    return client_run(argc, argv, &usage, show_peers);
}

int command_status(int argc, char **argv)
{
    return client_run(argc, argv, &usage, show_status);
}
