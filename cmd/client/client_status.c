/* `repram status`: what a node says about itself: the main things for a person, or all of it. */
#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "cmd/base/human.h"
#include "cmd/base/json_in.h"
#include "cmd/base/output.h"
#include "cmd/base/plain.h"
#include "cmd/base/reflow.h"
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

/* ---- The cluster's keys, and which steps are safe ---- */

/* What the node says of its keys. Which way they are being changed nobody told it, so nothing here
 * guesses that: of each key it is said whether it may come first, and whether it may go. */
struct keys {
    const cJSON *sealing, *list, *first;
    uint64_t live, dead; /* the other members */
    bool is_odd;         /* some of these have no key in common, or one that the node lacks */
};

static struct keys keys_of(const cJSON *root)
{
    const cJSON *members = cJSON_GetObjectItemCaseSensitive(root, "membership");
    const cJSON *sealing = cJSON_GetObjectItemCaseSensitive(root, "sealing");
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(sealing, "keys");
    return (struct keys){.sealing = sealing,
                         .list = list,
                         .first = cJSON_GetArrayItem(list, 0),
                         .live =
                             json_in_number(members, "alive") + json_in_number(members, "suspect"),
                         .dead = json_in_number(members, "dead"),
                         .is_odd = json_in_number(sealing, "cut_off_count") > 0 ||
                                   json_in_number(sealing, "with_others_count") > 0};
}

static const char *id_of(const cJSON *key)
{
    return json_in_text(key, "id", "?");
}

static bool is_held_by_all(const struct keys *k, const cJSON *key)
{
    return json_in_number(key, "members_holding") >= k->live;
}

/* None of the others sends under it; this node does under its first key alone. */
static bool is_left_by_all(const struct keys *k, const cJSON *key)
{
    return key != k->first && json_in_number(key, "members_sending") == 0;
}

/* Whether every step that docs/security.md has from here is safe, in either direction: all members
 * hold these keys and no others, and send under the one that is first here. */
static bool judge_keys(const struct keys *k)
{
    bool is_safe = !k->is_odd;
    const cJSON *key = NULL;
    cJSON_ArrayForEach(key, k->list)
    {
        is_safe = is_safe && is_held_by_all(k, key) && (key == k->first || is_left_by_all(k, key));
    }
    return is_safe;
}

/* ": a, b and 3 more" of `count` members, of whom the node names some. Returns `ret_names`. */
static const char *names_of(const cJSON *list, uint64_t count, char ret_names[static LINE_SIZE / 2])
{
    enum { SHOWN_MAX = 3 };
    const size_t size = LINE_SIZE / 2;
    const int named = cJSON_GetArraySize(list);
    const int shown = named < SHOWN_MAX ? named : SHOWN_MAX;
    size_t len = 0;
    ret_names[0] = '\0';
    for (int i = 0; i < shown; i++) {
        const char *name = cJSON_GetStringValue(cJSON_GetArrayItem(list, i));
        len += (size_t)snprintf(ret_names + len, size - len, "%s%.64s", i > 0 ? ", " : ": ",
                                name != NULL ? name : "?");
    }
    if (shown > 0 && count > (uint64_t)shown) {
        (void)snprintf(ret_names + len, size - len, " and %" PRIu64 " more",
                       count - (uint64_t)shown);
    }
    return ret_names;
}

/* A line as print_line() writes it, which goes on below where a terminal is too narrow. */
static void print_step(const char *verdict, const char *text)
{
    char line[LINE_SIZE + 32], clean[LINE_SIZE];
    (void)snprintf(clean, sizeof(clean), "%s", text);
    (void)plain_clean(clean, strlen(clean));
    (void)snprintf(line, sizeof(line), "  %-10s %s\n", verdict, clean);
    if (output_is_terminal()) {
        reflow_print(stdout, line, output_columns());
    } else {
        (void)fputs(line, stdout);
    }
}

/* "wait  STEP (2 of 3 members WHAT: names)" */
static void print_wait(const struct keys *k, const char *step, uint64_t count, const cJSON *list,
                       const char *what)
{
    char names[LINE_SIZE / 2], text[LINE_SIZE];
    (void)snprintf(text, sizeof(text), "%s (%" PRIu64 " of %" PRIu64 " members %s%s)", step, count,
                   k->live, what, names_of(list, count, names));
    print_step("wait", text);
}

/* The members that `key` is lacking to. */
static void print_lacking(const struct keys *k, const char *step, const cJSON *key)
{
    char what[64];
    const uint64_t holding = json_in_number(key, "members_holding");
    (void)snprintf(what, sizeof(what), "do not hold %.8s", id_of(key));
    print_wait(k, step, holding < k->live ? k->live - holding : 0,
               cJSON_GetObjectItemCaseSensitive(key, "lacking"), what);
}

static void print_put_first(const struct keys *k, const cJSON *key)
{
    char step[64];
    (void)snprintf(step, sizeof(step), "put %.8s first", id_of(key));
    if (!is_held_by_all(k, key)) {
        print_lacking(k, step, key);
    } else if (!k->is_odd) {
        print_line("may", "%s (all members hold it)", step);
    }
}

static void print_take_away(const struct keys *k, const cJSON *key)
{
    char step[64];
    const uint64_t sending = json_in_number(key, "members_sending");
    (void)snprintf(step, sizeof(step), "take %.8s away", id_of(key));
    if (sending > 0) {
        print_wait(k, step, sending, cJSON_GetObjectItemCaseSensitive(key, "senders"),
                   "still send under it");
    } else if (key == k->first) {
        print_line("wait", "%s (this node sends under it)", step);
    } else if (!is_held_by_all(k, k->first)) {
        print_lacking(k, step, k->first);
    } else if (!k->is_odd) {
        print_line("may", "%s (no member sends under it)", step);
    }
}

/* Lists of names beside a count of their own. */
static void print_odd(const struct keys *k, const char *list, const char *count, const char *what)
{
    const uint64_t odd = json_in_number(k->sealing, count);
    if (odd > 0) {
        print_wait(k, "any step", odd, cJSON_GetObjectItemCaseSensitive(k->sealing, list), what);
    }
}

static void print_key_table(const struct keys *k)
{
    static const char *const headings[] = {"KEY", "USE", "HELD BY", "SENT BY", "LAST USED"};
    struct table *table = table_new(headings, sizeof(headings) / sizeof(headings[0]));
    const cJSON *key = NULL;
    cJSON_ArrayForEach(key, k->list)
    {
        char held[48], sent[48];
        (void)snprintf(held, sizeof(held), "%" PRIu64 " of %" PRIu64,
                       json_in_number(key, "members_holding"), k->live);
        (void)snprintf(sent, sizeof(sent), "%" PRIu64 " of %" PRIu64,
                       json_in_number(key, "members_sending"), k->live);
        const char *const cells[] = {id_of(key), json_in_text(key, "use", "?"), held, sent,
                                     json_in_text(key, "last_used", "never")};
        table_add(table, cells);
    }
    table_print(table);
    table_free(table);
}

static void print_keys(const struct keys *k, bool is_safe)
{
    const cJSON *key = NULL;
    print_key_table(k);
    print_heading("sealing");
    print_line("state", "%.10s; other members: %" PRIu64 "; dead, and not counted: %" PRIu64,
               json_in_text(k->sealing, "state", "?"), k->live, k->dead);
    print_odd(k, "cut_off", "cut_off_count", "hold none of these keys and are cut off");
    print_odd(k, "with_others", "with_others_count", "hold a key that this node does not");
    /* A single key is not on its way anywhere. */
    const bool is_alone = cJSON_GetArraySize(k->list) == 1;
    cJSON_ArrayForEach(key, k->list)
    {
        if (key != k->first) {
            print_put_first(k, key);
        } else if (!is_held_by_all(k, key)) {
            print_lacking(k, "take another key away", key);
        }
        if (!is_alone) {
            print_take_away(k, key);
        }
    }
    (void)printf("\n%s%s%s\n", output_tint(is_safe ? TINT_GOOD : TINT_BAD),
                 is_safe ? "all members have the same keys: safe to go on"
                         : "not safe to go on yet",
                 output_tint(TINT_NONE));
}

static int show_keys(struct client *c)
{
    struct client_answer answer;
    cJSON *root = client_get_json(c, "/v1/status", NULL, &answer, NULL);
    bool is_safe = false;
    if (root != NULL && cJSON_GetObjectItemCaseSensitive(root, "sealing") == NULL) {
        client_say(c, "the node says nothing of its keys; it may be of another version");
    } else if (root != NULL) {
        const struct keys keys = keys_of(root);
        is_safe = judge_keys(&keys);
        if (c->is_json) {
            client_print_json(cJSON_DetachItemFromObjectCaseSensitive(root, "sealing"));
        } else {
            print_keys(&keys, is_safe);
        }
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
