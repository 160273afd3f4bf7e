/* The launcher's questions to its nodes, whether the cluster has formed and what it looks like. */
#include "cmd/base/table.h"
#include "cmd/launch/launch.h"
#include "core/base/units.h"
#include "net/out/fetch.h"
#include "net/sys/hostclock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ASK_GAP_MIN_MS = 25,     /* a table within a moment of the cluster having formed */
    ASK_GAP_MAX_MS = 1000,   /* no load on a cluster that does not form */
    ASK_TIMEOUT_MS = 300,    /* on this host; while it lasts, nothing is reaped */
    ASK_BYTES_MAX = 4 << 20, /* a /peers of ten thousand members */
    URL_SIZE = 96,
};

enum question_kind { ASK_HEALTH, ASK_PEERS, ASK_READY, ASK_NOTHING };

struct question {
    struct launch *launch;
    size_t node;
    enum question_kind kind;
    enum rc rc;
};

static void on_answer(void *arg, const struct fetch_answer *answer)
{
    struct question *q = arg;
    struct formation *f = &q->launch->formation;
    q->rc = answer->rc;
    if (answer->rc == RC_OK && q->kind == ASK_READY) {
        formation_take_ready(f, q->node, answer->status == 200, answer->body, answer->body_len);
    } else if (answer->rc == RC_OK && answer->status == 200) {
        q->rc = q->kind == ASK_PEERS
                    ? formation_take_peers(f, q->node, answer->body, answer->body_len)
                    : formation_take_health(f, q->node, answer->body, answer->body_len);
    }
}

static void ask(struct launch *l, size_t node, enum question_kind kind)
{
    static const char *const targets[] = {
        [ASK_HEALTH] = "/health", [ASK_PEERS] = "/peers", [ASK_READY] = "/readyz"};
    struct question q = {.launch = l, .node = node, .kind = kind};
    const struct fetch_request request = {.method = "GET",
                                          .host = l->host,
                                          .port = l->children[node].port,
                                          .target = targets[kind],
                                          .timeout_ms = ASK_TIMEOUT_MS,
                                          .bytes_max = ASK_BYTES_MAX};
    if (fetch_wait(&request, on_answer, &q) != RC_OK || q.rc != RC_OK) {
        log_line(&l->log, LOG_DEBUG, "launch", "%s does not answer yet",
                 l->children[node].relay.name);
    }
}

/* Who it is, then who it sees, then whether it takes writes. */
static enum question_kind next_question(const struct launch *l, const struct formation_node *node)
{
    if (node->uuid[0] == '\0') {
        return ASK_HEALTH;
    }
    if (!formation_is_known(&l->formation)) {
        return ASK_NOTHING; /* whether it sees all cannot be judged yet */
    }
    if (!node->sees_all && !l->formation.is_counted) {
        return ASK_PEERS;
    }
    return node->sees_all && node->is_ready ? ASK_NOTHING : ASK_READY;
}

/* Asks the next node of the round whose answer is still needed; false at the round's end. */
static bool ask_one(struct launch *l)
{
    while (l->ask_next < l->count) {
        const size_t node = l->ask_next++;
        const enum question_kind kind = next_question(l, &l->formation.nodes[node]);
        if (kind != ASK_NOTHING && l->children[node].port != 0) {
            ask(l, node, kind);
            return true;
        }
    }
    return false;
}

/* What stands under the table. */
static const char *const sealing_lines[] = {
    [SEALING_OPEN] = "sealing: open, so whoever reaches a port can be a member of the cluster\n",
    [SEALING_MIXED] = "sealing: mixed, so whoever is on the path can still choose `open`\n",
    [SEALING_SEALED] = "sealing: sealed, traffic between nodes is encrypted and authenticated\n",
};

static void print_rows(const struct launch *l)
{
    static const char *const headings[] = {"NODE", "PORT", "PID", "PEERS", "URL"};
    struct table *table = table_new(headings, sizeof(headings) / sizeof(headings[0]));
    const bool is_v6 = strchr(l->host, ':') != NULL;
    const char *host = strcmp(l->host, "127.0.0.1") == 0 ? "localhost" : l->host;
    for (size_t i = 0; i < l->count; i++) {
        char port[16], pid[16], peers[16], url[URL_SIZE];
        (void)snprintf(port, sizeof(port), "%u", l->children[i].port);
        (void)snprintf(pid, sizeof(pid), "%d", (int)l->children[i].pid);
        (void)snprintf(peers, sizeof(peers), "%u", l->formation.nodes[i].alive);
        (void)snprintf(url, sizeof(url), "%s://%s%s%s:%u", l->is_tls ? "https" : "http",
                       is_v6 ? "[" : "", host, is_v6 ? "]" : "", l->children[i].port);
        const char *const cells[] = {l->children[i].relay.name, port, pid, peers, url};
        table_add(table, cells);
    }
    /* The table is always for people, as the output of a launcher is read as a log. It goes where
     * the log goes, and like the log it never waits for a reader. */
    struct log out = l->log;
    out.fd = STDOUT_FILENO;
    char *text = table_format(table, true);
    for (const char *at = text; *at != '\0';) {
        const size_t len = strcspn(at, "\n") + 1;
        (void)log_raw(&out, at, len);
        at += len;
    }
    (void)log_raw(&out, sealing_lines[l->sealing], strlen(sealing_lines[l->sealing]));
    free(text);
    table_free(table);
}

/* What the nodes have said until now comes before the table, which would scroll away else. */
static void relay_pending(struct launch *l)
{
    for (size_t i = 0; i < l->count; i++) {
        child_read_output(&l->children[i], LAUNCH_OUTPUT_TURN_MAX, hostclock_wall_ms(),
                          launch_relay, l);
    }
}

static void tell_formed(struct launch *l, uint64_t now_ms)
{
    relay_pending(l);
    log_line(&l->log, LOG_INFO, "launch", "%zu %s %llu ms", l->count,
             l->count == 1 ? "node is ready after" : "nodes are ready after",
             (unsigned long long)(now_ms - l->started_ms));
    if (l->log.format == LOG_TEXT) {
        print_rows(l);
        return;
    }
    log_line(&l->log, LOG_INFO, "launch", "%.*s", (int)strcspn(sealing_lines[l->sealing], "\n"),
             sealing_lines[l->sealing]);
    for (size_t i = 0; i < l->count; i++) {
        log_line(&l->log, LOG_INFO, "launch", "%s has port %u, pid %d; peers: %u",
                 l->children[i].relay.name, l->children[i].port, (int)l->children[i].pid,
                 l->formation.nodes[i].alive);
    }
}

static void tell_late(struct launch *l)
{
    char missing[512] = "";
    size_t len = 0;
    for (size_t i = 0; i < l->count && len + 128 < sizeof(missing); i++) {
        const struct formation_node *node = &l->formation.nodes[i];
        if (node->uuid[0] != '\0' && node->sees_all && node->is_ready) {
            continue;
        }
        len += (size_t)snprintf(missing + len, sizeof(missing) - len, "%s%s", len > 0 ? ", " : "",
                                l->children[i].relay.name);
        if (l->children[i].port == 0) {
            len += (size_t)snprintf(missing + len, sizeof(missing) - len, " has no port");
        } else {
            len += (size_t)snprintf(missing + len, sizeof(missing) - len, " sees %u of %zu%s",
                                    node->seen, l->count - 1,
                                    node->sees_all ? " and is not ready" : "");
        }
    }
    log_line(&l->log, LOG_WARN, "launch", "the nodes are not all ready after %llu s: %s",
             (unsigned long long)(l->start_timeout_ms / 1000), missing);
}

void launch_ask(struct launch *l, uint64_t now_ms)
{
    if (now_ms < launch_ask_deadline(l)) {
        return;
    }
    if (ask_one(l)) {
        return;
    }
    l->ask_next = 0;
    l->ask_at_ms = now_ms + l->ask_gap_ms;
    l->ask_gap_ms = l->ask_gap_ms * 5 / 4;
    l->ask_gap_ms = l->ask_gap_ms > ASK_GAP_MAX_MS ? ASK_GAP_MAX_MS : l->ask_gap_ms;
    l->ask_gap_ms = l->ask_gap_ms < ASK_GAP_MIN_MS ? ASK_GAP_MIN_MS : l->ask_gap_ms;
    if (formation_is_complete(&l->formation)) {
        supervisor_formed(&l->supervisor);
        l->is_table_printed = true;
        tell_formed(l, now_ms);
    } else if (!l->is_late_told && now_ms - l->started_ms >= l->start_timeout_ms) {
        l->is_late_told = true;
        tell_late(l);
    }
}

uint64_t launch_ask_deadline(const struct launch *l)
{
    return l->is_table_printed || l->supervisor.is_stopping ? NEVER : l->ask_at_ms;
}
