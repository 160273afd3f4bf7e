/* `repram status`: what a node says about itself: the main things for a person, or all of it. */
#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "cmd/base/human.h"
#include "cmd/base/json_in.h"
#include "cmd/base/output.h"
#include "cmd/base/plain.h"
#include "cmd/base/table.h"
#include "cmd/client/client.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 10000, PATH_SIZE = 160, DEPTH_MAX = 8, LINE_SIZE = 512 };

enum status_extra { STATUS_LONG, STATUS_KEYS, STATUS_EXTRA_COUNT };

static const struct option_def status_extras[STATUS_EXTRA_COUNT] = {
    [STATUS_LONG] = {"long", 'l', false},
    [STATUS_KEYS] = {"keys", 'k', false},
};

/* ---- All of it ---- */

/* One row for each value, with its path: membership.alive, links[0].name. */
static void add_rows(struct table *table, const cJSON *value, const char *path, int depth)
{
    char below[PATH_SIZE];
    const bool is_list = cJSON_IsArray(value);
    const bool is_leaf = !is_list && !cJSON_IsObject(value);
    if (is_leaf || depth == DEPTH_MAX || cJSON_GetArraySize(value) == 0) {
        char *cell = client_cell(value);
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

static void print_all(const cJSON *root)
{
    static const char *const headings[] = {"FIELD", "VALUE"};
    struct table *table = table_new(headings, 2);
    add_rows(table, root, "", 0);
    table_print(table);
    table_free(table);
}

/* ---- The main things ---- */

static void print_heading(const char *name)
{
    (void)printf("\n%s%s%s\n", output_tint(TINT_BOLD), name, output_tint(TINT_NONE));
}

/* "  name       text", where the text may hold what the node said. */
__attribute__((format(printf, 2, 3))) static void print_line(const char *name, const char *format,
                                                             ...)
{
    char text[LINE_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)plain_clean(text, strlen(text));
    (void)printf("  %-10s %s\n", name, text);
}

static void print_node(const cJSON *root)
{
    char up[HUMAN_SIZE], reasons[LINE_SIZE / 2] = "";
    const char *state = json_in_text(root, "state", "?");
    const cJSON *reason = NULL;
    size_t len = 0;
    cJSON_ArrayForEach(reason, cJSON_GetObjectItemCaseSensitive(root, "reasons"))
    {
        const char *text = cJSON_GetStringValue(reason);
        if (text != NULL && len < sizeof(reasons)) {
            len += (size_t)snprintf(reasons + len, sizeof(reasons) - len, "%s%.80s",
                                    len > 0 ? "; " : ": ", text);
        }
    }
    (void)printf("%snode%s\n", output_tint(TINT_BOLD), output_tint(TINT_NONE));
    print_line("name", "%.63s", json_in_text(root, "node_id", "?"));
    print_line("uuid", "%.40s", json_in_text(root, "uuid", "?"));
    print_line("state", "%.20s%s", state, reasons);
    print_line("version", "%.40s, up %s", json_in_text(root, "version", "?"),
               human_duration(json_in_number(root, "uptime_s"), 2, up));
    print_line("network", "%.63s, enclave %.63s; sealing: %.10s",
               json_in_text(root, "network", "?"), json_in_text(root, "enclave", "?"),
               json_in_text(cJSON_GetObjectItemCaseSensitive(root, "sealing"), "state", "?"));
}

static void print_storage(const cJSON *root)
{
    const cJSON *storage = cJSON_GetObjectItemCaseSensitive(root, "storage");
    const cJSON *limits = cJSON_GetObjectItemCaseSensitive(root, "limits");
    const uint64_t bytes = json_in_number(storage, "bytes"),
                   most = json_in_number(storage, "bytes_max");
    char a[HUMAN_SIZE], b[HUMAN_SIZE], c[HUMAN_SIZE];
    print_heading("storage");
    print_line("entries", "%" PRIu64, json_in_number(storage, "keys"));
    print_line("size", "%s of %s (%.1f %%), and %s of shadows", human_bytes(bytes, a),
               human_bytes(most, b), most > 0 ? (double)bytes * 100 / (double)most : 0,
               human_bytes(json_in_number(storage, "shadow_bytes"), c));
    print_line(
        "memory", "%s resident",
        human_bytes(json_in_number(cJSON_GetObjectItemCaseSensitive(root, "memory"), "rss"), a));
    print_line("lifetimes", "%s to %s, %s by default",
               human_duration(json_in_number(limits, "min_ttl_s"), 4, a),
               human_duration(json_in_number(limits, "max_ttl_s"), 4, b),
               human_duration(json_in_number(limits, "default_ttl_s"), 4, c));
    print_line("values", "up to %s", human_bytes(json_in_number(limits, "max_value_size"), a));
}

static void print_cluster(const cJSON *root)
{
    const cJSON *members = cJSON_GetObjectItemCaseSensitive(root, "membership");
    const cJSON *link = NULL;
    uint64_t links = 0, in = 0, out = 0, differ = 0;
    char a[HUMAN_SIZE], b[HUMAN_SIZE];
    cJSON_ArrayForEach(link, cJSON_GetObjectItemCaseSensitive(root, "links"))
    {
        links++;
        in += json_in_number(link, "bytes_in");
        out += json_in_number(link, "bytes_out");
        differ += cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(link, "settings_differ")) ? 1 : 0;
    }
    print_heading("cluster");
    print_line("members", "%" PRIu64 " in the enclave, quorum %" PRIu64,
               json_in_number(members, "enclave_members"), json_in_number(members, "quorum"));
    print_line("others",
               "%" PRIu64 " alive, %" PRIu64 " suspect, %" PRIu64 " dead, %" PRIu64 " left",
               json_in_number(members, "alive"), json_in_number(members, "suspect"),
               json_in_number(members, "dead"), json_in_number(members, "left"));
    print_line("links", "%" PRIu64 "; %s in, %s out; with other settings: %" PRIu64, links,
               human_bytes(in, a), human_bytes(out, b), differ);
    print_line("digests", "members %.16s, data %.16s", json_in_text(members, "digest", "?"),
               json_in_text(cJSON_GetObjectItemCaseSensitive(root, "data"), "root_digest", "?"));
}

static void print_clock(const cJSON *root)
{
    const cJSON *clock = cJSON_GetObjectItemCaseSensitive(root, "clock");
    const cJSON *offset = cJSON_GetObjectItemCaseSensitive(clock, "offset_ms");
    print_heading("clock");
    if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(clock, "is_set"))) {
        print_line("time", "none yet");
        return;
    }
    print_line("time", "%.30s", json_in_text(clock, "time", "?"));
    print_line("offset",
               "%.0f ms from the host's, error %" PRIu64 " ms; members in conflict: %" PRIu64,
               cJSON_IsNumber(offset) ? cJSON_GetNumberValue(offset) : 0,
               json_in_number(clock, "error_ms"), json_in_number(clock, "conflicts"));
}

static void print_main(const cJSON *root)
{
    print_node(root);
    print_storage(root);
    print_cluster(root);
    print_clock(root);
}

/* ---- The cluster's keys, and whether the next step is safe ---- */

/* The other live members. */
static uint64_t live_members(const cJSON *root)
{
    const cJSON *members = cJSON_GetObjectItemCaseSensitive(root, "membership");
    return json_in_number(members, "alive") + json_in_number(members, "suspect");
}

/* A key that this node has sent under was its first one, and is on its way out; else it is new. */
static bool is_old(const cJSON *key)
{
    return json_in_number(key, "packets_sent") > 0;
}

/* Whether an old key may be taken away, or a new one put first. */
static bool is_step_safe(const cJSON *key, uint64_t live)
{
    return is_old(key) ? json_in_number(key, "members_sending") == 0
                       : json_in_number(key, "members_holding") >= live;
}

/* Whether the next step is safe. */
static bool judge_keys(const cJSON *root)
{
    const cJSON *sealing = cJSON_GetObjectItemCaseSensitive(root, "sealing");
    const cJSON *keys = cJSON_GetObjectItemCaseSensitive(sealing, "keys");
    bool is_safe = json_in_number(sealing, "lacking_first_count") == 0 &&
                   json_in_number(sealing, "cut_off_count") == 0;
    for (int i = 1; i < cJSON_GetArraySize(keys); i++) {
        is_safe = is_safe && is_step_safe(cJSON_GetArrayItem(keys, i), live_members(root));
    }
    return is_safe;
}

/* The step that is next with a key that is not the first, in words. */
static void print_step(const cJSON *key, uint64_t live)
{
    const char *id = json_in_text(key, "id", "?");
    const uint64_t holding = json_in_number(key, "members_holding");
    const uint64_t sending = json_in_number(key, "members_sending");
    const bool is_safe = is_step_safe(key, live);
    if (is_safe) {
        print_line("next",
                   is_old(key) ? "take %.8s away everywhere: nobody sends under it any more"
                               : "put %.8s first everywhere: all hold it",
                   id);
    } else if (is_old(key)) {
        print_line("wait",
                   "before %.8s is taken away: %" PRIu64 " of %" PRIu64 " still send under it", id,
                   sending, live);
    } else {
        print_line("wait", "before %.8s is put first: %" PRIu64 " of %" PRIu64 " hold it", id,
                   holding, live);
    }
}

static void print_names(const cJSON *sealing, const char *list, const char *count, const char *what)
{
    char names[LINE_SIZE / 2] = "";
    const cJSON *name = NULL;
    size_t len = 0;
    if (json_in_number(sealing, count) == 0) {
        return;
    }
    cJSON_ArrayForEach(name, cJSON_GetObjectItemCaseSensitive(sealing, list))
    {
        if (len < sizeof(names)) {
            len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%.63s",
                                    len > 0 ? ", " : "", cJSON_GetStringValue(name));
        }
    }
    print_line("wait", "%s: %" PRIu64 " (%s)", what, json_in_number(sealing, count), names);
}

static void print_key_table(const cJSON *keys)
{
    static const char *const headings[] = {"KEY", "USE", "HELD BY", "SENT BY", "LAST USED"};
    struct table *table = table_new(headings, sizeof(headings) / sizeof(headings[0]));
    const cJSON *key = NULL;
    cJSON_ArrayForEach(key, keys)
    {
        char held[24], sent[24];
        (void)snprintf(held, sizeof(held), "%" PRIu64, json_in_number(key, "members_holding"));
        (void)snprintf(sent, sizeof(sent), "%" PRIu64, json_in_number(key, "members_sending"));
        const char *const cells[] = {json_in_text(key, "id", "?"), json_in_text(key, "use", "?"),
                                     held, sent, json_in_text(key, "last_used", "never")};
        table_add(table, cells);
    }
    table_print(table);
    table_free(table);
}

static void print_keys(const cJSON *root, bool is_safe)
{
    const cJSON *sealing = cJSON_GetObjectItemCaseSensitive(root, "sealing");
    const cJSON *keys = cJSON_GetObjectItemCaseSensitive(sealing, "keys");
    const uint64_t live = live_members(root);
    print_key_table(keys);
    print_heading("sealing");
    print_line("state", "%.10s; other members: %" PRIu64, json_in_text(sealing, "state", "?"),
               live);
    print_names(sealing, "cut_off", "cut_off_count", "hold none of these keys and are cut off");
    print_names(sealing, "lacking_first", "lacking_first_count", "do not hold the first key");
    for (int i = 1; i < cJSON_GetArraySize(keys); i++) {
        print_step(cJSON_GetArrayItem(keys, i), live);
    }
    (void)printf("\n%s%s%s\n", output_tint(is_safe ? TINT_GOOD : TINT_BAD),
                 is_safe ? "safe to go on" : "not safe to go on yet", output_tint(TINT_NONE));
}

static int show_keys(struct client *c)
{
    struct client_answer answer;
    cJSON *root = client_get_json(c, "/v1/status", NULL, &answer, NULL);
    bool is_safe = false;
    if (root != NULL && cJSON_GetObjectItemCaseSensitive(root, "sealing") == NULL) {
        client_say(c, "the node says nothing of its keys; it may be of another version");
    } else if (root != NULL && c->is_json) {
        is_safe = judge_keys(root);
        client_print_json(cJSON_DetachItemFromObjectCaseSensitive(root, "sealing"));
    } else if (root != NULL) {
        is_safe = judge_keys(root);
        print_keys(root, is_safe);
    }
    cJSON_Delete(root);
    client_answer_fini(&answer);
    return is_safe ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

static int show_status(struct client *c)
{
    if (c->extras[STATUS_KEYS] != NULL) {
        return show_keys(c);
    }
    struct client_answer answer;
    cJSON *root = client_get_json(c, "/v1/status", NULL, &answer, NULL);
    if (root != NULL && c->is_json) {
        plain_print_json(stdout, (const char *)answer.body, answer.body_len);
        (void)putchar('\n');
    } else if (root != NULL && output_is_terminal() && c->extras[STATUS_LONG] == NULL) {
        print_main(root);
    } else if (root != NULL) {
        print_all(root);
    }
    const int code = root != NULL ? EXIT_CODE_OK : EXIT_CODE_FAILED;
    cJSON_Delete(root);
    client_answer_fini(&answer);
    return code;
}

int command_status(int argc, char **argv)
{
    const struct client_usage usage = {
        .extras = status_extras, .extra_count = STATUS_EXTRA_COUNT, .timeout_ms = TIMEOUT_MS};
    return client_run(argc, argv, &usage, show_status);
}
