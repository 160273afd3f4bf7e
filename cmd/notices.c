#include "cmd/notices.h"

#include <stdio.h>
#include <string.h>

enum { ENCODED_SIZE = 3 * NAME_SIZE };

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
    [NOTICE_LINKS_CROWDED] = {LOG_WARN, false, "link", "", "", "", ""},
    [NOTICE_LINK_OVERFLOW] = {LOG_WARN, false, "link", "the queue for ",
                              " was full and has been emptied; a reconciliation follows", "", ""},
    [NOTICE_STRANGER] = {LOG_WARN, false, "stranger", "ignoring ",
                         " of another cluster (REPRAM_NETWORK differs)", "", ""},
    [NOTICE_VERSION] = {LOG_WARN, false, "stranger", "", "", "", ""},
    [NOTICE_KEY_UNKNOWN] = {LOG_WARN, false, "sealing", "", "", "", ""},
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

/* A name, in which each character that stands for something in a line is written as %XX: a member
 * calls itself what it likes, and must not say more in the log than its name. */
static void encode_name(const char *name, char ret_text[static ENCODED_SIZE])
{
    static const char special[] = "%#()[]{}<>,;:|=\"'`\\";
    size_t len = 0;
    for (; *name != '\0' && len + 3 < ENCODED_SIZE; name++) {
        const unsigned char c = (unsigned char)*name;
        if (c <= ' ' || c > '~' || strchr(special, c) != NULL) {
            (void)snprintf(ret_text + len, 4, "%%%02X", c);
            len += 3;
        } else {
            ret_text[len++] = (char)c;
        }
    }
    ret_text[len] = '\0';
}

/* With the beginning of its uuid where another has its name too. */
static void describe_name(const struct notice *notice, char ret_text[static ENCODED_SIZE + 10])
{
    char uuid[UUID_TEXT_SIZE];
    encode_name(notice->name, ret_text);
    if (notice->is_name_shared) {
        const size_t len = strlen(ret_text);
        (void)snprintf(ret_text + len, 10, "#%.8s", uuid_format(&notice->member, uuid));
    }
}

/* What stands for the member: name and address as far as they are known. */
static void describe_member(const struct notice *notice, const char *otherwise, char *ret_text,
                            size_t size)
{
    char where[ADDR_TEXT_SIZE] = "";
    char name[ENCODED_SIZE + 10];
    if (notice->addr.port != 0) {
        addr_format(&notice->addr, where);
    }
    if (notice->name[0] != '\0') {
        describe_name(notice, name);
        (void)snprintf(ret_text, size, "%s%s%s%s", name, where[0] != '\0' ? " (" : "", where,
                       where[0] != '\0' ? ")" : "");
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
    if (notice->kind == NOTICE_KEY_UNKNOWN) {
        return "ignoring a node whose key is not in this node's ring: key id";
    }
    if (notice->kind == NOTICE_LINKS_CROWDED) {
        return "links on which nobody has answered yet make way for others, or keep them out";
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
    char member[ENCODED_SIZE + 10 + ADDR_TEXT_SIZE + 8];
    char value[64] = "";
    ret_line->level = def->level;
    ret_line->event = def->event;
    const char *own = own_sentence(notice);
    if (own != NULL) {
        (void)snprintf(ret_line->text, sizeof(ret_line->text), "%s%s%s", own,
                       notice->text[0] != '\0' ? ": " : "", notice->text);
        return;
    }
    describe_member(notice, notice->kind == NOTICE_STRANGER ? "a node" : "the cluster", member,
                    sizeof(member));
    if (def->has_value) {
        (void)snprintf(value, sizeof(value), ", %s%lld%s", def->value_before,
                       (long long)notice->value, def->value_after);
    }
    (void)snprintf(ret_line->text, sizeof(ret_line->text), "%s%s%s%s%s%s", def->before, member,
                   def->after, value, notice->text[0] != '\0' ? ": " : "", notice->text);
}

void notices_describe_left_out(enum notice_kind kind, uint32_t count, struct notice_line *ret_line)
{
    struct notice_line like;
    const struct notice any = {.kind = kind, .name = "..."};
    notices_describe(&any, &like);
    ret_line->level = like.level;
    ret_line->event = like.event;
    if (count == 0) {
        (void)snprintf(ret_line->text, sizeof(ret_line->text),
                       "more lines like the last are left out for now, all but one in 5 s");
    } else {
        (void)snprintf(ret_line->text, sizeof(ret_line->text),
                       "lines like \"%.*s\" that were left out: %u", NOTICE_SENTENCE_SIZE / 2,
                       like.text, count);
    }
}
