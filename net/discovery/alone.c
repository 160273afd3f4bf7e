#include "net/discovery/alone.h"

#include <stdio.h>

void alone_init(struct alone *a, bool is_company_due, bool are_nodes_named)
{
    *a = (struct alone){.is_company_due = is_company_due, .are_nodes_named = are_nodes_named};
}

void alone_named(struct alone *a, const struct addr *addr, bool is_own_host, bool is_asked)
{
    a->asked += is_asked;
    if (addr_is_loopback(addr) || addr_is_any(addr)) {
        return;
    }
    if (is_own_host) {
        a->is_own_named = true;
        return;
    }
    struct alone_hosts *hosts = addr_is_v4(addr) ? &a->v4 : &a->v6;
    if (hosts->first.port == 0) {
        hosts->first = *addr;
    }
    hosts->are_several = hosts->are_several || !addr_same_ip(&hosts->first, addr);
}

/* A single foreign address may be this very node's, behind a NAT, with both families too. Beside
 * one of this host it is another's. */
static bool are_hosts_named(const struct alone *a)
{
    const bool is_foreign = a->v4.first.port != 0 || a->v6.first.port != 0;
    return a->v4.are_several || a->v6.are_several || (is_foreign && a->is_own_named);
}

bool alone_pass_over(struct alone *a, bool is_alone, uint64_t now_ms)
{
    /* Who was just named has not had time to answer: what the pass before named decides. */
    const bool is_so = is_alone && a->is_due;
    if (!is_so) {
        a->since_ms = 0;
    } else if (a->since_ms == 0) {
        a->since_ms = now_ms;
        a->say_ms = now_ms + ALONE_SAID_AFTER_MS;
        a->pause_ms = ALONE_PAUSE_MIN_MS;
    }
    a->is_due = a->is_company_due || (a->are_nodes_named && a->asked > 0) || are_hosts_named(a);
    a->asked_last = a->asked;
    a->asked = 0;
    a->is_own_named = false;
    a->v4 = (struct alone_hosts){.are_several = false};
    a->v6 = (struct alone_hosts){.are_several = false};
    if (!is_so || now_ms < a->say_ms) {
        return false;
    }
    a->say_ms = now_ms + a->pause_ms;
    a->pause_ms = 2 * a->pause_ms < ALONE_PAUSE_MAX_MS ? 2 * a->pause_ms : ALONE_PAUSE_MAX_MS;
    return true;
}

bool alone_lasts(const struct alone *a, uint64_t now_ms)
{
    return a->since_ms != 0 && now_ms - a->since_ms >= ALONE_SAID_AFTER_MS;
}

const char *alone_text(const struct alone *a, const char *network,
                       char ret_text[static ALONE_TEXT_SIZE])
{
    if (a->asked_last == 0) {
        (void)snprintf(ret_text, ALONE_TEXT_SIZE, "alone: there is no address to ask");
    } else {
        (void)snprintf(ret_text, ALONE_TEXT_SIZE,
                       "alone: asked %u address%s, none of network \"%.*s\" answered",
                       a->asked_last, a->asked_last == 1 ? "" : "es", NAME_SIZE - 1, network);
    }
    return ret_text;
}
