#include "cmd/notices.h"

#include <stdio.h>
#include <string.h>

struct notice_kind_def {
    enum log_level level;
    bool has_value;
    const char *event;
    const char *before; /* around the member's name and address, when there is a member */
    const char *after;
    const char *value_before; /* what the number counts, so that no plural is needed; or its unit */
    const char *value_after;
};

static const struct notice_kind_def kinds[NOTICE_KINDS] = {
    [NOTICE_MEMBER_JOINED] = {LOG_INFO, false, "member", "", " joined", "", ""},
    [NOTICE_MEMBER_SUSPECT] = {LOG_WARN, false, "member", "", " does not answer and is suspect", "",
                               ""},
    [NOTICE_MEMBER_ALIVE] = {LOG_INFO, false, "member", "", " is alive after all", "", ""},
    [NOTICE_MEMBER_DEAD] = {LOG_WARN, false, "member", "", " is dead", "", ""},
    [NOTICE_MEMBER_LEFT] = {LOG_INFO, false, "member", "", " left", "", ""},
    [NOTICE_LINK_UP] = {LOG_INFO, false, "link", "linked with ", "", "", ""},
    [NOTICE_LINK_DOWN] = {LOG_INFO, false, "link", "lost the link with ", "", "", ""},
    [NOTICE_UNDIALED] = {LOG_WARN, true, "link", "", " is alive and cannot be linked with",
                         "dials in vain: ", ""},
    [NOTICE_LINK_OVERFLOW] = {LOG_WARN, false, "link", "the queue for ",
                              " was full and has been emptied; a reconciliation follows", "", ""},
    [NOTICE_STRANGER] = {LOG_WARN, false, "stranger", "ignoring ",
                         " of another cluster (REPRAM_NETWORK differs)", "", ""},
    [NOTICE_VERSION] = {LOG_WARN, false, "stranger", "", "", "", ""},
    [NOTICE_CLOCK_SET] = {LOG_INFO, true, "clock", "took the clock of ", "", "",
                          " ms from this host's"},
    [NOTICE_CLOCK_CONFLICT] = {LOG_ERROR, true, "clock",
                               "clock_conflict: no data is exchanged with ",
                               ": the clusters were founded apart", "", " ms between the clocks"},
    [NOTICE_JOIN_STARTED] = {LOG_INFO, true, "join", "catching up with ", "", "donors: ", ""},
    [NOTICE_JOIN_DONE] = {LOG_INFO, true, "join", "caught up with ", "", "records received: ", ""},
    [NOTICE_SYNC_DONE] = {LOG_INFO, true, "sync", "reconciled with ", "",
                          "records exchanged: ", ""},
    [NOTICE_PEER_FULL] = {LOG_WARN, false, "storage", "", " is full and refuses records", "", ""},
    [NOTICE_FULL] = {LOG_WARN, false, "storage", "", "", "", ""},
    [NOTICE_ROOM] = {LOG_INFO, false, "storage", "", "", "", ""},
    [NOTICE_CONFIG_DIFFERS] = {LOG_WARN, false, "config", "", " is configured differently", "", ""},
    [NOTICE_READY] = {LOG_INFO, false, "ready", "", "", "", ""},
    [NOTICE_PASS_FAILED] = {LOG_WARN, false, "discovery", "", "", "", ""},
    [NOTICE_EXPECTING] = {LOG_INFO, false, "expecting", "", "", "", ""},
    [NOTICE_MAJORITY] = {LOG_WARN, false, "expecting", "", "", "", ""},
    [NOTICE_REFUSED] = {LOG_ERROR, false, "member", "", "", "", ""},
    [NOTICE_NAME_TWICE] = {LOG_WARN, false, "member", "", " has this node's name", "", ""},
};

/* What stands for the member: name and address as far as they are known. */
static void describe_member(const struct notice *notice, const char *otherwise, char *ret_text,
                            size_t size)
{
    char where[ADDR_TEXT_SIZE] = "";
    if (notice->addr.port != 0) {
        addr_format(&notice->addr, where);
    }
    if (notice->name[0] != '\0') {
        (void)snprintf(ret_text, size, "%s%s%s%s", notice->name, where[0] != '\0' ? " (" : "",
                       where, where[0] != '\0' ? ")" : "");
    } else {
        (void)snprintf(ret_text, size, "%s", where[0] != '\0' ? where : otherwise);
    }
}

/* The whole sentence of a notice that is about this node and no member; NULL for the others. */
static const char *own_sentence(const struct notice *notice)
{
    if (notice->kind == NOTICE_READY) {
        return "ready, members of the enclave";
    }
    if (notice->kind == NOTICE_FULL) {
        return "the storage is full: writes that need room are refused";
    }
    if (notice->kind == NOTICE_ROOM) {
        return "there is room in the storage again";
    }
    if (notice->kind == NOTICE_VERSION) {
        return "ignoring a node of another protocol version";
    }
    if (notice->kind == NOTICE_PASS_FAILED) {
        return "not every provider has said who is there";
    }
    if (notice->kind == NOTICE_REFUSED) {
        return "the members' tables are full, and have no room for this node";
    }
    if (notice->kind == NOTICE_EXPECTING) {
        return "waiting for the members of a new enclave";
    }
    if (notice->kind == NOTICE_MAJORITY) {
        return "the enclave begins without all of its members, as more than half have been there "
               "for 60 s";
    }
    const bool is_founded = notice->kind == NOTICE_CLOCK_SET && uuid_is_nil(&notice->member);
    return is_founded ? "this host's clock is the cluster's" : NULL;
}

void notices_describe(const struct notice *notice, struct notice_line *ret_line)
{
    const struct notice_kind_def *def = &kinds[notice->kind];
    char member[NAME_SIZE + ADDR_TEXT_SIZE + 8];
    char value[64] = "";
    ret_line->level = def->level;
    ret_line->event = def->event;
    const char *own = own_sentence(notice);
    if (own != NULL) {
        (void)snprintf(ret_line->text, sizeof(ret_line->text), "%s%s%s", own,
                       notice->text[0] != '\0' ? ": " : "", notice->text);
        return;
    }
    describe_member(notice, "the cluster", member, sizeof(member));
    if (def->has_value) {
        (void)snprintf(value, sizeof(value), ", %s%lld%s", def->value_before,
                       (long long)notice->value, def->value_after);
    }
    (void)snprintf(ret_line->text, sizeof(ret_line->text), "%s%s%s%s%s%s", def->before, member,
                   def->after, value, notice->text[0] != '\0' ? ": " : "", notice->text);
}

bool notices_may_say(struct notice_limits *l, enum notice_kind kind, uint64_t now_ms,
                     uint32_t *ret_left_out, bool *ret_is_last)
{
    const uint64_t most_ms = (uint64_t)(NOTICE_BURST - 1) * NOTICE_PERIOD_MS;
    const uint64_t from_ms = l->paid_ms[kind] > now_ms ? l->paid_ms[kind] : now_ms;
    if (from_ms - now_ms > most_ms) {
        l->left_out[kind]++;
        return false;
    }
    l->paid_ms[kind] = from_ms + NOTICE_PERIOD_MS;
    *ret_left_out = l->left_out[kind];
    *ret_is_last = l->left_out[kind] == 0 && l->paid_ms[kind] - now_ms > most_ms;
    l->left_out[kind] = 0;
    return true;
}
