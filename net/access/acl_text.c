/* acl_text: the text of an ACL, read line by line, or what is wrong with it. */
#include "core/base/parse.h"
#include "core/base/units.h"
#include "core/store/record.h"
#include "net/access/acl.h"
#include "net/access/acl_state.h"
#include "net/sys/rfc3339.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIME_TEXT_MAX = 32, HASH_DIGITS = 2 * DIGEST_SIZE };

/* ---- The text ---- */

struct word {
    const char *data;
    size_t len;
};

struct reading {
    struct acl *acl;
    uint32_t line;
    struct word rest; /* of the line */
    struct acl_fault *fault;
};

__attribute__((format(printf, 2, 3))) static bool wrong(struct reading *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(r->fault->text, sizeof(r->fault->text), format, args);
    va_end(args);
    r->fault->line = r->line;
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* False at the end of the line. */
static bool next_word(struct reading *r, struct word *ret_word)
{
    struct word *rest = &r->rest;
    while (rest->len > 0 && is_blank(*rest->data)) {
        rest->data++;
        rest->len--;
    }
    size_t len = 0;
    while (len < rest->len && !is_blank(rest->data[len])) {
        len++;
    }
    *ret_word = (struct word){rest->data, len};
    rest->data += len;
    rest->len -= len;
    return len > 0;
}

static bool is_word(struct word word, const char *text)
{
    return word.len == strlen(text) && memcmp(word.data, text, word.len) == 0;
}

/* Whether the word begins so; what stands behind it to *ret_rest. */
static bool begins(struct word word, const char *text, struct word *ret_rest)
{
    const size_t len = strlen(text);
    if (word.len < len || memcmp(word.data, text, len) != 0) {
        return false;
    }
    *ret_rest = (struct word){word.data + len, word.len - len};
    return true;
}

/* ---- user NAME sha256:HEX [sha256:HEX] [expires=TIME] ---- */

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '@';
}

static bool is_name(struct word word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (!is_name_byte(word.data[i])) {
            return false;
        }
    }
    return word.len < ACL_NAME_SIZE;
}

static bool read_hash(struct reading *r, struct word hex)
{
    uint8_t hash[DIGEST_SIZE];
    if (hex.len != HASH_DIGITS) {
        return wrong(r, "a hash is sha256: and 64 hexadecimal digits");
    }
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        uint64_t byte = 0;
        if (parse_hex_u64(hex.data + 2 * i, 2, &byte) != RC_OK) {
            return wrong(r, "a hash is sha256: and 64 hexadecimal digits");
        }
        hash[i] = (uint8_t)byte;
    }
    /* There is room: two for each user. */
    return tokens_add(r->acl->tokens, hash, r->acl->user_count) == RC_OK ||
           wrong(r, "this hash stands above already; each user has tokens of his own");
}

static bool read_end(struct reading *r, struct word time, struct acl_user *u)
{
    char text[TIME_TEXT_MAX];
    if (u->ends_ms != NEVER) {
        return wrong(r, "expires= stands here twice");
    }
    if (time.len < sizeof(text)) {
        (void)snprintf(text, sizeof(text), "%.*s", (int)time.len, time.data);
        if (rfc3339_parse(text, &u->ends_ms) == RC_OK) {
            return true;
        }
    }
    return wrong(r, "expires= takes a time in UTC such as 2027-01-31T00:00:00Z");
}

static bool read_credentials(struct reading *r, struct acl_user *u)
{
    struct word word;
    struct word rest;
    uint32_t hashes = 0;
    while (next_word(r, &word)) {
        bool is_good = false;
        if (begins(word, "sha256:", &rest)) {
            is_good = ++hashes <= 2 ? read_hash(r, rest)
                                    : wrong(r, "a user has two hashes at most, for a token and "
                                               "for the one that replaces it");
        } else if (begins(word, "expires=", &rest)) {
            is_good = read_end(r, rest, u);
        } else {
            is_good = wrong(r, "behind a user's name stand sha256:HEX, once or twice, and "
                               "expires=TIME");
        }
        if (!is_good) {
            return false;
        }
    }
    return hashes > 0 || wrong(r, "a user needs sha256:HEX, the hash of a token; "
                                  "repram keygen --token NAME makes both");
}

static bool read_anybody(struct reading *r)
{
    struct word word;
    if (r->acl->anybody != ACL_NO_USER) {
        return wrong(r, "user * stands above already");
    }
    if (next_word(r, &word)) {
        return wrong(r, "user * is who brings no token: nothing stands behind it");
    }
    r->acl->anybody = (uint16_t)r->acl->user_count;
    return true;
}

static bool read_user(struct reading *r)
{
    struct acl *acl = r->acl;
    struct word name;
    if (acl->user_count == ACL_USERS_MAX) {
        return wrong(r, "a file has %d users at most", ACL_USERS_MAX);
    }
    if (!next_word(r, &name)) {
        return wrong(r, "user needs a name, or * for who brings no token");
    }
    struct acl_user *u = &acl->users[acl->user_count];
    *u = (struct acl_user){.ends_ms = NEVER, .rule_first = acl->rule_count};
    const bool is_anybody = is_word(name, "*");
    if (!is_anybody && !is_name(name)) {
        return wrong(r, "a name is * or has %d letters, digits, '-', '_', '.' and '@' at most",
                     ACL_NAME_SIZE - 1);
    }
    memcpy(u->name, name.data, name.len);
    for (uint32_t i = 0; i < acl->user_count; i++) {
        if (!is_anybody && strcmp(acl->users[i].name, u->name) == 0) {
            return wrong(r, "user %s stands above already", u->name);
        }
    }
    if (!(is_anybody ? read_anybody(r) : read_credentials(r, u))) {
        return false;
    }
    acl->user_count++;
    return true;
}

/* ---- allow VERBS [PREFIX] [ttl<=DUR] [size<=SIZE] ---- */

/* A verb that is none, as far as it can be shown: letters alone. */
static int shown_len(struct word word)
{
    enum { SHOWN_MAX = 16 };
    size_t len = 0;
    while (len < word.len && len < SHOWN_MAX && word.data[len] >= 'a' && word.data[len] <= 'z') {
        len++;
    }
    return (int)len;
}

static bool read_verb(struct reading *r, struct word word, struct acl_rule *rule)
{
    for (const struct acl_verb_row *row = acl_verbs; row->name != NULL; row++) {
        if (is_word(word, row->name)) {
            rule->verbs |= row->verbs;
            return true;
        }
    }
    return wrong(r,
                 "'%.*s' is no verb; allowed, with commas between: read, write, list, watch, "
                 "status, metrics, admin, all",
                 shown_len(word), word.data);
}

static bool read_verbs(struct reading *r, struct acl_rule *rule)
{
    struct word verbs;
    (void)next_word(r, &verbs); /* empty where there is none, which is no verb */
    for (;;) {
        const char *comma = memchr(verbs.data, ',', verbs.len);
        const size_t len = comma == NULL ? verbs.len : (size_t)(comma - verbs.data);
        if (!read_verb(r, (struct word){verbs.data, len}, rule)) {
            return false;
        }
        if (comma == NULL) {
            return true;
        }
        verbs = (struct word){comma + 1, verbs.len - len - 1};
    }
}

static bool read_prefix(struct reading *r, struct word word, struct acl_rule *rule)
{
    struct acl *acl = r->acl;
    size_t len = 0;
    if (memchr(word.data, '<', word.len) != NULL || memchr(word.data, '=', word.len) != NULL) {
        return wrong(r, "behind the verbs stand a prefix, ttl<=DURATION and size<=SIZE; in a "
                        "prefix < is %%3C and = is %%3D");
    }
    /* What is decoded is no longer than the text, and the texts of all lines have room. */
    const size_t max = word.len < KEY_BYTES_MAX ? word.len : KEY_BYTES_MAX;
    const enum rc rc =
        parse_percent(word.data, word.len, '+', acl->bytes + acl->bytes_len, max, &len);
    if (rc == RC_TOO_LONG) {
        return wrong(r, "a prefix has %d bytes at most, as a key", KEY_BYTES_MAX);
    }
    if (rc != RC_OK) {
        return wrong(r, "a %% in a prefix is not followed by two hexadecimal digits");
    }
    if (memchr(acl->bytes + acl->bytes_len, '\0', len) != NULL) {
        return wrong(r, "no key has a NUL");
    }
    rule->prefix_at = acl->bytes_len;
    rule->prefix_len = (uint16_t)len;
    acl->bytes_len += (uint32_t)len;
    return true;
}

static bool read_ttl(struct reading *r, struct word word, struct acl_rule *rule)
{
    return (rule->ttl_max_s == UINT64_MAX &&
            parse_duration_s(word.data, word.len, &rule->ttl_max_s) == RC_OK &&
            rule->ttl_max_s > 0) ||
           wrong(r, "ttl<= takes, once, " PARSE_DURATION_S_TAKES);
}

static bool read_size(struct reading *r, struct word word, struct acl_rule *rule)
{
    return (rule->size_max == UINT64_MAX &&
            parse_size(word.data, word.len, &rule->size_max) == RC_OK) ||
           wrong(r, "size<= takes, once, bytes, or a number with KiB, MiB or GiB");
}

/* The verbs and what bounds them go together. */
static bool check_rule(struct reading *r, struct acl_rule *rule)
{
    const bool is_all = (rule->verbs & ACL_ALL) == ACL_ALL;
    const bool is_bounded = rule->ttl_max_s != UINT64_MAX || rule->size_max != UINT64_MAX;
    if (is_bounded && (rule->verbs & ACL_WRITE) == 0) {
        return wrong(r, "ttl<= and size<= bound writes, and this line allows none");
    }
    if (rule->prefix_len > 0 && is_all) {
        rule->verbs = ACL_WITH_PREFIX;
    }
    if (rule->prefix_len > 0 && (rule->verbs & ~(uint32_t)ACL_WITH_PREFIX) != 0) {
        return wrong(r, "status, metrics and admin have no prefix: give them a line of their own");
    }
    return true;
}

static bool read_allow(struct reading *r)
{
    struct acl *acl = r->acl;
    if (acl->user_count == 0) {
        return wrong(r, "allow stands above the first user; whom should it allow something?");
    }
    struct acl_user *u = &acl->users[acl->user_count - 1];
    struct acl_rule *rule = &acl->rules[acl->rule_count];
    struct word word;
    struct word rest;
    if (u->rule_count == ACL_RULES_MAX) {
        return wrong(r, "a user has %d lines at most", ACL_RULES_MAX);
    }
    *rule = (struct acl_rule){.line = r->line, .ttl_max_s = UINT64_MAX, .size_max = UINT64_MAX};
    if (!read_verbs(r, rule)) {
        return false;
    }
    for (bool is_first = true; next_word(r, &word); is_first = false) {
        const bool is_good = begins(word, "ttl<=", &rest)    ? read_ttl(r, rest, rule)
                             : begins(word, "size<=", &rest) ? read_size(r, rest, rule)
                             : is_first                      ? read_prefix(r, word, rule)
                                        : wrong(r, "a line has one prefix, behind its verbs");
        if (!is_good) {
            return false;
        }
    }
    if (!check_rule(r, rule)) {
        return false;
    }
    u->rule_count++;
    acl->rule_count++;
    return true;
}

/* ---- Lines ---- */

static bool read_line(struct reading *r, struct word line)
{
    const char *comment = memchr(line.data, '#', line.len);
    line.len = comment == NULL ? line.len : (size_t)(comment - line.data);
    if (line.len > 0 && line.data[line.len - 1] == '\r') {
        line.len--;
    }
    for (size_t i = 0; i < line.len; i++) {
        const uint8_t c = (uint8_t)line.data[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return wrong(r, "a line has a control character");
        }
    }
    struct word statement;
    r->rest = line;
    if (!next_word(r, &statement)) {
        return true;
    }
    if (is_word(statement, "user")) {
        return read_user(r);
    }
    return is_word(statement, "allow") ? read_allow(r)
                                       : wrong(r, "a line begins with user, allow or #");
}

/* What editors of some systems put in front of a text, and nobody sees. */
static bool has_mark(struct reading *r, const char *text, size_t len)
{
    const bool is_utf8 = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;
    const bool is_utf16 =
        len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);
    r->line = 1;
    return (is_utf8 || is_utf16) &&
           !wrong(r, "the file begins with a byte order mark of %s: save it as UTF-8 without one",
                  is_utf8 ? "UTF-8" : "UTF-16");
}

static bool read_lines(struct reading *r, const char *text, size_t len)
{
    if (has_mark(r, text, len)) {
        return false;
    }
    r->line = 0;
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        const size_t line_len = end == NULL ? len - at : (size_t)(end - (text + at));
        r->line++;
        if (!read_line(r, (struct word){text + at, line_len})) {
            return false;
        }
        at += line_len + 1;
    }
    return true;
}

/* Room for what a text of so many lines can say at most. */
static bool make_room(struct acl *acl, const char *text, size_t len)
{
    size_t lines = 1;
    for (size_t i = 0; i < len; i++) {
        lines += text[i] == '\n';
    }
    const size_t users = lines < ACL_USERS_MAX ? lines : ACL_USERS_MAX;
    const size_t rules_max = (size_t)ACL_USERS_MAX * ACL_RULES_MAX;
    acl->tokens = tokens_new();
    acl->users = calloc(users, sizeof(*acl->users));
    acl->rules = calloc(lines < rules_max ? lines : rules_max, sizeof(*acl->rules));
    acl->bytes = malloc(len + 1);
    return acl->tokens != NULL && acl->users != NULL && acl->rules != NULL && acl->bytes != NULL;
}

/* Of the text as it stands, comments and all: of equal files it is equal. */
static bool take_digest(struct acl *acl, const char *text, size_t len)
{
    uint8_t hash[DIGEST_SIZE];
    const bool is_made = digest_once(text, len, hash);
    for (size_t i = 0; is_made && i < sizeof(acl->digest); i++) {
        acl->digest = acl->digest << 8 | hash[i];
    }
    return is_made;
}

struct acl *acl_parse(const char *text, size_t len, struct acl_fault *ret_fault)
{
    struct acl *acl = len <= ACL_TEXT_MAX ? calloc(1, sizeof(*acl)) : NULL;
    struct reading r = {.acl = acl, .fault = ret_fault};
    *ret_fault = (struct acl_fault){.line = 0};
    if (len > ACL_TEXT_MAX) {
        (void)wrong(&r, "the file is larger than 4 MiB");
        return NULL;
    }
    bool is_good = acl != NULL && make_room(acl, text, len) && take_digest(acl, text, len);
    if (is_good) {
        acl->anybody = ACL_NO_USER;
        is_good = read_lines(&r, text, len);
    } else {
        (void)wrong(&r, "out of memory");
    }
    if (!is_good) {
        acl_free(acl);
        return NULL;
    }
    return acl;
}
