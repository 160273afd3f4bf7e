/* `repram status`: what a node says about itself: the main things for a person, or all of it. */
#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "cmd/base/human.h"
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

enum status_extra { STATUS_LONG, STATUS_EXTRA_COUNT };

static const struct option_def status_extras[STATUS_EXTRA_COUNT] = {
    [STATUS_LONG] = {"long", 'l', false},
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

static const char *text_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text != NULL ? text : "?";
}

static uint64_t number_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    const double number = cJSON_IsNumber(item) ? cJSON_GetNumberValue(item) : 0;
    return number > 0 && number < 1e18 ? (uint64_t)number : 0;
}

static void print_node(const cJSON *root)
{
    char up[HUMAN_SIZE], reasons[LINE_SIZE / 2] = "";
    const char *state = text_of(root, "state");
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
    print_line("name", "%.63s", text_of(root, "node_id"));
    print_line("uuid", "%.40s", text_of(root, "uuid"));
    print_line("state", "%.20s%s", state, reasons);
    print_line("version", "%.40s, up %s", text_of(root, "version"),
               human_duration(number_of(root, "uptime_s"), 2, up));
    print_line("network", "%.63s, enclave %.63s", text_of(root, "network"),
               text_of(root, "enclave"));
}

static void print_storage(const cJSON *root)
{
    const cJSON *storage = cJSON_GetObjectItemCaseSensitive(root, "storage");
    const cJSON *limits = cJSON_GetObjectItemCaseSensitive(root, "limits");
    const uint64_t bytes = number_of(storage, "bytes"), most = number_of(storage, "bytes_max");
    char a[HUMAN_SIZE], b[HUMAN_SIZE], c[HUMAN_SIZE];
    print_heading("storage");
    print_line("entries", "%" PRIu64, number_of(storage, "keys"));
    print_line("size", "%s of %s (%.1f %%), and %s of shadows", human_bytes(bytes, a),
               human_bytes(most, b), most > 0 ? (double)bytes * 100 / (double)most : 0,
               human_bytes(number_of(storage, "shadow_bytes"), c));
    print_line("memory", "%s resident",
               human_bytes(number_of(cJSON_GetObjectItemCaseSensitive(root, "memory"), "rss"), a));
    print_line("lifetimes", "%s to %s, %s by default",
               human_duration(number_of(limits, "min_ttl_s"), 4, a),
               human_duration(number_of(limits, "max_ttl_s"), 4, b),
               human_duration(number_of(limits, "default_ttl_s"), 4, c));
    print_line("values", "up to %s", human_bytes(number_of(limits, "max_value_size"), a));
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
        in += number_of(link, "bytes_in");
        out += number_of(link, "bytes_out");
        differ += cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(link, "settings_differ")) ? 1 : 0;
    }
    print_heading("cluster");
    print_line("members", "%" PRIu64 " in the enclave, quorum %" PRIu64,
               number_of(members, "enclave_members"), number_of(members, "quorum"));
    print_line("others",
               "%" PRIu64 " alive, %" PRIu64 " suspect, %" PRIu64 " dead, %" PRIu64 " left",
               number_of(members, "alive"), number_of(members, "suspect"),
               number_of(members, "dead"), number_of(members, "left"));
    print_line("links", "%" PRIu64 "; %s in, %s out; with other settings: %" PRIu64, links,
               human_bytes(in, a), human_bytes(out, b), differ);
    print_line("digests", "members %.16s, data %.16s", text_of(members, "digest"),
               text_of(cJSON_GetObjectItemCaseSensitive(root, "data"), "root_digest"));
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
    print_line("time", "%.30s", text_of(clock, "time"));
    print_line("offset",
               "%.0f ms from the host's, error %" PRIu64 " ms; members in conflict: %" PRIu64,
               cJSON_IsNumber(offset) ? cJSON_GetNumberValue(offset) : 0,
               number_of(clock, "error_ms"), number_of(clock, "conflicts"));
}

static void print_main(const cJSON *root)
{
    print_node(root);
    print_storage(root);
    print_cluster(root);
    print_clock(root);
}

static int show_status(struct client *c)
{
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
